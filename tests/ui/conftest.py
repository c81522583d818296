"""The session's assistant as a house of owners, and clients of its REST interface."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from assistant.bootstrap import owners_over
from assistant.owners import Owners
from assistant.service import Assistant
from ui.auth import LOOPBACK_HOSTS
from ui.jobs import JobBook
from ui.server import create_app


@pytest.fixture(scope="session")
def owners(assistant: Assistant) -> Iterator[Owners]:
    with owners_over(assistant) as made:
        yield made


@pytest.fixture(scope="module")
def client(owners: Owners) -> Iterator[TestClient]:
    with TestClient(create_app(owners, chat=False), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="session")
def key_of() -> Callable[[str], str]:
    """The API key of a name, for tests only."""
    return lambda name: f"ct_for-tests-only-{name}"


@pytest.fixture(scope="session")
def keyed_owners(assistant: Assistant, key_of: Callable[[str], str]) -> Iterator[Owners]:
    """The same house, where alice, bob and mallory have keys, and nobody gets in without one."""
    given = ",".join(
        f"{name}:{hashlib.sha256(key_of(name).encode()).hexdigest()}" for name in ("alice", "bob", "mallory")
    )
    parts = assistant._parts
    settings = parts.settings.model_copy(update={"api_keys": given})
    with owners_over(Assistant(replace(parts, settings=settings))) as made:
        yield made


@pytest.fixture(scope="module")
def client_of(keyed_owners: Owners, key_of: Callable[[str], str]) -> Iterator[Callable[[str], TestClient]]:
    """`client_of(name)`: a client with that name's key, or without one for an empty name; one application for all."""
    app = create_app(keyed_owners, chat=False)
    with TestClient(app):

        def client(name: str) -> TestClient:
            headers = {"Authorization": f"Bearer {key_of(name)}"} if name else {}
            return TestClient(app, raise_server_exceptions=False, headers=headers)

        yield client


@pytest.fixture
def patient_jobs() -> Callable[[FastAPI], object]:
    """`with patient_jobs(app):` jobs are taken and wait for ever: a random one may compute for minutes."""

    @contextmanager
    def waiting(app: FastAPI) -> Iterator[None]:
        before = app.state.jobs
        app.state.jobs = JobBook(workers=0)
        try:
            yield
        finally:
            app.state.jobs.close()
            app.state.jobs = before

    return waiting


@pytest.fixture(scope="module")
def address(owners: Owners) -> Iterator[str]:
    """Where a real server listens, on loopback; it is ready."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(owners, chat=False, hosts=LOOPBACK_HOSTS), host="127.0.0.1", port=0, log_level="error"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    while httpx.get(f"{url}/api/v1/ready").status_code != 200:
        time.sleep(0.1)
    yield url
    server.should_exit = True
    thread.join(20)
