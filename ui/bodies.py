"""Bodies of requests, looked at before any route reads them: size, kind, and JSON that holds what JSON can hold."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knowledge.errors import CohortTwinError, InvalidInput, TooLarge
from ui.auth import guarded

LARGEST_JSON = 1_000_000  # bytes
LARGEST_UPLOAD = 60_000_000
DEEPEST = 40
LARGEST_INTEGER = 10**18
_READ_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Bodies:
    """ASGI middleware before the routes below /api/, /v1/ and /mcp/."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when its body can be used."""
        if scope["type"] != "http" or not guarded(scope["path"]) or scope["method"] not in _READ_BODY:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        upload = kind == "multipart/form-data"
        limit = LARGEST_UPLOAD if upload else LARGEST_JSON
        try:
            length = headers.get("content-length", "0")
            if length.isdigit() and int(length[:20]) > limit:
                raise _too_large(limit)
            if not upload:
                body = await _read(receive, limit)
                _check(body, kind, scope["path"])
                receive = _again(body, receive)
        except CohortTwinError as error:
            await _refuse(scope, receive, send, error)
            return
        except _WrongKind:
            from ui.rest.problems import problem

            told = (
                "Send JSON with 'Content-Type: application/json', or files as multipart/form-data where they are taken."
            )
            await problem(415, "Kind of content not accepted", told)(scope, receive, send)
            return
        if upload:
            await self._counted(scope, receive, send, limit)
        else:
            await self._app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Files go through as they come; past the limit the reader sees a caller who hung up, and the caller is told."""
        seen, told = 0, False

        async def counting() -> Message:
            nonlocal seen
            if seen > limit:
                return {"type": "http.disconnect"}
            message = await receive()
            seen += len(message.get("body", b""))
            return {"type": "http.disconnect"} if seen > limit else message

        async def answering(message: Message) -> None:
            nonlocal told
            if seen <= limit:
                await send(message)
            elif not told:
                told = True
                await _refuse(scope, receive, send, _too_large(limit))

        await self._app(scope, counting, answering)


class _WrongKind(Exception):
    """A body that is neither JSON nor a form with files."""


async def _refuse(scope: Scope, receive: Receive, send: Send, error: CohortTwinError) -> None:
    from ui.rest.problems import refusal

    await refusal(scope["path"], error, {"Connection": "close"})(scope, receive, send)


async def _read(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what the server says."""
    sent = False

    async def read() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read


def _check(body: bytes, kind: str, path: str) -> None:
    if not body:
        return
    if kind != "application/json" and not kind.endswith("+json"):
        if path.startswith("/api/"):
            raise _WrongKind
        return
    check_json(body)


def check_json(body: bytes) -> None:
    """InvalidInput when the text is no JSON, or holds what no JSON can hold or no route can use."""

    def constant(word: str) -> Any:
        raise InvalidInput(f"{word} is not a number of JSON.", "Leave the field out, or use null.")

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInput(f"The body is not JSON in UTF-8 ({str(error)[:120]}).") from error
    except (RecursionError, ValueError) as error:
        raise InvalidInput("The body is nested too deep or holds a number with too many digits.") from error
    _walk(value)


def _walk(value: Any) -> None:
    todo = [(value, 1)]
    while todo:
        item, depth = todo.pop()
        if depth > DEEPEST:
            raise InvalidInput(f"The body is nested deeper than {DEEPEST} levels.")
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise InvalidInput("A number of the body is too large.")
        elif isinstance(item, int):
            if abs(item) > LARGEST_INTEGER:
                raise InvalidInput("A number of the body is too large.")
        elif isinstance(item, dict):
            for key, inner in item.items():
                _check_text(key)
                todo.append((inner, depth + 1))
        elif isinstance(item, list):
            todo += [(inner, depth + 1) for inner in item]


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput("A text of the body holds half a character (a lone surrogate).") from error


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes.", "Send less at once.")
