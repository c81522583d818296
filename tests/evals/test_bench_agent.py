"""The peers of the agent bench really carry the question: the same calls, the same answer."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from assistant.service import Assistant
from evals.bench_agent import PEERS, Peer, job_of


@pytest.fixture(scope="module")
def job(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "job.json"
    path.write_text(json.dumps(job_of(assistant)), encoding="utf-8")
    return path


def test_the_job_is_our_own_run(job: Path, assistant: Assistant) -> None:
    told = json.loads(job.read_text())
    assert len(told["calls"]) >= 2
    assert {call["name"] for call in told["calls"]} <= set(told["schemas"])
    assert all(call["content"] for call in told["calls"])
    assert set(told["schemas"]) == {declared.name for declared in assistant.registry}


@pytest.mark.parametrize("name", list(PEERS))
def test_a_peer_gives_our_answer(job: Path, name: str) -> None:
    with ExitStack() as stack:
        peer = Peer(PEERS[name], job, stack)
        assert 0 < peer.ask() < 30


def test_a_peer_that_answers_something_else_is_noticed(job: Path, tmp_path: Path) -> None:
    wrong = PEERS["peer: a bare LangGraph loop"].replace("AIMessage(final)", "AIMessage('nothing')")
    with ExitStack() as stack:
        peer = Peer(wrong, job, stack)
        with pytest.raises(RuntimeError, match="another answer"):
            peer.ask()
