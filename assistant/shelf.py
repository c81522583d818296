"""Simulations that a chat model takes from the shelf when it needs them.

The schemas of all tools would fill a model's context in every call. A foreign model therefore sees the tools that most
questions need, and one that opens others by name: their schemas are sent from the next call on, and stay.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, ConfigDict, Field

from tools.registry import Registry

OPEN = "open_simulation"
AT_ONCE = 3  # schemas of the largest three are about ten thousand tokens


class OpenSimulation(BaseModel):
    """Which simulations to take from the shelf."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: list[str] = Field(min_length=1, max_length=AT_ONCE, description="names from the list in the description")


class Shelf(AgentMiddleware[AgentState[Any], None, Any]):
    """Hides the schemas of simulations that have not been opened. What was opened is read from the messages alone."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._closed = {declared.name: declared.description for declared in registry if not declared.offered}
        self.tools = [self._opener()] if self._closed else []

    def wrap_model_call(self, request: ModelRequest[None], handler: Any) -> ModelResponse[Any]:
        """Send the schemas of what is offered and of what was opened."""
        hidden = self._closed.keys() - opened(request.messages)
        shown = [tool for tool in request.tools if not (isinstance(tool, BaseTool) and tool.name in hidden)]
        response: ModelResponse[Any] = handler(request.override(tools=shown))
        return response

    def _opener(self) -> BaseTool:
        def open_simulation(names: list[str]) -> str:
            unknown = [name for name in names if name not in self._closed]
            if unknown:
                there = ", ".join(self._closed)
                raise ToolException(
                    json.dumps(
                        {"error": "UnknownTool", "message": f"Not on the shelf: {unknown[0][:80]}.", "there are": there}
                    )
                )
            told = {name: self._closed[name] for name in names}
            return json.dumps({"opened": told, "next": "call them; their arguments are known to you from now on"})

        listed = "\n".join(f"- {name}: {_first_sentence(text)}" for name, text in self._closed.items())
        return StructuredTool.from_function(
            func=open_simulation,
            name=OPEN,
            description=f"Make simulations callable, at most {AT_ONCE} at once. Do this before you call one of:\n{listed}",
            args_schema=OpenSimulation,
            handle_tool_error=True,
            handle_validation_error=lambda error: json.dumps({"error": "InvalidInput", "message": str(error)[:400]}),
        )


def opened(messages: Sequence[AnyMessage]) -> set[str]:
    """Names that were opened or called in these messages."""
    names: set[str] = set()
    for message in messages:
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            names.add(call["name"])
            asked = call["args"].get("names") if call["name"] == OPEN else None
            names |= {name for name in asked if isinstance(name, str)} if isinstance(asked, list) else set()
    return names


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."
