"""The shape every tool's result has, so that grounding, charts, REST and evals treat all alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from knowledge.schemas import EvidenceView, Frozen, RetrievedPassage


class Validation(StrEnum):
    """How far a tool is to be believed; shown with each of its numbers."""

    CALIBRATED = "calibrated"
    VALIDATED = "validated"
    VERIFIED = "verified"
    SCENARIO = "scenario"


class Kind(StrEnum):
    """What an interval covers."""

    PREDICTIVE = "predictive"
    CONFIDENCE = "confidence"
    SCENARIO = "scenario"
    DESCRIPTIVE = "descriptive"


class Level(StrEnum):
    """Whose number it is. Never confused: cohort mean, and person-to-person spread."""

    COHORT_MEAN = "cohort_mean"
    INDIVIDUAL = "individual"
    SHARE = "share"
    COUNT = "count"


class Estimate(Frozen):
    """One number with its interval.

    `point`, `lower`, `upper` are in `unit`; `level` is the interval's probability (0.9 = 90 %).
    """

    id: str = Field(description="unique within the result, e.g. hba1c_change.mean")
    quantity: str = Field(description="what it is, e.g. 'HbA1c change'")
    endpoint: str = ""
    arm: str = Field("", description="treatment it belongs to")
    unit: str
    horizon_weeks: float | None = None
    population: str
    point: float
    lower: float | None = None
    upper: float | None = None
    level: float = 0.9
    kind: Kind
    of: Level
    validation: Validation
    source_ids: tuple[str, ...] = ()
    n_trials: int | None = None
    from_parameters: float | None = Field(
        None, ge=0, le=1, description="share of the variance that comes from the parameters; the rest is chance"
    )
    note: str = ""


class Point(Frozen):
    """One mark of a chart."""

    x: float | str
    y: float
    lower: float | None = None
    upper: float | None = None
    lower_50: float | None = None
    upper_50: float | None = None


class Series(Frozen):
    """A named line, band or set of bars."""

    name: str
    points: tuple[Point, ...]


class Chart(Frozen):
    """A chart, and at the same time the table of what it shows.

    `lines`: y over x with optional bands; `plane`: marks, no line (x and y numbers); `tornado`: one series with a point
    for each input (x its name, lower and upper the outcome at its ends), the widest first.
    """

    kind: Literal["fan", "forest", "bars", "survival", "acceptability", "tree", "lines", "plane", "tornado"]
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]


class Provenance(Frozen):
    """What made the result; enough to make it again."""

    tool: str
    version: str
    seed: int
    input_hash: str
    evidence_hash: str


class ToolInput(BaseModel):
    """Base of tool inputs: unknown fields, NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ToolResult(BaseModel):
    """Base of tool results. Subclasses add what only they have."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    title: str
    estimates: tuple[Estimate, ...] = ()
    charts: tuple[Chart, ...] = ()
    passages: tuple[RetrievedPassage, ...] = ()
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    provenance: Provenance | None = None


Weeks = Annotated[float, Field(gt=0, le=520, description="weeks from start of treatment")]

__all__ = [
    "Chart",
    "Estimate",
    "EvidenceView",
    "Kind",
    "Level",
    "Point",
    "Provenance",
    "Series",
    "ToolInput",
    "ToolResult",
    "Validation",
    "Weeks",
]
