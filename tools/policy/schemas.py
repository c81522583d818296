"""Input and result of `assess_coverage_policy`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.quantities import Quantity
from tools.response.schemas import TreatmentInput
from tools.schemas import ToolInput, ToolResult, Weeks

# Draws × replicates × months, and draws × weeks, held at once.
MAX_CELLS, MAX_COURSE = 2_000_000, 1_000_000
WEEKS_A_MONTH = 365.25 / 12 / 7


class CoverageRule(Frozen):
    """What the payer pays for."""

    name: str = Field("open coverage", min_length=1, max_length=60)
    covered: Quantity = Field(1.0, description="share of eligible people for whom the payer pays, 0–1")
    approved: Quantity = Field(1.0, description="share of requests that prior authorisation grants, 0–1")
    copay: Quantity | None = Field(None, description="US$ per month; left out: as where starting was observed")


class Clinic(Frozen):
    """Clinicians who see these patients, for waits."""

    clinicians: int = Field(ge=1, le=2000)
    hours_per_week: float = Field(gt=0, le=168, description="of each clinician, with patients")
    visits_now_per_week: Quantity = Field(description="visits that they see today")


class PolicyInput(ToolInput):
    """A payer covers a treatment for a cohort in a population: what follows."""

    treatment: TreatmentInput
    cohort: CohortSpec = Field(description="who is treated; do not restrict it to the payer")
    population: int = Field(ge=1, le=10_000_000_000, description="people of the state or plan, see population_of")
    payer: str = Field(min_length=1, max_length=60, description="medicaid, medicare, commercial, uninsured, other")
    population_of: Literal["everybody", "adults", "cohort"] = Field(
        "everybody", description="whom the population counts"
    )
    rules: tuple[CoverageRule, ...] = Field(
        (CoverageRule(),), min_length=1, max_length=6, description="the plan asked about; further ones are compared"
    )
    before: CoverageRule = Field(CoverageRule(name="no coverage", covered=0.0), description="today's rule")
    prevalence: Quantity | None = Field(None, description="share of the adults who belong to the cohort, 0–1")
    payer_share: Quantity | None = Field(None, description="share of the cohort with this payer, 0–1")
    eligible: Quantity = Field(1.0, description="share of the cohort that meets the rule, 0–1")
    start_within_year: Quantity | None = Field(None, description="share of covered people who start within a year")
    persistence: Quantity | None = Field(None, description="share still on treatment a year after starting")
    horizon_weeks: Weeks = Field(52.0, description="weeks that are counted, from the start of the rule")
    endpoint: str = Field("", max_length=60, description="endpoint id; body weight in % for obesity, else the main one")
    effect: Quantity | None = Field(
        None, description="change on treatment at the horizon in the endpoint's unit; left out: predicted from trials"
    )
    effect_without: Quantity | None = Field(None, description="the same without the drug; needs 'effect'")
    returned: Quantity | None = Field(None, description="share of the change that comes back after stopping, 0–1")
    return_half_life_weeks: Quantity | None = Field(
        None, description="weeks until half of it is back; needs 'returned'"
    )
    price_per_month: Quantity | None = Field(None, description="US$; left out: list price where a source gives it")
    rebate: Quantity | None = Field(None, description="share off the price, 0–1")
    initiation_visits: Quantity | None = Field(None, description="visits at the start")
    early_visits_per_month: Quantity | None = Field(None, description="in the first three months on treatment")
    later_visits_per_year: Quantity | None = Field(None, description="afterwards, while on treatment")
    visit_cost: Quantity | None = Field(None, description="US$ per visit")
    visit_minutes: Quantity | None = Field(None, description="of the clinician, per visit")
    utility_gain: Quantity | None = Field(
        None, description="gain of utility (0–1 scale) for each unit that the endpoint changes for the better"
    )
    threshold: float | None = Field(None, gt=0, le=1e9, description="US$ per QALY that the payer is willing to pay")
    discount_rate: float | None = Field(None, ge=0, le=1, description="per year")
    clinic: Clinic | None = None
    draws: int = Field(1000, ge=1, le=10_000)
    replicates: int = Field(4, ge=1, le=50)
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> PolicyInput:
        weeks = max(self.horizon_weeks, WEEKS_A_MONTH)
        if self.draws * self.replicates * weeks / WEEKS_A_MONTH > MAX_CELLS or self.draws * weeks > MAX_COURSE:
            raise ValueError("too many draws, replicates and months for one run; use fewer draws")
        if self.effect_without is not None and self.effect is None:
            raise ValueError("'effect_without' needs 'effect'")
        if self.return_half_life_weeks is not None and self.returned is None:
            raise ValueError("'return_half_life_weeks' needs 'returned'")
        names = [one.name.strip().lower() for one in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("each rule has its own name")
        return self


class LinkInput(Frozen):
    """A number that went into a link, and where it comes from: a source, or an assumption, or the user."""

    name: str
    value: float = Field(description="mean of the draws")
    lower: float | None = None
    upper: float | None = None
    unit: str
    source_ids: tuple[str, ...] = ()
    assumption: str = Field("", description="why it was chosen, where no source gives it")


class Link(Frozen):
    """One link of the chain."""

    title: str
    method: str
    tool: str = Field(description="whose model it is")
    inputs: tuple[LinkInput, ...] = ()
    estimate_ids: tuple[str, ...] = ()
    missing: str = Field("", description="why a figure of this link is not given, and what to give")


class DriverShare(Frozen):
    """How much of an outcome's variance one uncertain input explains."""

    outcome: str = Field(description="estimate id")
    input: str
    share: float = Field(ge=0, le=1)
    low: float = Field(description="expected outcome at the input's 5th percentile")
    high: float = Field(description="expected outcome at its 95th percentile")


class RuleOutcome(Frozen):
    """One coverage rule, against none."""

    name: str
    started: float
    visits: float
    budget: float | None = Field(description="of the payer within the horizon, US$, undiscounted; None without a price")
    qalys: float | None = Field(description="gained by starters within the horizon; None without a utility")


class PolicyResult(ToolResult):
    """The chain: uptake, response, cost-effectiveness, clinic visits."""

    treatment: str
    payer: str
    months: int
    links: tuple[Link, ...] = ()
    drivers: tuple[DriverShare, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="outcomes under the same parameter draws, for tools that carry on"
    )
