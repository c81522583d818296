"""`cohort personas sample`, and what `tree` and `show` say of assumptions, as a user runs them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from personas.library import PersonaLibrary


def _cohort(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "cohort"), "personas", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env={**os.environ, "COHORT_DATA_DIR": str(folder / "data"), "COLUMNS": "120", **environment},
        check=False,
    )


def test_the_command_writes_the_same_file_in_two_processes(tmp_path: Path) -> None:
    digests = set()
    for attempt in ("1", "2"):
        file = tmp_path / f"{attempt}.parquet"
        done = _cohort(
            tmp_path, "sample", "t2d_adults", "-n", "70000", "--seed", "9", "--restrict", "age>=65",
            "--restrict", "30<=egfr<60", "--out", str(file), PYTHONHASHSEED=attempt, OPENBLAS_NUM_THREADS=attempt,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "70,000 virtual patients" in done.stdout
        assert "% of the unrestricted cohort" in done.stdout
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
    assert len(digests) == 1
    again = _cohort(tmp_path, "sample", "t2d_adults", "--out", str(tmp_path / "1.parquet"))
    assert again.returncode != 0
    assert "exists already" in again.stderr
    assert "Traceback" not in again.stderr


def test_the_command_mixes_and_prints_json(tmp_path: Path) -> None:
    done = _cohort(tmp_path, "sample", "t2d_adults=0.7", "obesity_adults=0.3", "-n", "50", "--out", "x.csv", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["label"] == "70 % Adults with type 2 diabetes and 30 % Adults with obesity"
    assert len((tmp_path / "x.csv").read_text("utf-8").splitlines()) == 51
    wrong = _cohort(tmp_path, "sample", "t2d_adults", "obesity_adults", "--out", "y.csv")
    assert wrong.returncode != 0
    assert "names no share" in wrong.stderr


def test_tree_and_profile_say_what_is_assumed(tmp_path: Path) -> None:
    persona = PersonaLibrary().get("t2d_ckd")
    share = f"{100 * persona.assumed_share:.0f} % of its"
    tree = _cohort(tmp_path, "tree")
    line = next(line for line in tree.stdout.splitlines() if line.split()[:1] == ["t2d_ckd"])
    assert f"{share} values assumed" in line
    assert f"{share} {len(persona.values)} values" in _cohort(tmp_path, "show", "t2d_ckd").stdout


@pytest.mark.slow
def test_ten_million_patients_need_less_than_a_gibibyte(tmp_path: Path) -> None:
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    cohort = str(Path(sys.executable).parent / "cohort")
    command = [cohort, "personas", "sample", "t2d_adults", "-n", "10000000", "--out", str(tmp_path / "x.parquet")]
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "COHORT_DATA_DIR": str(tmp_path / "data")},
        check=True,
    )
    from pyarrow import parquet

    assert parquet.ParquetFile(tmp_path / "x.parquet").metadata.num_rows == 10_000_000
    (tmp_path / "x.parquet").unlink()
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout.split()[-1]) * unit < 2**30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["martians"], "no archetype 'martians'"),
        (["t2d_adults", "--restrict", "age>=65", "--restrict", "age<40"], "both age>=65 and age<40"),
        (["t2d_adults", "--restrict", "shoe_size>=40"], "no attribute 'shoe_size'"),
        (["t2d_adults", "--restrict", "age>=300"], "Nobody has an age of 300"),
        (["t2d_adults", "--restrict", "age>=94.9999"], "Widen or drop age>=94.9999"),
        (["t2d_adults", "-n", "0"], "cannot be written"),
        (["t2d_adults", "--seed", "-1"], "seed cannot be negative"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = _cohort(tmp_path, "sample", *arguments, "--out", "x.csv")
    assert done.returncode not in (0, 1)
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.csv").exists()
