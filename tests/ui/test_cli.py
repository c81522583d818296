"""The command line as a user runs it: a process of its own, exit codes, words on standard error."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

COHORT = str(Path(sys.executable).parent / "cohort")
MAIN_QUESTION = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"


MARTIANS = '{"cohort": {"persona_id": "martians"}, "treatment": {"intervention": "semaglutide"}}'


@pytest.fixture(scope="module")
def folder(copy_of_store: Callable[[], Path]) -> Path:
    return copy_of_store()


def _cohort(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COHORT_DATA_DIR": str(folder), "COLUMNS": "120"}
    return subprocess.run(
        [COHORT, *arguments], capture_output=True, text=True, timeout=180, env=environment, check=False
    )


@pytest.fixture(scope="module")
def answered(folder: Path) -> subprocess.CompletedProcess[str]:
    return _cohort(folder, "ask", MAIN_QUESTION)


def test_the_main_question_is_answered(answered: subprocess.CompletedProcess[str]) -> None:
    assert answered.returncode == 0, answered.stderr
    text = " ".join(answered.stdout.split())
    for needed in (
        "HbA1c",
        "placebo",
        "individuals vary",
        "How sure?",
        "published trials were predicted without having been read",
        "PMID",
        "Not advice",
        "Run r-",
        "stop",
    ):
        assert needed in text, needed
    assert "nan" not in text.lower().split()


def test_a_run_replays_identically_and_tampering_is_seen(
    folder: Path, answered: subprocess.CompletedProcess[str]
) -> None:
    runs = json.loads(_cohort(folder, "runs", "list", "--json").stdout)
    run_id = runs[0]["run_id"]
    replay = _cohort(folder, "runs", "replay", run_id, "--json")
    report = json.loads(replay.stdout)
    assert replay.returncode == 0
    assert report["identical"]
    assert report["compared"] > 100
    assert "intact" in _cohort(folder, "runs", "verify").stdout
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection, connection:
        original = connection.execute("SELECT body FROM runs WHERE run_id = ?", (run_id,)).fetchone()[0]
        connection.execute(
            "UPDATE runs SET body = replace(body, 'semaglutide', 'semaglutidx') WHERE run_id = ?", (run_id,)
        )
    for command in (("runs", "verify"), ("runs", "replay", run_id), ("runs", "show", run_id)):
        found = _cohort(folder, *command)
        assert found.returncode == 4, command
        assert run_id in found.stderr
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET body = ? WHERE run_id = ?", (original, run_id))
    assert _cohort(folder, "runs", "verify").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("ask", "How would adults with type 2 diabetes react to Zelvoritide 5 mg?"), 3, "Zelvoritide"),
        (("ask", "What would sitagliptin 100 mg do to LDL cholesterol in adults with type 2 diabetes?"), 3, "sitagliptin"),
        (("ask", ""), 2, "empty"),
        (("ask", "   ?!  "), 2, "empty"),
        (("ask", "semaglutide " * 1700), 2, "characters"),
        (("ask", "How would adults with type 2 diabetes react to semaglutide 500 mg weekly?"), 3, "500 mg"),
        (("ask", "How would children with cystic fibrosis react to semaglutide 1 mg?"), 3, "cystic fibrosis"),
        (("ask", "--as-of", "yesterday", "q"), 2, "YYYY-MM-DD"),
        (("tool", "simulate_tretment_response"), 2, "simulate_treatment_response"),
        (("tool", "search_literature", "--json", "{not json"), 2, "JSON"),
        (("tool", "search_literature", "--json", '{"query": "x", "colour": "red"}'), 2, "colour"),
        (("tool", "search_literature", "--json", "@/nowhere.json"), 2, "no file"),
        (("tool", "simulate_treatment_response", "--json", MARTIANS), 2, "martians"),
        (("personas", "show", "t2d_adultz"), 2, "t2d_adults"),
        (("runs", "show", "r-nothing"), 2, "r-nothing"),
        (("serve", "--host", "0.0.0.0"), 2, "127.0.0.1"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_helpfully(folder: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    found = _cohort(folder, *arguments)
    assert found.returncode == code, found.stderr + found.stdout
    output = found.stdout + found.stderr
    assert said in output
    assert "Traceback" not in output


def test_a_second_process_is_refused(folder: Path, answered: subprocess.CompletedProcess[str]) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from knowledge.lock import DataDirLock\n"
         "with DataDirLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        refused = _cohort(folder, "runs", "list")
        assert refused.returncode == 4
        assert "COHORT_DATA_DIR" in refused.stderr
        assert str(holder.pid) in refused.stderr
    finally:
        holder.communicate(timeout=20)


def test_lists_and_profiles(folder: Path) -> None:
    assert "t2d_ckd_older" in _cohort(folder, "personas", "tree").stdout
    assert "assumed" in _cohort(folder, "personas", "show", "t2d_ckd_older").stdout
    assert "simulate_treatment_response" in _cohort(folder, "tool").stdout
    assert "trials" in _cohort(folder, "index").stdout
    assert "semaglutide" in _cohort(folder, "index", "--drugs").stdout
    schema = json.loads(_cohort(folder, "tool", "search_literature", "--schema").stdout)
    assert "query" in schema["properties"]


def test_json_answer_is_the_typed_answer(folder: Path) -> None:
    from assistant.schemas import Answer

    found = _cohort(
        folder, "ask", "--json", "How would adults with type 2 diabetes react to dulaglutide 1.5 mg over 26 weeks?"
    )
    answer = Answer.model_validate_json(found.stdout)
    assert answer.estimates
    assert answer.steps


def test_an_excluded_trial_stays_out(folder: Path) -> None:
    found = _cohort(
        folder,
        "ask",
        "--exclude",
        "SUSTAIN*",
        "How would adults with type 2 diabetes react to semaglutide 1 mg over 30 weeks?",
    )
    assert found.returncode == 0
    assert "SUSTAIN" not in found.stdout
