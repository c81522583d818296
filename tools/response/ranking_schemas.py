"""Input and result of `rank_treatments`."""

from __future__ import annotations

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.response.schemas import MissingEndpoint, TreatmentInput
from tools.response.wording import chance, plain
from tools.schemas import ToolInput, ToolResult, Weeks


class RankInput(ToolInput):
    """Treatments to rank in a cohort."""

    cohort: CohortSpec
    treatments: tuple[TreatmentInput, ...] = Field(
        (), max_length=40, description="to rank, two or more; when left out, all with trials of their own"
    )
    comparator: TreatmentInput | None = Field(None, description="placebo when left out; it is ranked too")
    endpoints: tuple[str, ...] = Field(
        (), max_length=6, description="endpoint ids, each with a ranking of its own; the main ones when left out"
    )
    horizon_weeks: Weeks = 26.0
    shown: int = Field(6, ge=1, le=40, description="treatments with estimates and charts; the table has all")


class HarmBeside(Frozen):
    """A harm of a treatment: percentage of people, and the difference from the comparator in %-points."""

    endpoint: str
    share: float
    lower: float
    upper: float
    difference: float
    difference_lower: float
    difference_upper: float
    borrowed: bool = Field(description="no trial of the drug reports it; from other drugs of its class")


class RankedTreatment(Frozen):
    """A treatment in its place; means and differences in the endpoint's unit with 90 % predictive intervals."""

    endpoint: str
    place: int
    treatment: str
    drug_class: str
    mean: float | None = Field(description="None for times to event and rates, where the ratio is what is told")
    lower: float | None
    upper: float | None
    difference: float | None = Field(
        description="from the comparator, of times to event and rates the ratio; None for the comparator itself"
    )
    difference_lower: float | None
    difference_upper: float | None
    probability_best: float = Field(description="%")
    probability_near_best: float | None = Field(
        description="that nothing is better by the minimal important difference, %; None without one"
    )
    expected_rank: float
    sucra: float = Field(description="surface under the cumulative ranking curve, %")
    probability_better: float | None = Field(description="than the comparator, %")
    probability_important: float | None = Field(description="by at least the minimal important difference, %")
    probability_first_better: float | None = Field(description="that the first is better than this one, %")
    probability_first_important: float | None = Field(description="by at least the minimal important difference, %")
    tied_with_first: bool = Field(
        description="the first is better by what matters with less than 50 %; without a minimal important difference: "
        "the 90 % interval of the difference from the first spans nought"
    )
    trials: int = Field(description="of the drug on this endpoint")
    trials_of_class: int
    borrowed: bool = Field(description="no trial of the drug reports the endpoint; from other drugs of its class")
    carried_over: bool = Field(description="its trials are in people of another area")
    harms: tuple[HarmBeside, ...] = ()


class NotRanked(Frozen):
    """Treatments left out, and why."""

    reason: str
    count: int
    treatments: tuple[str, ...] = Field(description="the first ones by name")


class RankResult(ToolResult):
    """Treatments in order, by endpoint."""

    comparator: str
    verdicts: tuple[str, ...] = Field(
        description="one for each endpoint: who comes first, how surely, who ties with it"
    )
    ranking: tuple[RankedTreatment, ...]
    not_ranked: tuple[NotRanked, ...] = ()
    missing_endpoints: tuple[MissingEndpoint, ...] = ()

    @property
    def chance_lines(self) -> tuple[str, ...]:
        """A sentence for each treatment that has estimates: how surely it is best, or near it."""
        shown = {one.arm for one in self.estimates if ".probability_best." in one.id} - {self.comparator}
        lines = []
        for row in self.ranking:
            near = row.probability_near_best
            if row.treatment not in shown:
                continue
            text = f"{row.treatment}: {chance(row.probability_best)} sure to be best"
            text += "" if near is None else f", {chance(near)} sure that nothing beats it by what matters"
            lines.append(f"{text} ({row.trials} trial{'' if row.trials == 1 else 's'} of its own).")
        return tuple(lines)

    @property
    def comparator_lines(self) -> tuple[str, ...]:
        """What the comparator itself would show."""
        return tuple(
            f"On {self.comparator} itself the mean would be {plain(row.mean)} ({plain(row.lower)} to {plain(row.upper)})."
            for row in self.ranking
            if row.treatment == self.comparator
            and row.mean is not None
            and row.lower is not None
            and row.upper is not None
        )

    @property
    def left_out_lines(self) -> tuple[str, ...]:
        """How many treatments are not ranked, and why; without their names."""
        return tuple(f"{one.count} not ranked: {one.reason[:1].lower()}{one.reason[1:]}" for one in self.not_ranked)

    @property
    def summary(self) -> str:
        """What an answer may repeat word for word."""
        return " ".join((*self.verdicts, *self.chance_lines, *self.comparator_lines, *self.left_out_lines))
