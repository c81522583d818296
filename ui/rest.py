"""REST under /api/v1. Bodies are the service's own models; errors are RFC 9457 problem details."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from fastapi import Body, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from assistant.schemas import Answer, Question, ReplayReport, RunSummary
from assistant.service import Assistant
from knowledge.errors import CohortTwinError, InvalidInput
from knowledge.schemas import Frozen
from ui.faults import fault_of
from ui.rest_personas import add_persona_routes

API = "/api/v1"
PROBLEM = "application/problem+json"


class Problem(Frozen):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ToolCard(Frozen):
    """A tool as listed: what it is for and how far to believe it."""

    name: str
    description: str
    validation: str
    version: str
    input_schema: dict[str, Any]


class Health(Frozen):
    """State of the service."""

    status: str
    evidence_hash: str
    trials: int


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """A problem response whose text can always be encoded."""
    clean = detail.encode("utf-8", "replace").decode()
    return JSONResponse(
        Problem(title=title, status=status, detail=clean).model_dump(), status_code=status, media_type=PROBLEM
    )


def build_rest(assistant: Assistant) -> FastAPI:
    """The REST application over one assistant."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "content": {PROBLEM: {}}} for status in (404, 409, 413, 422, 500, 502, 503, 504)
    }
    app = FastAPI(
        title="Cohort Twin",
        version="0.1.0",
        summary="How would this cohort react? Predictions from published trials, every number traceable.",
        responses=responses,
    )
    _handlers(app)
    _questions(app, assistant)
    _libraries(app, assistant)
    add_persona_routes(app, assistant)
    _runs(app, assistant)
    return app


def _handlers(app: FastAPI) -> None:
    @app.exception_handler(CohortTwinError)
    def known(_request: Request, error: CohortTwinError) -> JSONResponse:
        fault = fault_of(error)
        return problem(fault.http_status, fault.title, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # The echo of the input is left out: NaN and lone surrogates in it could not be encoded.
        faults = "; ".join(f"{'.'.join(str(p) for p in f['loc'])}: {f['msg']}" for f in error.errors()[:6])
        return problem(422, "The request cannot be carried out", faults)

    @app.exception_handler(HTTPException)
    def plain(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), str(error.detail))


def _questions(app: FastAPI, assistant: Assistant) -> None:
    @app.post(f"{API}/ask", tags=["ask"])
    def ask(question: Question) -> Answer:
        """Answer a question about a cohort."""
        return assistant.ask(question)

    @app.post(f"{API}/ask/stream", tags=["ask"], response_class=StreamingResponse)
    def ask_stream(question: Question) -> StreamingResponse:
        """As `ask`, as server-sent events: plan, step_started, step_finished, answer; or error."""

        def events() -> Iterator[str]:
            try:
                for event in assistant.stream(question):
                    yield f"event: {event.type}\ndata: {event.model_dump_json()}\n\n"
            except CohortTwinError as error:
                fault = fault_of(error)
                body = Problem(title=fault.title, status=fault.http_status, detail=str(error))
                yield f"event: error\ndata: {body.model_dump_json()}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")


def _libraries(app: FastAPI, assistant: Assistant) -> None:
    @app.get(f"{API}/health", tags=["service"])
    def health() -> Health:
        """Alive, and with which evidence."""
        knowledge = assistant.knowledge
        return Health(status="ok", evidence_hash=knowledge.arms.hash, trials=len(knowledge.arms.trials()))

    @app.get(f"{API}/tools", tags=["tools"])
    def tools() -> list[ToolCard]:
        """All tools with their input schemas."""
        return [
            ToolCard(
                name=declared.name,
                description=declared.description,
                validation=declared.validation.value,
                version=declared.version,
                input_schema=declared.input_model.model_json_schema(),
            )
            for declared in assistant.registry
        ]

    @app.post(f"{API}/tools/{{name}}", tags=["tools"])
    def run_tool(
        name: str,
        arguments: dict[str, Any] = Body(default_factory=dict, examples=[{"query": "adherence to injections"}]),  # noqa: B008
        seed: int = Query(1, ge=0, le=2**31 - 1),
    ) -> JSONResponse:
        """Run one tool; the body is its input."""
        if _has_non_finite(arguments):
            raise InvalidInput(f"{name}: NaN and infinite numbers are not accepted.")
        result = assistant.run_tool(name, arguments, seed=seed)
        return JSONResponse(json.loads(result.model_dump_json()))


def _runs(app: FastAPI, assistant: Assistant) -> None:
    @app.get(f"{API}/runs", tags=["runs"])
    def runs(limit: int = Query(20, ge=1, le=1000)) -> list[RunSummary]:
        """The newest runs."""
        return assistant.runs(limit)

    @app.get(f"{API}/runs/{{run_id}}", tags=["runs"])
    def run(run_id: str = Path(max_length=64)) -> Answer:
        """The answer of a recorded run."""
        return assistant.show_run(run_id)

    @app.post(f"{API}/runs/{{run_id}}/replay", tags=["runs"])
    def replay(run_id: str = Path(max_length=64)) -> ReplayReport:
        """Compute a run again and compare every number."""
        return assistant.replay(run_id)


def _has_non_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_non_finite(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_non_finite(item) for item in value)
    return False
