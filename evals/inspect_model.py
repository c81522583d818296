"""Lends a model of inspect-ai to our agent: the messages and tools of the agent become inspect-ai's, its reply ours.

The agent runs in threads, inspect-ai's models in the event loop of the sample; `LOOP` names that loop. Both it and what
inspect-ai itself keeps about the sample travel with the context that threads inherit.
"""

from __future__ import annotations

import contextvars
from typing import Any

import anyio.from_thread
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ModelOutput,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams

from assistant.called_model import CalledModel, CalledTool, Reply
from knowledge.errors import ModelUnavailable

LOOP: contextvars.ContextVar[Any] = contextvars.ContextVar("inspect_loop")


def lent_model() -> CalledModel:
    """A chat model that asks whichever model inspect-ai is evaluating."""
    return CalledModel(call=_call)


def _call(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
    try:
        loop = LOOP.get()
    except LookupError as error:
        raise ModelUnavailable("The model of inspect-ai can be asked only while inspect-ai runs a sample.") from error

    async def ask() -> ModelOutput:
        return await get_model().generate(
            [to_inspect(message) for message in messages], tools=[tool_info(tool) for tool in tools]
        )

    output = anyio.from_thread.run(ask, token=loop)
    if output.error:
        raise ModelUnavailable(f"The model of inspect-ai failed: {output.error}")
    return reply_of(output)


def reply_of(output: ModelOutput) -> Reply:
    """What a model of inspect-ai said, as our agent reads it."""
    calls = tuple(
        CalledTool(id=call.id, name=call.function, arguments=call.arguments, error=call.parse_error or "")
        for call in output.message.tool_calls or ()
    )
    usage = output.usage
    return Reply(
        text=output.completion,
        calls=calls,
        model=output.model,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
    )


def to_inspect(message: dict[str, Any]) -> ChatMessage:
    """A message in the format of OpenAI's chat completions as inspect-ai's."""
    text = message.get("content") or ""
    content = text if isinstance(text, str) else "\n".join(part.get("text", "") for part in text)
    role = message["role"]
    if role == "system":
        return ChatMessageSystem(content=content)
    if role == "user":
        return ChatMessageUser(content=content)
    if role == "tool":
        return ChatMessageTool(content=content, tool_call_id=message["tool_call_id"])
    calls = [_tool_call(call) for call in message.get("tool_calls") or ()]
    return ChatMessageAssistant(content=content, tool_calls=calls or None)


def _tool_call(call: dict[str, Any]) -> ToolCall:
    import json

    written = call["function"]
    return ToolCall(id=call["id"], function=written["name"], arguments=json.loads(written["arguments"] or "{}"))


def tool_info(tool: dict[str, Any]) -> ToolInfo:
    """A tool of ours as inspect-ai describes tools; it knows no references, so they are written out."""
    described = tool["function"]
    schema = described.get("parameters", {})
    plain = written_out(schema, schema.get("$defs", {}))
    return ToolInfo(
        name=described["name"],
        description=described.get("description", ""),
        parameters=ToolParams(properties=plain.get("properties", {}), required=plain.get("required", [])),
    )


def written_out(schema: Any, definitions: dict[str, Any], depth: int = 12) -> Any:
    """The schema with each reference replaced by what it names; a schema that holds itself is cut at `depth`."""
    if isinstance(schema, list):
        return [written_out(part, definitions, depth) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name and depth > 0:
        named = written_out(definitions.get(name, {}), definitions, depth - 1)
        return {**named, **{key: value for key, value in schema.items() if key != "$ref"}}
    kept = {key: value for key, value in schema.items() if key not in ("$defs", "$ref", "title")}
    properties = kept.pop("properties", None)
    plain = {key: written_out(value, definitions, depth) for key, value in kept.items()}
    if properties is not None:  # whose keys are names of fields, among them perhaps 'title'
        plain["properties"] = {key: written_out(value, definitions, depth) for key, value in properties.items()}
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    return plain
