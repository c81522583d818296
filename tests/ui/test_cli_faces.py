"""Doctor, keys, users, pipes, exports and exit codes of the command line, each in a process of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pypdf import PdfReader

COHORT = str(Path(sys.executable).parent / "cohort")
_WITHOUT_WIDTH = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
QUESTION = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"


@pytest.fixture(scope="module")
def folder(copy_of_store: Callable[[], Path]) -> Path:
    return copy_of_store()


def _cohort(folder: Path, *arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COHORT, *arguments], capture_output=True, text=True, timeout=180, check=False, input=text,
        env={**_WITHOUT_WIDTH, "COHORT_DATA_DIR": str(folder), **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run_id(folder: Path) -> str:
    found = _cohort(folder, "ask", "-", "--json", text=f"{QUESTION}\n")
    assert found.returncode == 0, found.stderr
    return str(json.loads(found.stdout)["run_id"])


def _checks(found: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(found.stdout)}


def test_the_doctor_finds_everything_in_order(folder: Path, run_id: str) -> None:
    found = _cohort(folder, "doctor", "--json")
    checks = _checks(found)
    assert found.returncode == 0, found.stdout
    assert {name for name, check in checks.items() if check["state"] == "fail"} == set()
    assert set(checks) >= {
        "python", "packages", "settings", "data folder", "evidence", "run ledger", "conversations", "literature index",
        "embedding model", "keys and users", "chat model",
    }  # fmt: skip
    assert "hash chain intact" in checks["run ledger"]["found"]
    lines = _cohort(folder, "doctor").stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warn", "fail") for line in lines if not line.startswith(" "))


def test_the_doctor_says_what_is_wrong_and_what_to_do(folder: Path, run_id: str) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection, connection:
        original = connection.execute("SELECT body FROM runs WHERE run_id = ?", (run_id,)).fetchone()[0]
        connection.execute("UPDATE runs SET body = replace(body, 'semaglutide', 'x') WHERE run_id = ?", (run_id,))
    try:
        # Nothing listens on port 9: the model's server cannot be reached.
        found = _cohort(
            folder, "doctor", "--json", "--timeout", "1",
            COHORT_MODEL="openai:some-model", COHORT_BASE_URL="http://127.0.0.1:9/v1",
        )  # fmt: skip
        checks = _checks(found)
        assert found.returncode == 1
        assert run_id in checks["run ledger"]["found"]
        assert checks["chat model"]["state"] == "warn"
        assert "does not answer" in checks["chat model"]["found"]
        assert "COHORT_BASE_URL" in checks["chat model"]["what_to_do"]
        strict = _cohort(
            folder, "doctor", "--json", "--timeout", "1", COHORT_FALLBACK="false",
            COHORT_MODEL="openai:some-model", COHORT_BASE_URL="http://127.0.0.1:9/v1",
        )  # fmt: skip
        assert _checks(strict)["chat model"]["state"] == "fail"
    finally:
        with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection, connection:
            connection.execute("UPDATE runs SET body = ? WHERE run_id = ?", (original, run_id))
    wrong = _cohort(folder, "doctor", COHORT_MODLE="x")
    assert wrong.returncode == 1
    assert "COHORT_MODEL" in wrong.stdout


def test_the_doctor_tells_who_holds_the_folder(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from knowledge.lock import DataDirLock\n"
         "with DataDirLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        checks = _checks(_cohort(folder, "doctor", "--json"))
        assert checks["store"]["state"] == "warn"
        assert str(holder.pid) in checks["store"]["found"]
    finally:
        holder.communicate(timeout=20)


def test_keys_and_users(tmp_path: Path) -> None:
    made = _cohort(tmp_path, "keys", "new", "ann")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("ct_")
    assert "not shown again" in made.stderr
    assert json.loads(_cohort(tmp_path, "keys", "list", "--json").stdout) == ["ann"]
    kept = "".join(path.read_text() for path in tmp_path.glob("*keys*"))
    assert key not in kept
    assert _cohort(tmp_path, "keys", "new", "local").returncode == 2
    assert json.loads(_cohort(tmp_path, "keys", "revoke", "ann", "--json").stdout) == {"name": "ann", "revoked": 1}
    assert _cohort(tmp_path, "keys", "revoke", "ann").returncode == 2
    assert "cohort keys new" in _cohort(tmp_path, "keys", "list").stderr
    assert _cohort(tmp_path, "users", "add", "bob", text="a long enough password\n").returncode == 0
    assert _cohort(tmp_path, "users", "list").stdout == "bob\n"
    assert _cohort(tmp_path, "users", "remove", "bob").returncode == 0
    assert _cohort(tmp_path, "users", "remove", "bob").returncode == 2


@pytest.mark.parametrize("form", ["html", "pdf", "docx", "json", "csv"])
def test_an_answer_is_exported(folder: Path, run_id: str, form: str, tmp_path: Path) -> None:
    out = tmp_path / f"answer.{form}"
    found = _cohort(folder, "runs", "export", run_id, "--format", form, "--out", str(out))
    assert found.returncode == 0, found.stderr
    content = out.read_bytes()
    if form == "pdf":
        assert run_id in PdfReader(out).pages[0].extract_text()
    again = subprocess.run(
        [COHORT, "runs", "export", run_id, "--format", form, "--out", "-"], capture_output=True, check=True,
        env={**os.environ, "COHORT_DATA_DIR": str(folder)},
    )  # fmt: skip
    assert again.stdout == content
    twice = _cohort(folder, "runs", "export", run_id, "--out", str(out))
    assert twice.returncode == 2
    assert "is there already" in twice.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "export", "r-none", "--format", "pdf"), "r-none"),
        (("runs", "export", "--format", "pdf"), "name its run"),
        (("runs", "export"), "No file was named"),
        (("eval", "--no-such-option"), "No such option"),
    ],
)
def test_what_cannot_be_exported_is_said(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    found = _cohort(folder, *arguments)
    assert found.returncode == 2, found.stderr
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_pipes_get_plain_unwrapped_text(folder: Path, run_id: str) -> None:
    shown = _cohort(folder, "runs", "show", run_id, FORCE_COLOR="1").stdout
    assert "\x1b" not in shown
    assert "**" not in shown
    sentence = next(line for line in shown.splitlines() if line.startswith("Expect "))
    assert sentence.endswith("(4 on placebo).")
    profile = _cohort(folder, "personas", "show", "t2d_ckd_older").stdout
    assert "\x1b" not in profile
    assert any("HbA1c" in line.replace("hba1c", "HbA1c") and "mean" in line for line in profile.splitlines())


@pytest.mark.parametrize("command", ["personas tree", "personas list", "index --drugs", "tool --schema"])
def test_a_reader_that_leaves_is_no_error(folder: Path, command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"{COHORT}" {command} | head -1; exit ${{PIPESTATUS[0]}}'], capture_output=True, text=True,
        timeout=120, check=False, env={**os.environ, "COHORT_DATA_DIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_help_names_the_exit_codes_and_comes_fast(tmp_path: Path) -> None:
    times = []
    for _ in range(3):
        start = time.monotonic()
        found = _cohort(tmp_path, "--help")
        times.append(time.monotonic() - start)
    assert found.returncode == 0
    for code in ("0", "1", "2", "3", "4", "5", "6", "130"):
        assert any(line.split()[:1] == [code] for line in found.stdout.splitlines()), code
    probe = "import sys, ui.cli; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    for heavy in ("numpy", "pydantic", "fastapi", "langchain", "mcp", "reportlab", "rich", "chromadb"):
        assert f"'{heavy}'" not in loaded, heavy


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(tmp_path: Path, shell: str) -> None:
    environment = {"bash": {"COMP_WORDS": "cohort do", "COMP_CWORD": "1"}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": "cohort do", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    found = _cohort(tmp_path, _COHORT_COMPLETE=f"complete_{shell}", **environment)
    assert "doctor" in found.stdout
