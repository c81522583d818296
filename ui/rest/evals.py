"""The latest evaluation report, as `make eval` wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from ui.rest.caching import cached

REPORT = Path(__file__).resolve().parents[2] / "evals" / "reports" / "report.json"


def add_eval_routes(routes: APIRouter) -> None:
    """`/evals/latest`."""

    @routes.get("/evals/latest", tags=["evals"], response_model=dict[str, Any] | list[Any])
    def latest_evaluation(request: Request) -> Response:
        """How often it was right: the newest report of the evaluation harness."""
        try:
            return cached(request, REPORT.read_bytes())
        except FileNotFoundError as error:
            raise HTTPException(404, "No evaluation has been run yet. Run: make eval") from error
