"""Input and result of `forecast_uptake`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Name = Annotated[str, Field(min_length=1, max_length=60)]
MAX_CHOICES = 20_000


class PayerRule(Frozen):
    """Coverage by one payer. Payers that are not named are left out of the forecast."""

    payer: Name = Field(description="as the cohort's payer attribute: medicaid, medicare, commercial, uninsured, other")
    covered: Quantity = Field(description="share of its eligible people for whom it pays under the plan, 0–1")
    covered_before: Quantity = Field(0.0, description="the same without the plan")
    share: Quantity | None = Field(None, description="of the cohort with this payer; left out: as the cohort")
    copay: Quantity | None = Field(None, description="US$ per month; left out: as where the starting share was seen")
    copay_before: Quantity | None = None
    approved: Quantity = Field(1.0, description="share of requests that prior authorisation grants, 0–1")
    start_within_year: Quantity | None = Field(None, description="share of covered people who start in a year")
    persistence: Quantity | None = Field(None, description="share still on treatment after a year")


class Diffusion(Frozen):
    """Bass diffusion among the covered: coefficients a year, or counts to fit them to."""

    p: Quantity | None = Field(None, description="innovation, per year")
    q: Quantity | None = Field(None, description="imitation, per year")
    market: Quantity = Field(1.0, description="share of the covered, or people, who adopt in the end")
    adopters: tuple[float, ...] = Field((), max_length=500, description="in consecutive years since launch, to fit to")
    market_known: bool = Field(False, description="fit p and q only, with `market` people")
    years: float = Field(10.0, gt=0, le=100, description="to show")

    @model_validator(mode="after")
    def _one(self) -> Diffusion:
        if (self.p is None) != (self.q is None) or (self.p is None) == (not self.adopters):
            raise ValueError("give p and q, or adopters to fit them to")
        return self


class Option(Frozen):
    """One thing that people may choose, before and after a change."""

    name: Name
    attributes: dict[Name, float] = Field(max_length=40, description="what is not named is 0")
    attributes_after: dict[Name, float] | None = Field(None, description="left out: unchanged")
    available: bool = True
    available_after: bool = True


class Coefficient(Frozen):
    """Utility of one unit of an attribute; `sd` between people makes the logit a mixed one."""

    attribute: Name
    mean: Quantity
    sd: float = Field(0.0, ge=0)


class ChoiceData(Frozen):
    """Choices to fit coefficients to."""

    attributes: tuple[Name, ...] = Field(min_length=1, max_length=40)
    values: tuple[tuple[tuple[float, ...], ...], ...] = Field(
        max_length=MAX_CHOICES, description="choices × options × attributes"
    )
    chosen: tuple[int, ...] = Field(max_length=MAX_CHOICES, description="position of the option taken, from 0")
    available: tuple[tuple[bool, ...], ...] = Field((), max_length=MAX_CHOICES)
    random: tuple[Name, ...] = Field((), max_length=6, description="attributes whose coefficient varies")
    person: tuple[int, ...] = Field((), max_length=MAX_CHOICES, description="who made each choice")


class Choice(Frozen):
    """A logit: options and coefficients, given or fitted to `data`."""

    options: tuple[Option, ...] = Field((), max_length=20)
    coefficients: tuple[Coefficient, ...] = Field((), max_length=40)
    cost: str = Field("", description="the attribute that is money, for consumer surplus")
    data: ChoiceData | None = None

    @model_validator(mode="after")
    def _something(self) -> Choice:
        if not self.data and (len(self.options) < 2 or not self.coefficients):
            raise ValueError("give two options or more with coefficients, or data to fit")
        if self.data and self.coefficients:
            raise ValueError("give coefficients or data, not both")
        return self


class UptakeInput(ToolInput):
    """Who may be treated, who pays, and how uptake spreads. At least one of population, diffusion and choice."""

    treatment: str = Field("the treatment", max_length=80)
    population: int | None = Field(None, ge=1, le=10_000_000_000, description="people, see population_of")
    population_of: Literal["everybody", "adults", "cohort"] = Field(
        "everybody", description="whom the population counts: all ages, adults, or only the cohort itself"
    )
    cohort: CohortSpec | None = Field(None, description="who is treated; tells prevalence and payers")
    prevalence: Quantity | None = Field(None, description="share of the adults who belong to the cohort, 0–1")
    eligible: Quantity = Field(1.0, description="share of the cohort that meets the rule of coverage, 0–1")
    payers: tuple[PayerRule, ...] = Field((), max_length=10)
    diffusion: Diffusion | None = None
    promotion: Quantity = Field(1.0, description="odds ratio of starting under promotion; 1: none")
    persistence_shape: float = Field(1.0, gt=0, le=5, description="below 1: most who stop do so early")
    months: int = Field(12, ge=1, le=240)
    access_by: str = Field(
        "", max_length=40, description="attribute of the cohort to compare access by, e.g. ethnicity"
    )
    choice: Choice | None = None
    draws: int = Field(500, ge=1, le=10_000)
    replicates: int = Field(4, ge=1, le=50)
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _something(self) -> UptakeInput:
        if self.population is None and self.diffusion is None and self.choice is None:
            raise ValueError("give a population with payers, a diffusion or a choice")
        if self.population is not None and not self.payers:
            raise ValueError("name the payers and what they cover")
        if len({rule.payer.lower() for rule in self.payers}) < len(self.payers):
            raise ValueError("a payer is named once")
        return self


class FittedCoefficient(Frozen):
    """One coefficient of a fitted logit or diffusion curve."""

    name: str
    value: float
    standard_error: float


class GroupAccess(Frozen):
    """Access of one group of the cohort, under the plan and before."""

    group: str
    share_of_cohort: float
    covered: float
    covered_before: float


class UptakeResult(ToolResult):
    """Counts over time, diffusion and choice shares."""

    months: int = 0
    access: tuple[GroupAccess, ...] = ()
    fitted: tuple[FittedCoefficient, ...] = ()
    log_likelihood: float | None = None
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="one realisation per draw, for tools that carry on"
    )
