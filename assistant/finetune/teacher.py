"""The offline planner as a teacher: its run over the real tools, recorded as the conversation of a chat model.

It is run as if it were somebody else's chat model, so every check of such a model's text is passed by what is taught:
numbers, names and citations.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field

from assistant.constrained import Grammar
from assistant.finetune.questions import Drawn
from assistant.finetune.schemas import Example, Origin
from assistant.local_decoding import MAX_CALL_CHARACTERS
from assistant.local_model import chat_row
from assistant.planner import PLAN_KEY, STATUS_KEY, OfflinePlanner
from assistant.runner import run_agent
from assistant.schemas import Plan, Question, Status
from assistant.service import Assistant
from knowledge.errors import CohortTwinError
from tools.registry import Registry

SECONDS = 600.0  # a question may take as long on a busy machine: what is in the set must not depend on its speed
MAX_FREE_ITEMS = 8  # of a list without a limit of its own, as `constrained` lets them be written
MOST_KEPT = 0.7  # share of an answer that must stay when sentences are left out of it


class Teacher(BaseChatModel):
    """Passes on what the planner says, and keeps what was said to it."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    planner: OfflinePlanner = Field(repr=False)
    registry: Registry = Field(repr=False)
    # Shared by the copies that `bind_tools` makes.
    said: list[tuple[list[BaseMessage], AIMessage]] = Field(default_factory=list, repr=False)
    tools: list[dict[str, Any]] = Field(default_factory=list, repr=False)

    @property
    def _llm_type(self) -> str:
        return "cohort-twin-teacher"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """The teacher with these tools."""
        self.tools[:] = [convert_to_openai_tool(tool) for tool in tools]
        return self.model_copy(update={"planner": self.planner.bind_tools(tools)})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = AIMessage(self.said[-1][1].text) if self.was_corrected(messages) else self._planned(messages)
        self.said.append((list(messages), reply))
        # Without the planner's own marks: nobody may take this for the planner, whose text is checked less.
        return ChatResult(
            generations=[ChatGeneration(message=AIMessage(content=reply.content, tool_calls=reply.tool_calls))]
        )

    def _planned(self, messages: list[BaseMessage]) -> AIMessage:
        reply = self.planner.invoke(messages)
        if reply.tool_calls:
            plan = Plan.model_validate(reply.response_metadata[PLAN_KEY])
            calls = [{**call, "args": self._writable(call["name"], call["args"])} for call in reply.tool_calls]
            return reply.model_copy(update={"content": plan_text(plan), "tool_calls": calls})
        if isinstance(messages[-1], HumanMessage):
            # No tool is needed. What follows the first section are examples with numbers of nobody's, and to the checks
            # of a chat model's text "one" is a number.
            told = reply.text.split("\n\n### ")[0].replace("one person", "a single person")
            return reply.model_copy(update={"content": told})
        return reply

    def _writable(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The same arguments in the form of the tool's schema, which is all that a local model is let write."""
        parsed: dict[str, Any] = self.registry[tool].parse(arguments).model_dump(mode="json", exclude_unset=True)
        named = str(parsed.get("query", ""))
        for name, value in parsed.items():
            if isinstance(value, list) and len(value) > MAX_FREE_ITEMS and isinstance(value[0], str):
                parsed[name] = sorted(value, key=lambda item: item not in named)[:MAX_FREE_ITEMS]
        return parsed

    @staticmethod
    def was_corrected(messages: list[BaseMessage]) -> bool:
        """Whether the text was sent back because something in it could not be traced."""
        return sum(isinstance(message, HumanMessage) for message in messages) > 1


def plan_text(plan: Plan) -> str:
    """A plan in a few plain lines, as the model learns to write it before it calls tools."""
    lines = {
        "cohort": plan.population,
        "treatment": ", ".join(plan.interventions),
        "comparator": plan.comparator,
        "outcomes": ", ".join(plan.outcomes),
        "horizon": f"{plan.horizon_weeks:g} weeks" if plan.horizon_weeks is not None else "",
        "steps": "; ".join(plan.steps),
    }
    return "Plan\n" + "\n".join(f"- {name}: {value}" for name, value in lines.items() if value)


def teach(drawn: Drawn, assistant: Assistant, planner: OfflinePlanner, area: str, seed: int) -> Example | str:
    """The example that a question makes, or in a few words why it makes none."""
    if reason := misread(drawn, planner):
        return reason
    teacher = Teacher(planner=planner, registry=assistant.registry)
    try:
        outcome = run_agent(
            Question(text=drawn.text, seed=seed),
            model=teacher,
            registry=assistant.registry,
            context=assistant.context(seed),
            settings=assistant.settings.model_copy(update={"model": "offline", "max_run_tokens": 0}),
            deadline=time.monotonic() + SECONDS,
            on_step=lambda _tool, _step: None,
            on_plan=lambda _plan: None,
        )
    except CohortTwinError as error:
        return f"stopped: {type(error).__name__}"
    if outcome.errors:
        return f"a tool refused: {type(outcome.errors[0]).__name__}"
    messages, reply = [said for said in teacher.said if not Teacher.was_corrected(said[0])][-1]
    text = without(str(reply.text), outcome.removed)
    if not text or (teacher.said[-1][0] is not messages and not outcome.removed):
        return "text that a chat model's answer is not allowed"
    reply = reply.model_copy(update={"content": text})
    rows = [chat_row(message) for message in (*messages, reply)]
    if not all(_can_be_written(row, teacher.tools) for row in rows):
        return "a tool call that a local model is not let write"
    status = str(reply.response_metadata.get(STATUS_KEY, Status.ANSWERED.value))
    return Example(
        messages=tuple(rows),
        tools=tuple(teacher.tools),
        origin=Origin(
            area=area,
            split=drawn.split,
            intent=drawn.intent,
            template=drawn.template,
            cohort=drawn.cohort,
            persona_id=drawn.persona_id,
            status=status,
            trimmed=len(outcome.removed),
            seed=seed,
            evidence_hash=assistant.knowledge.evidence_hash(),
        ),
    )


def without(text: str, sentences: Sequence[str]) -> str:
    """The text without sentences that a chat model's answer may not hold; empty when too much of it would be lost.

    A heading or a row of a table cannot be left out alone.
    """
    kept = text
    for sentence in sentences:
        if sentence.lstrip().startswith(("#", "|")) or text.startswith(sentence):
            return ""
        kept = kept.replace(sentence, "")
    if len(kept) < MOST_KEPT * len(text):
        return ""
    lines = [line.rstrip() for line in kept.split("\n") if line.strip() not in ("-", "*", "**")]
    sections = re.split(r"\n+(?=### )", re.sub(r"\n{3,}", "\n\n", "\n".join(lines)))
    return "\n\n".join(section.strip() for section in sections if "\n" in section.strip() or section is sections[0])


def misread(drawn: Drawn, planner: OfflinePlanner) -> str:
    """Why the planner would teach something else than was meant; empty when it would not."""
    draft = planner.draft(drawn.text)
    if draft.understood.intent.value != drawn.intent:
        return "read as another kind of question"
    cohort = draft.understood.cohort
    if drawn.persona_id and (cohort is None or cohort.persona_id != drawn.persona_id):
        return "read as another cohort"
    if cohort is not None and cohort.not_understood:
        return "words about the cohort that nobody could place"
    if draft.status is Status.NEEDS_INPUT:
        return "something is missing in the question"
    return ""


def _can_be_written(row: dict[str, Any], tools: Sequence[dict[str, Any]]) -> bool:
    """Whether the decoder of a local model would let the calls of a message pass."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    for call, written in zip(row.get("tool_calls", ()), written_calls(row), strict=True):
        name = call["function"]["name"]
        grammar = Grammar({name: schemas[name]})
        if len(written) > MAX_CALL_CHARACTERS or () not in grammar.advance(grammar.start, written):
            return False
    return True


def written_calls(row: dict[str, Any]) -> list[str]:
    """The tool calls of a message as JSON, in the words that a local model writes them in."""
    functions = [call["function"] for call in row.get("tool_calls", ())]
    return [
        json.dumps({"name": function["name"], "arguments": function["arguments"]}, ensure_ascii=False)
        for function in functions
    ]
