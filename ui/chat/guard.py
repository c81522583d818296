"""Binds each page to the browser that opened it.

Gradio hands a page's events and state to whoever names its session, and serves any uploaded file by its path. Here a
browser gets a random cookie that no script can read; a session belongs to the cookie that named it first, and is refused
to every other. Routes that the page does not need are closed.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "cohort_visitor"
HEADER = b"x-cohort-visitor"
API = "/gradio_api/"
# Not used by the page: other people's files and results, other addresses, and what Gradio offers for building pages.
CLOSED = re.compile(
    r"^/(?:gradio_api/)?(?:file[/=]|proxy=|stream/|call/|run/|api/|run-history|runs|deep_link|component_server|process_recording"
    r"|vibe-|undo-vibe-|dev/|monitoring|openapi\.json|custom_component)"
)
_IN_PATH = re.compile(r"^/gradio_api/heartbeat/(?P<session>[^/]+)")
MOST_SESSIONS = 20_000
LONGEST_BODY = 4 * 1024 * 1024  # of a request that names a session; uploads have their own limit


class Guard:
    """ASGI middleware around the whole app; leaves every path of other faces alone.

    The id of a visitor, a hash of the cookie, is put in the request's `x-cohort-visitor` header, which a client cannot set.
    """

    def __init__(
        self, app: ASGIApp, others: tuple[str, ...] = ("/api/", "/v1/", "/mcp", "/docs", "/redoc", "/openapi.json")
    ) -> None:
        self.app = app
        self._others = others
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] != "http" or str(scope["path"]).startswith(self._others):
            await self.app(scope, receive, send)
            return
        path = str(scope["path"])
        if CLOSED.match(path):
            await _refuse(send, 404, "There is nothing here.")
            return
        token = _cookie(scope)
        fresh = "" if token else secrets.token_urlsafe(32)
        visitor = hashlib.sha256((token or fresh).encode()).hexdigest()[:32]
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != HEADER]
        scope = {**scope, "headers": [*headers, (HEADER, visitor.encode())]}
        if path.startswith(API):
            try:
                session, receive = await _session_of(scope, path, receive)
            except ValueError:
                await _refuse(send, 413, "This request is too large.")
                return
            if session and (not token or not self._belongs(session, visitor)):
                await _refuse(send, 403, "This page belongs to another browser. Load it again; it needs cookies.")
                return
        await self.app(scope, receive, _with_cookie(send, fresh, scope) if fresh and path == "/" else send)

    def _belongs(self, session: str, visitor: str) -> bool:
        with self._lock:
            owner = self._owners.setdefault(session, visitor)
            self._owners.move_to_end(session)
            while len(self._owners) > MOST_SESSIONS:
                self._owners.popitem(last=False)
        return secrets.compare_digest(owner, visitor)


def _cookie(scope: Scope) -> str:
    """The visitor's cookie, empty when there is none of ours."""
    for name, value in scope["headers"]:
        if name.lower() == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                return ""
            if found is not None and re.fullmatch(r"[\w-]{43}", found.value):
                return found.value
    return ""


async def _session_of(scope: Scope, path: str, receive: Receive) -> tuple[str, Receive]:
    """The session that a request names (in its path, query or JSON body), and the request to read on from."""
    if match := _IN_PATH.match(path):
        return match["session"], receive
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if "session_hash" in query:
        return query["session_hash"][0], receive
    kind = next((value for name, value in scope["headers"] if name.lower() == b"content-type"), b"")
    if scope["method"] != "POST" or not kind.startswith(b"application/json"):
        return "", receive
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = bool(message.get("more_body", False)) and message["type"] == "http.request"
        if len(body) > LONGEST_BODY:
            raise ValueError("too large")
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        content: Any = json.loads(body or b"{}")
    except ValueError:
        return "", again
    named = content.get("session_hash") if isinstance(content, dict) else None
    return (named if isinstance(named, str) else ""), again


def _with_cookie(send: Send, token: str, scope: Scope) -> Send:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000{secure}".encode()

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie)]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"title": sentence, "status": status}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
