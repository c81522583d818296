"""A case: a question, what a right answer must show, where that is published, and why the case is there."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from assistant.schemas import Status
from knowledge.schemas import Frozen


class Published(Frozen):
    """A published cohort mean that the prediction is held against; its trial is left out of the evidence."""

    estimate_id: str = Field(description="e.g. hba1c_change.mean")
    value: float
    unit: str
    source: str = Field(description="source_id in which the value was seen")
    locator: str


class Expectation(Frozen):
    """What must hold of the answer. Empty fields are not checked."""

    status: Status
    persona_id: str = ""
    tools: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    mentions: tuple[str, ...] = Field((), description="words the text must hold, without case")
    never: tuple[str, ...] = Field((), description="words the text must not hold, without case")
    published: tuple[Published, ...] = ()
    predicts_nothing: bool = False


class Case(Frozen):
    """One question of a suite."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    suite: str
    question: str
    why: str = Field(min_length=10)
    exclude: tuple[str, ...] = ()
    as_of: date | None = None
    seed: int = 1
    expect: Expectation


class Check(Frozen):
    """One verdict on one case."""

    name: str
    passed: bool
    detail: str = ""


class Outcome(Frozen):
    """A published value against its held-out prediction."""

    case_id: str
    estimate_id: str
    unit: str
    published: float
    predicted: float
    lower: float
    upper: float
    level: float


class CaseResult(Frozen):
    """A case and what came of it."""

    case: Case
    run_id: str
    headline: str
    checks: tuple[Check, ...]
    outcomes: tuple[Outcome, ...] = ()
    seconds: float

    @property
    def passed(self) -> bool:
        """True when every check passed."""
        return all(check.passed for check in self.checks)
