"""What goes in and what comes out: `Question`, `Plan`, `Answer`. REST bodies are these same models."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from knowledge.schemas import EvidenceView, Frozen
from tools.schemas import Chart, Estimate


class Question(Frozen):
    """A question about a cohort."""

    text: str
    seed: int = Field(1, ge=0, le=2**31 - 1)
    view: EvidenceView = EvidenceView()
    conversation: str = Field("", description="name of the conversation it belongs to; empty: none")
    earlier: tuple[str, ...] = Field(
        (), max_length=200, description="what was asked before it, the oldest first, where no conversation keeps that"
    )


class Plan(Frozen):
    """PICO: what will be looked for, shown before the answer."""

    population: str
    persona_id: str = ""
    interventions: tuple[str, ...] = ()
    comparator: str = ""
    outcomes: tuple[str, ...] = ()
    horizon_weeks: float | None = None
    estimand: str = ""
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = Field((), description="what was assumed or corrected while reading the question")
    left_out: tuple[str, ...] = Field((), description="words about the cohort that nobody could place")


class Status(StrEnum):
    """How the question ended."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    NEEDS_INPUT = "needs_input"
    NOT_COVERED = "not_covered"
    REDIRECTED = "redirected"


class Citation(Frozen):
    """A source an answer stands on."""

    number: int
    source_id: str
    citation: str
    title: str
    design: str
    grade: str
    pmid: str = ""
    doi: str = ""
    url: str = ""
    seen: str = ""
    locator: str = ""


class Confidence(Frozen):
    """A measured frequency, or the plain statement that there is none."""

    calibrated: bool
    probability: float | None = Field(None, ge=0, le=1)
    sentence: str
    basis: str = ""


class StepRecord(Frozen):
    """One tool call of the run."""

    tool: str
    arguments: dict[str, Any]
    ok: bool
    error: str = ""
    result_hash: str = ""
    seconds: float = 0.0


class Section(Frozen):
    """A titled part of the answer, Markdown."""

    title: str
    body: str


class Answer(Frozen):
    """The answer, typed. `markdown` is the whole of it as text."""

    run_id: str
    question: str
    status: Status
    headline: str
    sections: tuple[Section, ...] = ()
    plan: Plan | None = None
    estimates: tuple[Estimate, ...] = ()
    charts: tuple[Chart, ...] = ()
    confidence: Confidence
    citations: tuple[Citation, ...] = ()
    assumptions: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    removed: tuple[str, ...] = Field((), description="text removed because a number had no source")
    next_questions: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    model: str
    seed: int
    evidence_hash: str

    @property
    def markdown(self) -> str:
        """The whole answer as Markdown, in the order people need it."""
        parts = [f"## {self.headline}"]
        parts += [f"**{section.title}**\n\n{section.body}" for section in self.sections]
        parts.append(f"Run `{self.run_id}` · replay with `cohort runs replay {self.run_id}`")
        return "\n\n".join(parts)


class Event(Frozen):
    """What `Assistant.stream` yields: the plan, each step, and at last the answer."""

    type: Literal["plan", "step_started", "step_finished", "answer"]
    at: datetime
    plan: Plan | None = None
    tool: str = ""
    step: StepRecord | None = None
    answer: Answer | None = None


class RunSummary(Frozen):
    """A line of the run list."""

    run_id: str
    created: datetime
    question: str
    status: str
    headline: str
    model: str


class TurnState(StrEnum):
    """How a turn of a conversation ended; an open one is running, or was cut short."""

    OPEN = "open"
    ANSWERED = "answered"
    INTERRUPTED = "interrupted"


class Turn(Frozen):
    """One question of a conversation and the run that answered it."""

    conversation: str
    number: int
    run_id: str
    question: Question
    asked: datetime
    state: TurnState
    headline: str = ""


class ConversationSummary(Frozen):
    """A line of the list of conversations. `interrupted`: its last question was cut short."""

    name: str
    turns: int
    begun: datetime
    last: datetime
    interrupted: bool = False


class PersonaNode(Frozen):
    """An archetype and its children. `assumed_share` of its values (0-1) have no source but an assumption."""

    id: str
    name: str
    assumed_share: float
    children: tuple[PersonaNode, ...] = ()


class AreaStats(Frozen):
    """How much the evidence base holds about an area."""

    area: str
    trials: int
    rows: int
    rows_with_se: int
    subgroup_rows: int
    sources: int
    passages: int


class ReplayReport(Frozen):
    """What a replay found."""

    run_id: str
    identical: bool
    compared: int = Field(description="numbers compared")
    differences: tuple[str, ...] = ()
    evidence_changed: bool = False
