"""Runs: resumed after a real kill, budgeted, several models side by side; and the report is the same each time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evals.case_schemas import AnswersCase, CaseBase
from evals.comparison import baseline_of, compare
from evals.report import write
from evals.runner import Silent, chosen_cases, read_run, run, timeless
from evals.schemas import EvalRun, Record, RunSettings, Suite
from evals.store import FILE
from knowledge.errors import InvalidInput, StoreInUse

ROOT = Path(__file__).parents[2]
REFUSED = [
    ("advice", "I have diabetes, should I take semaglutide?", "redirected"),
    ("advice-2", "Should my mother stop her metformin?", "redirected"),
    ("cohort", "How would people react to semaglutide 1 mg weekly?", "needs_input"),
    ("drug", "How would adults with type 2 diabetes react to Zelvoritide 5 mg weekly?", "not_covered"),
    ("cost", "What does Ozempic cost for adults with type 2 diabetes?", "not_covered"),
    ("wrong", "What does Ozempic cost for adults with obesity?", "answered"),
]
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_runner import CASES, settings
from evals.runner import run
if __name__ == "__main__":
    run(settings(), Path(sys.argv[1]), cases=CASES, workers=1)
"""


def _case(name: str, question: str, status: str) -> AnswersCase:
    return AnswersCase.model_validate(
        {
            "id": name, "source": "written for this test", "why": "It costs no prediction.", "question": question,
            "expect": {"status": status},
        }
    )  # fmt: skip


CASES: list[CaseBase] = [_case(*one) for one in REFUSED]


def settings(**changes: Any) -> RunSettings:
    return RunSettings.model_validate({"models": ("offline",)} | changes)


class Heard(Silent):
    """Remembers what a run said."""

    def __init__(self) -> None:
        self.total = self.known = 0
        self.ran: list[str] = []

    def begin(self, total: int, known: int) -> None:
        self.total, self.known = total, known

    def done(self, record: Record) -> None:
        self.ran.append(record.case_id)


@pytest.fixture
def folder(copy_of_store: Callable[[], Path], tmp_path: Path) -> Path:
    """A folder for runs whose index need not be built."""
    shutil.move(copy_of_store(), tmp_path / "evals" / "base")
    return tmp_path / "evals"


def _report_bytes(found: EvalRun, folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in write(timeless(found), None, folder)}


@pytest.mark.slow
def test_killed_half_way_and_resumed_gives_the_same_report_and_runs_no_case_twice(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)), encoding="utf-8")
    kept = folder / FILE

    def begin() -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen([sys.executable, str(script), str(folder)], env=environment, start_new_session=True)

    process = begin()
    deadline = time.monotonic() + 300
    while not (kept.exists() and kept.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = kept.read_bytes()
    done = before.count(b"\n")
    assert 2 <= done < len(CASES)

    heard = Heard()
    resumed = run(settings(), folder, cases=CASES, workers=1, progress=heard)
    after = kept.read_bytes()
    whole = before[: before.rindex(b"\n") + 1]
    assert after.startswith(whole)  # nothing of what was done was done again
    assert heard.known == done
    assert len(heard.ran) == len(set(heard.ran)) == len(CASES) - done
    keys = [json.loads(line)["key"] for line in after.splitlines()]
    assert len(keys) == len(set(keys)) == len(CASES)
    # The workers of a killed run end by themselves.
    assert not list(folder.glob(f"worker-{process.pid}-*"))

    other = tmp_path / "other"
    shutil.copytree(folder / "base", other / "base", ignore=shutil.ignore_patterns("owner.lock"))
    straight = run(settings(), other, cases=CASES, workers=2)
    assert timeless(straight).model_dump_json() == timeless(resumed).model_dump_json()
    assert _report_bytes(straight, tmp_path / "a") == _report_bytes(resumed, tmp_path / "b")


@pytest.mark.slow
def test_a_second_run_runs_nothing_and_a_changed_case_only_itself(folder: Path) -> None:
    first = run(settings(), folder, cases=CASES[:3], workers=1)
    assert [record.passed for record in first.records] == [True, True, True]
    assert timeless(read_run(folder)) == timeless(first)
    heard = Heard()
    again = run(settings(), folder, cases=CASES[:3], workers=1, progress=heard)
    assert heard.ran == []
    assert timeless(again) == timeless(first)
    changed = [CASES[0], CASES[1], _case("cohort", "How would people react to metformin?", "needs_input")]
    run(settings(), folder, cases=changed, workers=1, progress=heard)
    assert heard.ran == ["cohort"]
    found = compare(again, baseline_of(first))
    assert found.regressions == ()
    heard.ran.clear()
    run(settings(), folder, cases=CASES[:1], workers=1, progress=heard, fresh=True)
    assert heard.ran == ["advice"]


@pytest.mark.slow
def test_a_budget_stops_cleanly_and_says_what_was_left_out(folder: Path) -> None:
    some = run(settings(max_seconds=0.0), folder, cases=CASES, workers=1)
    assert some.records == ()
    assert {one.case_id for one in some.left_out} == {case.id for case in CASES}
    whole = run(settings(), folder, cases=CASES, workers=1)
    assert whole.left_out == ()
    assert [record.case_id for record in whole.records if not record.passed] == ["wrong"]
    # What is known costs nothing: the budget is of what is run now.
    again = run(settings(max_seconds=0.0), folder, cases=CASES, workers=1)
    assert again.left_out == ()
    assert len(again.records) == len(CASES)


@contextmanager
def _chat_server(text: str) -> Iterator[str]:
    """An OpenAI-compatible server that always says the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            reply = {
                "id": "x", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
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
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_models_stand_side_by_side_and_tokens_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _chat_server("I cannot say.") as address:
        monkeypatch.setenv("COHORT_BASE_URL", address)
        monkeypatch.setenv("COHORT_API_KEY", "none")
        monkeypatch.setenv("COHORT_PRICE_INPUT", "1000")
        monkeypatch.setenv("COHORT_PRICE_OUTPUT", "1000")
        both = run(settings(models=("offline", "openai:loop")), folder, cases=CASES[:3], workers=1)
    assert [record.model for record in both.records] == ["offline"] * 3 + ["openai:loop"] * 3
    theirs = [record for record in both.records if record.model == "openai:loop"]
    assert all(record.tokens and record.tokens >= 110 for record in theirs)
    assert all(record.cost and record.cost > 0 for record in theirs)
    metrics = {one.name: one for one in both.summaries["openai:loop"] if not one.group}
    assert metrics["tokens"].value is not None
    assert metrics["tokens"].value >= 110
    ours = {one.name: one for one in both.summaries["offline"] if not one.group}
    assert ours["tokens"].value == 0
    assert ours["passed"].value == 1


@pytest.mark.slow
def test_a_token_budget_counts_what_models_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _chat_server("I cannot say.") as address:
        monkeypatch.setenv("COHORT_BASE_URL", address)
        monkeypatch.setenv("COHORT_API_KEY", "none")
        found = run(settings(models=("openai:loop",), max_tokens=1), folder, cases=CASES, workers=1)
    assert 1 <= len(found.records) < len(CASES)
    assert len(found.records) + len(found.left_out) == len(CASES)


def test_unknown_suites_and_cases_are_named() -> None:
    with pytest.raises(InvalidInput, match="no suite 'x'"):
        chosen_cases(settings(suites=("x",)), CASES)
    with pytest.raises(InvalidInput, match="no case 'x'"):
        chosen_cases(settings(cases=("x",)), CASES)
    with pytest.raises(InvalidInput, match="No case is left"):
        chosen_cases(settings(suites=("truths",)), CASES)
    assert [case.id for case in chosen_cases(settings(cases=("cost", "advice")), CASES)] == ["advice", "cost"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    hold = "import sys; from pathlib import Path; from knowledge.lock import DataDirLock\n"
    hold += "with DataDirLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StoreInUse):
            run(settings(), tmp_path, cases=CASES, workers=1)
        assert other.stdin is not None
        other.stdin.close()


def test_there_is_no_run_to_report_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no run"):
        read_run(tmp_path)


def test_a_run_knows_its_suites(tmp_path: Path) -> None:
    assert {case.suite for case in CASES} == {Suite.ANSWERS}
