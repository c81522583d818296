"""Fifty people ask at the same time, over loopback, against a server in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

ASKERS = 50
ROUNDS = 4
QUESTIONS = (
    "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?",
    "What is published about adherence to GLP-1 receptor agonists and cost?",
    "How does tirzepatide 10 mg compare with semaglutide 1 mg in adults with type 2 diabetes over 40 weeks?",
    "How would women aged 40 to 60 with obesity react to semaglutide 2.4 mg weekly over 68 weeks?",
    "How would adults with type 2 diabetes react to empagliflozin 10 mg daily over 24 weeks?",
)
SERVE = """
import sys
from pathlib import Path
from assistant.bootstrap import build_owners
from assistant.settings import load_settings
from ui.server import run_server
run_server(lambda: build_owners(load_settings(data_dir=Path(sys.argv[1]))), host="127.0.0.1", port=int(sys.argv[2]), chat=False)
"""


@pytest.fixture(scope="module")
def address(copy_of_store: Callable[[], Path]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(copy_of_store()), str(port)], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if httpx.get(f"{url}/api/v1/ready", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(30)


async def _load(url: str) -> tuple[list[float], list[float], list[int]]:
    """Seconds of each question, seconds of each look at /health meanwhile, statuses."""
    asked: list[float] = []
    healthy: list[float] = []
    statuses: list[int] = []
    over = asyncio.Event()
    limits = httpx.Limits(max_connections=ASKERS)

    async def asker(client: httpx.AsyncClient, number: int) -> None:
        for turn in range(ROUNDS):
            started = time.perf_counter()
            body = {"text": QUESTIONS[(number + turn) % len(QUESTIONS)]}
            response = await client.post(f"{url}/api/v1/ask", json=body, timeout=120)
            asked.append(time.perf_counter() - started)
            statuses.append(response.status_code)

    async def watcher() -> None:
        async with httpx.AsyncClient() as client:
            while not over.is_set():
                started = time.perf_counter()
                response = await client.get(f"{url}/api/v1/health", timeout=30)
                healthy.append(time.perf_counter() - started)
                statuses.append(response.status_code)
                await asyncio.sleep(0.05)

    async with httpx.AsyncClient(limits=limits) as client:
        watching = asyncio.create_task(watcher())
        await asyncio.gather(*(asker(client, number) for number in range(ASKERS)))
        over.set()
        await watching
    return asked, healthy, statuses


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    return sorted(values)[max(0, int(len(values) * share + 0.999) - 1)]


@pytest.mark.slow
def test_fifty_askers_at_once(address: str) -> None:
    for question in QUESTIONS:  # the evidence is fitted and kept once
        assert httpx.post(f"{address}/api/v1/ask", json={"text": question}, timeout=300).status_code == 200
    asked, healthy, statuses = asyncio.run(_load(address))
    found = {
        "questions": len(asked),
        "ask_p50_s": round(percentile(asked, 0.5), 3),
        "ask_p95_s": round(percentile(asked, 0.95), 3),
        "ask_max_s": round(max(asked), 3),
        "health_looks": len(healthy),
        "health_p95_ms": round(1000 * percentile(healthy, 0.95), 1),
        "health_max_ms": round(1000 * max(healthy), 1),
        "statuses": {status: statuses.count(status) for status in sorted(set(statuses))},
    }
    sys.stdout.write(json.dumps(found) + "\n")
    # Times are told, not judged: they are those of the machine and of what else it does. Nobody may go unanswered.
    assert set(statuses) == {200}
    assert found["questions"] == ASKERS * ROUNDS
    assert found["health_looks"] > 0
    # Each asking is a run of its own, and the chain of all of them holds.
    assert httpx.post(f"{address}/api/v1/runs/verify", timeout=120).json()["runs"] >= ASKERS * ROUNDS
