"""`kill -9` inside a tool call: the conversation goes on, nothing is lost, and strict providers accept its messages."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.ledger import Ledger
from assistant.schemas import Answer, TurnState
from assistant.turns import HISTORY_TURNS, Conversations

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("killable.py")
SETTLED = 0.1  # seconds after which what had finished before is on the disk
FOLLOWED = 5  # every so many killed questions is not asked again but followed by another one


class Talk:
    """The process that answers, and the means to kill the child that does."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: str, block_at: int = 0, seconds: float = 0.0) -> str:
        """Ask; with `block_at` kill -9 that many seconds after the tool has begun that step. What was said last."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"question": question, "block_at": block_at}) + "\n")
        self._process.stdin.flush()
        child, last = 0, ""
        while (line := self._line()) != "gone":
            if line.startswith("child"):
                child = int(line.split()[1])
            else:
                last = line
            if child and last.startswith("inside"):
                time.sleep(seconds)
                os.kill(child, signal.SIGKILL)
                child = 0
        return last

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the answering process ended"
        return line.strip()


@contextmanager
def talk(folder: Path, hash_seed: str = "0") -> Iterator[Talk]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            yield Talk(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


def faults_of(messages: list[dict[str, Any]]) -> list[str]:
    """What the strictest providers would refuse: order of roles, tool calls and answers one to one, ids used once."""
    found: list[str] = []
    body = [message for message in messages if message["type"] != "system"]
    before, open_calls, used = "start", [], set()  # type: str, list[str], set[str]
    allowed = {"start": {"human"}, "human": {"ai"}, "ai": {"human"}, "calls": {"tool"}, "tool": {"tool", "ai"}}
    for index, message in enumerate(body):
        kind = message["type"]
        if kind not in allowed[before]:
            found.append(f"{index}: {kind} after {before}")
        if open_calls and kind != "tool":
            found.append(f"{index}: calls {open_calls} without an answer")
        if kind == "tool":
            if message["answers"] not in open_calls:
                found.append(f"{index}: an answer to no call ({message['answers']})")
            else:
                open_calls.remove(message["answers"])
        repeated = [call for call in message["calls"] if call in used]
        if repeated:
            found.append(f"{index}: ids used again: {repeated}")
        if not message["text"] and not message["calls"]:
            found.append(f"{index}: nothing said")
        used |= set(message["calls"])
        open_calls += message["calls"]
        before = "calls" if message["calls"] else kind
    if before not in ("human", "tool"):
        found.append(f"nothing for the model to answer after {before}")
    return found


def _kill_many(folder: Path, kills: int) -> None:
    rng = random.Random(kills)
    answered: list[str] = []
    cut: list[str] = []
    killed: dict[str, tuple[int, float]] = {}
    with talk(folder) as process:
        for number in range(1, kills + 1):
            question = f"question {'abcdefghij'[number % 10]}{number}"
            step = rng.choice((1, 2, 3))
            wait = SETTLED if number % 2 else rng.uniform(0, 0.03)
            assert process.ask(question, block_at=step, seconds=wait) == f"inside {step}"
            killed[question] = (step, wait)
            if number % FOLLOWED == 0:
                cut.append(question)
            else:
                assert process.ask(question).startswith("answered")
                answered.append(question)
        # The last one is taken up by another interpreter, which shares nothing but the files.
        process.ask("the last question", block_at=2)
    with talk(folder, hash_seed="4711") as process:
        assert process.ask("the last question").startswith("answered")
    answered.append("the last question")

    turns = Conversations(folder / "conversations.sqlite").show("talk")
    asked = [turn.question.text for turn in turns]
    assert asked == sorted({*answered, *cut}, key=asked.index)
    assert len(asked) == kills + 1
    states = {turn.question.text: turn.state for turn in turns}
    assert {text for text, state in states.items() if state is TurnState.ANSWERED} == set(answered)
    assert {text for text, state in states.items() if state is TurnState.INTERRUPTED} == set(cut)

    ledger = Ledger(folder / "ledger.sqlite")
    assert ledger.verify() == len(answered)
    for turn in turns:
        if turn.state is TurnState.ANSWERED:
            answer = Answer.model_validate(ledger.get(turn.run_id).body["answer"])
            assert [step.arguments for step in answer.steps] == [
                {"question": turn.question.text, "step": step} for step in (1, 2, 3)
            ]
            assert answer.headline == f"Answer to {turn.question.text}"
            assert len(ledger.get(turn.run_id).body["results"]) == 3

    seen = [json.loads(line) for line in (folder / "seen.jsonl").read_text().splitlines()]
    assert [fault for messages in seen for fault in faults_of(messages)] == []
    past = [message["text"] for message in seen[-1] if message["type"] == "human"]
    assert past == asked[-HISTORY_TURNS - 1 :]

    runs = Counter(map(tuple, map(json.loads, (folder / "tool.log").read_text().splitlines())))
    for question, (cut_at, wait) in killed.items():
        if question in answered and wait == SETTLED:
            assert [runs[question, step] for step in (1, 2, 3)] == [1 + (step == cut_at) for step in (1, 2, 3)], (
                question
            )


def test_five_kills_inside_a_tool_lose_nothing(tmp_path: Path) -> None:
    _kill_many(tmp_path, 5)


@pytest.mark.slow
def test_a_hundred_kills_inside_a_tool_lose_nothing(tmp_path: Path) -> None:
    _kill_many(tmp_path, 100)


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        (["human", "calls:a", "human"], "human after calls"),
        (["human", "calls:a,b", "tool:a", "ai"], "without an answer"),
        (["human", "calls:a", "tool:a", "human"], "human after tool"),
        (["human", "calls:a", "tool:b"], "an answer to no call"),
        (["human", "calls:a", "tool:a", "calls:a", "tool:a"], "ids used again"),
        (["human", "human"], "human after human"),
    ],
)
def test_the_check_of_messages_can_fail(messages: list[str], fault: str) -> None:
    assert any(fault in found for found in faults_of([_made(text) for text in messages]))


def _made(text: str) -> dict[str, Any]:
    kind, _, ids = text.partition(":")
    calls = ids.split(",") if kind == "calls" else []
    return {"type": "ai" if kind == "calls" else kind, "text": "x", "calls": calls, "answers": ids or None}
