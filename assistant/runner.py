"""Runs the agent graph for one question and collects what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.errors import GraphRecursionError

from assistant.graph import build_graph
from assistant.grounding import Untraceable, facts_from, remove_untraceable, untraceable
from assistant.outcome import Outcome
from assistant.planner import PLAN_KEY, STATUS_KEY
from assistant.schemas import Plan, Question, Status, StepRecord
from assistant.settings import Settings
from assistant.toolbox import Recorder, toolbox
from knowledge.errors import CohortTwinError, LimitReached, ModelUnavailable
from tools.context import ToolContext
from tools.registry import Registry

MAX_REPLY_CHARACTERS = 20_000
GRAPH_STEPS_PER_MODEL_CALL = 6  # model, its middleware hooks, and tools are each a step of the graph


def run_agent(
    question: Question,
    *,
    model: BaseChatModel,
    registry: Registry,
    context: ToolContext,
    settings: Settings,
    deadline: float,
    on_step: Callable[[str, StepRecord | None], None],
    on_plan: Callable[[Plan], None],
) -> Outcome:
    """Run the graph until the model has written, a limit is hit, or the provider fails.

    Raises
    ------
    ModelUnavailable
        The provider failed before any tool had run.
    """
    recorder = Recorder(deadline, on_step)
    graph = build_graph(
        model, toolbox(registry, context, recorder), max_model_calls=settings.max_model_calls, deadline=deadline
    )
    messages: list[AnyMessage] = [HumanMessage(question.text)]
    notes: list[str] = []
    plan: Plan | None = None
    text = ""
    metadata: dict[str, Any] = {}
    faults: list[Untraceable] = []
    for attempt in ("first", "corrected"):
        try:
            for update in graph.stream(
                {"messages": messages},
                # One tool at a time, in the order asked for: they are bound by the processor, and the same question
                # must leave the same record.
                config={"recursion_limit": settings.max_model_calls * GRAPH_STEPS_PER_MODEL_CALL, "max_concurrency": 1},
                stream_mode="values",
            ):
                messages = update["messages"]
                last = messages[-1]
                if isinstance(last, AIMessage) and PLAN_KEY in last.response_metadata and plan is None:
                    plan = Plan.model_validate(last.response_metadata[PLAN_KEY])
                    on_plan(plan)
        except (LimitReached, GraphRecursionError) as error:
            notes.append(f"stopped early: {error}")
        except CohortTwinError:
            raise
        except Exception as error:
            # Providers raise their own classes; whatever went wrong there ends here as a typed error or a note.
            if not recorder.results:
                raise ModelUnavailable(
                    f"The chat model failed: {type(error).__name__}: {str(error)[:200]}",
                    "Try again, or use the offline planner with COHORT_MODEL=offline.",
                ) from error
            notes.append(f"the chat model failed ({type(error).__name__}); shown is what the tools had computed")
        text, metadata = _last_text(messages)
        facts = facts_from(
            question.text,
            [result for _, result in recorder.results],
            [step.arguments for step in recorder.steps],
            context.knowledge.vocabulary.endpoints,
        )
        faults = untraceable(text, facts)
        if not faults or attempt == "corrected" or notes or STATUS_KEY in metadata:
            break
        messages = [*messages, HumanMessage(_correction(faults))]
    removed: tuple[str, ...] = ()
    if faults and metadata.get(STATUS_KEY) not in _WITHOUT_PREDICTION:
        text, removed = remove_untraceable(text, faults)
    return Outcome(
        text=text,
        status=_status(metadata, recorder, notes, text),
        plan=plan,
        steps=tuple(recorder.steps),
        results=tuple(recorder.results),
        errors=tuple(recorder.errors),
        removed=removed,
        model=settings.model,
        notes=tuple(notes),
    )


# Replies of the offline planner that explain or ask back repeat examples and the user's own words, not predictions.
_WITHOUT_PREDICTION = frozenset({Status.NEEDS_INPUT.value, Status.REDIRECTED.value, Status.NOT_COVERED.value})


def _last_text(messages: list[AnyMessage]) -> tuple[str, dict[str, Any]]:
    """The newest text a model wrote, cut to a readable length."""
    for message in reversed(messages):
        if isinstance(message, AIMessage) and not message.tool_calls:
            return str(message.text)[:MAX_REPLY_CHARACTERS].strip(), message.response_metadata
    return "", {}


def _status(metadata: dict[str, Any], recorder: Recorder, notes: list[str], text: str) -> Status:
    if STATUS_KEY in metadata:
        return Status(metadata[STATUS_KEY])
    predicted = any(estimate.endpoint for _, result in recorder.results for estimate in result.estimates)
    if notes or not text:
        return Status.PARTIAL
    if predicted or (recorder.results and not recorder.errors):
        return Status.ANSWERED
    return Status.NOT_COVERED if recorder.errors else Status.NEEDS_INPUT


def _correction(faults: list[Untraceable]) -> str:
    listed = "; ".join(f"'{fault.numeral}'" for fault in faults[:12])
    return (
        f"These numbers of your answer are in no tool result and no passage: {listed}. "
        "Write the answer again with only numbers that are, or leave the statement out."
    )
