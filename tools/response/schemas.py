"""Inputs and results of the response tools."""

from __future__ import annotations

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.schemas import ToolInput, ToolResult, Weeks

Endpoints = tuple[str, ...]


class TreatmentInput(ToolInput):
    """A treatment: drug, and dose where it is known."""

    intervention: str = Field(min_length=1, max_length=100, description="drug name, brand or 'placebo'")
    dose: float | None = Field(None, description="per administration; the dose most studied when left out")
    dose_unit: str | None = Field(None, max_length=20, description="mg, ug, g, U; the drug's usual unit when left out")
    frequency: str | None = Field(
        None, max_length=40, description="e.g. 'once weekly'; the drug's usual frequency when left out"
    )


class SimulateResponseInput(ToolInput):
    """What a cohort would show under a treatment, beside a comparator."""

    cohort: CohortSpec
    treatment: TreatmentInput
    comparator: TreatmentInput | None = Field(None, description="placebo when left out")
    endpoints: Endpoints = Field((), max_length=12, description="endpoint ids; by default the main ones with evidence")
    horizon_weeks: Weeks = 26.0


class CompareInput(ToolInput):
    """The same cohort under two to five treatments."""

    cohort: CohortSpec
    treatments: tuple[TreatmentInput, ...] = Field(min_length=2, max_length=5)
    endpoints: Endpoints = Field((), max_length=12, description="endpoint ids; by default the main ones with evidence")
    horizon_weeks: Weeks = 26.0


class EvidenceWeight(Frozen):
    """A published figure and how much it carries a prediction."""

    endpoint: str
    trial: str
    source_id: str
    cohort: str
    arm: str
    intervention: str
    n: int | None
    weeks: float | None
    value: float = Field(description="in the endpoint's unit")
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
    tolerance: float = Field(description="in `unit`: the endpoint's minimal clinically important difference")
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
    evidence: tuple[EvidenceWeight, ...] = ()
    missing_endpoints: tuple[MissingEndpoint, ...] = ()
    confidence: tuple[MeasuredConfidence, ...] = ()


class CompareResult(ToolResult):
    """Several treatments in the same cohort, from the same draws."""

    treatments: tuple[str, ...]
    evidence: tuple[EvidenceWeight, ...] = ()
    missing_endpoints: tuple[MissingEndpoint, ...] = ()
    confidence: tuple[MeasuredConfidence, ...] = ()
