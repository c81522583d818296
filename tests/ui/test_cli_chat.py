"""`cohort chat` as a user types in it: through a pipe, and at a terminal with Ctrl-C."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

COHORT = str(Path(sys.executable).parent / "cohort")
FIRST = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"


@pytest.fixture(scope="module")
def folder(copy_of_store: Callable[[], Path]) -> Path:
    return copy_of_store()


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "COHORT_DATA_DIR": str(folder), "TERM": "xterm", "COLUMNS": "100"}


def _chat(folder: Path, lines: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COHORT, "chat", *arguments], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=180,
        check=False, env=_environment(folder),
    )  # fmt: skip


def test_a_conversation_through_a_pipe(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "answer.csv"
    found = _chat(
        folder,
        [FIRST, "", "and in women?", "/why", f"/export csv {out}", "/quit", "never read"],
        "--conversation",
        "piped",
    )
    assert found.returncode == 0, found.stderr
    assert "\x1b" not in found.stdout
    answers = found.stdout.split("\nNext you could ask:")
    assert "limited to women" in answers[1]
    assert found.stdout.count("Run r-") == 3
    assert "never read" not in found.stdout
    rows = list(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["text"] for row in rows if row["item"] == "Question"] == ["Why do you say so?"]
    shown = subprocess.run(
        [COHORT, "conversations", "show", "piped", "--json"], capture_output=True, text=True, check=True,
        env=_environment(folder),
    )  # fmt: skip
    assert [turn["question"]["text"] for turn in json.loads(shown.stdout)] == [
        FIRST,
        "and in women?",
        "Why do you say so?",
    ]


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (["/export pdf"], 2, "Nothing was answered yet"),
        (["/dance"], 2, "/help lists the commands"),
        (["/new a/b"], 2, "cannot be the name"),
        (["?!"], 2, "The question is empty"),
        (["How would children with cystic fibrosis react to semaglutide 1 mg?"], 3, ""),
        (["/help", "/quit"], 0, ""),
    ],
)
def test_what_cannot_be_done_is_said_and_the_conversation_goes_on(
    folder: Path, lines: list[str], code: int, said: str
) -> None:
    found = _chat(folder, lines)
    assert found.returncode == code, found.stderr
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_answers_as_json(folder: Path) -> None:
    found = _chat(folder, ["What is published about adherence to semaglutide?"], "--json")
    assert json.loads(found.stdout)["run_id"].startswith("r-")


def _own_terminal() -> None:
    """The terminal is the child's own, and Ctrl-C reaches it: a test worker ignores it, and children inherit that."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_the_question_not_the_conversation(folder: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [COHORT, "chat"], stdin=slave, stdout=slave, stderr=slave, env=_environment(folder), start_new_session=True,
        preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(slave)
    seen = ""

    def until(wanted: str, key: bytes = b"") -> None:
        """Wait for the text; a key is pressed until then, as readline misses one in the moment it draws the prompt."""
        nonlocal seen
        deadline = time.monotonic() + 120
        while not re.search(wanted, seen):
            assert time.monotonic() < deadline, seen
            if select.select([master], [], [], 2)[0]:
                seen += os.read(master, 65536).decode("utf-8", "replace")
            elif key:
                os.write(master, key)
        seen = ""

    try:
        until(r"/quit ends")
        until(r"> $")
        until(r"Ctrl-D ends the conversation", b"\x03")
        os.write(master, f"{FIRST}\n".encode())
        until(r"Reading|diabetes …|cohort …|response …")
        os.write(master, b"\x03")
        until(r"Stopped\.")
        os.write(master, b"What is published about adherence to semaglutide?\n")
        until(r"Next you could ask")
        os.write(master, b"/quit\n")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)
        os.close(master)
