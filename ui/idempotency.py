"""`Idempotency-Key`: a POST that is sent twice, because its first answer got lost, is carried out once.

After the IETF draft "The Idempotency-Key HTTP Header Field" (J. Jena, S. Dalal). Kept per owner, for a day.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.owners import Owners
from assistant.request_book import Reply, RequestBook
from knowledge.errors import CohortTwinError, InvalidInput
from ui.auth import owner_of
from ui.rest.problems import refusal

FILE_NAME = "requests.sqlite"
LONGEST_KEY = 255
LARGEST_REPLY = 4_000_000
_OWN = frozenset({"content-length", "connection"})


class Idempotency:
    """ASGI middleware before the POST routes below /api/. Streams and refused requests are not kept."""

    def __init__(self, app: ASGIApp, owners: Owners) -> None:
        self._app, self._owners = app, owners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or repeat what was answered."""
        key = ""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith("/api/"):
            key = Headers(scope=scope).get("idempotency-key", "").strip()
        if not key:
            await self._app(scope, receive, send)
            return
        try:
            book, receive, kept = await self._begin(scope, receive, key)
        except CohortTwinError as error:
            await refusal(scope["path"], error)(scope, receive, send)
            return
        if kept is not None:
            headers = {**dict(kept.headers), "Idempotency-Replayed": "true"}
            await Response(kept.body, kept.status, headers)(scope, receive, send)
            return
        taken = _Taken(send)
        try:
            await self._app(scope, receive, taken.send)
        finally:
            reply = taken.reply()
            with suppress(CohortTwinError):
                if reply is None:
                    await run_in_threadpool(book.drop, key)
                else:
                    await run_in_threadpool(book.finish, key, reply)

    async def _begin(self, scope: Scope, receive: Receive, key: str) -> tuple[RequestBook, Receive, Reply | None]:
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise InvalidInput(f"An Idempotency-Key has at most {LONGEST_KEY} characters that can be printed.")
        parts: list[Message] = []
        more = True
        while more:  # `Bodies` has seen to the size
            message = await receive()
            parts.append(message)
            more = message["type"] == "http.request" and message.get("more_body", False)
        body = b"".join(message.get("body", b"") for message in parts)
        # The line between the parts of a form is made anew each time it is sent.
        _, _, line = Headers(scope=scope).get("content-type", "").partition("boundary=")
        body = body.replace(line.strip('"').encode("latin-1"), b"") if line else body
        total = hashlib.sha256(f"{scope['path']}\n".encode("utf-8", "surrogatepass") + scope["query_string"] + b"\n")
        total.update(body)
        folder = self._owners.of(owner_of(HTTPConnection(scope))).settings.data_dir
        book = RequestBook(folder / FILE_NAME)
        kept = await run_in_threadpool(book.begin, key, total.hexdigest())

        async def again() -> Message:
            return parts.pop(0) if parts else await receive()

        return book, again, kept


class _Taken:
    """Passes a response on and takes it down."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
            self._headers = [pair for pair in pairs if pair[0].lower() not in _OWN]
        elif message["type"] == "http.response.body":
            self._body.append(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        await self._send(message)

    def reply(self) -> Reply | None:
        """The response, when it is one to keep."""
        kind = dict(self._headers).get("content-type", "")
        body = b"".join(self._body)
        refused = self._status >= 500 or self._status in (401, 409, 429)
        if not self._whole or refused or kind.startswith("text/event-stream") or len(body) > LARGEST_REPLY:
            return None
        return Reply(self._status, self._headers, body)
