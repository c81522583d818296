"""Problem details (M. Nottingham, E. Wilde, S. Dalal: Problem Details for HTTP APIs, RFC 9457) for every refusal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from knowledge.errors import CohortTwinError, DataError
from knowledge.schemas import Frozen
from ui.faults import fault_of

MEDIA_TYPE = "application/problem+json"
_OPENAI = "/v1/"
_SENT = "sent"  # of request.state: what the caller sent is being read
_LOG = logging.getLogger("cohort.rest")


class Problem(Frozen):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str = Field(description="short, the same for every problem of this kind")
    status: int
    detail: str = Field(description="what is wrong, and what to do next")


def plain(text: str) -> str:
    """Text that can always be encoded."""
    return text.encode("utf-8", "replace").decode()


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem response whose text can always be encoded."""
    body = Problem(title=title, status=status, detail=plain(detail))
    return JSONResponse(body.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def refusal(path: str, error: CohortTwinError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A typed error as a response, before any route is reached: in OpenAI's form below /v1/, else as a problem."""
    fault = fault_of(error)
    sent = dict(headers or {})
    if fault.http_status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="cohort-twin"'
    if fault.retry_after is not None:
        sent["Retry-After"] = str(fault.retry_after)
    if path.startswith(_OPENAI):
        body = {"message": plain(str(error)), "type": "invalid_request_error", "param": None, "code": None}
        return JSONResponse({"error": body}, status_code=fault.http_status, headers=sent)
    return problem(fault.http_status, fault.title, str(error), sent)


def reading(request: Request) -> None:
    """Say that from here on a DataError is about what the caller sent."""
    setattr(request.state, _SENT, True)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of refusals with these statuses."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _DESCRIPTIONS.get(status, "Refused"), "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


def add_handlers(app: FastAPI) -> None:
    """Every error of a route becomes a problem."""

    @app.exception_handler(CohortTwinError)
    def known(request: Request, error: CohortTwinError) -> JSONResponse:
        fault = fault_of(error, sent=isinstance(error, DataError) and getattr(request.state, _SENT, False))
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
        return problem(fault.http_status, fault.title, str(error), headers)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # The echo of the input is left out: NaN and lone surrogates in it could not be encoded.
        faults = "; ".join(f"{'.'.join(str(p) for p in f['loc'])}: {f['msg']}" for f in error.errors()[:6])
        return problem(422, "The request cannot be carried out", faults)

    @app.exception_handler(HTTPException)
    def raised(_request: Request, error: HTTPException) -> JSONResponse:
        title = _DESCRIPTIONS.get(error.status_code, str(error.detail))
        return problem(error.status_code, title, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    def unforeseen(_request: Request, error: Exception) -> JSONResponse:
        _LOG.error("unforeseen", exc_info=error)
        return problem(500, "A fault of our own", "Something went wrong that nobody foresaw; it has been logged.")


_DESCRIPTIONS = {
    400: "The request cannot be read",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Kind of content not accepted",
    422: "The request cannot be carried out",
    428: "Say which state is meant (If-Match)",
    429: "Too much at once",
    500: "A fault of our own",
    502: "The chat model failed",
    503: "Not ready, or too much at once",
    504: "A limit was reached",
}
