"""A page's events belong to the browser that opened it; routes that give away files or events are closed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.settings import load_settings
from assistant.sign_in import add_user
from ui.chat.guard import COOKIE

ASK = {"data": [], "fn_index": 0, "session_hash": "mine"}
NAMES = {"ada": "correct horse", "ben": "battery staple"}


@pytest.fixture(scope="module")
def app(copy_of_store: Callable[[], Path]) -> Iterator[str]:
    """`cohort serve` with two users who sign in; a process of its own, since Gradio leaves event loops open."""
    store = copy_of_store()
    for name, password in NAMES.items():
        add_user(load_settings(data_dir=store), name, password)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(Path(sys.executable).parent / "cohort"), "serve", "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ, "COHORT_DATA_DIR": str(store)})
    found = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if httpx.get(f"{found}/api/v1/health").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield found
    finally:
        server.terminate()
        server.wait(20)


class Browser:
    """A browser of its own: its cookies and nobody else's."""

    def __init__(self, app: str, *, visit: bool = True, user: str = "ada") -> None:
        self._app = app
        self._cookies = httpx.Cookies()
        if visit:
            assert self.get("/").status_code == 200
            signed = self.post("/login", data={"username": user, "password": NAMES[user]})
            assert signed.status_code == 200

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._send("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self._send("POST", path, **more)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        with httpx.Client(base_url=self._app, timeout=30, cookies=self._cookies) as client:
            response = client.request(method, path, **more)
            self._cookies = client.cookies
        return response


def test_a_browser_gets_a_cookie_no_script_can_read(app: str) -> None:
    said = Browser(app, visit=False).get("/").headers["set-cookie"]
    assert said.startswith(f"{COOKIE}=")
    assert "HttpOnly" in said
    assert "SameSite=Strict" in said
    assert "set-cookie" not in Browser(app).get("/").headers


def test_a_session_belongs_to_the_browser_that_named_it_first(app: str) -> None:
    mine, other = Browser(app), Browser(app, user="ben")
    assert mine.post("/gradio_api/queue/join", json=ASK).status_code != 403
    assert other.post("/gradio_api/queue/join", json=ASK).status_code == 403
    assert other.get("/gradio_api/queue/data", params={"session_hash": "mine"}).status_code == 403
    assert other.get("/gradio_api/heartbeat/mine").status_code == 403
    cancel = {"session_hash": "mine", "fn_index": 0, "event_id": "x"}
    assert other.post("/gradio_api/cancel", json=cancel).status_code == 403


def test_without_a_cookie_no_session_is_served(app: str) -> None:
    bare = Browser(app, visit=False)
    assert bare.post("/gradio_api/queue/join", json=ASK | {"session_hash": "new"}).status_code == 403


def test_a_visitor_cannot_name_itself(app: str) -> None:
    mine, other = Browser(app), Browser(app, user="ben")
    join = ASK | {"session_hash": "third"}
    assert mine.post("/gradio_api/queue/join", json=join).status_code != 403
    forged = {"x-cohort-visitor": "whoever"}
    assert other.post("/gradio_api/queue/join", json=join, headers=forged).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["file=/etc/passwd", "file/etc/passwd", "proxy=http://127.0.0.1:1/", "call/respond/abc", "run/respond", "api/respond",
     "run-history/records", "openapi.json", "component_server", "stream/x/y/z/playlist.m3u8"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_closed(path: str, app: str) -> None:
    client = Browser(app)
    assert client.get(f"/gradio_api/{path}").status_code == 404
    assert client.post(f"/gradio_api/{path}", json={}).status_code == 404


def test_no_endpoint_is_offered_to_programs(app: str) -> None:
    info = Browser(app).get("/gradio_api/info").json()
    assert info["named_endpoints"] == {}
    assert info["unnamed_endpoints"] == {}


def test_a_huge_request_is_refused(app: str) -> None:
    client = Browser(app)
    body = b'{"session_hash": "big", "data": ["' + b"x" * (5 * 1024 * 1024) + b'"]}'
    sent = client.post("/gradio_api/queue/join", content=body, headers={"content-type": "application/json"})
    assert sent.status_code == 413


def test_the_other_faces_are_left_alone(app: str) -> None:
    bare = Browser(app, visit=False)
    response = bare.get("/api/v1/health")
    assert response.status_code == 200
    assert "set-cookie" not in response.headers


def test_nothing_is_served_before_signing_in(app: str) -> None:
    client = Browser(app, visit=False)
    client.get("/")
    assert client.post("/gradio_api/queue/join", json=ASK | {"session_hash": "early"}).status_code == 401
    assert client.get("/config").status_code == 401
    assert client.post("/login", data={"username": "ada", "password": "wrong"}).status_code == 400
    assert client.post("/login", data={"username": "ada", "password": NAMES["ada"]}).status_code == 200
    assert client.get("/config").status_code == 200
