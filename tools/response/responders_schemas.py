"""Input and result of `find_responders`."""

from __future__ import annotations

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.response.schemas import TreatmentInput
from tools.response.wording import chance, plain, sentence_case
from tools.schemas import ToolInput, ToolResult, Weeks


class FindRespondersInput(ToolInput):
    """A treatment, and the cohort within which to look for who gains most."""

    cohort: CohortSpec
    treatment: TreatmentInput
    comparator: TreatmentInput | None = Field(None, description="placebo when left out")
    endpoint: str = Field("", max_length=60, description="endpoint id; the drug's main one when left out")
    horizon_weeks: Weeks = 26.0
    margin: float = Field(
        0.0, ge=0, le=1000, description="how much more a sub-cohort must gain than the rest, in the endpoint's unit"
    )
    patients: int = Field(4000, ge=200, le=200_000, description="virtual patients to draw")


class SubCohort(Frozen):
    """One sub-cohort: predicted effect beside the comparator, and how much more it gains than the others of its split."""

    covariate: str
    level: str = Field(description="lower, middle or upper third; no or yes")
    words: str
    share: float = Field(description="of the cohort, %")
    effect: float = Field(description="treatment minus comparator, endpoint's unit, averaged over trials")
    lower: float = Field(description="90 % credible interval of the effect")
    upper: float
    gap: float = Field(description="benefit beyond that of the rest of the cohort, endpoint's unit")
    gap_lower: float = Field(description="90 % interval that holds for all sub-cohorts at once")
    gap_upper: float
    probability: float = Field(description="that it gains more than the rest by the margin, %")
    told_apart: bool = Field(description="the simultaneous interval of the gap lies above the margin")
    extrapolated: tuple[str, ...] = Field((), description="means outside those of the trials")

    @property
    def subject(self) -> str:
        """Its words as the beginning of a sentence."""
        if self.level not in ("no", "yes"):
            return f"Those with {self.words}"
        return sentence_case(self.words)


class RespondersResult(ToolResult):
    """Sub-cohorts of a cohort by what they gain."""

    treatment: str
    comparator: str
    endpoint: str
    unit: str = Field(description="of effects and gaps")
    verdict: str
    splits: int = Field(description="splits that were looked at")
    sub_cohorts: tuple[SubCohort, ...] = Field(description="best first")
    not_looked_at: dict[str, str] = Field(default_factory=dict, description="covariate -> why it makes no split")

    @property
    def lines(self) -> tuple[str, ...]:
        """A sentence for each sub-cohort, best first."""
        return tuple(
            f"{one.subject}: effect {plain(one.effect)} {self.unit} ({plain(one.lower)} to {plain(one.upper)}); beyond the "
            f"rest {plain(one.gap)} ({plain(one.gap_lower)} to {plain(one.gap_upper)}), {chance(one.probability)} sure."
            for one in self.sub_cohorts
        )

    @property
    def summary(self) -> str:
        """What an answer may repeat word for word."""
        return " ".join((self.verdict, *self.lines))
