"""A scripted chat model in place of a paid one, and the session's assistant with another model in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from assistant.circuit import Backing
from assistant.planner import OfflinePlanner
from assistant.service import Assistant


class Scripted(BaseChatModel):
    """Replies in order; the last one for ever. A callable sees the messages; an exception is raised."""

    replies: list[Any]
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    calls: int = 0
    bound: list[list[dict[str, Any]]] = Field(default_factory=list)  # the tools of each call, as providers get them

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        self.bound.append([convert_to_openai_tool(tool)["function"] for tool in tools])
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.seen.append(list(messages))
        reply = self.replies[min(self.calls, len(self.replies) - 1)]
        self.calls += 1
        if isinstance(reply, BaseException):
            raise reply
        message = reply(messages) if callable(reply) else reply
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.fixture
def scripted() -> Callable[..., Scripted]:
    """`scripted(reply, reply, …)` is a chat model."""
    return lambda *replies: Scripted(replies=list(replies))


@pytest.fixture
def assistant_with(assistant: Assistant) -> Callable[..., Assistant]:
    """`assistant_with(chat_model, fallback=True, **settings)`: the session's assistant, answered by that chat model.

    It shares the data directory of the session's assistant, so it is not to be closed.
    """

    def build(answering: BaseChatModel, *, fallback: bool = True, **settings: Any) -> Assistant:
        parts = assistant._parts
        planner = OfflinePlanner(knowledge=parts.knowledge, personas=parts.personas)
        return Assistant(
            replace(
                parts,
                settings=parts.settings.model_copy(update={"model": "scripted:model"} | settings),
                model=lambda: answering,
                backing=Backing(fallback=(lambda: planner) if fallback else None),
            )
        )

    return build
