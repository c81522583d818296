"""Checkpoints of the agent graph as plain JSON: messages of four kinds, typed tool results, and nothing else.

LangGraph's own serialiser rebuilds any class that a file names. This one knows a fixed table of types: what is not in it
is refused while writing (TypeError) and while reading (StoreDamaged), so that a store that somebody changed cannot make
this program import or call anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.types import Send
from pydantic import BaseModel, ValidationError

from knowledge.errors import StoreDamaged

FORMAT = "cohort-json-1"
_TAG = "$type"
_MESSAGES: dict[str, type[HumanMessage | AIMessage | SystemMessage | ToolMessage]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
}


class PlainSerializer:
    """LangGraph's serialiser protocol over plain JSON.

    Parameters
    ----------
    results : result model of each tool by the tool's name; a tool message's artifact is rebuilt with it.
    """

    def __init__(self, results: Mapping[str, type[BaseModel]]) -> None:
        self._results = dict(results)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The value as tagged JSON (TypeError for what is not in the table)."""
        return FORMAT, json.dumps(self._plain(obj), ensure_ascii=True, separators=(",", ":")).encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value again (StoreDamaged for any other format or type)."""
        kind, raw = data
        if kind != FORMAT:
            raise StoreDamaged(f"A saved step of a conversation is in a format that is not read here ({kind[:40]}).")
        try:
            return self._value(json.loads(raw))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise StoreDamaged(
                f"A saved step of a conversation cannot be read ({type(error).__name__}).",
                "Delete the conversation with: cohort conversations delete NAME",
            ) from error

    def _plain(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, HumanMessage | AIMessage | SystemMessage | ToolMessage):
            return self._plain_message(value)
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                raise TypeError("only text can be a key of saved state")
            return {_TAG: "map", "items": {key: self._plain(item) for key, item in value.items()}}
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if isinstance(value, tuple):
            return {_TAG: "tuple", "items": [self._plain(item) for item in value]}
        if isinstance(value, Send):
            return {_TAG: "send", "node": value.node, "arg": self._plain(value.arg)}
        if isinstance(value, str):  # a member of a text enumeration
            return str.__str__(value)
        if isinstance(value, BaseException):
            # LangGraph keeps why a step failed; the step is run again, so its name is enough.
            return f"{type(value).__name__}: {value}"[:500]
        raise TypeError(f"{type(value).__name__} cannot be part of a saved conversation")

    def _plain_message(self, message: HumanMessage | AIMessage | SystemMessage | ToolMessage) -> dict[str, Any]:
        # JSON mode: enumerations and dates inside the result of a tool become text.
        body = message.model_dump(mode="json", exclude_defaults=True)
        artifact = getattr(message, "artifact", None)
        if isinstance(artifact, BaseModel):
            body["artifact"] = artifact.model_dump(mode="json")
        elif artifact is not None:
            raise TypeError(f"{type(artifact).__name__} cannot be the artifact of a saved message")
        return {_TAG: message.type, "body": body}

    def _value(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self._value(item) for item in plain]
        if not isinstance(plain, dict):
            return plain
        tag = plain[_TAG]
        if tag == "map":
            return {key: self._value(item) for key, item in plain["items"].items()}
        if tag == "tuple":
            return tuple(self._value(item) for item in plain["items"])
        if tag == "send":
            return Send(str(plain["node"]), self._value(plain["arg"]))
        body = dict(plain["body"])
        artifact = body.pop("artifact", None)
        message = _MESSAGES[tag].model_validate({**body, "type": tag})
        if artifact is not None and isinstance(message, ToolMessage):
            message.artifact = self._results[str(message.name)].model_validate(artifact)
        return message
