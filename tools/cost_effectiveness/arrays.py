"""From cells to arrays: transitions and rewards of a state model for many draws at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.cost_effectiveness import accounting, cohorts
from tools.cost_effectiveness.daly import present_years
from tools.cost_effectiveness.mortality import gompertz_cumulative_hazard, table_cumulative_hazard
from tools.cost_effectiveness.rewards import Rewards
from tools.cost_effectiveness.schemas import Cell, MarkovStrategy, Mortality, _StateModel
from tools.expressions import FUNCTIONS, Function, evaluate

FloatArray = npt.NDArray[np.float64]
REST = "rest"
# Outcomes of a state model, in this order; yearly costs follow when a budget is asked for.
COST, QALY, LIFE_YEARS, DALY = range(4)
# More than this at once is refused: bytes of one piece's arrays.
MAX_BYTES = 400_000_000


@dataclass(frozen=True)
class Counting:
    """How rewards are counted over the points of time.

    Attributes
    ----------
    cost_begins, cost_ends, effect_begins, effect_ends : (T + 1,) discounted weights of being in a state.
    cost_moves, effect_moves, plain_moves : (T + 1,) weights of a move that ends at the point.
    plain_begins, plain_ends : undiscounted ones. cost_rate, effect_rate : yearly discount rates.
    years : calendar years to report costs for, 0 for none.
    """

    cost_begins: FloatArray
    cost_ends: FloatArray
    effect_begins: FloatArray
    effect_ends: FloatArray
    plain_begins: FloatArray
    plain_ends: FloatArray
    cost_moves: FloatArray
    effect_moves: FloatArray
    plain_moves: FloatArray
    cost_rate: float
    effect_rate: float
    years: int = 0


def count(
    cycles: int,
    cycle_years: float,
    *,
    correction: accounting.Correction,
    cost_rate: float,
    effect_rate: float,
    timing: accounting.Timing,
    undiscounted_years: float,
    compounding: accounting.Compounding,
    years: int = 0,
) -> Counting:
    """Weights for a model of `cycles` cycles (see `accounting`)."""
    weights = accounting.cycle_weights(cycles, correction)
    # Corrections that weigh points (trapezium, Simpson) weigh moves alike, as the published tutorials do.
    moved = weights if correction in ("none", "half_cycle", "simpson", "simpson_composite") else np.ones_like(weights)

    def factors(rate: float) -> FloatArray:
        return accounting.discount_factors(
            cycles, rate, cycle_years, timing=timing, undiscounted_years=undiscounted_years, compounding=compounding
        )

    cost, effect, plain = factors(cost_rate), factors(effect_rate), factors(0.0)
    return Counting(
        *accounting.point_weights(weights, cost, correction),
        *accounting.point_weights(weights, effect, correction),
        *accounting.point_weights(weights, plain, correction),
        moved * cost,
        moved * effect,
        moved * plain,
        cost_rate=cost_rate,
        effect_rate=effect_rate,
        years=years,
    )


def cell_names(
    model: _StateModel, values: Mapping[str, FloatArray]
) -> tuple[dict[str, FloatArray], dict[str, Function]]:
    """Names and functions that cells may use: parameters (D, 1), and cycle (1 … T), time and age (1, T).

    `time` and `age` are those at the beginning of the cycle.
    """
    cycles = np.arange(1, model.cycles + 1, dtype=np.float64)[None, :]
    time = (cycles - 1) * model.cycle_years
    age = model.age_at_start + time
    names = {**values, "cycle": cycles, "time": time, "age": age, "cycle_years": np.asarray(model.cycle_years)}
    functions = dict(FUNCTIONS)
    if model.mortality is not None:
        functions["death"] = _death(model.mortality, age, model.cycle_years)
    return names, functions


def _death(mortality: Mortality, age: FloatArray, years: float) -> Function:
    """death(hazard_ratio): probability of dying in the cycle, at the age of its beginning."""
    if mortality.gompertz_a is not None and mortality.gompertz_b is not None:
        hazard = gompertz_cumulative_hazard(age, years, mortality.gompertz_a, mortality.gompertz_b)
    else:
        hazard = table_cumulative_hazard(age, years, mortality.ages, mortality.probabilities)

    def death(ratio: npt.ArrayLike = 1.0) -> FloatArray:
        return np.asarray(-np.expm1(-np.asarray(ratio) * hazard))

    return death


def transition_table(
    cells: Sequence[Sequence[Cell]], names: Mapping[str, FloatArray], functions: Mapping[str, Function]
) -> FloatArray:
    """(D or 1, T or 1, S, S) checked probabilities; 'rest' is what remains of its row (InvalidInput)."""
    rows = []
    for row in cells:
        rests = [i for i, cell in enumerate(row) if isinstance(cell, str) and cell.strip() == REST]
        if len(rests) > 1:
            raise InvalidInput("A row has one 'rest' at most.")
        parts = [
            np.zeros((1, 1)) if i in rests else _two_dimensional(evaluate(cell, names, functions))
            for i, cell in enumerate(row)
        ]
        if rests:
            parts[rests[0]] = 1.0 - sum(parts, np.zeros((1, 1)))
        rows.append(parts)
    shape = np.broadcast_shapes(*(part.shape for parts in rows for part in parts))
    _bounded(shape[0] * shape[1] * len(rows) ** 2)
    table = np.stack([np.stack([np.broadcast_to(p, shape) for p in parts], -1) for parts in rows], -2)
    return cohorts.check_transitions(table)


def cell_row(cells: Sequence[Cell], names: Mapping[str, FloatArray], functions: Mapping[str, Function]) -> FloatArray:
    """(D or 1, T or 1, S) values of a row of cells."""
    parts = [_two_dimensional(evaluate(cell, names, functions)) for cell in cells]
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    _bounded(shape[0] * shape[1] * len(parts))
    return np.stack([np.broadcast_to(part, shape) for part in parts], -1)


def strategy_arrays(
    model: _StateModel,
    strategy: MarkovStrategy,
    values: Mapping[str, FloatArray],
    counting: Counting,
    tables: dict[object, FloatArray] | None = None,
) -> tuple[FloatArray, Rewards]:
    """Transitions (D or 1, T or 1, S, S) and rewards of one strategy.

    Parameters
    ----------
    values : parameters, each (D, 1).
    tables : transitions already computed from the same `values`, by their cells; the same array comes back for the same
        cells, so that strategies which share it can be told.
    """
    first = model.strategies[0]
    names, functions = cell_names(model, values)
    own = strategy if strategy.transitions or strategy.transitions_by_cycle else first
    known: dict[object, FloatArray] = {} if tables is None else tables
    key = (own.transitions, own.transitions_by_cycle)
    if key not in known:
        known[key] = _transitions(own, names, functions)
    transitions = known[key]
    length = model.cycle_years
    costs = cell_row(strategy.costs, names, functions) * length
    utilities = cell_row(strategy.utilities or first.utilities or (0.0,) * len(model.states), names, functions) * length
    alive = np.array([state != model.dead for state in model.states], dtype=np.float64)[None, None] * length
    windows = _year_windows(model, counting)
    rewards = Rewards(DALY + 1 + len(windows), model.cycles + 1, len(model.states))
    rewards.add_state(COST, costs, counting.cost_begins, counting.cost_ends)
    rewards.add_state(QALY, utilities, counting.effect_begins, counting.effect_ends)
    rewards.add_state(LIFE_YEARS, alive, counting.effect_begins, counting.effect_ends)
    _add_dalys(rewards, model, transitions, names, functions, counting)
    for year, (begins, ends, _) in enumerate(windows):
        rewards.add_state(DALY + 1 + year, costs, begins, ends)
    paid, gained = (_moves(model, strategy, field, names, functions) for field in ("cost", "qaly"))
    if paid is not None:
        rewards.add_moves(COST, transitions, paid, counting.cost_moves)
        for year, (_, _, weights) in enumerate(windows):
            rewards.add_moves(DALY + 1 + year, transitions, paid, weights)
    if gained is not None:
        rewards.add_moves(QALY, transitions, gained, counting.effect_moves)
    return transitions, rewards


def _transitions(
    strategy: MarkovStrategy, names: Mapping[str, FloatArray], functions: Mapping[str, Function]
) -> FloatArray:
    if not strategy.transitions_by_cycle:
        return transition_table(strategy.transitions, names, functions)
    each = [transition_table(table, names, functions)[:, :1] for table in strategy.transitions_by_cycle]
    draws = max(one.shape[0] for one in each)
    return np.concatenate([np.broadcast_to(one, (draws, *one.shape[1:])) for one in each], axis=1)


def _moves(
    model: _StateModel,
    strategy: MarkovStrategy,
    field: str,
    names: Mapping[str, FloatArray],
    functions: Mapping[str, Function],
) -> FloatArray | None:
    """(D or 1, T or 1, S, S) reward of each move; None when no move has one."""
    named = [(move, getattr(move, field)) for move in strategy.moves if getattr(move, field) != 0]
    if not named:
        return None
    values = [_two_dimensional(evaluate(cell, names, functions)) for _, cell in named]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    size = len(model.states)
    table = np.zeros((*shape, size, size))
    for (move, _), value in zip(named, values, strict=True):
        table[..., model.states.index(move.origin), model.states.index(move.to)] += value
    return table


def _add_dalys(
    rewards: Rewards,
    model: _StateModel,
    transitions: FloatArray,
    names: Mapping[str, FloatArray],
    functions: Mapping[str, Function],
    counting: Counting,
) -> None:
    """Years lived with disability, and years lost at each death, where the model has them."""
    size = len(model.states)
    if model.disability_weights:
        weights = cell_row(model.disability_weights, names, functions) * model.cycle_years
        rewards.add_state(DALY, weights, counting.effect_begins, counting.effect_ends)
    if model.remaining_years is not None and model.dead:
        years = _two_dimensional(evaluate(model.remaining_years, names, functions))
        rate = float(np.log1p(counting.effect_rate))
        lost = np.vectorize(lambda value: present_years(max(float(value), 0.0), rate))(years)
        dead = model.states.index(model.dead)
        table = np.zeros((*lost.shape, size, size))
        table[..., :, dead] = lost[..., None]
        table[..., dead, dead] = 0.0
        rewards.add_moves(DALY, transitions, table, counting.effect_moves)


def _year_windows(model: _StateModel, counting: Counting) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Undiscounted weights (begins, ends, moves) that keep only one calendar year's cycles, for each year."""
    year_of_cycle = np.floor(np.arange(model.cycles) * model.cycle_years + 1e-9)
    here = np.append(year_of_cycle, year_of_cycle[-1])
    left = np.concatenate([year_of_cycle[:1], year_of_cycle])
    return [
        (counting.plain_begins * (here == y), counting.plain_ends * (left == y), counting.plain_moves * (left == y))
        for y in range(counting.years)
    ]


def _two_dimensional(value: FloatArray) -> FloatArray:
    return value.reshape(1, 1) if value.ndim == 0 else value


def _bounded(numbers: int) -> None:
    if numbers * 8 > MAX_BYTES:
        raise InvalidInput(
            f"The model needs {numbers * 8 / 1e9:.1f} GB at once.",
            "Use fewer cycles or states, or let less vary by cycle.",
        )
