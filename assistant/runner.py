"""Runs the agent graph for one question and collects what happened."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError

from assistant.accounting import Meter, Usage
from assistant.attempts import OFFLINE_HINT, Attempts
from assistant.bounds import Bounds
from assistant.circuit import Backing, Circuit
from assistant.citing import sources_of, unknown_citations
from assistant.echo import claims_of, refusal_without_echo, without_claims, without_echo
from assistant.graph import build_graph
from assistant.grounding import Untraceable, remove_untraceable
from assistant.memory import OpenTurn, Saved, told_before
from assistant.outcome import Outcome
from assistant.planner import PLAN_KEY, STATUS_KEY, TURNS, VERSION, OfflinePlanner
from assistant.quoting import only_question
from assistant.recovery import recover
from assistant.schemas import Plan, Question, Status, StepRecord
from assistant.settings import Settings
from assistant.shelf import Shelf
from assistant.toolbox import Recorder, summarise, toolbox
from assistant.topics import without_instructions
from assistant.verifying import Verifier, cohorts_named_in
from knowledge.errors import CohortTwinError, LimitReached, ModelError, ModelUnavailable, ProviderDown
from tools.context import ToolContext
from tools.registry import Registry

MAX_REPLY_CHARACTERS = 20_000
GRAPH_STEPS_PER_MODEL_CALL = 6  # model, its middleware hooks, and tools are each a step of the graph
_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_ONLY_ORDERS = "(The message held instructions only, which are not followed.)"
_NOTHING_WRITTEN = "You wrote nothing. Write the answer now, from what the tools returned."


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
    backing: Backing | None = None,
    cancelled: threading.Event | None = None,
    turn: OpenTurn | None = None,
) -> Outcome:
    """Run the graph until the model has written, a limit is hit, or the provider fails.

    When the provider is down and `backing` has another model, that one answers, and the outcome says so.
    With a `turn` of a conversation the model sees what was said before, each step is kept, and a turn that was cut short
    goes on behind its last step.

    Raises
    ------
    ModelUnavailable
        The provider failed before any tool had run, and no other model stands behind it.
    LimitReached
        A budget was used up before the first call.
    RunCancelled
        `cancelled` was set.
    """
    backing = backing or Backing()

    def run(chosen: BaseChatModel, chosen_settings: Settings, circuit: Circuit) -> _Run:
        meter = Meter(chosen_settings, backing.book)
        attempts = Attempts(
            deadline=deadline,
            max_calls=settings.max_model_calls,
            request_timeout=settings.request_timeout,
            meter=meter,
            circuit=circuit,
            cancelled=cancelled,
        )
        return _Run(question, chosen, registry, context, attempts, meter, on_step, on_plan, turn, chosen_settings.model)

    first = run(model, settings, backing.circuit)
    if backing.fallback is None:
        return first.go(settings.model, keep_partial=True)
    spent = Usage()
    if backing.circuit.allows():
        try:
            return first.go(settings.model, keep_partial=False)
        except ProviderDown as error:
            why, spent = error.message, first.meter.usage
    else:
        why = "It was left alone for a while after it had failed several times in a row."
    second = run(backing.fallback(), settings.model_copy(update={"model": "offline"}), Circuit())
    second.notes.append(f"the chat model {settings.model} was not used; the offline planner answered instead. {why}")
    return second.go(f"offline, in place of {settings.model}", keep_partial=True, spent=spent)


class _Run:
    """One pass of one model over one question."""

    def __init__(
        self,
        question: Question,
        model: BaseChatModel,
        registry: Registry,
        context: ToolContext,
        attempts: Attempts,
        meter: Meter,
        on_step: Callable[[str, StepRecord | None], None],
        on_plan: Callable[[Plan], None],
        turn: OpenTurn | None,
        thread: str,
    ) -> None:
        self.notes: list[str] = []
        self.meter = meter
        self._question = question
        self._context = context
        self._on_plan = on_plan
        self._attempts = attempts
        self._recorder = Recorder(attempts.check, on_step)
        # Only our own planner may say how a question ended and leave its text unchecked: some providers' classes pass
        # on whatever fields a server sends.
        self._ours = isinstance(model, OfflinePlanner)
        history = turn.history if turn else told_before(question.earlier)
        self._graph = build_graph(
            model,
            toolbox(registry, context, self._recorder, None if self._ours else self._bounds(history)),
            attempts,
            turn.saver if turn else None,
            turn.journal(thread) if turn else None,
            None if self._ours else Shelf(registry),
        )
        # One tool at a time, in the order asked for: they are bound by the processor, and the same question must leave
        # the same record.
        self._config: RunnableConfig = {
            "recursion_limit": attempts.max_calls * GRAPH_STEPS_PER_MODEL_CALL,
            "max_concurrency": 1,
        }
        self._turn = turn
        self._plan: Plan | None = None
        self._stopped = False
        self._before = len(history)
        self._messages: list[AnyMessage] = [*history, HumanMessage(question.text)]
        if not self._ours:  # which reads around demands itself, and says that there were some
            self._messages = [without_orders(message) for message in self._messages]
        self._new: dict[str, Any] | None = {"messages": self._messages}
        if turn is not None:
            self._config["configurable"] = turn.thread(thread)
            self._go_on(turn.saved(thread), registry)

    def _go_on(self, saved: Saved | None, registry: Registry) -> None:
        """Take up what a process that is gone had done; tools that had finished are not run again."""
        if saved is None:
            return
        self._messages, self._new = saved.messages, None
        done = recover(saved.done[self._before :], registry)
        self._recorder.steps += done.steps
        self._recorder.results += done.results
        self._recorder.errors += done.errors
        for message in saved.messages[self._before :]:
            self._see_plan(message)

    def go(self, model_name: str, *, keep_partial: bool, spent: Usage | None = None) -> Outcome:
        """Run, have faults corrected once, take out what is still wrong.

        `keep_partial`: what the tools had computed is kept when the provider goes down midway; else ProviderDown.
        """
        self.meter.check()
        text, metadata, faults = "", {}, []  # type: tuple[str, dict[str, Any], list[Untraceable]]
        for attempt in ("first", "corrected"):
            self._stream(keep_partial)
            text, metadata = _last_text(self._messages[self._before :], self._ours)
            faults = self._faults(text)
            request = _correction(faults) if faults else "" if text else _NOTHING_WRITTEN
            if not request or attempt == "corrected" or self._stopped or self._ours:
                break
            correction = HumanMessage(request)
            self._new = {"messages": [correction] if self._turn else [*self._messages, correction]}
        removed: tuple[str, ...] = ()
        if faults and metadata.get(STATUS_KEY) not in _WITHOUT_PREDICTION:
            text, removed = remove_untraceable(text, faults)
        if self._turn is not None:
            self._turn.keep(self._messages, text)
        recorder = self._recorder
        return Outcome(
            text=text,
            status=_status(metadata, recorder, self._stopped, text),
            plan=self._plan,
            steps=tuple(recorder.steps),
            results=tuple(recorder.results),
            errors=tuple(recorder.errors),
            removed=removed,
            model=model_name,
            model_version=VERSION if self._ours else _version(self._messages[self._before :]),
            notes=(*self.notes, *dict.fromkeys(recorder.refused)),
            usage=(spent or Usage()) + self.meter.usage,
        )

    def _stream(self, keep_partial: bool) -> None:
        """Run the graph over the messages; a limit, or a provider that fails after tools have run, ends it with a note."""
        try:
            if self._new is None and not self._graph.get_state(self._config).next:
                return  # cut short after the model had written
            for update in self._graph.stream(
                self._new,
                config=self._config,
                stream_mode="values",
                # A step is on the disk before the next one begins.
                durability="sync" if self._turn else None,
            ):
                self._messages = update["messages"]
                self._see_plan(self._messages[-1])
        except (LimitReached, GraphRecursionError) as error:
            self._stop(f"stopped early: {error}")
        except ModelError as error:
            if not self._recorder.results or (isinstance(error, ProviderDown) and not keep_partial):
                raise
            self._stop(f"the chat model failed; shown is what the tools had computed. {error.message}")
        except CohortTwinError:
            raise
        except Exception as error:
            # What is left is a reply that neither LangChain nor the guards could read.
            if not self._recorder.results:
                raise ModelUnavailable(
                    f"The chat model failed: {type(error).__name__}: {str(error)[:200]}", OFFLINE_HINT
                ) from error
            self._stop(f"the chat model failed ({type(error).__name__}); shown is what the tools had computed")

    def _see_plan(self, message: AnyMessage) -> None:
        known = self._ours and isinstance(message, AIMessage) and PLAN_KEY in message.response_metadata
        if known and self._plan is None:
            self._plan = Plan.model_validate(message.response_metadata[PLAN_KEY])
            self._on_plan(self._plan)

    def _stop(self, note: str) -> None:
        self._stopped = True
        self.notes.append(note)

    def _bounds(self, history: Sequence[AnyMessage]) -> Bounds:
        """What the question and the conversation before it let a chat model ask the tools about."""
        knowledge, personas = self._context.knowledge, self._context.personas
        asked = [_asked(str(message.content)) for message in history if isinstance(message, HumanMessage)]
        text = _asked(self._question.text)
        planned = OfflinePlanner(knowledge=knowledge, personas=personas).draft(text, asked[-TURNS:]).calls
        told = [str(message.text) for message in history if isinstance(message, AIMessage)]
        return Bounds([*asked, *told, text], [call.arguments for call in planned], knowledge, personas)

    def _faults(self, text: str) -> list[Untraceable]:
        """Numbers that nobody computed; names, people and citations that no tool returned."""
        if not text:
            return []
        results = [result for _, result in self._recorder.results]
        knowledge, steps = self._context.knowledge, self._recorder.steps
        # The user's own numbers may be repeated, also those of the questions before; a demand is no question.
        earlier = [message for message in self._messages[: self._before] if isinstance(message, HumanMessage)]
        questions = [*(str(message.content) for message in earlier), self._question.text]
        asked = " ".join(_asked(question) for question in questions)
        arguments = [step.arguments for step in steps]
        claims: list[str] = []
        told = [str(error) for error in self._recorder.errors]
        if not self._ours:
            # What the model itself put into a call is no source: else it could quote its own search words.
            arguments = [without_claims(step.arguments) for step in steps if step.ok]
            claims = [claim for step in steps for claim in claims_of(step.arguments)]
            told = [refusal_without_echo(step.error, step.arguments) for step in steps if not step.ok]
        verifier = Verifier(
            asked,
            [without_echo(result, claims) for result in results],
            arguments,
            knowledge.vocabulary,
            told=told,
            people=cohorts_named_in(self._context.personas),
            embed=lambda texts: self._context.retriever().embed(texts),
        )
        if self._ours:
            return verifier.numbers(text)
        sources = [knowledge.sources[name] for name in sources_of(results) if name in knowledge.sources]
        seen = " ".join((asked, *(str(summarise(result)) for result in results)))
        return verifier.faults(text) + unknown_citations(text, sources, seen)


def without_orders(message: AnyMessage) -> AnyMessage:
    """What a person wrote, without what instructs its reader; other messages as they are."""
    if not isinstance(message, HumanMessage):
        return message
    text = _asked(str(message.content))
    return message if text == message.content else message.model_copy(update={"content": text or _ONLY_ORDERS})


def _asked(text: str) -> str:
    """A question without what instructs its reader; nothing when there is nothing else."""
    return only_question(without_instructions(text)[0])[0].strip()


# Replies of the offline planner that explain or ask back repeat examples and the user's own words, not predictions.
_WITHOUT_PREDICTION = frozenset({Status.NEEDS_INPUT.value, Status.REDIRECTED.value, Status.NOT_COVERED.value})


def _last_text(messages: list[AnyMessage], ours: bool) -> tuple[str, dict[str, Any]]:
    """The newest text a model wrote, cut to a readable length.

    A chat model's thinking aloud is left out, and so are code marks: a number in them is a number too.
    """
    for message in reversed(messages):
        if isinstance(message, AIMessage) and not message.tool_calls:
            text = str(message.text)
            if ours:
                return text[:MAX_REPLY_CHARACTERS].strip(), message.response_metadata
            return _THINKING.sub("", text).replace("`", "")[:MAX_REPLY_CHARACTERS].strip(), {}
    return "", {}


def _version(messages: list[AnyMessage]) -> str:
    """The version of the model that wrote last, as its provider names it."""
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    return str(last.response_metadata.get("model_name") or last.response_metadata.get("model") or "") if last else ""


def _status(metadata: dict[str, Any], recorder: Recorder, stopped: bool, text: str) -> Status:
    if STATUS_KEY in metadata:
        return Status(metadata[STATUS_KEY])
    predicted = any(estimate.endpoint for _, result in recorder.results for estimate in result.estimates)
    if stopped or not text:
        return Status.PARTIAL
    if predicted or (recorder.results and not recorder.errors):
        return Status.ANSWERED
    return Status.NOT_COVERED if recorder.errors else Status.NEEDS_INPUT


def _correction(faults: list[Untraceable]) -> str:
    listed = "; ".join(f"'{fault.numeral}'" for fault in faults[:12])
    return (
        f"These numbers or citations of your answer are in no tool result and no passage: {listed}. "
        "Write the answer again with only those that are, or leave the statement out."
    )
