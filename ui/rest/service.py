"""Is it alive, is it ready, what is it doing. These are answered by the event loop itself, however busy the threads are."""

from __future__ import annotations

import logging
import threading

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from assistant.owners import Owners
from knowledge.errors import CohortTwinError
from knowledge.schemas import Frozen

_LOG = logging.getLogger("cohort.rest")
# Reads the frameworks, opens the index and the embedding model; nothing of it is recorded.
_FIRST = "what is published about adherence"


class Health(Frozen):
    """State of the service."""

    status: str
    evidence_hash: str
    trials: int


class Ready(Frozen):
    """Whether questions are answered at once."""

    ready: bool


class WarmUp:
    """Opens what the first question would have to wait for, in the background."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._begun = threading.Lock()
        self.done = threading.Event()
        knowledge = owners.local.knowledge
        self.health = Health(status="ok", evidence_hash=knowledge.arms.hash, trials=len(knowledge.arms.trials()))

    def start(self) -> None:
        """Begin, once."""
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._run, name="cohort-warm-up", daemon=True).start()

    def _run(self) -> None:
        try:
            self._owners.local.run_tool("search_literature", {"query": _FIRST})
            import assistant.runner  # noqa: F401 - takes a second to read
        except CohortTwinError as error:
            _LOG.error("not ready: %s", error)
            return
        self.done.set()


def add_service_routes(routes: APIRouter) -> None:
    """`/health`, `/ready`, `/metrics`."""

    @routes.get("/health", tags=["service"])
    async def health(request: Request) -> Health:
        """Alive, and with which shipped evidence."""
        warm: WarmUp = request.app.state.warm
        return warm.health

    @routes.get("/ready", tags=["service"])
    async def ready(request: Request) -> Ready:
        """Whether the index and the models are open; 503 until they are."""
        if not request.app.state.warm.done.is_set():
            raise HTTPException(503, "The index is being opened.", {"Retry-After": "2"})
        return Ready(ready=True)

    @routes.get(
        "/metrics",
        tags=["service"],
        response_class=Response,
        responses={200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(request: Request) -> Response:
        """Counters for Prometheus."""
        content, media_type = request.app.state.metrics.text(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": media_type})


__all__ = ["Health", "Ready", "WarmUp", "add_service_routes"]
