"""The offline planner: a deterministic LangChain chat model, so that the same graph runs without any LLM.

First turn: read the question and call tools, or say what is missing. Second turn: write from what the tools returned.
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict, Field

from assistant.compose import compose_answer
from assistant.plans import Draft, draft_plan
from assistant.schemas import Plan, Status
from assistant.understanding import understand
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.schemas import ToolResult

VERSION = "1"
STATUS_KEY = "cohort_twin_status"
PLAN_KEY = "cohort_twin_plan"


class OfflinePlanner(BaseChatModel):
    """Plans and writes by rules; the same messages always give the same reply."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    # Left out of the repr: LangChain prints it with every call, and the evidence base is long.
    knowledge: KnowledgeBase = Field(repr=False)
    personas: PersonaLibrary = Field(repr=False)

    @property
    def _llm_type(self) -> str:
        return "cohort-twin-offline"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """The planner knows the tools' names; nothing to bind."""
        return self.model_copy()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        position = max(index for index, message in enumerate(messages) if isinstance(message, HumanMessage))
        question = str(messages[position].content)
        draft = self.draft(question)
        answers = [message for message in messages[position + 1 :] if isinstance(message, ToolMessage)]
        if draft.reply:
            return _text(draft.reply, draft.status, draft.plan)
        if not answers:
            calls = [
                ToolCall(name=call.tool, args=call.arguments, id=f"call-{index}", type="tool_call")
                for index, call in enumerate(draft.calls, start=1)
            ]
            return AIMessage(
                content="", tool_calls=calls, response_metadata={PLAN_KEY: draft.plan.model_dump(mode="json")}
            )
        results = [message.artifact for message in answers if isinstance(message.artifact, ToolResult)]
        failures = [str(message.content) for message in answers if message.status == "error"]
        text, status = compose_answer(draft, results, failures, self.knowledge)
        return _text(text, status, draft.plan)

    def draft(self, question: str) -> Draft:
        """Plan and tool calls for a question."""
        return draft_plan(understand(question, self.knowledge.vocabulary, self.personas), self.knowledge, self.personas)


def _text(text: str, status: Status, plan: Plan) -> AIMessage:
    return AIMessage(content=text, response_metadata={STATUS_KEY: status.value, PLAN_KEY: plan.model_dump(mode="json")})
