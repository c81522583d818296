"""Inputs and results of `simulate_adverse_events` and `simulate_myelosuppression`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.quantities import Quantity
from tools.response.schemas import Endpoints, TreatmentInput
from tools.schemas import ToolInput, ToolResult, Weeks

Name = Annotated[str, Field(min_length=1, max_length=60)]
MAX_ROWS = 200_000


class Hazard(Frozen):
    """How often something happens: one of `risk` and `rate`."""

    risk: Quantity | None = Field(
        None, description="share of people 0-1 with it by `weeks`, if nothing else came first"
    )
    rate: Quantity | None = Field(None, description="events per 100 person-years on treatment")
    shape: float = Field(
        1.0, gt=0, le=20, description="Weibull shape: 1 constant, below 1 mostly early, above 1 mostly late"
    )

    @model_validator(mode="after")
    def _one(self) -> Hazard:
        if (self.risk is None) == (self.rate is None):
            raise ValueError("give either risk or rate")
        return self


class AdverseEvent(Hazard):
    """An adverse event, of which the first occurrence counts."""

    name: Name
    stops: Quantity = Field(0.0, description="share 0-1 of those with it who stop treatment for it")


class FromEvidence(Frozen):
    """Let the response engine say how many people have a harm."""

    cohort: CohortSpec
    treatment: TreatmentInput
    comparator: TreatmentInput | None = Field(None, description="placebo when left out")
    outcomes: Endpoints = Field(
        (),
        max_length=8,
        description="harms: endpoint ids such as nausea, vomiting, discontinuation_adverse_event; also "
        "discontinuation_gastrointestinal",
    )
    horizon_weeks: Weeks | None = Field(None, description="the follow-up most studied when left out")


class Observed(Frozen):
    """Times and causes of first events that were observed, one entry for each person."""

    times: tuple[float, ...] = Field(min_length=1, max_length=MAX_ROWS, description="in `unit`")
    causes: tuple[str, ...] = Field(
        min_length=1, max_length=MAX_ROWS, description="name of the event; '' for none so far"
    )
    at: tuple[float, ...] = Field((), max_length=50, description="times to report; the last event when left out")
    unit: str = Field("weeks", max_length=20)


class Count(Frozen):
    """So many of so many people had an event."""

    name: Name
    events: int = Field(ge=0, le=10**9)
    people: int = Field(ge=1, le=10**9)


class AdverseEventsInput(ToolInput):
    """Any of four: events with hazards, harms from the evidence, observed times, and counts."""

    people: int = Field(10_000, ge=1, le=10**10, description="size of the cohort")
    weeks: Weeks = Field(52, description="follow-up of `events`")
    events: tuple[AdverseEvent, ...] = Field((), max_length=20)
    other_stopping: Hazard | None = Field(None, description="stopping treatment for another reason")
    death: Hazard | None = Field(None, description="death on treatment")
    evidence: FromEvidence | None = None
    observed: Observed | None = None
    counts: tuple[Count, ...] = Field((), max_length=50)
    draws: int = Field(400, ge=1, le=10_000)
    replicates: int = Field(4, ge=1, le=200)
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> AdverseEventsInput:
        if not (self.events or self.evidence or self.observed or self.counts):
            raise ValueError("give events, evidence, observed or counts")
        if len({one.name for one in self.events}) < len(self.events):
            raise ValueError("each event has its own name")
        if len({one.name for one in self.counts}) < len(self.counts):
            raise ValueError("each count has its own name")
        return self


class AdverseEventsResult(ToolResult):
    """How many people have which adverse event, and what becomes of treatment."""

    people: int
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="numbers of people, one realisation per draw, for tools that carry on"
    )


class Compartments(Frozen):
    """Pharmacokinetics: one to three compartments."""

    clearance: Quantity = Field(description="litres an hour")
    volumes: tuple[Quantity, ...] = Field(min_length=1, max_length=3, description="litres, the central one first")
    exchange: tuple[Quantity, ...] = Field((), max_length=2, description="litres an hour, to each further compartment")
    absorption: Quantity | None = Field(None, description="per hour, for doses by mouth; left out: into the vein")
    available: float = Field(1.0, gt=0, le=1, description="share that is absorbed")
    clearance_sd: float = Field(0.0, ge=0, le=2, description="between patients, SD of the logarithm")


class Cells(Frozen):
    """Blood cells and the drug's effect on them; between patients as SD of the logarithm."""

    kind: Literal["neutrophils", "leukocytes"] = "neutrophils"
    baseline: Quantity = Field(description="10^9 per litre")
    transit_hours: Quantity = Field(description="mean transit time")
    feedback: Quantity = Field(description="exponent")
    slope: Quantity = Field(0.0, description="effect per unit of concentration")
    emax: Quantity = Field(0.0, description="greatest effect, for one that levels off")
    ec50: Quantity = Field(1.0, description="concentration of half that effect")
    baseline_sd: float = Field(0.0, ge=0, le=2)
    transit_sd: float = Field(0.0, ge=0, le=2)
    slope_sd: float = Field(0.0, ge=0, le=2)


class MyelosuppressionInput(ToolInput):
    """A drug given in cycles, and patients whose blood cells it lowers."""

    drug: Literal["paclitaxel", "docetaxel"] | None = Field(
        None, description="parameters that ship; else give `compartments` and `cells`"
    )
    compartments: Compartments | None = None
    cells: Cells | None = None
    dose: float = Field(gt=0, le=1e9, description="per administration, in `dose_unit`")
    dose_unit: Literal["umol", "mg"] = Field(
        "umol", description="the slope is per this unit and litre; of drugs that ship per umol, mg are converted"
    )
    infusion_hours: float | None = Field(
        None,
        ge=0,
        le=2000,
        description="0: at once; as the drug that ships is usually given when left out, else at once",
    )
    days: tuple[float, ...] = Field(
        (1,), min_length=1, max_length=40, description="days of the cycle with a dose; 1 is the first"
    )
    cycles: int = Field(1, ge=1, le=40)
    cycle_days: float = Field(21.0, gt=0, le=366)
    limits: dict[Name, float] = Field(
        default_factory=dict, max_length=10, description="10^9 per litre; CTCAE grades 3 and 4 when left out"
    )
    people: int = Field(1000, ge=1, le=10**10, description="size of the cohort")
    draws: int = Field(100, ge=1, le=2000, description="draws of uncertain parameters")
    replicates: int = Field(4, ge=1, le=200)
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> MyelosuppressionInput:
        if self.drug is None and (self.compartments is None or self.cells is None):
            raise ValueError(
                "name a drug whose parameters ship (paclitaxel, docetaxel), or give compartments and cells"
            )
        if any(day < 1 or day >= self.cycle_days + 1 for day in self.days):
            raise ValueError("days with a dose lie within the cycle, 1 is the first")
        if self.cycles * self.cycle_days > 1800:
            raise ValueError("treatment lasts at most 1800 days")
        return self


class MyelosuppressionResult(ToolResult):
    """Lowest counts of the typical patient and of the cohort."""

    cells: str
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="numbers of people below each limit, one realisation per draw"
    )
