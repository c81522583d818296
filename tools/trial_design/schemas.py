"""Inputs and results of the trial-design tools."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from personas.schemas import CohortSpec
from tools.response.schemas import TreatmentInput
from tools.schemas import ToolInput, ToolResult, Weeks
from tools.trial_design.sequential import Shape

Share = Annotated[float, Field(ge=0, le=1)]
Alpha = Annotated[float, Field(gt=0, lt=0.5, description="type I error of the test, over all its sides")]


class OutcomeKind(StrEnum):
    """What the trial measures."""

    CONTINUOUS = "continuous"
    BINARY = "binary"
    TIME_TO_EVENT = "time_to_event"


class ExpectedFromEvidence(ToolInput):
    """Let the response engine say what the trial's arms would show."""

    cohort: CohortSpec
    treatment: TreatmentInput
    comparator: TreatmentInput | None = Field(None, description="placebo when left out")
    endpoint: str = Field(description="endpoint id, e.g. hba1c_change")
    horizon_weeks: Weeks | None = None


class Assumed(ToolInput):
    """The effect that the trial should be able to show, in numbers; those of the outcome's kind are needed."""

    difference: float | None = Field(None, description="continuous: treated minus control mean, in `unit`")
    sd: float | None = Field(None, gt=0, description="continuous: person-to-person standard deviation, in `unit`")
    unit: str = Field("", max_length=40)
    treated_share: Share | None = Field(None, description="binary: share of treated people with the event, 0-1")
    control_share: Share | None = Field(None, description="binary: share of controls with the event, 0-1")
    hazard_ratio: float | None = Field(None, gt=0, le=100, description="time to event: treated over control")


class FollowUp(ToolInput):
    """How long a time-to-event trial runs; tells how many participants bring the events."""

    control_event_share_per_year: float = Field(gt=0, lt=1, description="share of controls with the event in a year")
    accrual_years: float = Field(ge=0, le=30)
    follow_up_years: float = Field(ge=0, le=50, description="after the last participant entered")
    dropout_per_year: float = Field(0.0, ge=0, lt=1, description="share lost to follow-up in a year")


class ExternalControl(ToolInput):
    """Borrow a control arm from the evidence (continuous outcomes, with `expected`)."""

    weight: Share = Field(0.8, description="prior weight of what the evidence predicts; the rest is vague")
    n_control: int = Field(ge=2, le=1_000_000, description="participants who are still randomised to control")


class DesignTrialInput(ToolInput):
    """A two-arm trial: numbers, or the cohort and treatment from which the evidence predicts them."""

    outcome: OutcomeKind
    assumed: Assumed = Assumed()
    expected: ExpectedFromEvidence | None = None
    n_per_arm: int | None = Field(None, ge=2, le=5_000_000, description="controls; power is computed instead of size")
    power: float = Field(0.8, gt=0, lt=1)
    alpha: Alpha = 0.05
    sides: int = Field(2, ge=1, le=2)
    ratio: float = Field(1.0, ge=0.01, le=100, description="treated over control participants")
    margin: float = Field(0.0, ge=0, description="continuous: non-inferiority margin, in `unit`; 0: superiority")
    lower_is_better: bool = Field(
        True, description="continuous, with a margin: whether a lower outcome is the better one"
    )
    dropout_share: float = Field(0.0, ge=0, lt=0.95, description="share whose outcome is not measured")
    prognostic_r_squared: float = Field(
        0.0, ge=0, lt=1, description="continuous: share of the variance a prognostic score explains (PROCOVA)"
    )
    looks: int = Field(1, ge=1, le=20, description="analyses, the last one included")
    boundary: Shape = "spending_obrien_fleming"
    follow_up: FollowUp | None = None
    external_control: ExternalControl | None = None
    draws: int = Field(4000, ge=200, le=200_000)

    @model_validator(mode="after")
    def _consistent(self) -> DesignTrialInput:
        if self.outcome is not OutcomeKind.CONTINUOUS and (self.margin or self.prognostic_r_squared):
            raise ValueError("margin and prognostic_r_squared belong to continuous outcomes")
        if self.external_control and (self.outcome is not OutcomeKind.CONTINUOUS or self.expected is None):
            raise ValueError("an external control needs a continuous outcome and `expected`")
        if self.follow_up and self.outcome is not OutcomeKind.TIME_TO_EVENT:
            raise ValueError("follow_up belongs to times to an event")
        if self.margin and self.sides == 2:
            raise ValueError("a non-inferiority trial has a one-sided test: give sides 1 and half the alpha")
        return self


class TrialDesign(ToolResult):
    """A designed two-arm trial."""

    participants_treated: int | None = None
    participants_control: int | None = None
    events: int | None = None
    critical_values: tuple[float, ...] = ()
    information_fractions: tuple[float, ...] = ()


class TwoStageInput(ToolInput):
    """A single-arm phase II trial that stops early for futility."""

    uninteresting_share: float = Field(gt=0, lt=1, description="response share that is not worth pursuing")
    interesting_share: float = Field(gt=0, lt=1, description="response share that is")
    alpha: Alpha = 0.05
    power: float = Field(0.8, gt=0, lt=1)
    largest: int | None = Field(None, ge=2, le=300, description="greatest number of participants to look at")


class TwoStageDesigns(ToolResult):
    """Simon's optimal and minimax design."""

    optimal: dict[str, float]
    minimax: dict[str, float]


class EnrichmentInput(ToolInput):
    """A two-stage trial that may go on in marker-positive people only. Effects are differences over the SD."""

    stage_one: int = Field(ge=4, le=100_000, description="participants an arm in stage one")
    stage_two: int = Field(ge=4, le=100_000, description="participants an arm in stage two")
    prevalence: float = Field(gt=0, lt=1, description="share of marker-positive people")
    effect_positive: float = Field(ge=-5, le=5, description="standardised effect in marker-positive people")
    effect_negative: float = Field(ge=-5, le=5, description="standardised effect in marker-negative people")
    effect_sd: float = Field(0.0, ge=0, le=2, description="how unsure both effects are (standard deviation)")
    enrich_below: float = Field(0.0, ge=-5, le=5)
    stop_below: float = Field(0.0, ge=-5, le=5)
    alpha: float = Field(0.025, gt=0, lt=0.5, description="one-sided familywise error")
    trials: int = Field(20_000, ge=500, le=2_000_000, description="simulated trials")


class EnrichmentResult(ToolResult):
    """Operating characteristics of the enrichment trial."""
