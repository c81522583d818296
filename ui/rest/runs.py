"""Runs: what was asked and answered, replayed, verified, exported."""

from __future__ import annotations

from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from assistant.schemas import Answer, ReplayReport, RunSummary
from knowledge.schemas import Frozen
from ui.rest.asking import Askers
from ui.rest.caching import cached, cached_model
from ui.rest.deps import Mine, Owner
from ui.rest.pages import Cursor, Limit, link_next, page, read_cursor

RunId = Annotated[str, Path(max_length=64, description="id of the run", examples=["r-0123456789ab"])]
Form = Literal["html", "pdf", "docx", "json", "csv"]


class Verified(Frozen):
    """What a check of the ledger's hash chain found."""

    runs: int
    head: str


def add_run_routes(routes: APIRouter) -> None:
    """Everything below /runs."""

    @routes.get("/runs", tags=["runs"])
    def runs(
        request: Request, response: Response, assistant: Mine, limit: Limit = 20, cursor: Cursor = ""
    ) -> list[RunSummary]:
        """Your runs, the newest first."""
        rows, more = page(assistant.ledger.recent(limit + 1, before=read_cursor(cursor)), limit)
        if more:
            link_next(request, response, rows[-1].run_id)
        return rows

    @routes.post("/runs/verify", tags=["runs"])
    def verify_runs(assistant: Mine) -> Verified:
        """Recompute the hash chain of your ledger; 409 names the first run that was tampered with."""
        return Verified(runs=assistant.verify_runs(), head=assistant.ledger.head())

    @routes.get("/runs/{run_id}", tags=["runs"], response_model=Answer)
    def run(request: Request, run_id: RunId, assistant: Mine) -> Response:
        """The answer of a recorded run."""
        return cached_model(request, assistant.show_run(run_id))

    @routes.post("/runs/{run_id}/replay", tags=["runs"])
    async def replay_run(request: Request, run_id: RunId, assistant: Mine, owner: Owner) -> ReplayReport:
        """Compute a run again and compare every number."""
        askers: Askers = request.app.state.askers
        with askers.one(owner):
            return await to_thread.run_sync(assistant.replay, run_id, limiter=askers.threads)

    @routes.get(
        "/runs/{run_id}/export",
        tags=["runs"],
        response_class=Response,
        responses={200: {"description": "The file", "content": {"application/octet-stream": {}}}},
    )
    def export_run(
        request: Request, run_id: RunId, assistant: Mine, form: Annotated[Form, Query(description="kind of file")]
    ) -> Response:
        """A run as a file, with where every number comes from."""
        from ui.exports import export_run as export

        content, media_type, name = export(assistant.ledger.record(run_id), form)
        response = cached(request, content, media_type)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        # A file of ours opens as a file: whatever it holds, it is no page of this service.
        response.headers["Content-Security-Policy"] = (
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
