"""Conversations and the ledger as a user types them: a process each, follow-ups across processes, words and exit codes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRST = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"


@pytest.fixture(scope="module")
def folder(copy_of_store: Callable[[], Path]) -> Path:
    return copy_of_store()


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ui.cli", *arguments]


def _environment(folder: Path, hash_seed: str = "0") -> dict[str, str]:
    return {**os.environ, "COHORT_DATA_DIR": str(folder), "COLUMNS": "120", "PYTHONHASHSEED": hash_seed}


def _cohort(folder: Path, *arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), capture_output=True, text=True, timeout=180, check=False, cwd=ROOT,
        env=_environment(folder, hash_seed),
    )  # fmt: skip


@pytest.fixture(scope="module")
def talked(folder: Path) -> Path:
    """A folder with a conversation of two questions, asked by two processes."""
    for text in (FIRST, "and in women?"):
        asked = _cohort(folder, "ask", "--conversation", "clinic", text)
        assert asked.returncode == 0, asked.stderr
        assert "semaglutide 1 mg" in asked.stdout
    assert "limited to women" in asked.stdout
    return folder


def test_a_conversation_is_listed_shown_and_forgotten(talked: Path) -> None:
    listed = _cohort(talked, "conversations", "list").stdout
    assert "clinic" in listed
    assert "2 questions" in listed
    shown = _cohort(talked, "conversations", "show", "clinic").stdout
    assert f"1. {FIRST}" in shown
    assert "2. and in women?" in shown
    assert shown.count("run r-") == 2
    turns = json.loads(_cohort(talked, "conversations", "show", "clinic", "--json").stdout)
    assert [turn["state"] for turn in turns] == ["answered", "answered"]
    resumed = _cohort(talked, "conversations", "resume", "clinic")
    assert resumed.returncode == 2
    assert "Nothing is left open" in resumed.stderr
    assert "2 questions" in _cohort(talked, "conversations", "delete", "clinic").stdout
    for command in ("show", "resume", "delete"):
        gone = _cohort(talked, "conversations", command, "clinic")
        assert gone.returncode == 2
        assert "There is no conversation 'clinic'" in gone.stderr
    for turn in turns:
        assert _cohort(talked, "runs", "show", turn["run_id"]).returncode == 0


def test_a_killed_question_is_finished_by_another_process(folder: Path) -> None:
    process = subprocess.Popen(
        _command("ask", "--conversation", "killed", FIRST), cwd=ROOT, env=_environment(folder),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not _steps(folder) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=20) == -signal.SIGKILL, "it had ended before it could be killed"
    shown = _cohort(folder, "conversations", "show", "killed").stdout
    assert "Finish it: cohort conversations resume killed" in shown
    resumed = _cohort(folder, "conversations", "resume", "killed")
    assert resumed.returncode == 0, resumed.stderr
    assert "HbA1c" in resumed.stdout
    shown = _cohort(folder, "conversations", "show", "killed").stdout
    assert "run r-" in shown
    assert _steps(folder) == 0


def _steps(folder: Path) -> int:
    """Saved steps of runs that have not ended."""
    path = folder / "conversations.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        try:
            return int(connection.execute("SELECT COUNT(*) FROM checkpoints").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_the_ledger_is_exported_and_checked_elsewhere(talked: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    exported = _cohort(talked, "runs", "export", "--out", str(out))
    assert exported.returncode == 0, exported.stderr
    head = exported.stdout.split("Newest hash: ")[1].split()[0]
    nowhere = tmp_path / "nothing here"
    checked = _cohort(nowhere, "runs", "verify", "--file", str(out))
    assert checked.returncode == 0
    assert head in checked.stdout
    assert not nowhere.exists()
    assert head in _cohort(talked, "runs", "verify").stdout
    lines = out.read_text(encoding="utf-8").splitlines()
    run = json.loads(lines[1])
    body = run["body"]
    assert body["question"]["text"] == FIRST
    assert body["answer"]["plan"]["population"]
    assert body["answer"]["steps"][0]["arguments"]
    assert body["answer"]["seed"] == 1
    assert body["answer"]["evidence_hash"]
    assert body["model"]["name"] == "offline"
    assert body["model"]["version"]
    assert body["seconds"] > 0
    assert "input_tokens" in body["usage"]
    out.write_text("\n".join(lines).replace('"seed":1', '"seed":2') + "\n", encoding="utf-8")
    changed = _cohort(nowhere, "runs", "verify", "--file", str(out))
    assert changed.returncode == 4
    assert run["run_id"] in changed.stderr
    assert _cohort(talked, "runs", "export", "--out", str(out)).returncode == 2
    record = json.loads(_cohort(talked, "runs", "show", run["run_id"], "--record").stdout)
    assert record["hash"] == run["hash"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", "--conversation", "a/b", "and in women?"), "cannot be the name"),
        (("ask", "--conversation", "x" * 200, "and in women?"), "at most 64"),
        (("conversations", "show", "nobody"), "There is no conversation 'nobody'"),
        (("runs", "verify", "--file", "nowhere.jsonl"), "cannot be read"),
        (("runs", "verify", "--file", "README.md"), "not a ledger"),
        (("runs", "export", "--out", "no/such/folder/x.jsonl"), "cannot be written"),
    ],
)
def test_bad_input_is_answered_helpfully(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    found = _cohort(folder, *arguments)
    assert found.returncode == 2, found.stdout + found.stderr
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_the_same_question_gives_the_same_bytes_in_another_process(copy_of_store: Callable[[], Path]) -> None:
    """Other process, other folder, other order of sets: all but the run's id and its clock is the same."""
    texts = []
    for hash_seed in ("1", "4711"):
        found = _cohort(copy_of_store(), "ask", "--json", "--seed", "7", FIRST, hash_seed=hash_seed)
        assert found.returncode == 0, found.stderr
        answer = json.loads(found.stdout)
        text = found.stdout.replace(answer["run_id"], "RUN")
        for step in answer["steps"]:
            text = text.replace(f'"seconds": {step["seconds"]}', '"seconds": 0')
        texts.append(text.encode())
    assert texts[0] == texts[1]
    assert len(texts[0]) > 10_000
