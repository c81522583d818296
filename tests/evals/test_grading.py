"""A chat model as second judge: a server of the OpenAI kind on this machine answers, right, wrong or with rubbish."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from evals.grading import FIXED, TOOL, grade
from evals.schemas import Record, Suite
from knowledge.errors import InvalidInput, ModelUnavailable

Judge = Callable[[str], dict[str, Any] | str]


@contextmanager
def _server(judge: Judge, seen: list[dict[str, Any]]) -> Iterator[str]:
    """Answers /chat/completions with a call of the verdict tool; `judge` sees the shown answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(body)
            verdict = judge(body["messages"][-1]["content"])
            arguments = verdict if isinstance(verdict, str) else json.dumps(verdict)
            call = {"id": "c1", "type": "function", "function": {"name": TOOL, "arguments": arguments}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            reply = {
                "id": "x", "object": "chat.completion", "created": 1, "model": "judge",
                "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }  # fmt: skip
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _record(number: int, *, refused: bool) -> Record:
    estimate = {"id": "a.mean", "endpoint": "hba1c_change", "lower": -1.0, "upper": 1.0}
    answer = {
        "headline": "Not covered" if refused else "Predicted",
        "sections": [{"title": "In short", "body": "No trial of it." if refused else "−1 (−2 to 0) [1]."}],
        "estimates": [] if refused else [estimate],
        "citations": [] if refused else [{"source_id": "pmid-1"}],
    }
    return Record(
        case_id=f"c{number}",
        suite=Suite.ANSWERS,
        model="offline",
        key=str(number),
        question="q",
        trace={"answer": answer},
    )


RECORDS = [_record(i, refused=i % 3 == 0) for i in range(12)]


def _right(shown: str) -> dict[str, Any]:
    refused = "Not covered" in shown
    return {"refuses": refused, "cites": not refused, "interval": not refused, "advises": False}


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(address: str) -> None:
        monkeypatch.setenv("COHORT_BASE_URL", address)
        monkeypatch.setenv("COHORT_API_KEY", "none")

    return use


def test_a_judge_that_is_right_agrees_wholly(serving: Callable[[str], None]) -> None:
    seen: list[dict[str, Any]] = []
    with _server(_right, seen) as address:
        serving(address)
        found = {one.criterion: one for one in grade(RECORDS, "openai:judge")}
    assert set(found) == set(FIXED)
    assert found["refuses"].share == 1
    assert found["refuses"].kappa == 1
    assert found["advises"].kappa is None  # both always say no: chance alone would agree
    assert found["refuses"].n == len(RECORDS) == len(seen)
    assert seen[0]["tool_choice"]["function"]["name"] == TOOL  # it may say nothing else


def test_a_judge_that_always_says_yes_is_seen_through(serving: Callable[[str], None]) -> None:
    def yes(shown: str) -> dict[str, Any]:
        return dict.fromkeys(FIXED, True)

    with _server(yes, []) as address:
        serving(address)
        found = {one.criterion: one for one in grade(RECORDS, "openai:judge")}
    assert found["cites"].share == pytest.approx(8 / 12)
    assert found["cites"].kappa == pytest.approx(0)
    assert found["advises"].share == 0


def test_unusable_verdicts_are_not_counted_and_none_at_all_is_an_error(serving: Callable[[str], None]) -> None:
    def sometimes(shown: str) -> dict[str, Any] | str:
        return '{"refuses": "perhaps"}' if "Not covered" in shown else _right(shown)

    with _server(sometimes, []) as address:
        serving(address)
        found = grade(RECORDS, "openai:judge")
        assert {one.n for one in found} == {8}
    with _server(lambda _shown: "[]", []) as address:
        serving(address)
        with pytest.raises(ModelUnavailable, match="no usable verdict"):
            grade(RECORDS, "openai:judge")


def test_the_offline_planner_is_no_judge() -> None:
    with pytest.raises(InvalidInput, match="cannot judge"):
        grade(RECORDS, "offline")
