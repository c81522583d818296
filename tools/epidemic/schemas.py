"""Input and result of `simulate_epidemic`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Name = Annotated[str, Field(min_length=1, max_length=60)]
Outcome = Literal["infections", "hospitalisations", "deaths"]
MAX_PEOPLE = 10_000_000_000


class Group(Frozen):
    """One group of people: an age group, a profession, a cohort."""

    name: Name
    people: int = Field(ge=1, le=MAX_PEOPLE)
    susceptibility: float = Field(1.0, ge=0, le=100, description="relative to the other groups")
    infectivity: float = Field(1.0, ge=0, le=100, description="relative to the other groups")
    immune: Quantity = Field(0.0, description="share immune through infection at the start, 0–1")
    vaccinated: Quantity = Field(0.0, description="share vaccinated at the start, 0–1")
    hospitalised: Quantity | None = Field(None, description="share of infected, unvaccinated people, 0–1")
    died: Quantity | None = Field(None, description="share of infected, unvaccinated people, 0–1")


class Vaccine(Frozen):
    """What vaccination does, and when it is given."""

    against_infection: Quantity = Field(description="share by which susceptibility falls, 0–1 (leaky)")
    against_hospital: Quantity = Field(0.0, description="of the infected: share of hospital stays prevented, 0–1")
    against_death: Quantity = Field(0.0, description="of the infected: share of deaths prevented, 0–1")
    protection_days: Quantity | None = Field(None, description="mean; left out: protection does not wane")
    doses_per_day: int = Field(0, ge=0, le=MAX_PEOPLE, description="people vaccinated a day during the outbreak")
    start_day: int = Field(0, ge=0, le=5000)
    coverage: float = Field(1.0, ge=0, le=1, description="share of a group that takes the offer")
    order: tuple[Name, ...] = Field((), max_length=30, description="groups, first in line first; left out: all at once")


class Measure(Frozen):
    """People meet less, or protect themselves, for a time."""

    name: Name
    start_day: int = Field(ge=0, le=5000)
    end_day: int = Field(ge=0, le=5000, description="first day without it")
    contacts_kept: Quantity = Field(description="share of risky contacts that remain, 0–1")
    groups: tuple[Name, ...] = Field((), max_length=30, description="left out: everybody")

    @model_validator(mode="after")
    def _in_order(self) -> Measure:
        if self.end_day <= self.start_day:
            raise ValueError("a measure ends after it starts")
        return self


class Variant(Frozen):
    """A variant that comes from outside."""

    name: Name
    day: int = Field(ge=0, le=5000)
    cases: int = Field(10, ge=1, le=1_000_000)
    transmissibility: Quantity = Field(1.0, description="relative to the first variant")
    escape: Quantity = Field(0.0, description="share of immunity by earlier infection or vaccine that it evades, 0–1")


class Place(Frozen):
    """One place; everybody lives in one."""

    name: Name
    share: float = Field(gt=0, le=1, description="of each group's people")


class EpidemicInput(ToolInput):
    """Groups of people, an infection, and what is done about it."""

    infection: str = Field("the infection", max_length=80)
    groups: tuple[Group, ...] = Field((), max_length=20)
    population: int | None = Field(
        None, ge=1, le=MAX_PEOPLE, description="instead of groups: one group, or of a cohort"
    )
    cohort: CohortSpec | None = Field(None, description="with population: whose people these are")
    group_by: str = Field("", max_length=40, description="attribute of the cohort to make groups by, e.g. sex")
    contacts: tuple[tuple[float, ...], ...] = Field(
        (), max_length=20, description="mean daily contacts of one of the row's with the column's group"
    )
    reproduction_number: Quantity = Field(description="R0: people infected by one case when all are susceptible")
    latent_days: Quantity | None = Field(
        None, description="mean time from infection to infectiousness; 0 for SIR; without the periods: final size only"
    )
    infectious_days: Quantity | None = Field(None, description="mean infectious period")
    dispersion: Quantity | None = Field(None, description="k of the number a case infects; small: superspreading")
    immunity_days: Quantity | None = Field(None, description="mean after infection; left out: for the whole time")
    first_cases: int = Field(10, ge=0, le=10_000_000)
    first_group: str = Field("", max_length=60, description="where they are; left out: in proportion to people")
    first_place: str = Field("", max_length=60, description="left out: the first one")
    vaccine: Vaccine | None = None
    measures: tuple[Measure, ...] = Field((), max_length=20)
    variants: tuple[Variant, ...] = Field((), max_length=3)
    places: tuple[Place, ...] = Field((), max_length=12)
    mobility: tuple[tuple[float, ...], ...] = Field(
        (), max_length=12, description="share of contact time that the row's people spend in the column's place"
    )
    compare: bool = Field(True, description="also without the measures and the vaccination during the outbreak")
    protect_doses: int = Field(0, ge=0, le=MAX_PEOPLE, description="doses before the outbreak: compare who gets them")
    protect_against: Outcome = "infections"
    days: int = Field(365, ge=1, le=3650)
    draws: int = Field(100, ge=1, le=5000)
    replicates: int = Field(10, ge=1, le=2000)
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> EpidemicInput:
        if bool(self.groups) == (self.population is not None):
            raise ValueError("give groups of people, or one population")
        if self.group_by and (self.cohort is None or self.population is None):
            raise ValueError("group_by needs a cohort and a population")
        if len({one.name for one in self.groups}) < len(self.groups):
            raise ValueError("each group has its own name")
        if len({one.name for one in self.places}) < len(self.places):
            raise ValueError("each place has its own name")
        if self.places and abs(sum(one.share for one in self.places) - 1) > 1e-6:
            raise ValueError("the shares of the places sum to 1")
        if self.protect_doses and self.vaccine is None:
            raise ValueError("protect_doses needs a vaccine")
        if not self.first_cases and not self.variants:
            raise ValueError("without first cases there is no epidemic")
        if (self.latent_days is None) != (self.infectious_days is None):
            raise ValueError("give latent_days and infectious_days, both or neither")
        if not self.in_time:
            asked = {
                "measures": self.measures, "variants": self.variants, "places": self.places,
                "immunity_days": self.immunity_days, "protect_doses": self.protect_doses,
                "vaccine.doses_per_day": self.vaccine is not None and self.vaccine.doses_per_day,
            }  # fmt: skip
            named = [name for name, value in asked.items() if value]
            if named:
                raise ValueError(f"{named[0]} needs latent_days and infectious_days")
        return self

    @property
    def in_time(self) -> bool:
        """Whether the course over time can be simulated."""
        return self.latent_days is not None and self.infectious_days is not None


class EpidemicResult(ToolResult):
    """Course, size and burden of the epidemic."""

    days: int
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="mean of the runs of each draw, for tools that carry on"
    )
    protect_order: tuple[str, ...] = Field((), description="whom to protect first, the best choice first")
