"""Input and result of `evaluate_cost_effectiveness`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.cost_effectiveness.accounting import Compounding, Correction, Timing
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

MAX_PEOPLE, MAX_CYCLES, MAX_STATES = 10_000_000, 2000, 120
Cell = float | str
Name = Annotated[str, Field(min_length=1, max_length=80)]
Names = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")], Quantity]
Row = Annotated[tuple[Cell, ...], Field(max_length=MAX_STATES)]
Table = Annotated[tuple[Row, ...], Field(max_length=MAX_STATES)]


class Mortality(Frozen):
    """Dying with age: Gompertz's law a·exp(b·age), or a life table. Cells use it as `death(hazard_ratio)`."""

    gompertz_a: float | None = Field(None, ge=0, description="hazard at age 0, per year")
    gompertz_b: float | None = Field(None, description="rise with age, per year of age")
    ages: tuple[float, ...] = Field((), max_length=200, description="first age of each row of a life table")
    probabilities: tuple[float, ...] = Field((), max_length=200, description="probability of dying within a year")

    @model_validator(mode="after")
    def _one(self) -> Mortality:
        law = self.gompertz_a is not None and self.gompertz_b is not None
        if law == bool(self.ages):
            raise ValueError("give gompertz_a and gompertz_b, or ages and probabilities")
        return self


class Move(Frozen):
    """What one move from a state to another costs or gains, once."""

    origin: Name
    to: Name
    cost: Cell = 0.0
    qaly: Cell = 0.0


class MarkovStrategy(Frozen):
    """A strategy of a Markov model. A cell is a number or an expression in the parameters, `cycle`, `time` and `age`."""

    name: Name
    transitions: Table = Field(
        (),
        description="states × states per cycle; 'rest' takes the remainder of a row; left out: as the first strategy",
    )
    transitions_by_cycle: tuple[Table, ...] = Field(
        (), max_length=MAX_CYCLES, description="instead of transitions: one table for each cycle"
    )
    costs: Row = Field(description="of each state, per year")
    utilities: Row = Field((), description="of each state, per year; left out: as the first strategy")
    moves: tuple[Move, ...] = Field((), max_length=100)


class _StateModel(Frozen):
    """What cohort models and microsimulations share."""

    states: tuple[Name, ...] = Field(min_length=2, max_length=MAX_STATES)
    strategies: tuple[MarkovStrategy, ...] = Field(min_length=1, max_length=20)
    cycles: int = Field(ge=1, le=MAX_CYCLES)
    cycle_years: float = Field(1.0, gt=0, le=10)
    start: tuple[float, ...] = Field((), description="share in each state at time 0; left out: all in the first")
    dead: str = Field("", description="name of the state of the dead: no life years there")
    age_at_start: float = Field(0.0, ge=0, le=120, description="years; `age` in expressions counts from it")
    parameters: Names = Field(default_factory=dict, max_length=200)
    mortality: Mortality | None = None
    disability_weights: Row = Field((), description="of each state, for DALYs")
    remaining_years: Cell | None = Field(
        None, description="standard life expectancy at death, for DALYs, e.g. 'max(86 - age, 0)'"
    )

    @model_validator(mode="after")
    def _sizes(self) -> _StateModel:
        n = len(self.states)
        if len(set(self.states)) < n or len({one.name for one in self.strategies}) < len(self.strategies):
            raise ValueError("states and strategies have names of their own")
        if self.dead and self.dead not in self.states:
            raise ValueError(f"'{self.dead}' is not one of the states")
        if self.start and len(self.start) != n:
            raise ValueError("start has one share for each state")
        if self.disability_weights and len(self.disability_weights) != n:
            raise ValueError("disability_weights has one for each state")
        first = self.strategies[0]
        if not (first.transitions or first.transitions_by_cycle):
            raise ValueError("the first strategy needs transitions")
        for one in self.strategies:
            tables = one.transitions_by_cycle or ((one.transitions,) if one.transitions else ())
            if any(len(table) != n or any(len(row) != n for row in table) for table in tables):
                raise ValueError(f"transitions of {one.name}: {n} rows of {n} cells")
            if one.transitions_by_cycle and len(one.transitions_by_cycle) != self.cycles:
                raise ValueError(f"transitions_by_cycle of {one.name}: one table for each of the {self.cycles} cycles")
            if len(one.costs) != n or (one.utilities and len(one.utilities) != n):
                raise ValueError(f"costs and utilities of {one.name}: one for each state")
            if any(move.origin not in self.states or move.to not in self.states for move in one.moves):
                raise ValueError(f"moves of {one.name} go between states of the model")
        return self


class MarkovModel(_StateModel):
    """A cohort that moves between states in cycles."""

    kind: Literal["markov"] = "markov"


class Microsimulation(_StateModel):
    """People who move one by one; cells may also use `duration`, whole cycles already spent in the present state."""

    kind: Literal["microsimulation"] = "microsimulation"
    people: int = Field(20_000, ge=100, le=MAX_PEOPLE, description="simulated under each draw of the parameters")
    memory: int = Field(0, ge=0, le=500, description="longest duration told apart, cycles; 0: as many as cycles")
    frailty_sd: float = Field(0.0, ge=0, le=3, description="sd of the log hazard ratio of dying between people")


class Curve(Frozen):
    """A survival curve: parametric (parameters are cells), or points."""

    state: Name = Field(description="the state of those below this curve and above the one before")
    family: Literal["exponential", "weibull", "gompertz", "loglogistic", "lognormal", "gamma", "points"]
    first: Cell = 1.0
    second: Cell = 1.0
    times: tuple[float, ...] = Field((), max_length=2000, description="years, from 0, for points")
    shares: tuple[float, ...] = Field((), max_length=2000)


class SurvivalStrategy(Frozen):
    """Nested curves, the lowest first (progression-free, then overall); costs and utilities: one for each curve's state."""

    name: Name
    curves: tuple[Curve, ...] = Field(min_length=1, max_length=8)
    costs: Row
    utilities: Row
    start_cost: Cell = 0.0

    @model_validator(mode="after")
    def _sizes(self) -> SurvivalStrategy:
        if len(self.costs) != len(self.curves) or len(self.utilities) != len(self.curves):
            raise ValueError(f"{self.name}: one cost and one utility for each curve")
        return self


class PartitionedSurvival(Frozen):
    """Shares of a cohort between survival curves."""

    kind: Literal["partitioned_survival"] = "partitioned_survival"
    strategies: tuple[SurvivalStrategy, ...] = Field(min_length=1, max_length=20)
    cycles: int = Field(ge=1, le=MAX_CYCLES)
    cycle_years: float = Field(1 / 12, gt=0, le=10)
    parameters: Names = Field(default_factory=dict, max_length=200)


class GivenStrategy(Frozen):
    """A strategy whose cost and effect are known, or were computed elsewhere (as draws)."""

    name: Name
    cost: Quantity
    effect: Quantity


class GivenOutcomes(Frozen):
    """Costs and effects as they are; only the decision is analysed."""

    kind: Literal["outcomes"] = "outcomes"
    strategies: tuple[GivenStrategy, ...] = Field(min_length=1, max_length=50)


class Comparison(Frozen):
    """A treatment against none: yearly cost, effect and what a unit of it is worth in utility."""

    kind: Literal["comparison"] = "comparison"
    intervention: Name = "treatment"
    comparator: Name = "no treatment"
    cost_per_year: Quantity | None = Field(None, description="while on treatment; or name list_price_of")
    list_price_of: Literal["", "tirzepatide", "semaglutide"] = Field("", description="take this drug's US list price")
    other_cost_per_year: Quantity = Field(0.0, description="visits and the like; negative: saved elsewhere")
    start_cost: Quantity = 0.0
    utility_gain: Quantity | None = Field(None, description="per year at the full effect; or give effect and worth")
    effect: Quantity | None = Field(None, description="change at the full effect, e.g. -6 (kg/m2)")
    utility_per_unit: Quantity | None = Field(None, description="utility for a rise of one unit, e.g. -0.0075")
    effect_unit: Literal["", "bmi", "other"] = Field("", description="bmi: the published utility per kg/m2 is taken")
    persistence: Quantity | None = Field(None, description="share still on treatment after a year, 0–1")
    onset_years: Quantity = Field(0.0, description="until the full effect, in a straight line")
    half_life_years: Quantity = Field(0.0, description="of the effect after stopping; 0: lost at once")
    horizon_years: float = Field(1.0, gt=0, le=60)


class EventInput(Frozen):
    """A health event and what may follow it; the numbers are cells in the parameters."""

    name: Name
    probability: Cell
    lag: Cell = 0.0
    duration: Cell | None = Field(0.0, description="years of disability; null: for the rest of life")
    disability_weight: Cell = 0.0
    fatality: Cell = 0.0
    cost: Cell = Field(0.0, description="once, at the event")
    followed_by: tuple[EventInput, ...] = Field((), max_length=20)


class BurdenStrategy(Frozen):
    """A strategy with the events it leaves."""

    name: Name
    events: tuple[EventInput, ...] = Field(min_length=1, max_length=50)
    cost: Cell = 0.0


class DiseaseBurden(Frozen):
    """DALYs through cascading events; the effect is DALYs averted against the first strategy."""

    kind: Literal["burden"] = "burden"
    strategies: tuple[BurdenStrategy, ...] = Field(min_length=1, max_length=20)
    age: float = Field(ge=0, le=120)
    remaining_years: float = Field(ge=0, le=120, description="standard life expectancy at that age")
    age_weighting: float = Field(0.0, ge=0, le=1, description="K: 0 all ages alike, 1 full age weights")
    parameters: Names = Field(default_factory=dict, max_length=200)


Model = Annotated[
    MarkovModel | Microsimulation | PartitionedSurvival | GivenOutcomes | Comparison | DiseaseBurden,
    Field(discriminator="kind"),
]


class CostEffectivenessInput(ToolInput):
    """A model of cost and effect, and how to weigh them."""

    model: Model
    effect: Literal["qaly", "life_year", "daly_averted"] = "qaly"
    discount_costs: float | None = Field(None, ge=0, le=0.5, description="per year; left out: the usual US rate")
    discount_effects: float | None = Field(None, ge=0, le=0.5)
    discount_timing: Timing = Field("start", description="where in its cycle a payment is discounted")
    undiscounted_years: float = Field(0.0, ge=0, le=100)
    compounding: Compounding = "annual"
    correction: Correction | None = Field(
        None, description="within-cycle correction; left out: half_cycle for cohorts, none for microsimulations"
    )
    threshold: float | None = Field(None, ge=0, description="willingness to pay for a unit of effect")
    thresholds: tuple[float, ...] = Field((), max_length=201, description="for the acceptability curve")
    draws: int = Field(1000, ge=1, le=20_000, description="draws of the parameters")
    level: float = Field(0.9, gt=0, lt=1)
    currency: str = Field("US$", max_length=10)
    starters: tuple[Quantity, ...] = Field((), max_length=30, description="people who start each year, for the budget")
    decision_people_per_year: float | None = Field(None, ge=0, description="whom the decision concerns, for EVPI")
    decision_years: float = Field(5.0, gt=0, le=50)
    population: str = Field("the modelled cohort", max_length=200)


class StrategyOutcome(Frozen):
    """A strategy's place in the decision. Means over the draws; base case: every parameter at its value."""

    name: str
    cost: float
    effect: float
    life_years: float | None = None
    base_case_cost: float
    base_case_effect: float
    standing: str
    incremental_cost: float | None = None
    incremental_effect: float | None = None
    icer: float | None = Field(None, description="against the cheaper neighbour on the frontier")
    net_monetary_benefit: float
    probability_cost_effective: float
    probability_standard_error: float = Field(description="Monte Carlo error of the probability")
    cost_standard_error: float = Field(description="Monte Carlo error of the mean")
    effect_standard_error: float
    base_case_icer: float | None = None


class CostEffectivenessResult(ToolResult):
    """Costs, effects and the decision."""

    strategies: tuple[StrategyOutcome, ...]
    frontier: tuple[str, ...]
    threshold: float
    best: str
    evpi: float = Field(description="per person, at the threshold")
    evpi_population: float | None = None
    budget: tuple[float, ...] = Field((), description="mean additional cost in each year, against the first strategy")
    cost_draws: tuple[tuple[float, ...], ...] = Field((), description="by strategy, for tools that carry on")
    effect_draws: tuple[tuple[float, ...], ...] = ()
