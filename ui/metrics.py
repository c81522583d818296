"""What the service is doing, for Prometheus. Each application has a registry of its own: nothing is global."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Metering", "Metrics"]

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cohort_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "cohort_http_seconds",
            "Seconds until the answer was complete.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.running = Gauge("cohort_http_running", "Requests being answered.", registry=self.registry)
        self.answers = Counter("cohort_answers", "Questions answered, by status.", ("status",), registry=self.registry)
        self.asking = Gauge("cohort_asking", "Questions being answered.", registry=self.registry)

    def watch_jobs(self, counts: Callable[[], dict[str, int]]) -> None:
        """Show how many jobs stand in each state."""
        jobs = Gauge("cohort_jobs", "Jobs by state.", ("state",), registry=self.registry)
        for state in counts():
            jobs.labels(state).set_function(lambda name=state: counts()[name])  # type: ignore[misc]

    def text(self, accept: str) -> tuple[bytes, str]:
        """All values as text, and its media type: OpenMetrics where it is asked for, else Prometheus' plain form."""
        if "application/openmetrics-text" in accept:
            return generate_openmetrics(self.registry), CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]
        return generate_latest(self.registry), PLAIN


class Metering:
    """ASGI middleware that counts requests by route (never by path: a path is chosen by the caller)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.running.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.running.dec()
            route = getattr(scope.get("route"), "path", "") or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
