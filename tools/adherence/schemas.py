"""Inputs and results of `measure_adherence` and `simulate_adherence`. Times are in days."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Name = Annotated[str, Field(min_length=1, max_length=60)]
Days = Annotated[float, Field(gt=0, le=36_525)]
MAX_RECORDS = 200_000
MAX_TIMES = 50_000


class Refill(Frozen):
    """One supply. Say when by `day` or by `date`."""

    patient: Name
    day: float | None = Field(None, ge=0, le=1e6, description="since any common start, 0 or more")
    date: datetime.date | None = None
    days_supply: float = Field(gt=0, le=3650, description="days it lasts if taken as prescribed")
    medication: str = Field("", max_length=60)
    daily_dose: float = Field(1.0, gt=0, description="prescribed doses a day, in any unit")

    @model_validator(mode="after")
    def _when(self) -> Refill:
        if (self.day is None) == (self.date is None):
            raise ValueError("give day or date")
        return self


class MeasureInput(ToolInput):
    """Refill records, and the windows to measure adherence in (days since each patient's first record)."""

    records: tuple[Refill, ...] = Field(min_length=1, max_length=MAX_RECORDS)
    followup_start: float = Field(0.0, ge=0, le=36_525)
    followup_days: Days = 730.0
    observation_start: float = Field(0.0, ge=0, le=36_525, description="days after the follow-up's start")
    observation_days: Days | None = Field(None, description="left out: to the end of the follow-up")
    carry_same_medication: bool = Field(False, description="carry oversupply to the same medication only")
    consider_dose_change: bool = Field(False, description="oversupply lasts as long as the new dose makes it last")
    permissible_gap: float = Field(90.0, ge=0, le=3650, description="days without supply that are no discontinuation")
    medication_change_ends: bool = Field(False, description="another medication ends the treatment episode")
    adherent_from: float = Field(0.8, gt=0, le=1, description="PDC from which a patient counts as adherent")
    level: float = Field(0.9, gt=0, lt=1)


class PatientAdherence(Frozen):
    """Measures of one patient; one that is not defined (for example CMA1 with a single event) is left out."""

    patient: str
    events: int
    events_in_window: int
    days_supply: float
    measures: dict[str, float]
    days_on_treatment: float
    discontinued: bool


class MeasureResult(ToolResult):
    """Means over patients, and each patient's measures."""

    patients: tuple[PatientAdherence, ...] = ()


class PersistencePoint(Frozen):
    """A published share still on treatment."""

    days: Days
    share: float = Field(gt=0, lt=1)


class TimesOnTreatment(Frozen):
    """Seen times to discontinuation, to fit a Weibull to, and a Cox model when covariates are given."""

    days: tuple[float, ...] = Field(min_length=3, max_length=MAX_TIMES, description="on treatment, above 0")
    stopped: tuple[bool, ...] = Field(min_length=3, max_length=MAX_TIMES, description="else still on when last seen")
    covariates: dict[Name, tuple[float, ...]] = Field(default_factory=dict, max_length=20)
    profile: dict[Name, float] = Field(
        default_factory=dict, description="covariates of those asked about; else the mean"
    )

    @model_validator(mode="after")
    def _fits(self) -> TimesOnTreatment:
        if any(len(values) != len(self.days) for values in (self.stopped, *self.covariates.values())):
            raise ValueError("times, stopped and each covariate are equally many")
        return self


class PersistenceGiven(Frozen):
    """Give one of: a share at a time (Weibull of this shape), shares at several times, seen times, or what is published."""

    share: Quantity | None = Field(None, description="still on treatment at at_days, 0-1")
    at_days: Days = 365.0
    shape: Quantity = Field(1.0, description="Weibull shape; below 1: most who stop do so early")
    points: tuple[PersistencePoint, ...] = Field((), max_length=100)
    times: TimesOnTreatment | None = None
    published: Literal["", "once_daily_antihypertensive"] = Field("", description="electronically monitored people")

    @model_validator(mode="after")
    def _one(self) -> PersistenceGiven:
        if sum((self.share is not None, bool(self.points), self.times is not None, bool(self.published))) != 1:
            raise ValueError("give share, points, times or published, one of them")
        return self


class Regimen(Frozen):
    """Doses a day on which the share of doses taken was seen, and those that are planned."""

    observed: Literal[1, 2, 3] = 1
    planned: Literal[1, 2, 3]


class DoseResponse(Frozen):
    """Emax curve: the prescribed dose and that of half the maximal effect, in the same unit."""

    dose: float = Field(gt=0)
    half_dose: Quantity


class SimulateInput(ToolInput):
    """A treatment begun on day 0 by a number of people."""

    treatment: str = Field("the treatment", max_length=80)
    people: int = Field(1000, ge=1, le=10_000_000_000)
    cohort: CohortSpec | None = Field(None, description="its archetype may tell persistence and doses taken")
    horizon_days: Days = 365.0
    persistence: PersistenceGiven | None = Field(None, description="left out: as the cohort, or as published")
    hazard_ratio: Quantity = Field(1.0, description="of stopping, against those the persistence was seen in")
    implementation: Quantity | None = Field(None, description="share of prescribed doses taken while on treatment, 0-1")
    implementation_sd: float | None = Field(None, ge=0, lt=0.5, description="its standard deviation between people")
    regimen: Regimen | None = Field(None, description="when more or fewer doses a day are planned than were seen")
    copay_raised: bool = Field(False, description="a copay is introduced or raised, against what was seen")
    compare_by: Literal["", "sex", "income", "cardiovascular_disease"] = ""
    group_share: Quantity | None = Field(None, description="women, low income or cardiovascular disease, 0-1")
    doses_per_day: float = Field(1.0, gt=0, le=24, description="prescribed, for the supply; weekly is 0.142857")
    pack_doses: float | None = Field(None, gt=0, le=10_000)
    dose_response: DoseResponse | None = None
    adherent_from: float = Field(0.8, gt=0, le=1)
    draws: int = Field(500, ge=1, le=10_000)
    replicates: int = Field(4, ge=1, le=50)
    level: float = Field(0.9, gt=0, lt=1)


class FittedHazard(Frozen):
    """One covariate's log hazard ratio of stopping."""

    name: str
    log_hazard_ratio: float
    standard_error: float


class SimulateResult(ToolResult):
    """Persistence, drug cover and supply."""

    fitted: tuple[FittedHazard, ...] = ()
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="expectation under each parameter draw, for tools that carry on"
    )
