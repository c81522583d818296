"""Input and result of `forecast_population`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Name = Annotated[str, Field(min_length=1, max_length=60)]
MAX_ROWS = 200_000


class State(Frozen):
    """A state of health or treatment."""

    name: Name
    people: Quantity = Field(0.0, description="in it at the beginning")
    new_per_year: Quantity = Field(0.0, description="new cases a year who start here")
    stage: str = Field("", max_length=40, description="e.g. early, advanced; counts are added up by stage")
    line: str = Field("", max_length=40, description="line of therapy, e.g. first; counts are added up by line")
    dead: bool = Field(False, description="left out of prevalence")


class Move(Frozen):
    """People move from one state to another at a rate."""

    source: Name
    target: Name
    rate: Quantity = Field(description="per person-year in the source state")


class Stay(Frozen):
    """The same, said as a mean stay and where people go: for success and failure of a line of therapy."""

    state: Name
    mean_years: Quantity = Field(description="mean time in the state, all exits together")
    goes_to: dict[Name, Quantity] = Field(min_length=1, max_length=20, description="share to each state; sums to 1")


class Change(Frozen):
    """From a year on, a rate or new cases are multiplied: a new treatment, screening, ageing."""

    from_year: int = Field(ge=1, le=100, description="1 is the first year of the forecast")
    until_year: int | None = Field(None, ge=1, le=100, description="last year of it; left out: to the end")
    source: str = Field("", max_length=60, description="state that people leave; left out: new cases")
    target: str = Field("", max_length=60, description="state they go to, or where new cases start; left out: all")
    factor: Quantity = Field(description="multiplies; 1 changes nothing")


class Resource(Frozen):
    """What care needs: by person-year in a state, and by entry into a state."""

    name: Name
    unit: str = Field("units", max_length=40)
    per_person_year: dict[Name, Quantity] = Field(default_factory=dict, max_length=30, description="by state")
    per_entry: dict[Name, Quantity] = Field(default_factory=dict, max_length=30, description="by state entered")
    available_per_year: float | None = Field(None, gt=0, description="to say in which year it no longer suffices")


class Panel(Frozen):
    """People seen in states at some times, to fit the rates to (the order of `states`)."""

    subject: tuple[int, ...] = Field(max_length=MAX_ROWS)
    time: tuple[float, ...] = Field(max_length=MAX_ROWS, description="years")
    state: tuple[str, ...] = Field(max_length=MAX_ROWS, description="names of states")
    moves: tuple[tuple[Name, Name], ...] = Field(min_length=1, max_length=60, description="direct moves there are")
    exact: tuple[Name, ...] = Field((), max_length=10, description="states whose entry time is known exactly")


class PopulationInput(ToolInput):
    """States, how people move between them, and what care they need."""

    condition: str = Field("the condition", max_length=80)
    states: tuple[State, ...] = Field(min_length=2, max_length=30)
    moves: tuple[Move, ...] = Field((), max_length=200)
    stays: tuple[Stay, ...] = Field((), max_length=30)
    panel: Panel | None = None
    changes: tuple[Change, ...] = Field((), max_length=50)
    resources: tuple[Resource, ...] = Field((), max_length=20)
    years: int = Field(10, ge=1, le=60)
    show: Literal["states", "stages", "lines"] = Field("states", description="what the chart shows")
    draws: int = Field(200, ge=1, le=10_000)
    replicates: int = Field(4, ge=1, le=200)
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> PopulationInput:
        if len({one.name for one in self.states}) < len(self.states):
            raise ValueError("each state has its own name")
        if not (self.moves or self.stays or self.panel):
            raise ValueError("say how people move: moves, stays or panel data to fit")
        return self


class FittedRate(Frozen):
    """One rate fitted to panel data."""

    source: str
    target: str
    rate: float
    lower: float
    upper: float


class PopulationResult(ToolResult):
    """Counts, events and need for care by year."""

    years: int
    fitted: tuple[FittedRate, ...] = ()
    log_likelihood: float | None = None
    draws: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, description="one realisation per draw in the last year, for tools that carry on"
    )
