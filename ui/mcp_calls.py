"""Tool calls over MCP: in a thread of their own, with progress, stopped when the client cancels."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
from anyio import from_thread, to_thread
from mcp import McpError, types
from mcp.server.lowlevel import Server
from pydantic import ValidationError

from assistant.schemas import Answer, Event, Question
from knowledge.errors import CohortTwinError, InvalidInput, RunCancelled, ToolFailed
from ui.mcp_tools import ASK

if TYPE_CHECKING:
    from assistant.service import Assistant

Tell = Callable[[float, str], None]
NOT_FOUND = -32002  # the protocol's code for a resource that is not there


class Finder:
    """Finds the assistant of whoever sent the request that is being handled, and works for it beside the event loop."""

    def __init__(self, server: Server[Any, Any], find: Callable[[Any], Assistant]) -> None:
        self.server = server
        self._find = find

    def assistant(self, request: Any) -> Assistant:
        """The assistant for an HTTP request (None over stdio)."""
        return self._find(request)

    async def run(self, handler: Callable[[Assistant, Any], Any], request: Any) -> types.ServerResult:
        """Run a handler that may read files; our errors become protocol errors with their sentence."""
        sender = self.server.request_context.request
        try:
            found: types.ServerResult = await to_thread.run_sync(lambda: handler(self.assistant(sender), request))
        except CohortTwinError as error:
            code = NOT_FOUND if type(error).__name__.startswith("Unknown") else types.INVALID_PARAMS
            raise McpError(types.ErrorData(code=code, message=str(error))) from error
        return found


async def call(asker: Finder, request: types.CallToolRequest) -> types.ServerResult:
    """Run a tool. What the caller can mend, and what failed, comes back as a tool error in one sentence with what to do."""
    context = asker.server.request_context
    token = context.meta.progressToken if context.meta else None
    session, sender, stop = context.session, context.request, threading.Event()

    def tell(progress: float, message: str) -> None:
        if token is not None and not stop.is_set():
            from_thread.run(session.send_progress_notification, token, progress, None, message)

    def work() -> types.CallToolResult:
        return _call(asker.assistant(sender), request.params.name, request.params.arguments or {}, tell, stop)

    try:
        return types.ServerResult(await to_thread.run_sync(work, abandon_on_cancel=True))
    except anyio.get_cancelled_exc_class():
        stop.set()
        raise
    except CohortTwinError as error:
        return types.ServerResult(_failed(str(error)))
    except Exception as error:  # noqa: BLE001 - a fault of a tool must not end the connection, nor show its insides
        failed = ToolFailed(
            f"The tool {request.params.name} stopped on a fault of its own ({type(error).__name__}).",
            "Try it with other arguments.",
        )
        return types.ServerResult(_failed(str(failed)))


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=_clean(text))], isError=True)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _call(
    assistant: Assistant, name: str, arguments: dict[str, Any], tell: Tell, stop: threading.Event
) -> types.CallToolResult:
    if name == ASK:
        answer = _ask(assistant, arguments, tell, stop)
        return _result(answer.markdown, answer.model_dump(mode="json"))
    result = assistant.run_tool(name, arguments)
    # What a host shows its model is short, and demands in quoted texts are taken out, as for our own chat models.
    from assistant.quoting import quoted
    from assistant.toolbox import summarise

    text = json.dumps(quoted(summarise(result)), ensure_ascii=False, separators=(",", ":"))
    return _result(text, result.model_dump(mode="json"))


def _result(text: str, structured: dict[str, Any]) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=_clean(text))]
    return types.CallToolResult(content=content, structuredContent=structured)


def _ask(assistant: Assistant, arguments: dict[str, Any], tell: Tell, stop: threading.Event) -> Answer:
    try:
        question = Question.model_validate(arguments)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in f['loc']) or 'input'}: {f['msg']}" for f in error.errors()[:6])
        raise InvalidInput(f"{ASK}: {faults}", "Give at least 'text': the question in plain words.") from error
    with closing(assistant.stream(question)) as events:
        for number, event in enumerate(events, start=1):
            if stop.is_set():
                break
            if event.answer is not None:
                return event.answer
            tell(float(number), _told(event))
    raise RunCancelled("The client cancelled the question.")


def _told(event: Event) -> str:
    if event.plan is not None:
        return f"Plan: {event.plan.population}" if event.plan.population else "Plan made"
    name = event.tool.replace("_", " ")
    return f"{name} …" if event.step is None else f"{name}: {'done' if event.step.ok else 'gave nothing'}"
