"""What a report says, before it is written as HTML, Markdown or JSON: `report.json` is this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from evals.report.curves import PitBin, ReliabilityBin, RiskPoint
from evals.schemas import Agreement, Comparison, Metric, RunSettings, Suite, SuiteInfo
from knowledge.schemas import Frozen


class SuiteResult(Frozen):
    """Cases of a suite under one model."""

    suite: Suite
    model: str
    cases: int
    passed: int
    seconds: float


class Panel(Frozen):
    """The charts of the predictions of one suite under one model.

    `n` predictions of `clusters` trials; `band` is where a bin of the PIT histogram would lie by chance (0-1).
    """

    suite: Suite
    model: str
    n: int
    clusters: int
    judged: int
    reliability: tuple[ReliabilityBin, ...] = ()
    pit: tuple[PitBin, ...] = ()
    pit_band: tuple[float, float] | None = None
    risk: tuple[RiskPoint, ...] = ()


class Miss(Frozen):
    """A prediction far from what was published, `off` in tolerances."""

    suite: Suite
    model: str
    case_id: str
    trial: str
    arm: str
    quantity: str
    unit: str
    published: float
    point: float
    lower: float
    upper: float
    level: float
    tolerance: float
    off: float
    inside: bool
    source: str
    locator: str


class Failure(Frozen):
    """A case that failed: what failed, and in the HTML the whole trace. `trace` stays out of report.json."""

    case_id: str
    suite: Suite
    model: str
    question: str
    status: str
    failed: tuple[str, ...]
    seed: int
    trace: Mapping[str, Any] = Field({}, exclude=True)


class Contents(Frozen):
    """A report. Everything it says is here, or in the fixed texts."""

    version: int = 1
    created: datetime
    product: str
    seconds: float
    settings: RunSettings
    evidence_hash: str
    code_hash: str
    suites: tuple[SuiteInfo, ...]
    results: tuple[SuiteResult, ...]
    headline: tuple[str, ...] = ()
    summaries: Mapping[str, tuple[Metric, ...]]
    panels: tuple[Panel, ...]
    worst: tuple[Miss, ...]
    without_tolerance: int = Field(description="predictions that have no tolerance and so no place among the worst")
    failures: tuple[Failure, ...]
    left_out: int
    tokens: int | None
    cost: float | None
    currency: str
    agreements: tuple[Agreement, ...]
    comparison: Comparison | None

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order they were asked for."""
        return tuple(self.summaries)

    @property
    def first(self) -> str:
        """The model that stands first; tables of one model are about it."""
        return self.models[0] if self.models else ""

    def metric(self, suite: Suite, name: str, group: str = "", model: str = "") -> Metric | None:
        """One figure; None when it was not measured."""
        return next((m for m in self.of(suite, model) if m.name == name and m.group == group), None)

    def of(self, suite: Suite, model: str = "") -> tuple[Metric, ...]:
        """All figures of a suite under a model (the first, where none is named)."""
        return tuple(m for m in self.summaries.get(model or self.first, ()) if m.suite is suite)

    def headlines(self, model: str = "") -> tuple[Metric, ...]:
        """The figures of the headline table."""
        return tuple(m for m in self.summaries.get(model or self.first, ()) if m.headline and not m.group)
