"""The service every face calls: ask, stream, run a tool, list and replay runs."""

from __future__ import annotations

import fnmatch
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from rapidfuzz import process

from assistant.answering import AnswerBuilder
from assistant.circuit import Backing
from assistant.ledger import Ledger
from assistant.memory import Memory, OpenTurn
from assistant.persona_bank import PersonaBank
from assistant.schemas import (
    Answer,
    AreaStats,
    Event,
    PersonaNode,
    Plan,
    Question,
    ReplayReport,
    RunSummary,
    StepRecord,
)
from assistant.settings import Settings
from assistant.topics import mask_identifiers
from assistant.turns import check_name
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

    def stream(self, question: Question | str) -> Iterator[Event]:
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
        self._check_view(asked.view)
        name = check_name(asked.conversation) if asked.conversation.strip() else ""
        return asked.model_copy(update={"text": mask_identifiers(text), "conversation": name})

    def _check_view(self, view: EvidenceView) -> None:
        """An exclusion that excludes nothing is a slip of the pen, not a wish (InvalidInput names the nearest)."""
        arms = self.knowledge.arms
        for name in view.exclude:
            wanted = EvidenceView(exclude=(name,))
            if arms.hidden_trials(wanted) or fnmatch.filter(self.knowledge.sources, name.casefold()):
                continue
            near = [match[0] for match in process.extract(name, arms.trials(), limit=3, score_cutoff=60)]
            raise InvalidInput(
                f"No trial or source is called '{name}', so it cannot be left out.",
                f"Did you mean {' or '.join(near)}?" if near else "",
            )

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
        # The embedding model compiles in the background while LangGraph, which takes longest to import, is read.
        self._parts.retriever()
        from assistant.runner import run_agent

        def on_step(tool: str, step: StepRecord | None) -> None:
            kind: Literal["step_started", "step_finished"] = "step_started" if step is None else "step_finished"
            emit(Event(type=kind, at=datetime.now(UTC), tool=tool, step=step))

        def on_plan(plan: Plan) -> None:
            emit(Event(type="plan", at=datetime.now(UTC), plan=plan))

        created, started = datetime.now(UTC), time.monotonic()
        run_id = turn.turn.run_id if turn else f"r-{uuid4().hex[:12]}"
        outcome = run_agent(
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
        answer = AnswerBuilder(self.knowledge, self.settings).build(run_id, question, outcome)
        self.ledger.append(
            run_id,
            created,
            {
                "question": question.model_dump(mode="json"),
                "answer": answer.model_dump(mode="json"),
                "results": [result.model_dump(mode="json") for _, result in outcome.results],
                "usage": outcome.usage.record(),
                "model": {"name": outcome.model, "version": outcome.model_version},
                "seconds": round(time.monotonic() - started, 3),
            },
        )
        return answer

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
        self, name: str, arguments: dict[str, Any], *, seed: int = 1, view: EvidenceView | None = None
    ) -> ToolResult:
        """Run one tool by name; UnknownTool, InvalidInput and the tool's own errors."""
        declared = self.registry[name]
        result: ToolResult = declared(declared.parse(arguments), self.context(seed, view))
        return result

    def persona_tree(self) -> list[PersonaNode]:
        """The archetypes as a tree."""

        def branch(persona_id: str) -> PersonaNode:
            children = tuple(branch(child) for child in self.personas.children(persona_id))
            persona = self.personas.get(persona_id)
            share = persona.assumed_share
            return PersonaNode(id=persona_id, name=persona.name, assumed_share=share, children=children)

        roots = [persona_id for persona_id in self.personas.ids() if self.personas.get(persona_id).parent is None]
        return [branch(root) for root in roots]

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
        arms = self.knowledge.arms
        return {
            "evidence_hash": self.knowledge.evidence_hash(EvidenceView()),
            "sources": len(self.knowledge.sources),
            "trials": len(arms.trials()),
            "trial_arm_rows": len(arms.arms),
            "passages": len(self.knowledge.passages),
            "indexed_passages": retriever.count,
            "embedder": retriever.embedder_name,
            "data_directory": str(self.settings.data_dir),
        }

    def evidence_stats(self) -> list[AreaStats]:
        """Trials, rows, sources and passages by area, and in all (area 'all')."""
        arms = self.knowledge.arms.arms
        sources = list(self.knowledge.sources.values())
        passages = self.knowledge.passages
        areas = sorted({item.area for items in (arms, sources, passages) for item in items})

        def row(area: str) -> AreaStats:
            chosen = [arm for arm in arms if area in ("all", arm.area)]
            return AreaStats(
                area=area,
                trials=len({arm.trial for arm in chosen}),
                rows=len(chosen),
                rows_with_se=sum(arm.se is not None for arm in chosen),
                subgroup_rows=sum(arm.cohort != "all" for arm in chosen),
                sources=sum(area in ("all", source.area) for source in sources),
                passages=sum(area in ("all", passage.area) for passage in passages),
            )

        return [row(area) for area in [*areas, "all"]]

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
