"""Runs a model under draws of its parameters, cut into pieces that any executor may compute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.cost_effectiveness import arrays, cohorts, daly, microsim, survival
from tools.cost_effectiveness.arrays import COST, DALY, LIFE_YEARS, QALY, Counting
from tools.cost_effectiveness.comparison import treatment_gains
from tools.cost_effectiveness.rewards import shared_totals
from tools.cost_effectiveness.schemas import (
    Comparison,
    Curve,
    DiseaseBurden,
    EventInput,
    GivenOutcomes,
    MarkovModel,
    Microsimulation,
    Model,
    PartitionedSurvival,
)
from tools.execution import Piece, pieces
from tools.expressions import FUNCTIONS, evaluate, names_in
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
# Blocks of people that a microsimulation is cut into under each draw, to tell chance from ignorance.
REPLICATES = 16
PIECE, PIECE_NUMBERS = 1000, 4_000_000
# One-way sensitivity: percentiles of an input, and the most inputs that are looked at.
ENDS, MOST_INPUTS = (5.0, 95.0), 60
# A microsimulation of more person-cycles than this is refused: it would take hours.
MAX_STEPS = 2e10


@dataclass(frozen=True)
class Job:
    """One piece of work, picklable: draws `piece.start` to `piece.stop` of a model."""

    model: Model
    counting: Counting
    values: Mapping[str, FloatArray]
    piece: Piece
    seed: int


@dataclass(frozen=True)
class Evaluated:
    """What the draws gave.

    Attributes
    ----------
    outcomes : (D, R, S, K) cost, QALYs, life years, DALYs and then yearly costs, of S strategies in R replicates.
    base : (S, K) every parameter at its value. people : simulated under each draw, 0 for models without chance.
    occupancy : by strategy (T + 1, states) shares in the base case, () for models without states.
    crossed : share of points at which survival curves crossed.
    one_way : (name, (S, K) at the lower end, (S, K) at the upper) of each uncertain input, the others at their values.
    """

    outcomes: FloatArray
    base: FloatArray
    people: int = 0
    occupancy: tuple[FloatArray, ...] = ()
    crossed: float = 0.0
    one_way: tuple[tuple[str, FloatArray, FloatArray], ...] = ()


def named_quantities(model: Model) -> dict[str, Quantity]:
    """The uncertain inputs of a model, by name."""
    if isinstance(model, GivenOutcomes):
        given: dict[str, Quantity] = {}
        for index, one in enumerate(model.strategies):
            given |= {f"cost_{index}": one.cost, f"effect_{index}": one.effect}
        return given
    if isinstance(model, Comparison):
        names = (
            "cost_per_year", "other_cost_per_year", "start_cost", "utility_gain", "effect", "utility_per_unit",
            "persistence", "onset_years", "half_life_years",
        )  # fmt: skip
        return {name: value for name in names if (value := getattr(model, name)) is not None}
    return dict(model.parameters)


def evaluate_model(model: Model, counting: Counting, draws: int, context: ToolContext) -> Evaluated:
    """All draws of a model, and its base case.

    Parameters
    ----------
    draws : as many as asked for; a model in which nothing is uncertain is evaluated once.

    Raises
    ------
    InvalidInput
        A cell that cannot be computed, probabilities out of range, or a simulation that is too large.
    """
    quantities = {name: as_uncertain(value) for name, value in named_quantities(model).items()}
    if all(value.certain for value in quantities.values()):
        draws = 1
    if isinstance(model, Microsimulation):
        steps = float(model.people) * model.cycles * len(model.strategies) * draws
        if steps > MAX_STEPS:
            raise InvalidInput(
                f"{model.people:,} people under {draws:,} draws are {steps:.1e} person-cycles.",
                "Simulate fewer people or fewer draws.",
            )
    rng = np.random.default_rng(np.random.SeedSequence(context.seed).spawn(1)[0])
    values = {name: quantity.draw(rng, draws)[:, None] for name, quantity in quantities.items()}
    points = {name: np.array([[quantity.point]]) for name, quantity in quantities.items()}
    size = max(1, min(PIECE, PIECE_NUMBERS // max(_cells(model), 1)))
    cut = pieces(draws, context.seed, size=size)
    jobs = [
        Job(model, counting, {name: rows[one.start : one.stop] for name, rows in values.items()}, one, context.seed)
        for one in cut
    ]
    context.progress(0.05, "computing costs and effects")
    parts = context.executor.map(run_job, jobs)
    context.progress(0.9, "weighing costs and effects")
    base_model = model
    if isinstance(model, Microsimulation):
        base_model = MarkovModel.model_validate(
            {**model.model_dump(exclude={"kind", "people", "memory", "frailty_sd"}), "kind": "markov"}
        ) if not _remembers(model) else model  # fmt: skip
    base_job = Job(base_model, counting, points, replace(cut[0], start=0, stop=1), context.seed)
    base = run_job(base_job)
    return Evaluated(
        outcomes=np.concatenate([part[0] for part in parts]),
        base=base[0].mean(axis=(0, 1)),
        people=model.people if isinstance(model, Microsimulation) else 0,
        occupancy=base[1],
        crossed=base[2],
        one_way=_one_way(base_job, values, [name for name, quantity in quantities.items() if not quantity.certain]),
    )


def _one_way(
    base: Job, values: Mapping[str, FloatArray], uncertain: list[str]
) -> tuple[tuple[str, FloatArray, FloatArray], ...]:
    """Outcomes with one input after the other at the ends of its interval; none for models with chance."""
    if isinstance(base.model, Microsimulation) or not 0 < len(uncertain) <= MOST_INPUTS:
        return ()
    rows = 2 * len(uncertain)
    changed = {name: np.repeat(point, rows, axis=0) for name, point in base.values.items()}
    for place, name in enumerate(uncertain):
        changed[name][2 * place : 2 * place + 2, 0] = np.percentile(values[name], ENDS)
    outcomes = run_job(replace(base, values=changed, piece=replace(base.piece, stop=rows)))[0][:, 0]
    return tuple((name, outcomes[2 * place], outcomes[2 * place + 1]) for place, name in enumerate(uncertain))


Part = tuple[FloatArray, tuple[FloatArray, ...], float]


def run_job(job: Job) -> Part:
    """Outcomes (d, R, S, K) of one piece, shares in the states, and how often survival curves crossed."""
    model = job.model
    if isinstance(model, Microsimulation):
        return _microsimulated(model, job)
    if isinstance(model, MarkovModel):
        return _markov(model, job)
    if isinstance(model, PartitionedSurvival):
        return _partitioned(model, job)
    if isinstance(model, GivenOutcomes):
        return _given(model, job)
    if isinstance(model, Comparison):
        return _compared(model, job)
    return _burden(model, job)


def _markov(model: MarkovModel, job: Job) -> Part:
    start = _start(model)
    tables: dict[object, FloatArray] = {}
    parts = [arrays.strategy_arrays(model, one, job.values, job.counting, tables) for one in model.strategies]
    totals = np.zeros((job.piece.size, len(parts), parts[0][1].outcomes))
    for transitions in tables.values():
        sharing = [place for place, (own, _) in enumerate(parts) if own is transitions]
        for place, total in zip(
            sharing, shared_totals(start, transitions, [parts[p][1] for p in sharing]), strict=True
        ):
            totals[:, place] = total
    shares: tuple[FloatArray, ...] = ()
    if job.piece.size == 1:
        shares = tuple(cohorts.cohort_trace(start, transitions[0], model.cycles) for transitions, _ in parts)
    return totals[:, None], shares, 0.0


def _microsimulated(model: Microsimulation, job: Job) -> Part:
    start = _start(model)
    dead = model.states.index(model.dead) if model.dead else -1
    block = model.people // REPLICATES
    sizes = [block] * (REPLICATES - 1) + [model.people - block * (REPLICATES - 1)]
    memory = (model.memory or model.cycles) if _remembers(model) else 1
    rows, shares = [], [np.zeros((model.cycles + 1, len(model.states))) for _ in model.strategies]
    for draw in range(job.piece.size):
        seed = (job.seed * 1_000_003 + job.piece.start + draw) % 2**63
        luck = np.random.default_rng([job.seed, job.piece.start + draw])
        frailty = np.exp(model.frailty_sd * luck.standard_normal(model.people)) if model.frailty_sd else np.ones(1)
        replicates = np.zeros((REPLICATES, len(model.strategies), DALY + 1 + job.counting.years))
        values = {name: rows_[draw : draw + 1] for name, rows_ in job.values.items()}
        for place in range(len(model.strategies)):
            steps, rewards = _with_memory(model, place, values, job.counting, memory)
            first = 0
            for replicate, people in enumerate(sizes):
                own = frailty[first : first + people] if model.frailty_sd else frailty
                simulated = microsim.simulate_people(
                    people, start, steps, rewards, seed=seed, first=first, dead=dead, frailty=own
                )
                replicates[replicate, place] = simulated.mean
                shares[place] += simulated.occupancy / (model.people * job.piece.size)
                first += people
        rows.append(replicates)
    return np.stack(rows), tuple(shares), 0.0


def _with_memory(
    model: Microsimulation, place: int, values: Mapping[str, FloatArray], counting: Counting, memory: int
) -> tuple[FloatArray, FloatArray]:
    """Transitions (T or 1, U, S, S) and rewards (K, T + 1, U, S) for durations 0 … U − 1 in the present state."""
    steps, rewards = [], []
    for duration in range(memory):
        named = {**values, "duration": np.array([[float(duration)]])} if memory > 1 else values
        transitions, reward = arrays.strategy_arrays(model, model.strategies[place], named, counting)
        steps.append(transitions[0])
        rewards.append(reward.dense()[0])
    return np.stack(steps, axis=1), np.stack(rewards, axis=2)


def _remembers(model: Microsimulation) -> bool:
    """A cell of a strategy uses `duration`."""
    cells: list[object] = []
    for one in model.strategies:
        tables = (one.transitions, *one.transitions_by_cycle)
        cells += [cell for table in tables for row in table for cell in row]
        cells += [*one.costs, *one.utilities, *(cell for move in one.moves for cell in (move.cost, move.qaly))]
    return any(isinstance(cell, str) and "duration" in names_in(cell) for cell in cells)


def _start(model: MarkovModel | Microsimulation) -> FloatArray:
    shares = model.start or (1.0,) + (0.0,) * (len(model.states) - 1)
    return cohorts.check_start(shares, len(model.states))


def _partitioned(model: PartitionedSurvival, job: Job) -> Part:
    times = np.arange(model.cycles + 1, dtype=np.float64) * float(model.cycle_years)
    found, occupancy, crossings = [], [], []
    for strategy in model.strategies:
        curves = [_curve(curve, times, job.values) for curve in strategy.curves]
        shares, crossed = survival.partition(curves)
        crossings.append(crossed)
        counting = job.counting
        costs = _row(strategy.costs, job.values) * model.cycle_years
        utilities = _row(strategy.utilities, job.values) * model.cycle_years
        living = shares[..., :-1]
        once = evaluate(strategy.start_cost, job.values)
        windows = _windows(model, counting)
        cost_points = (living * costs).sum(axis=-1)
        columns = [
            cost_points @ (counting.cost_begins + counting.cost_ends) + np.ravel(once),
            (living * utilities).sum(axis=-1) @ (counting.effect_begins + counting.effect_ends),
            living.sum(axis=-1) @ (counting.effect_begins + counting.effect_ends) * model.cycle_years,
            np.zeros(1),
            *((cost_points @ w) + (np.ravel(once) if year == 0 else 0.0) for year, w in enumerate(windows)),
        ]
        found.append(np.stack([np.broadcast_to(np.ravel(column), (job.piece.size,)) for column in columns], axis=1))
        occupancy.append(shares.reshape(-1, *shares.shape[-2:])[0])
    return np.stack(found, axis=1)[:, None], tuple(occupancy), max(crossings)


def _windows(model: PartitionedSurvival, counting: Counting) -> list[FloatArray]:
    year = np.floor(np.minimum(np.arange(model.cycles + 1), model.cycles - 1) * model.cycle_years + 1e-9)
    return [(counting.plain_begins + counting.plain_ends) * (year == y) for y in range(counting.years)]


def _curve(curve: Curve, times: FloatArray, values: Mapping[str, FloatArray]) -> FloatArray:
    if curve.family == "points":
        return survival.read_off(curve.times, curve.shares, times)[None, :]
    first, second = evaluate(curve.first, values), evaluate(curve.second, values)
    return survival.survival(curve.family, times[None, :], np.atleast_2d(first), np.atleast_2d(second))


def _row(cells: tuple[float | str, ...], values: Mapping[str, FloatArray]) -> FloatArray:
    """(D or 1, 1, S)."""
    parts = [np.atleast_2d(evaluate(cell, values)) for cell in cells]
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    return np.stack([np.broadcast_to(part, shape) for part in parts], axis=-1)


def _given(model: GivenOutcomes, job: Job) -> Part:
    rows = [
        np.stack([job.values[f"cost_{i}"][:, 0], job.values[f"effect_{i}"][:, 0]], axis=1)
        for i in range(len(model.strategies))
    ]
    known = np.stack(rows, axis=1)
    effect = known[..., QALY : QALY + 1]
    return np.concatenate([known, effect, -effect], axis=-1)[:, None], (), 0.0


def _compared(model: Comparison, job: Job) -> Part:
    values = {name: rows[:, 0] for name, rows in job.values.items()}
    gain = values["utility_gain"] if "utility_gain" in values else values["effect"] * values["utility_per_unit"]
    gains = treatment_gains(
        cost_per_year=values["cost_per_year"] + values["other_cost_per_year"],
        start_cost=values["start_cost"],
        utility_gain=gain,
        persistence=values["persistence"],
        onset_years=values["onset_years"],
        half_life_years=values["half_life_years"],
        horizon_years=model.horizon_years,
        discount_costs=job.counting.cost_rate,
        discount_effects=job.counting.effect_rate,
    )
    treated = np.zeros((job.piece.size, DALY + 1 + job.counting.years))
    treated[:, COST], treated[:, QALY] = gains.cost, gains.qaly
    treated[:, LIFE_YEARS], treated[:, DALY] = gains.treatment_years, -gains.qaly
    span = min(job.counting.years, gains.cost_by_year.shape[1])
    treated[:, DALY + 1 : DALY + 1 + span] = gains.cost_by_year[:, :span]
    return np.stack([np.zeros_like(treated), treated], axis=1)[:, None], (), 0.0


def _burden(model: DiseaseBurden, job: Job) -> Part:
    scheme = daly.Weighting(float(np.log1p(job.counting.effect_rate)), model.age_weighting)
    rows = np.zeros((job.piece.size, 1, len(model.strategies), DALY + 1 + job.counting.years))
    for draw in range(job.piece.size):
        values = {name: column[draw] for name, column in job.values.items()}
        for place, strategy in enumerate(model.strategies):
            events = [_event(one, values) for one in strategy.events]
            burden = daly.cascade(events, model.age, model.remaining_years, scheme)
            cost = _cell(strategy.cost, values) + sum(
                _event_cost(one, values, 1.0, 0.0, job.counting.cost_rate) for one in strategy.events
            )
            rows[draw, 0, place, : DALY + 1] = cost, -burden.daly, -burden.yll, burden.daly
    return rows, (), 0.0


def _cell(cell: float | str, values: Mapping[str, FloatArray]) -> float:
    return float(np.ravel(evaluate(cell, values, FUNCTIONS))[0])


def _event(one: EventInput, values: Mapping[str, FloatArray]) -> daly.Event:
    return daly.Event(
        name=one.name,
        probability=_cell(one.probability, values),
        lag=_cell(one.lag, values),
        duration=math.inf if one.duration is None else _cell(one.duration, values),
        disability_weight=_cell(one.disability_weight, values),
        fatality=_cell(one.fatality, values),
        followed_by=tuple(_event(child, values) for child in one.followed_by),
    )


def _event_cost(one: EventInput, values: Mapping[str, FloatArray], chance: float, before: float, rate: float) -> float:
    """Expected discounted cost of an event and of those that follow it."""
    chance *= _cell(one.probability, values)
    onset = before + _cell(one.lag, values)
    lives = chance * (1 - _cell(one.fatality, values))
    own: float = chance * _cell(one.cost, values) / (1 + rate) ** onset
    return own + sum(_event_cost(child, values, lives, onset, rate) for child in one.followed_by)


def _cells(model: Model) -> int:
    """Numbers that one draw of one strategy needs."""
    if isinstance(model, (MarkovModel, Microsimulation)):
        return model.cycles * len(model.states) * (len(model.states) + 6)
    if isinstance(model, PartitionedSurvival):
        return model.cycles * 12
    if isinstance(model, Comparison):
        return int(model.horizon_years * 104) * 6
    return 1
