"""The REST application: routes by theme, what every request passes through, and what OpenAPI says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import Match, Mount

from assistant.owners import Owners
from ui.auth import Gate
from ui.bodies import Bodies
from ui.idempotency import Idempotency
from ui.jobs import JobBook
from ui.metrics import Metering, Metrics
from ui.rest.asking import Askers, add_ask_routes
from ui.rest.conversations import add_conversation_routes
from ui.rest.docs_page import add_docs_page
from ui.rest.evals import add_eval_routes
from ui.rest.evidence import add_evidence_routes
from ui.rest.jobs import add_job_routes
from ui.rest.personas import add_persona_routes
from ui.rest.personas_own import add_own_persona_routes
from ui.rest.problems import Problem, add_handlers, problem, responses
from ui.rest.runs import add_run_routes
from ui.rest.service import WarmUp, add_service_routes
from ui.rest.tools import add_tool_routes

API = "/api/v1"
_REFUSALS = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504)


def build_rest(owners: Owners, hosts: frozenset[str] | None = None) -> FastAPI:
    """The REST application over the assistants of all owners.

    Parameters
    ----------
    hosts : names by which the service may be called; any when None (see `ui.auth.Gate`).
    """
    app = FastAPI(
        title="Cohort Twin",
        version=_version(),
        summary="How would this cohort react? Predictions from published trials, every number traceable.",
        generate_unique_id_function=_operation,
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.owners = owners
    app.state.lifespans = []
    app.state.metrics = Metrics()
    app.state.jobs = JobBook()
    app.state.askers = Askers(app.state.metrics)
    app.state.warm = WarmUp(owners)
    app.state.metrics.watch_jobs(app.state.jobs.counts)
    add_handlers(app)
    routes = APIRouter(prefix=API, responses=responses(*_REFUSALS))
    add_service_routes(routes)
    add_ask_routes(routes)
    add_conversation_routes(routes)
    add_persona_routes(routes)
    add_own_persona_routes(routes)
    add_tool_routes(routes)
    add_evidence_routes(routes)
    add_run_routes(routes)
    add_eval_routes(routes)
    add_job_routes(routes)
    app.include_router(routes)
    _describe(app)
    add_docs_page(app)
    # The last added is the first passed.
    app.add_middleware(Idempotency, owners=owners)
    app.add_middleware(Bodies)
    app.add_middleware(Gate, owners=owners, hosts=hosts)
    app.add_middleware(Metering, metrics=app.state.metrics)
    return app


def close_paths(app: FastAPI) -> None:
    """What is below /api/ and is no route is a problem in our own form, whatever else is mounted behind."""

    @app.api_route("/api/{rest:path}", methods=_METHODS, include_in_schema=False)
    async def nothing(request: Request) -> JSONResponse:
        # What stands before this route is asked which methods it would have taken; what is mounted behind is not.
        before = takewhile(lambda route: getattr(route, "endpoint", None) is not nothing, app.routes)
        known = [route for route in before if not isinstance(route, Mount)]
        allowed = {
            method
            for method in _METHODS
            if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in known)
        }
        if allowed:
            listed = ", ".join(sorted(allowed))
            return problem(405, "Method not allowed", f"Here goes {listed}.", {"Allow": listed})
        return problem(404, "Not found", "There is nothing at this path. What there is: /docs")


_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for enter in app.state.lifespans:
            await stack.enter_async_context(enter())
        app.state.warm.start()
        yield
        app.state.jobs.close()


def _operation(route: APIRoute) -> str:
    """Short names for generated clients."""
    return route.name


def _version() -> str:
    try:
        return version("cohort-twin")
    except PackageNotFoundError:
        return "0"


def _describe(app: FastAPI) -> None:
    """Add the key and the form of refusals to what OpenAPI says."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        described = plain()
        parts = described.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        told = "Needed only where the service has keys. Made with: cohort keys new NAME"
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": told}}
        described["security"] = [{"key": []}, {}]
        return described

    app.openapi = openapi  # type: ignore[method-assign]
