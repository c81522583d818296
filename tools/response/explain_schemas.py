"""Input and result of `explain_prediction`."""

from __future__ import annotations

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.response.schemas import MeasuredConfidence, TreatmentInput
from tools.response.wording import plain, signed
from tools.schemas import ToolInput, ToolResult, Weeks


class ExplainInput(ToolInput):
    """A prediction to be explained: the same fields as for making it, one endpoint."""

    cohort: CohortSpec
    treatment: TreatmentInput
    comparator: TreatmentInput | None = Field(None, description="placebo when left out")
    endpoint: str = Field("", max_length=60, description="endpoint id; the drug's main one when left out")
    horizon_weeks: Weeks = 26.0
    participants: int | None = Field(
        None, ge=1, le=100_000, description="in each arm of the new trial; adds sampling error when given"
    )
    refits: int = Field(
        2, ge=0, le=8, description="trials at the head of the list that are checked by fitting again without each"
    )


class TrialInfluence(Frozen):
    """A trial behind the predicted difference."""

    trial: str
    source_ids: tuple[str, ...]
    figures: int = Field(description="published figures of it in use")
    weight: float = Field(description="share of the sum of absolute weights, %")
    move: float = Field(description="what leaving it out would do to the predicted difference, in its unit")
    move_fixed: float = Field(description="the same with heterogeneity and other settings held where they are; exact")
    move_refitted: float | None = Field(None, description="what it did when everything was fitted again without it")

    @property
    def known_move(self) -> float:
        """The move of the refit where there was one, else the foretold one."""
        return self.move if self.move_refitted is None else self.move_refitted


class LeftOut(Frozen):
    """The prediction made again without one trial."""

    trial: str
    foretold: float = Field(description="move of the predicted difference that the weights foretold")
    foretold_fixed: float = Field(description="the same at fixed settings of the model")
    actual: float = Field(description="move when everything was fitted again without the trial")
    point: float = Field(description="the predicted difference without the trial")
    lower: float
    upper: float
    unit: str
    no_longer_used: tuple[str, ...] = Field((), description="covariates that too few other trials report")


class Contribution(Frozen):
    """What a covariate of the cohort does to the prediction, beside the average trial."""

    covariate: str
    unit: str
    cohort: float
    trials: float = Field(description="mean of the trials")
    of: str = Field(description="'difference' or 'mean'")
    point: float
    lower: float
    upper: float


class VariancePart(Frozen):
    """Where the spread of the predicted difference is from."""

    part: str
    words: str
    remedy: str
    share: float = Field(description="% of the variance; the parts sum to 100")


class ExplainResult(ToolResult):
    """A prediction taken apart."""

    treatment: str
    comparator: str
    endpoint: str
    unit: str = Field(description="of the predicted difference")
    verdict: str = Field(description="what carries the prediction, in sentences")
    trials: tuple[TrialInfluence, ...] = Field(description="furthest move first")
    left_out: tuple[LeftOut, ...] = Field((), description="fitted again without each, furthest move first")
    contributions: tuple[Contribution, ...]
    variance: tuple[VariancePart, ...]
    confidence: tuple[MeasuredConfidence, ...] = ()

    @property
    def trial_lines(self) -> tuple[str, ...]:
        """A sentence for each trial: its weight and what leaving it out does."""
        return tuple(
            f"{one.trial}: weight {one.weight:.0f} %; without it the prediction moves by {signed(one.known_move)} "
            f"{self.unit} ({'foretold' if one.move_refitted is None else 'fitted again'})."
            for one in self.trials
        )

    @property
    def cohort_lines(self) -> tuple[str, ...]:
        """A sentence for each covariate that moves the difference, largest first."""
        return tuple(
            f"Part of it due to {one.covariate}: {signed(one.point)} {self.unit} "
            f"({plain(one.cohort, 4)} {one.unit}".rstrip()
            + f" here, {plain(one.trials, 4)} in the average trial)."
            for one in self.contributions
            if one.of == "difference"
        )

    @property
    def uncertainty_lines(self) -> tuple[str, ...]:
        """A sentence for each part of the variance, with what would make it smaller."""
        return tuple(
            f"{one.share:.0f} % of it is {one.words}. {one.remedy}" for one in self.variance if one.share >= 0.5
        )

    @property
    def summary(self) -> str:
        """What an answer may repeat word for word."""
        return " ".join((self.verdict, *self.trial_lines, *self.cohort_lines, *self.uncertainty_lines))
