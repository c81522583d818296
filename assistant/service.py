"""The service every face calls: ask, stream, run a tool, list and replay runs."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from assistant.answering import AnswerBuilder
from assistant.circuit import Backing
from assistant.evidence_summary import area_stats, check_exclusions, index_state
from assistant.finished import Done, Finished, Slots, retold
from assistant.ledger import Ledger
from assistant.memory import Memory, OpenTurn
from assistant.outcome import Outcome
from assistant.persona_bank import PersonaBank, persona_tree
from assistant.schemas import (
    Answer,
    AreaStats,
    Event,
    PersonaNode,
    Plan,
    Question,
    ReplayReport,
    RunSummary,
    Status,
    StepRecord,
)
from assistant.settings import Settings
from assistant.topics import mask_identifiers
from assistant.turns import HISTORY_TURNS, check_name
from knowledge.base import KnowledgeBase
from knowledge.errors import EmptyQuestion, InvalidInput, QuestionTooLong
from knowledge.retrieval import LiteratureRetriever, drop_index
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from personas.schemas import Persona
from tools.context import ToolContext
from tools.registry import Registry
from tools.schemas import ToolResult

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from assistant.persona_fitting import PersonaFitting
    from knowledge.ingest.schemas import ImportReport
    from tools.response.tables.holdout import By
    from tools.response.tables.report import BacktestReport


@dataclass(frozen=True)
class Parts:
    """What an `Assistant` is made of; put together in bootstrap.py only."""

    settings: Settings
    knowledge: KnowledgeBase
    personas: PersonaLibrary
    registry: Registry
    retriever: Callable[[], LiteratureRetriever]
    model: Callable[[], BaseChatModel]
    backing: Backing
    ledger: Ledger
    memory: Memory
    owner: AbstractContextManager[Any]
    bank: PersonaBank
    finished: Finished | None = None
    slots: Slots | None = None


class Assistant:
    """One question → one grounded answer. Safe to call from several threads; keeps no per-user state."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.settings = parts.settings
        self.registry = parts.registry
        self.personas = parts.personas
        self.knowledge = parts.knowledge
        self.ledger = parts.ledger
        self.memory = parts.memory
        self.bank = parts.bank

    def close(self) -> None:
        """Give the data directory back."""
        self.memory.close()
        self._parts.owner.__exit__(None, None, None)

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, question: Question | str) -> Answer:
        """Answer a question.

        Raises
        ------
        EmptyQuestion, QuestionTooLong
            Before anything is run.
        ModelError, LimitReached, StoreError
            When no typed answer could be made of what happened.
        """
        asked = self._checked(question)
        return self._run(asked, lambda _event: None)

    def stream(self, question: Question | str) -> Generator[Event, None, None]:
        """As `ask`, yielding the plan and each step as they happen, and the answer last.

        Closing the iterator before its end cancels the run: nothing more is asked or computed for it.
        """
        asked = self._checked(question)
        cancelled = threading.Event()
        events: queue.Queue[Event | BaseException | None] = queue.Queue()

        def work() -> None:
            try:
                self._run(asked, events.put, cancelled)
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                events.put(error)
            finally:
                events.put(None)

        threading.Thread(target=work, name="cohort-run", daemon=True).start()
        try:
            while (event := events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            cancelled.set()

    def _checked(self, question: Question | str) -> Question:
        asked = Question(text=question) if isinstance(question, str) else question
        # Lone surrogates cannot be stored or sent; they are typing accidents, not content.
        text = asked.text.encode("utf-8", "replace").decode().strip()
        if not any(character.isalnum() for character in text):
            raise EmptyQuestion(
                "The question is empty.",
                "Ask for example: How would adults with type 2 diabetes react to semaglutide 1 mg weekly?",
            )
        limit = self.settings.max_question_characters
        if len(text) > limit:
            raise QuestionTooLong(
                f"The question has {len(text):,} characters; at most {limit:,} can be read.",
                "Ask the essential part, or raise COHORT_MAX_QUESTION_CHARACTERS.",
            )
        self.check_view(asked.view)
        name = check_name(asked.conversation) if asked.conversation.strip() else ""
        update = {"text": mask_identifiers(text), "conversation": name, "earlier": self._earlier(asked)}
        return asked.model_copy(update=update)

    def _earlier(self, asked: Question) -> tuple[str, ...]:
        """The earlier questions that a follow-up may lean on (InvalidInput beside a conversation, which keeps its own).

        One that is empty or too long was never answered, so nothing can lean on it.
        """
        if asked.earlier and asked.conversation.strip():
            raise InvalidInput(
                "A question of a conversation cannot bring earlier questions along.",
                "Leave out 'earlier' (the conversation keeps what was asked in it), or leave out 'conversation'.",
            )
        texts = (text.encode("utf-8", "replace").decode().strip() for text in asked.earlier)
        kept = [text for text in texts if text and len(text) <= self.settings.max_question_characters]
        return tuple(mask_identifiers(text) for text in kept[-HISTORY_TURNS:])

    def check_view(self, view: EvidenceView) -> None:
        """InvalidInput, with the nearest names, when the view leaves out what nobody knows."""
        check_exclusions(self.knowledge, view)

    def _run(
        self, question: Question, emit: Callable[[Event], None], cancelled: threading.Event | None = None
    ) -> Answer:
        if not question.conversation:
            answer = self._answer(question, emit, cancelled)
        else:
            with self.memory.turn(question) as turn:
                run_id = turn.turn.run_id
                # A process may have been killed between recording its run and closing the turn.
                recorded = turn.resumed and self.ledger.has(run_id)
                answer = self.show_run(run_id) if recorded else self._answer(question, emit, cancelled, turn)
                self.memory.finish(turn, answer)
        emit(Event(type="answer", at=datetime.now(UTC), answer=answer))
        return answer

    def _answer(
        self,
        question: Question,
        emit: Callable[[Event], None],
        cancelled: threading.Event | None,
        turn: OpenTurn | None = None,
    ) -> Answer:
        created, started = datetime.now(UTC), time.monotonic()
        run_id = turn.turn.run_id if turn else f"r-{uuid4().hex[:12]}"
        done = self._outcome(run_id, question, emit, cancelled, turn)
        with self._slot():
            builder = AnswerBuilder(self.knowledge, self.settings)
            answer, text = done.written(run_id, question, builder, time.monotonic() - started)
        self.ledger.append_text(run_id, created, text)
        return answer

    def _outcome(
        self,
        run_id: str,
        question: Question,
        emit: Callable[[Event], None],
        cancelled: threading.Event | None,
        turn: OpenTurn | None,
    ) -> Done:
        """What this question leads to: computed, or taken from the same question a moment ago."""
        finished = self._parts.finished
        if finished is None or turn is not None:
            return Done(run_id, self._compute(question, emit, cancelled, turn))
        # The knowledge of an assistant never changes; its archetypes do.
        key = (question.model_dump_json(), getattr(self.personas, "revision", 0))
        with finished.alone(key):
            done = finished.get(key)
            if done is None:
                done = Done(run_id, self._compute(question, emit, cancelled, turn))
                if done.outcome.status is not Status.PARTIAL:
                    finished.keep(key, done)
                return done
        for event in retold(done.outcome):
            emit(event)
        return done

    def _compute(
        self,
        question: Question,
        emit: Callable[[Event], None],
        cancelled: threading.Event | None,
        turn: OpenTurn | None,
    ) -> Outcome:
        # The embedding model compiles in the background while LangGraph, which takes longest to import, is read.
        self._parts.retriever()
        from assistant.runner import run_agent

        def on_step(tool: str, step: StepRecord | None) -> None:
            kind: Literal["step_started", "step_finished"] = "step_started" if step is None else "step_finished"
            emit(Event(type=kind, at=datetime.now(UTC), tool=tool, step=step))

        def on_plan(plan: Plan) -> None:
            emit(Event(type="plan", at=datetime.now(UTC), plan=plan))

        with self._slot(cancelled):
            return run_agent(
                question,
                model=self._parts.model(),
                registry=self.registry,
                context=self.context(question.seed, question.view),
                settings=self.settings,
                deadline=time.monotonic() + self.settings.max_seconds,
                on_step=on_step,
                on_plan=on_plan,
                backing=self._parts.backing,
                cancelled=cancelled,
                turn=turn,
            )

    def _slot(self, cancelled: threading.Event | None = None) -> AbstractContextManager[None]:
        """Room to compute in; a served assistant waits for it."""
        slots = self._parts.slots
        if slots is None:
            return nullcontext()
        return slots.one(lambda: cancelled is not None and cancelled.is_set())

    def context(self, seed: int = 1, view: EvidenceView | None = None) -> ToolContext:
        """A tool context over this assistant's libraries."""
        return ToolContext(
            knowledge=self.knowledge,
            personas=self.personas,
            retriever=self._parts.retriever,
            seed=seed,
            view=view or EvidenceView(),
        )

    def run_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        seed: int = 1,
        view: EvidenceView | None = None,
        progress: Callable[[float, str], None] = lambda _share, _text: None,
    ) -> ToolResult:
        """Run one tool by name; UnknownTool, InvalidInput and the tool's own errors. `progress` may raise to stop it."""
        declared = self.registry[name]
        request = declared.parse(arguments)
        with self._slot():
            result: ToolResult = declared(request, replace(self.context(seed, view), progress=progress))
        return result

    def persona_tree(self) -> list[PersonaNode]:
        """The archetypes as a tree."""
        return persona_tree(self.personas)

    def persona(self, persona_id: str) -> Persona:
        """One archetype, inheritance applied (UnknownPersona)."""
        return self.personas.get(persona_id)

    @property
    def fitting(self) -> PersonaFitting:
        """Archetypes from a user's own data."""
        from assistant.persona_fitting import PersonaFitting

        return PersonaFitting(self.personas)

    def index_report(self, *, rebuild: bool = False) -> dict[str, str | int]:
        """Counts of the evidence base and the state of its index; `rebuild` builds the index anew."""
        if rebuild:
            drop_index(self.settings.data_dir)
        retriever = self._parts.retriever()
        return index_state(self.knowledge, retriever, self.settings.data_dir)

    def evidence_stats(self) -> list[AreaStats]:
        """Trials, rows, sources and passages by area, and in all (area 'all')."""
        return area_stats(self.knowledge)

    def evidence_warnings(self) -> tuple[str, ...]:
        """What of the evidence is not used, and why: retracted trials, imported arms that cannot be used."""
        return self.knowledge.arms.warnings

    def import_evidence(
        self,
        paths: Sequence[Path],
        *,
        mapping: Path | None = None,
        area: str = "",
        dry_run: bool = False,
        progress: Callable[[float, str], None] = lambda _share, _text: None,
    ) -> ImportReport:
        """Take a user's own files (nbib, PubMed or JATS XML, PDF, Markdown, text, arm tables) into the library.

        What was imported is used from the next start on, under the same evidence views as what is shipped. InvalidInput
        when `area` is none of the areas.
        """
        from knowledge.ingest.ingestor import open_ingestor

        with open_ingestor(self.settings.data_dir, self.knowledge, mapping=mapping, area=area) as ingestor:
            return ingestor.import_paths(paths, dry_run=dry_run, progress=progress)

    def backtest(
        self,
        *,
        arms: Sequence[Path] = (),
        mapping: Path | None = None,
        by: str = "trial",
        endpoints: Sequence[str] = (),
        min_trials: int = 8,
        progress: Callable[[float, str], None] = lambda _share, _text: None,
    ) -> BacktestReport:
        """Predict each published trial from the others, on the shipped evidence or on tables of arms.

        Raises
        ------
        InvalidInput, DataError, UnknownEndpoint
            Nothing to leave out, a table that cannot be read, an endpoint that is not known.
        """
        from assistant.backtesting import backtest_shipped, backtest_tables

        what = cast("By", by)
        if arms:
            return backtest_tables(arms, mapping, what, endpoints, min_trials, progress)
        return backtest_shipped(self.knowledge, what, endpoints, min_trials, progress)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The newest runs."""
        return self.ledger.recent(limit)

    def show_run(self, run_id: str) -> Answer:
        """The answer of a recorded run (UnknownRun, LedgerTampered)."""
        return Answer.model_validate(self.ledger.get(run_id).body["answer"])

    def verify_runs(self) -> int:
        """Check the hash chain; the number of runs, or LedgerTampered."""
        return self.ledger.verify()

    def resume(self, conversation: str) -> Answer:
        """Finish the question of a conversation that was cut short (UnknownConversation, InvalidInput when none was)."""
        return self.ask(self.memory.interrupted(conversation))

    def replay(self, run_id: str) -> ReplayReport:
        """Call the run's tools again with the same arguments, seed and evidence view; compare every number."""
        from assistant.replay import replay_run

        return replay_run(self, self.ledger.get(run_id))
