"""Inputs and results of the response tools."""

from __future__ import annotations

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.response.estimands import Estimand
from tools.schemas import ToolInput, ToolResult, Weeks

Endpoints = tuple[str, ...]


def _is_none(value: object) -> bool:
    """Fields that came later are left out where they say nothing, so that older runs compare equal."""
    return value is None


def _is_empty(value: object) -> bool:
    """As `_is_none`, for lists."""
    return not value


class TreatmentInput(ToolInput):
    """A treatment: drug, and dose where it is known."""

    intervention: str = Field(min_length=1, max_length=100, description="drug name, brand or 'placebo'")
    dose: float | None = Field(None, description="per administration; the dose most studied when left out")
    dose_unit: str | None = Field(None, max_length=20, description="mg, ug, g, U; the drug's usual unit when left out")
    frequency: str | None = Field(
        None, max_length=40, description="e.g. 'once weekly'; the drug's usual frequency when left out"
    )


class ObservedControl(ToolInput):
    """What a comparator arm in people like the cohort has been seen to report."""

    endpoint: str = Field(description="endpoint id")
    value: float = Field(
        description="the arm's mean change in the endpoint's unit; % of people with the event; of rates, events per 100 "
        "person-years"
    )
    n: int = Field(ge=1, le=10_000_000, description="participants")
    weeks: Weeks
    se: float | None = Field(None, gt=0, description="standard error of the value; of means and rates only")
    sd: float | None = Field(None, gt=0, description="person-to-person standard deviation; of means only")


class DoseStep(ToolInput):
    """A dose from a week on."""

    from_week: float = Field(ge=0, le=520, description="weeks from start of treatment; 0 for the first step")
    dose: float = Field(gt=0, description="per administration, in the treatment's dose unit")


class SimulateResponseInput(ToolInput):
    """What a cohort would show under a treatment, beside a comparator."""

    cohort: CohortSpec
    treatment: TreatmentInput
    comparator: TreatmentInput | None = Field(None, description="placebo when left out")
    endpoints: Endpoints = Field((), max_length=12, description="endpoint ids; by default the main ones with evidence")
    horizon_weeks: Weeks | None = Field(None, description="weeks; the follow-up most studied when left out")
    observed_control: tuple[ObservedControl, ...] = Field(
        (),
        max_length=12,
        description="figures that a comparator arm in such people has reported; conditions the prediction",
    )
    estimand: Estimand | None = Field(
        None,
        description="'treatment policy' (whether or not people stop) or 'efficacy' (while all take it); as published when "
        "left out",
        exclude_if=_is_none,
    )
    titration: tuple[DoseStep, ...] = Field(
        (),
        max_length=12,
        description="steps of the treatment's dose, the last one the dose itself; the full dose from the start when left out",
        exclude_if=_is_empty,
    )


class CompareInput(ToolInput):
    """The same cohort under two to five treatments."""

    cohort: CohortSpec
    treatments: tuple[TreatmentInput, ...] = Field(min_length=2, max_length=5)
    endpoints: Endpoints = Field((), max_length=12, description="endpoint ids; by default the main ones with evidence")
    horizon_weeks: Weeks | None = Field(None, description="weeks; the follow-up most studied when left out")


class EvidenceWeight(Frozen):
    """A published figure and how much it carries a prediction."""

    endpoint: str
    trial: str
    source_id: str
    cohort: str
    arm: str
    against: str = Field("", description="the comparator arm, of differences and ratios")
    intervention: str
    n: int | None
    weeks: float | None
    value: float = Field(description="as published, in the endpoint's unit or in `unit`")
    unit: str = Field(
        "", description="of the value where it is not the endpoint's: hazard ratio, %, per 100 person-years"
    )
    se: float | None = Field(description="in the endpoint's unit; None where it was imputed from n")
    weight: float = Field(ge=0, le=100, description="share of the absolute weights, %")
    sign: int = Field(description="+1 when a higher figure raises the predicted difference, -1 when it lowers it")
    agrees: bool = Field(description="inside the 90 % interval that the other figures predict for it")


class MissingEndpoint(Frozen):
    """An endpoint that was asked for and cannot be predicted."""

    endpoint: str
    reason: str


class MeasuredConfidence(Frozen):
    """How often held-out predictions like this one were within the tolerance of what was published."""

    endpoint: str
    tolerance: float = Field(description="in `unit`: the minimal clinically important difference, or the stated choice")
    unit: str
    probability: float = Field(ge=0, le=1, description="hits / n_arms")
    hits: int = Field(description="of them within the tolerance")
    n_arms: int = Field(description="held-out arms that were predicted about as surely as this one")
    n_trials_total: int
    outside: bool = Field(
        False, description="the cohort or the horizon lies outside the trials: the frequency may not carry over"
    )


class ResponseResult(ToolResult):
    """Predicted response of a cohort, with the trials that carry it."""

    treatment: str
    comparator: str
    horizon_weeks: float = Field(description="weeks that were predicted for")
    evidence: tuple[EvidenceWeight, ...] = ()
    missing_endpoints: tuple[MissingEndpoint, ...] = ()
    confidence: tuple[MeasuredConfidence, ...] = ()


class CompareResult(ToolResult):
    """Several treatments in the same cohort, from the same draws."""

    treatments: tuple[str, ...]
    horizon_weeks: float = Field(description="weeks that were predicted for")
    evidence: tuple[EvidenceWeight, ...] = ()
    missing_endpoints: tuple[MissingEndpoint, ...] = ()
    confidence: tuple[MeasuredConfidence, ...] = ()
