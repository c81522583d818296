"""Answers of tools, kept one by one as they come.

LangGraph saves the answers of a step's tools too, but on the worker that runs the tools: with one worker (one tool at a
time, in the order asked for) they are written when the last tool has ended, and a crash in the second of three tools
would lose the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ToolCallRequest
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.types import Command

from assistant.checkpoints import FORMAT
from assistant.turns import Conversations


class Journal(AgentMiddleware[AgentState[Any], None, Any]):
    """A tool call that was answered before a crash gets the same answer again, and is not run twice.

    Parameters
    ----------
    thread_id : the steps it belongs to.
    serializer : writes and reads the messages.
    """

    def __init__(self, rows: Conversations, thread_id: str, serializer: SerializerProtocol) -> None:
        super().__init__()
        self._rows = rows
        self._thread = thread_id
        self._serializer = serializer

    def answers(self, place: int) -> dict[str, ToolMessage]:
        """What was answered to the calls of the last of `place` messages (StoreDamaged)."""
        kept = self._rows.answers(self._thread, place)
        return {call_id: self._serializer.loads_typed((FORMAT, raw)) for call_id, raw in kept.items()}

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Run the tool and keep its answer, or give the answer that was kept."""
        # Some models use the same ids in every step: the number of messages tells the steps apart.
        place, call_id = len(request.state["messages"]), str(request.tool_call["id"])
        kept = self.answers(place).get(call_id)
        if kept is not None:
            return kept
        answer = handler(request)
        if isinstance(answer, ToolMessage):
            self._rows.keep_answer(self._thread, place, call_id, self._serializer.dumps_typed(answer)[1])
        return answer
