"""What ui/docs/rest.md tells people to type is typed here, against a real server, in the order in which it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "ui" / "docs" / "rest.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [code for found, code in BLOCK.findall(DOCS.read_text(encoding="utf-8")) if found == kind]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_command_of_the_page_works(address: str, tmp_path: Path) -> None:
    script = "\n".join(f"echo 'block {number}' >&2\n{code}\necho" for number, code in enumerate(blocks("sh"), start=1))
    assert script.count("curl ") > 20
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "COHORT": address},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "event: answer" in done.stdout
    assert '"identical":true' in done.stdout
    assert len((tmp_path / "patients.csv").read_text(encoding="utf-8").splitlines()) == 501
    assert (tmp_path / "patients.parquet").read_bytes().startswith(b"PAR1")
    assert (tmp_path / "run.csv").stat().st_size > 100


def test_the_python_of_the_page_works(address: str) -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "COHORT": address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) >= 3
    assert "weight" in done.stdout.lower()
