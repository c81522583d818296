"""A chat model that is a function of the caller: any framework can lend its own models to the agent.

What goes in and out are plain dictionaries in the message format of OpenAI's chat completions, so that the caller needs no
LangChain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from knowledge.schemas import Frozen


class CalledTool(Frozen):
    """A tool call of a reply; `error` says why its arguments could not be read."""

    id: str
    name: str
    arguments: dict[str, Any]
    error: str = ""


class Reply(Frozen):
    """What the function gives back. Tokens are None where nobody counted."""

    text: str = ""
    calls: tuple[CalledTool, ...] = ()
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


class CalledModel(BaseChatModel):
    """Calls `call(messages, tools)`; both are lists of dictionaries, the tools with their JSON Schema."""

    call: Callable[[list[dict[str, Any]], list[dict[str, Any]]], Reply] = Field(repr=False)
    tools: tuple[dict[str, Any], ...] = Field((), repr=False)

    @property
    def _llm_type(self) -> str:
        return "cohort-twin-called"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """The same model with these tools."""
        return self.model_copy(update={"tools": tuple(convert_to_openai_tool(tool) for tool in tools)})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        sent = convert_to_openai_messages(messages)
        reply = self.call(sent if isinstance(sent, list) else [sent], list(self.tools))
        return ChatResult(generations=[ChatGeneration(message=_message(reply))])


def _message(reply: Reply) -> AIMessage:
    usage = None
    if reply.input_tokens is not None and reply.output_tokens is not None:
        usage = UsageMetadata(
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            total_tokens=reply.input_tokens + reply.output_tokens,
        )
    return AIMessage(
        content=reply.text,
        tool_calls=[
            ToolCall(name=one.name, args=one.arguments, id=one.id, type="tool_call")
            for one in reply.calls
            if not one.error
        ],
        invalid_tool_calls=[
            InvalidToolCall(name=one.name, args="", id=one.id, error=one.error, type="invalid_tool_call")
            for one in reply.calls
            if one.error
        ],
        usage_metadata=usage,
        response_metadata={"model_name": reply.model} if reply.model else {},
    )
