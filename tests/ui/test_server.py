"""A real server on loopback: what only shows over the wire."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx
import pytest

from assistant.owners import Owners
from knowledge.errors import InvalidInput
from ui.server import check_host, run_server

QUESTION = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"


def _asking(address: str) -> float:
    text = httpx.get(f"{address}/api/v1/metrics").text
    return float(next(line for line in text.splitlines() if line.startswith("cohort_asking ")).split()[1])


def test_events_come_one_by_one_and_whoever_hangs_up_stops_the_run(address: str, owners: Owners) -> None:
    before = owners.local.verify_runs()
    body = {"text": QUESTION, "seed": 987_654}
    with httpx.stream("POST", f"{address}/api/v1/ask/stream", json=body, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        first = next(line for line in response.iter_lines() if line.startswith("event:"))
        assert first == "event: plan"
    for _ in range(300):
        if _asking(address) == 0:
            break
        time.sleep(0.1)
    assert _asking(address) == 0
    assert owners.local.verify_runs() <= before + 1  # it may have been at its last step


def test_every_event_is_typed(address: str) -> None:
    with httpx.stream("POST", f"{address}/api/v1/ask/stream", json={"text": QUESTION}, timeout=60) as response:
        text = response.read().decode()
    messages = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    assert [int(message["id"]) for message in messages] == list(range(1, len(messages) + 1))
    assert all(json.loads(message["data"])["type"] == message["event"] for message in messages)
    assert messages[-1]["event"] == "answer"


def test_health_is_answered_while_questions_are(address: str) -> None:
    """Not timed here (see test_load): other work may share the machine. But it is answered before the questions are."""
    done: list[float] = []

    def ask(seed: int) -> None:
        httpx.post(f"{address}/api/v1/ask", json={"text": QUESTION, "seed": seed}, timeout=120)
        done.append(time.monotonic())

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(100, 112)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert httpx.get(f"{address}/api/v1/health", timeout=60).status_code == 200
    answered = time.monotonic()
    for thread in threads:
        thread.join(120)
    assert answered < max(done)


def test_half_a_request_harms_nobody(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    for sent in (
        b"POST /api/v1/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
        b"GET / HTT",
        b"\x00\x01\x02",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(sent)
    assert httpx.get(f"{address}/api/v1/health").json()["status"] == "ok"


def test_another_address_is_refused_with_what_is_missing(owners: Owners, keyed_owners: Owners) -> None:
    with pytest.raises(InvalidInput, match=r"cohort keys new NAME.*cohort users add NAME"):
        check_host("0.0.0.0", owners)
    with pytest.raises(InvalidInput, match="cohort users add NAME"):
        check_host("0.0.0.0", keyed_owners)
    assert check_host("0.0.0.0", keyed_owners, chat=False) == "0.0.0.0"


def test_a_refused_server_gives_its_owners_back() -> None:
    class Closing:
        closed = False
        keys = users = type("Book", (), {"configured": False})

        def __enter__(self) -> Closing:
            return self

        def __exit__(self, *_: object) -> None:
            self.closed = True

    owners = Closing()
    with pytest.raises(InvalidInput):
        run_server(lambda: owners, host="0.0.0.0", port=1)  # type: ignore[arg-type, return-value]
    assert owners.closed
