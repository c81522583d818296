"""The offline planner: a deterministic LangChain chat model, so that the same graph runs without any LLM.

First turn: read the question and call tools, or say what is missing. Second turn: write from what the tools returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict, Field

from assistant.compose import compose_answer
from assistant.compose_simulation import compose_simulation, refused_simulation, simulated_here
from assistant.compose_stopping import compose_stopping, stopped_here
from assistant.conversation import understand_conversation
from assistant.intents import Intent
from assistant.plans import TOOLS, Draft, draft_plan
from assistant.prototypes import Embed, refine
from assistant.schemas import Plan, Status
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.schemas import ToolResult

VERSION = "2"
TURNS = 8  # earlier questions that a follow-up may lean on
STATUS_KEY = "cohort_twin_status"
PLAN_KEY = "cohort_twin_plan"


class OfflinePlanner(BaseChatModel):
    """Plans and writes by rules; the same messages always give the same reply."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    # Left out of the repr: LangChain prints it with every call, and the evidence base is long.
    knowledge: KnowledgeBase = Field(repr=False)
    personas: PersonaLibrary = Field(repr=False)
    tools: frozenset[str] = Field(TOOLS, repr=False)
    # Sentences to unit vectors; with it, questions that no rule decides go by the nearest prototype.
    embed: Embed | None = Field(None, repr=False)

    @property
    def _llm_type(self) -> str:
        return "cohort-twin-offline"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """The planner knows how to call its tools; what it needs to know is which of them there are."""
        names = {_name_of(tool) for tool in tools}
        return self.model_copy(update={"tools": frozenset(names - {""})})

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
        asked = [str(message.content) for message in messages[: position + 1] if isinstance(message, HumanMessage)]
        draft = self.draft(asked[-1], asked[-1 - TURNS : -1])
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
        if draft.understood.intent is Intent.SIMULATION:
            simulated = simulated_here(results)
            if simulated is None:
                told = refused_simulation(draft.plan.population, failures)
                return _text(told, Status.NEEDS_INPUT, draft.plan)
            return _text(compose_simulation(simulated, draft.plan), Status.ANSWERED, draft.plan)
        stopped = stopped_here(results)
        if stopped is not None:
            told = compose_stopping(stopped, draft.plan.population, draft.plan.left_out)
            return _text(told, Status.ANSWERED, draft.plan)
        text, status = compose_answer(draft, results, failures, self.knowledge)
        return _text(text, status, draft.plan)

    def draft(self, question: str, before: Sequence[str] = ()) -> Draft:
        """Plan and tool calls for a question; `before` are the person's earlier questions, the oldest first."""
        asked = understand_conversation((*before, question), self.knowledge.vocabulary, self.personas)
        if self.embed is not None:
            asked = refine(asked, self.embed, self.knowledge.vocabulary, self.personas)
        return draft_plan(asked, self.knowledge, self.personas, self.tools)


def _name_of(tool: Any) -> str:
    """The name of a LangChain tool, or of one given as a provider's dictionary."""
    if isinstance(tool, dict):
        return str(tool.get("name") or tool.get("function", {}).get("name", ""))
    return str(getattr(tool, "name", ""))


def _text(text: str, status: Status, plan: Plan) -> AIMessage:
    return AIMessage(content=text, response_metadata={STATUS_KEY: status.value, PLAN_KEY: plan.model_dump(mode="json")})
