"""ETags: what has not changed is not sent again, and nobody overwrites a change they have not seen (RFC 9110, 13)."""

from __future__ import annotations

import hashlib

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from knowledge.errors import StaleChange


def etag_of(content: bytes) -> str:
    """A strong ETag of what is sent."""
    return f'"{hashlib.sha256(content).hexdigest()[:24]}"'


def cached(request: Request, content: bytes, media_type: str = "application/json") -> Response:
    """The content with its ETag; 304 without it when the caller has it already."""
    tag = etag_of(content)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if _names(request.headers.get("if-none-match", ""), tag, weak=True):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def cached_model(request: Request, model: BaseModel) -> Response:
    """As `cached`, of a model."""
    return cached(request, model.model_dump_json().encode())


def check_unchanged(request: Request, content: bytes) -> None:
    """The caller must name the state to be changed in If-Match (StaleChange, when it is another or none)."""
    wanted = request.headers.get("if-match", "")
    if not wanted:
        raise StaleChange("A change needs If-Match with the ETag of what is to be changed.", "Read it first.")
    if not _names(wanted, etag_of(content), weak=False):
        raise StaleChange("It was changed since it was read.", "Read it again, and change what is there now.")


def _names(header: str, tag: str, *, weak: bool) -> bool:
    listed = [item.strip() for item in header.split(",")]
    return "*" in listed or tag in ([item.removeprefix("W/") for item in listed] if weak else listed)
