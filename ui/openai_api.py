"""An OpenAI-compatible endpoint, so that chat programs can use Cohort Twin as a model.

It keeps nothing between requests: earlier user messages say what was asked before, and what the client says was answered
is not taken on trust.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute

from assistant.schemas import Answer, Event, Question
from assistant.service import Assistant
from knowledge.errors import CohortTwinError
from ui.auth import assistant_of, owner_of
from ui.openai_schemas import (
    MODEL,
    ChatRequest,
    Choice,
    Completion,
    ErrorBody,
    Made,
    Message,
    Model,
    ModelList,
    Refusal,
    Reply,
    Usage,
    error_of,
)
from ui.rest.asking import Askers

if TYPE_CHECKING:
    from assistant.owners import Owners

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (400, 401, 404, 405, 409, 413, 429, 500, 502, 503, 504)
}


class _Route(APIRoute):
    """Errors of /v1 have OpenAI's shape, not that of problem details."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except CohortTwinError as error:
                return error_response(error)
            except RequestValidationError as error:
                fault = error.errors()[0]
                where = ".".join(str(part) for part in fault["loc"][1:]) or None
                return error_response(Refusal(f"{where or 'body'}: {fault['msg']}.", param=where, code="invalid_value"))

        return handle


def error_response(error: CohortTwinError) -> JSONResponse:
    """An error as a response. The client's own retries are kept for what another try can mend."""
    status, body, wait = error_of(error)
    headers = {"x-should-retry": "false" if wait is None else "true"}
    if wait is not None:
        headers["retry-after"] = str(wait)
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


def add_openai_routes(app: FastAPI, owners: Owners) -> None:
    """POST /v1/chat/completions and GET /v1/models; whatever else is asked below /v1 is answered in the same shape."""
    router = APIRouter(prefix="/v1", tags=["openai"], route_class=_Route, responses=_ERRORS)

    @router.get("/models")
    def models() -> ModelList:
        """The one model there is."""
        return ModelList()

    @router.get("/models/{name}")
    def model(name: str) -> Model:
        """The model of this name."""
        _check_model(name)
        return Model()

    @router.post("/chat/completions", response_model=Completion)
    async def complete(body: ChatRequest, request: Request) -> Response:
        """Answer the last user message; those before it say what a follow-up leans on.

        With `stream` the reply comes as server-sent events: `reasoning_content` tells the plan and the steps while they
        run, `content` is the answer, the last line is `[DONE]`.
        """
        question = question_of(body)
        assistant, owner = assistant_of(request, owners), owner_of(request)
        askers: Askers = request.app.state.askers
        if body.stream:
            usage = bool(body.stream_options and body.stream_options.include_usage)
            return await _streamed(assistant, question, usage, askers, owner)

        def work() -> dict[str, Any]:
            answer = assistant.ask(question)
            askers.answered(answer)
            return _completion(answer, _usage(assistant, answer)).model_dump(mode="json")

        with askers.one(owner):
            return JSONResponse(await to_thread.run_sync(work, limiter=askers.threads))

    @router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def nothing(path: str, request: Request) -> None:
        known = path in ("models", "chat/completions")
        raise Refusal(
            f"There is no {request.method} /v1/{path[:80]}.",
            "There are POST /v1/chat/completions and GET /v1/models.",
            code="unknown_url",
            status=405 if known else 404,
        )

    app.include_router(router)


def question_of(body: ChatRequest) -> Question:
    """The question that a request asks (Refusal names what cannot be done)."""
    _check_model(body.model)
    _check_wishes(body)
    said = [message for message in body.messages if message.role == "user"]
    if not said or body.messages[-1].role in ("assistant", "tool", "function"):
        raise Refusal("The last message must be what the user asks.", param="messages", code="invalid_value")
    for message in said:
        _check_parts(message)
    return Question(
        text=said[-1].text,
        seed=1 if body.seed is None else body.seed,
        earlier=tuple(message.text for message in said[:-1])[-200:],
    )


def _check_model(name: str) -> None:
    if name != MODEL:
        raise Refusal(
            f"The model '{name[:80]}' does not exist.",
            f"Use '{MODEL}'.",
            param="model",
            code="model_not_found",
            status=404,
        )


def _check_wishes(body: ChatRequest) -> None:
    """What would change the answer and cannot be done is refused, not passed over."""
    wanted = {
        "n": body.n not in (None, 1),
        "stop": body.stop not in (None, [], ""),
        "tools": bool(body.tools),
        "functions": bool(body.functions),
        "tool_choice": body.tool_choice not in (None, "none", "auto"),
        "response_format": body.response_format is not None and body.response_format != {"type": "text"},
        "logprobs": bool(body.logprobs),
        "modalities": body.modalities not in (None, ["text"]),
        "audio": body.audio is not None,
    }
    for name, refused in wanted.items():
        if refused:
            raise Refusal(
                f"'{name}' is not supported: one question gives one answer in text.",
                "Leave it out. Typed answers are at /api/v1/ask, tools at /api/v1/tools and over MCP.",
                param=name,
                code="unsupported_parameter",
            )


def _check_parts(message: Message) -> None:
    kinds = (
        {part.type for part in message.content if part.type != "text"} if isinstance(message.content, list) else set()
    )
    if kinds:
        raise Refusal(
            f"Content of the type '{sorted(kinds)[0][:40]}' cannot be read.",
            "Send text.",
            param="messages",
            code="invalid_value",
        )


def _usage(assistant: Assistant, answer: Answer) -> Usage:
    """Tokens as they were counted while the run went on."""
    used = assistant.ledger.record(answer.run_id)["usage"]
    sent, written = int(used["input_tokens"]), int(used["output_tokens"])
    return Usage(prompt_tokens=sent, completion_tokens=written, total_tokens=sent + written)


def _completion(answer: Answer, usage: Usage) -> Completion:
    return Completion(
        id=f"chatcmpl-{answer.run_id}",
        created=int(time.time()),
        choices=[Choice(message=Reply(content=answer.markdown))],
        usage=usage,
        system_fingerprint=_fingerprint(answer),
        cohort_twin=_made(answer),
    )


def _fingerprint(answer: Answer) -> str:
    return f"evidence-{answer.evidence_hash}"


def _made(answer: Answer) -> Made:
    return Made(
        run_id=answer.run_id,
        status=answer.status.value,
        confidence=answer.confidence.probability,
        confidence_sentence=answer.confidence.sentence,
        evidence_hash=answer.evidence_hash,
    )


async def _streamed(
    assistant: Assistant, question: Question, usage: bool, askers: Askers, owner: str
) -> StreamingResponse:
    """Server-sent events. What fails before the first of them still gets its HTTP status."""
    waiting = askers.one(owner)
    waiting.__enter__()  # left when the stream ends
    events = assistant.stream(question)
    try:
        first = await to_thread.run_sync(next, events, limiter=askers.threads)
    except BaseException:
        waiting.__exit__(None, None, None)
        raise
    chunks = _chunks(assistant, first, events, usage, askers)

    async def lines() -> AsyncIterator[str]:
        try:
            while line := await to_thread.run_sync(next, chunks, "", limiter=askers.threads):
                yield line
        finally:
            chunks.close()  # a client that leaves ends the run
            waiting.__exit__(None, None, None)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


def _chunks(
    assistant: Assistant, first: Event, rest: Generator[Event, None, None], usage: bool, askers: Askers
) -> Generator[str, None, None]:
    # All chunks of a reply carry one id; the run's own is known when it has ended, and stands in the last of them.
    head: dict[str, Any] = {
        "id": f"chatcmpl-{time.time_ns():x}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": MODEL,
    }

    def chunk(delta: dict[str, str], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _line({**head, "choices": [choice], **({"usage": None} if usage else {}), **more})

    with closing(rest):
        try:
            yield chunk({"role": "assistant", "content": ""})
            event: Event | None = first
            while event is not None:
                if event.answer is not None:
                    answer = event.answer
                    askers.answered(answer)
                    for piece in _pieces(answer.markdown):
                        yield chunk({"content": piece})
                    made = _made(answer).model_dump(mode="json")
                    yield chunk({}, "stop", system_fingerprint=_fingerprint(answer), cohort_twin=made)
                    if usage:
                        yield _line({**head, "choices": [], "usage": _usage(assistant, answer).model_dump()})
                elif told := _progress(event):
                    yield chunk({"reasoning_content": told})
                event = next(rest, None)
        except CohortTwinError as error:
            yield _line(error_of(error)[1].model_dump())
        yield "data: [DONE]\n\n"


def _progress(event: Event) -> str:
    if event.plan is not None:
        return f"Cohort: {event.plan.population}\n" if event.plan.population else ""
    name = event.tool.replace("_", " ")
    if event.step is None:
        return f"{name} …\n"
    return "" if event.step.ok else f"{name} gave nothing: {event.step.error}\n"


def _pieces(markdown: str) -> Iterator[str]:
    """The answer paragraph by paragraph."""
    parts = markdown.split("\n\n")
    for position, part in enumerate(parts):
        yield part if position == len(parts) - 1 else f"{part}\n\n"


def _line(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=True)}\n\n"
