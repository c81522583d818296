"""Long lists come in pages: `limit`, `cursor`, and a Link header to the next page (M. Nottingham, RFC 8288)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

from knowledge.errors import InvalidInput

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=1000, description="rows of a page")]
Cursor = Annotated[
    str, Query(max_length=400, description="where the page begins: from the Link header of the last one")
]


def read_cursor(cursor: str) -> str:
    """What the cursor points at; empty for the first page (InvalidInput when it is none of ours)."""
    if not cursor:
        return ""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The cursor is not one that was given out.", "Follow the Link header.") from error


def link_next(request: Request, response: Response, last: str) -> None:
    """Say where the next page begins: behind the row called `last`."""
    cursor = base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")
    url = request.url.include_query_params(cursor=cursor)
    response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def page(rows: Sequence[T], limit: int) -> tuple[list[T], bool]:
    """The first `limit` of the rows, and whether there are more."""
    return list(rows[:limit]), len(rows) > limit
