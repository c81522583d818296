"""What the tools had done before a process was killed, read from the messages that it left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from pydantic import ValidationError

from assistant.schemas import StepRecord
from knowledge import errors
from knowledge.errors import CohortTwinError, ToolFailed
from tools.registry import Registry, fingerprint
from tools.schemas import ToolResult


@dataclass
class Recovered:
    """Steps in the order of their calls; `seconds` of a recovered step is 0, for nobody knows it any more."""

    steps: list[StepRecord] = field(default_factory=list)
    results: list[tuple[str, ToolResult]] = field(default_factory=list)
    errors: list[CohortTwinError] = field(default_factory=list)


def recover(messages: Sequence[AnyMessage], registry: Registry) -> Recovered:
    """The tool calls that have an answer. A call whose arguments were refused never ran and is no step."""
    tools = {declared.name: declared for declared in registry}
    calls = {call["id"]: call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls}
    found = Recovered()
    for message in messages:
        call = calls.get(message.tool_call_id) if isinstance(message, ToolMessage) else None
        if call is None or call["name"] not in tools:
            continue
        try:
            parsed = tools[call["name"]].input_model.model_validate(call["args"])
        except ValidationError:
            continue
        artifact = getattr(message, "artifact", None)
        result = artifact if isinstance(artifact, ToolResult) else None
        error = None if result else _error(str(message.content))
        if result is not None:
            found.results.append((call["name"], result))
        if error is not None:
            found.errors.append(error)
        found.steps.append(
            StepRecord(
                tool=call["name"],
                arguments=parsed.model_dump(mode="json", exclude_unset=True),
                ok=error is None,
                error=f"{type(error).__name__}: {error}" if error else "",
                result_hash=fingerprint(result.model_dump(mode="json")) if result else "",
            )
        )
    return found


def _error(content: str) -> CohortTwinError:
    """The error that a tool message tells of."""
    try:
        said: dict[str, Any] = json.loads(content)
        kind = getattr(errors, str(said["error"]), ToolFailed)
        if isinstance(kind, type) and issubclass(kind, CohortTwinError):
            return kind(str(said["message"]))
    except (ValueError, KeyError, TypeError):
        pass
    return ToolFailed(content[:400])
