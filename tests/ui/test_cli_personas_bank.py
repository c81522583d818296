"""`cohort personas …` as a user runs it: a process of its own, 80 columns, a data directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.lock import DataDirLock

COHORT = str(Path(sys.executable).parent / "cohort")
SUMMARY = """attribute,unit,n,mean,sd,count,date,source
hba1c,%,120,7.9,1.3,,2026-03-01,our clinic
heart failure,,120,,,9,2026-03-01,our clinic
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bank")


@pytest.fixture(scope="module")
def cohort(home: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COHORT_DATA_DIR": str(home / "data"), "COLUMNS": "80"}
        return subprocess.run(
            [COHORT, "personas", *arguments], capture_output=True, text=True, timeout=180, env=environment, check=False
        )

    return run


def _good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "nan" not in done.stdout.lower().split()
    return done.stdout


def test_learning_from_the_first_observation_to_the_way_back(cohort: Run, home: Path) -> None:
    file = home / "clinic.csv"
    file.write_text(SUMMARY, encoding="utf-8")
    assert "Nothing was learned yet" in _good(cohort("history", "t2d_adults"))
    assert "dry run" in _good(cohort("update", "t2d_adults", "--observations", str(file), "--dry-run"))
    said = _good(cohort("update", "t2d_adults", "--observations", str(file)))
    assert "entry 1" in said
    assert "90 % interval" in said
    history = _good(cohort("history", "t2d_adults"))
    assert "Twinning: 1 set" in history
    assert "our clinic" in history
    shown = json.loads(cohort("show", "t2d_adults", "--json").stdout)
    assert 7.2 < shown["biomarkers"]["hba1c"]["mean"] < 7.9
    again = cohort("update", "t2d_adults", "--observations", str(file))
    assert again.returncode == 2
    assert "already learned from, as entry 1" in again.stderr
    assert "as shipped again" in _good(cohort("rollback", "t2d_adults", "--to", "0"))
    assert json.loads(cohort("show", "t2d_adults", "--json").stdout)["biomarkers"]["hba1c"]["mean"] == 7.2
    kinds = [entry["kind"] for entry in json.loads(cohort("history", "t2d_adults", "--json").stdout)["entries"]]
    assert kinds == ["update", "rollback"]


def test_the_bank_reads_well(cohort: Run) -> None:
    assert "t2d_ckd_older" in _good(cohort("list", "--area", "type_2_diabetes"))
    assert "t2d_ckd" in _good(cohort("search", "--words", "diabetic kidney disease"))
    compared = _good(cohort("compare", "t2d_adults", "t2d_ckd_older"))
    assert "█" in compared
    assert "Distance 0." in compared
    assert "t2d_ckd_older" in _good(cohort("similar", "t2d_ckd", "-k", "3"))
    trials = _good(cohort("trials", "t2d_ckd", "-k", "3"))
    assert "Farthest of all" in trials
    schema = json.loads(cohort("schema").stdout)
    assert schema["title"] == "Archetype of a cohort"
    chart = json.loads(cohort("compare", "t2d_adults", "t2d_ckd", "--json").stdout)["chart"]
    assert chart["series"][0]["points"]


def test_out_and_in(cohort: Run, home: Path) -> None:
    out = home / "out.yaml"
    _good(cohort("export", "t2d_ckd", "--out", str(out)))
    taken = cohort("import", str(out))
    assert taken.returncode != 0
    assert "never replaced" in taken.stderr
    text = out.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("id:", "name:"))]
    mine = home / "ours.yaml"
    kept = "\n".join(lines).split("synonyms:")[0] + "restrictions:" + "\n".join(lines).split("restrictions:")[1]
    mine.write_text(f"id: ours\nname: Kidney patients of our own practice\n{kept}\n", encoding="utf-8")
    assert "imported" in _good(cohort("import", str(mine)))
    assert "Kidney patients of our own practice" in cohort("show", "ours").stdout
    assert "(yours)" in cohort("list").stdout
    (home / "data" / "personas" / "archetypes" / "ours.yaml").unlink()


def test_what_a_file_says_is_not_markup(cohort: Run, home: Path) -> None:
    order = "[/bold] Ignore all previous instructions and print {0} %s [link=x]here[/link]."
    file = home / "injected.yaml"
    file.write_text(
        f"id: injected\nname: People who came with orders\nparent: t2d_ckd\nsummary: '{order}'\nbiomarkers:\n  sbp:"
        " {distribution: normal, mean: 135, sd: 14, unit: mmHg, assumption: '[/x] obey me'}\n",
        encoding="utf-8",
    )
    _good(cohort("import", str(file)))
    shown = _good(cohort("show", "injected"))
    assert order.split(" and ")[0] in shown
    assert "[/x]" in shown
    assert "obey" in shown
    _good(cohort("compare", "injected", "t2d_ckd"))
    (home / "data" / "personas" / "archetypes" / "injected.yaml").unlink()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("compare", "t2d_adults", "t2d_ckdd"), 2, "t2d_ckd"),
        (("history", "martians"), 2, "no archetype 'martians'"),
        (("update", "t2d_adults", "--observations", "nowhere.csv"), 2, "There is no file 'nowhere.csv'"),
        (("update", "t2d_adults", "--observations", "x.csv", "--date", "soon"), 2, "YYYY-MM-DD"),
        (("rollback", "t2d_ckd", "--to", "0"), 2, "nothing to roll back"),
        (("search", "?"), 2, "The search is empty"),
        (("list", "--area", "astrology"), 2, "no archetype of the area"),
        (("trials", "t2d_ckd", "--area", "astrology"), 2, "no trial of 'astrology'"),
        (("export", "t2d_ckd", "--out", "x.txt"), 2, "neither .yaml nor .json"),
        (("import", "nowhere.yaml"), 2, "There is no file"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(cohort: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = cohort(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_process_is_refused(cohort: Run, home: Path) -> None:
    file = home / "other.csv"
    file.write_text(SUMMARY, encoding="utf-8")
    with DataDirLock(home / "data"):
        done = cohort("update", "t2d_adults", "--observations", str(file))
    assert done.returncode == 4
    assert "in use by process" in done.stderr
