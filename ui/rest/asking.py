"""Questions: answered whole, or as a stream of typed events."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Body, Request
from fastapi.responses import Response, StreamingResponse

from assistant.schemas import Answer, Event, Question
from knowledge.errors import CohortTwinError, TooBusy, TooMany
from ui.faults import fault_of
from ui.metrics import Metrics
from ui.rest.deps import Mine, Owner
from ui.rest.problems import Problem, plain

AT_ONCE = 192  # questions of all owners being answered or waiting for their turn
OF_ONE_OWNER = 96
T = TypeVar("T")

EXAMPLES: dict[str, Any] = {
    "cohort": {
        "summary": "A cohort and a treatment",
        "value": {
            "text": "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide "
            "1 mg weekly over 30 weeks?"
        },
    },
    "as it was known then": {
        "summary": "Only with what was published by a day, and without one trial",
        "value": {
            "text": "How would adults with obesity react to semaglutide 2.4 mg weekly over 68 weeks?",
            "seed": 7,
            "view": {"as_of": "2022-06-30", "exclude": ["STEP 1"]},
        },
    },
    "conversation": {
        "summary": "A question that others may follow",
        "value": {
            "text": "How would women with obesity react to tirzepatide 10 mg weekly?",
            "conversation": "weight-clinic",
        },
    },
}
Asked = Annotated[Question, Body(openapi_examples=EXAMPLES)]


class Askers:
    """Room for those who wait for an answer: threads of their own, so that everything else is answered meanwhile."""

    def __init__(self, metrics: Metrics, at_once: int = AT_ONCE, of_one_owner: int = OF_ONE_OWNER) -> None:
        self._metrics, self._at_once, self._of_one = metrics, at_once, of_one_owner
        self._lock = threading.Lock()
        self._asking: Counter[str] = Counter()
        self._threads: CapacityLimiter | None = None

    @property
    def threads(self) -> CapacityLimiter:
        """Made inside the running event loop."""
        if self._threads is None:
            self._threads = CapacityLimiter(self._at_once)
        return self._threads

    @contextmanager
    def one(self, owner: str) -> Iterator[None]:
        """A place among those who wait (TooMany, TooBusy)."""
        with self._lock:
            if self._asking[owner] >= self._of_one:
                raise TooMany(f"{self._of_one} questions are being answered already.", "Ask again in a moment.")
            if self._asking.total() >= self._at_once:
                raise TooBusy("Too many questions are being answered.", "Ask again in a moment.")
            self._asking[owner] += 1
        self._metrics.asking.inc()
        try:
            yield
        finally:
            self._metrics.asking.dec()
            with self._lock:
                self._asking[owner] -= 1

    def answered(self, answer: Answer) -> bytes:
        """Count an answer and write it as JSON."""
        self._metrics.answers.labels(answer.status.value).inc()
        return answer.model_dump_json().encode()


def add_ask_routes(routes: APIRouter) -> None:
    """`/ask` and `/ask/stream`."""

    @routes.post("/ask", tags=["ask"], response_model=Answer)
    async def ask(request: Request, question: Asked, assistant: Mine, owner: Owner) -> Response:
        """Answer a question about a cohort. A question of a conversation may lean on those before it."""
        askers: Askers = request.app.state.askers

        def work() -> bytes:
            return askers.answered(assistant.ask(question))

        with askers.one(owner):
            content = await to_thread.run_sync(work, limiter=askers.threads)
        return Response(content, media_type="application/json")

    @routes.post(
        "/ask/stream",
        tags=["ask"],
        response_class=StreamingResponse,
        responses={200: {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def ask_stream(request: Request, question: Asked, assistant: Mine, owner: Owner) -> StreamingResponse:
        """As `ask`, as server-sent events: plan, step_started, step_finished, answer; or error (a problem)."""
        askers: Askers = request.app.state.askers
        waiting = askers.one(owner)
        waiting.__enter__()  # refused before the stream begins; left when it ends
        events = _lines(askers, assistant.stream(question))

        async def lines() -> AsyncIterator[bytes]:
            try:
                while (line := await to_thread.run_sync(next, events, b"", limiter=askers.threads)) != b"":
                    yield line
            finally:
                events.close()  # whoever hangs up stops the run
                waiting.__exit__(None, None, None)

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _lines(askers: Askers, events: Iterator[Event]) -> Any:
    """Events as text, one message each, numbered."""
    try:
        for number, event in enumerate(events, start=1):
            if event.answer is not None:
                askers.answered(event.answer)
            yield f"id: {number}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
    except CohortTwinError as error:
        fault = fault_of(error)
        told = Problem(title=fault.title, status=fault.http_status, detail=plain(str(error)))
        yield f"event: error\ndata: {told.model_dump_json()}\n\n".encode()
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
