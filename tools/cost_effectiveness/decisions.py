"""From costs and effects to a decision: dominance, ICERs, net benefit, acceptability, value of information, budget.

Frontier: strong dominance, then extended dominance until none is left (Johannesson & Weinstein 1993, Journal of Health
Economics). Acceptability curves and frontier: Fenwick, Claxton & Sculpher 2001 (Health Economics). Value of information:
Claxton 1999 (Journal of Health Economics).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


class Standing(StrEnum):
    """What the frontier says of a strategy."""

    FRONTIER = "on the frontier"
    DOMINATED = "dominated"
    EXTENDED = "extendedly dominated"


@dataclass(frozen=True)
class FrontierRow:
    """One strategy; `incremental_*` and `icer` compare with the cheaper neighbour on the frontier, None without one."""

    index: int
    cost: float
    effect: float
    standing: Standing
    incremental_cost: float | None = None
    incremental_effect: float | None = None
    icer: float | None = None


def _pairs(cost: npt.ArrayLike, effect: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    costs, effects = np.asarray(cost, dtype=np.float64), np.asarray(effect, dtype=np.float64)
    if costs.ndim != 1 or costs.shape != effects.shape or costs.size == 0:
        raise InvalidInput("Give one cost and one effect for each strategy.")
    if not (np.isfinite(costs).all() and np.isfinite(effects).all()):
        raise InvalidInput("A cost or an effect is not a number.")
    return costs, effects


def frontier(cost: npt.ArrayLike, effect: npt.ArrayLike) -> list[FrontierRow]:
    """Cost-effectiveness frontier of K strategies, in the order given.

    A strategy is dominated when another costs no more and does no less, one of them strictly (of equals the first one
    stays). It is extendedly dominated when its ICER is above that of the next more effective one, checked anew after
    each removal. Strategies exactly on the line between two others stay.

    Parameters
    ----------
    cost, effect : (K,) mean cost and effect, more effect being better (give DALYs as averted DALYs).
    """
    costs, effects = _pairs(cost, effect)
    standing = [Standing.FRONTIER] * len(costs)
    for i in range(len(costs)):
        for j in range(len(costs)):
            no_worse = costs[j] <= costs[i] and effects[j] >= effects[i]
            strictly = costs[j] < costs[i] or effects[j] > effects[i]
            if i != j and no_worse and (strictly or j < i):
                standing[i] = Standing.DOMINATED
    left = sorted((i for i in range(len(costs)) if standing[i] is Standing.FRONTIER), key=lambda i: costs[i])
    position = 1
    while position < len(left) - 1:
        before, here, after = left[position - 1 : position + 2]
        here_slope = (costs[here] - costs[before]) * (effects[after] - effects[here])
        next_slope = (costs[after] - costs[here]) * (effects[here] - effects[before])
        if here_slope > next_slope * (1 + 1e-12):
            standing[here] = Standing.EXTENDED
            left.pop(position)
            position = max(position - 1, 1)
        else:
            position += 1
    rows = []
    for i in range(len(costs)):
        place = left.index(i) if i in left else 0
        if place == 0:
            rows.append(FrontierRow(i, float(costs[i]), float(effects[i]), standing[i]))
            continue
        more_cost, more = float(costs[i] - costs[left[place - 1]]), float(effects[i] - effects[left[place - 1]])
        rows.append(FrontierRow(i, float(costs[i]), float(effects[i]), standing[i], more_cost, more, more_cost / more))
    return rows


def icer(incremental_cost: float, incremental_effect: float) -> float:
    """Incremental cost-effectiveness ratio of two strategies (InvalidInput when their effects do not differ)."""
    if incremental_effect == 0:
        raise InvalidInput("Two strategies of equal effect have no cost-effectiveness ratio.", "Compare their costs.")
    return incremental_cost / incremental_effect


def net_monetary_benefit(cost: npt.ArrayLike, effect: npt.ArrayLike, threshold: npt.ArrayLike) -> FloatArray:
    """Threshold × effect − cost; the arrays broadcast."""
    return np.asarray(np.asarray(threshold) * np.asarray(effect) - np.asarray(cost), dtype=np.float64)


def net_health_benefit(cost: npt.ArrayLike, effect: npt.ArrayLike, threshold: float) -> FloatArray:
    """Effect − cost / threshold (InvalidInput at a threshold of 0)."""
    if not threshold > 0:
        raise InvalidInput("Net health benefit needs a threshold above 0.")
    return np.asarray(np.asarray(effect) - np.asarray(cost) / threshold, dtype=np.float64)


@dataclass(frozen=True)
class Acceptability:
    """Decision uncertainty over L thresholds and K strategies.

    Attributes
    ----------
    thresholds : (L,). probability : (L, K) share of draws in which a strategy has the highest net benefit (ties shared).
    expected_benefit : (L, K) mean net monetary benefit. best : (L,) strategy with the highest.
    frontier : (L,) probability that the best one is right. expected_loss : (L, K). evpi : (L,) per person.
    standard_error : (L, K) Monte Carlo error of `probability`; evpi_error : (L,) of `evpi`.
    """

    thresholds: FloatArray
    probability: FloatArray
    expected_benefit: FloatArray
    best: npt.NDArray[np.int64]
    frontier: FloatArray
    expected_loss: FloatArray
    evpi: FloatArray
    standard_error: FloatArray
    evpi_error: FloatArray


def acceptability(cost: npt.ArrayLike, effect: npt.ArrayLike, thresholds: npt.ArrayLike) -> Acceptability:
    """Acceptability curves and frontier, expected loss and EVPI.

    Parameters
    ----------
    cost, effect : (D, K) outcome of each draw and strategy. thresholds : (L,) willingness to pay for a unit of effect.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, a value that is not a number, or a negative threshold.
    """
    costs, effects = np.asarray(cost, dtype=np.float64), np.asarray(effect, dtype=np.float64)
    levels = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if costs.ndim != 2 or costs.shape != effects.shape or costs.size == 0:
        raise InvalidInput("Costs and effects are tables of the same size: a row for each draw, a column a strategy.")
    if not (
        np.isfinite(costs).all() and np.isfinite(effects).all() and np.isfinite(levels).all() and (levels >= 0).all()
    ):
        raise InvalidInput("Costs and effects are numbers, and thresholds numbers of 0 or more.")
    draws, strategies = costs.shape
    shape = (len(levels), strategies)
    probability, benefit, loss = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    evpi, evpi_error = np.zeros(len(levels)), np.zeros(len(levels))
    for row, level in enumerate(levels):
        values = level * effects - costs
        top = values.max(axis=1)
        wins = values >= top[:, None]
        probability[row] = (wins / wins.sum(axis=1, keepdims=True)).mean(axis=0)
        benefit[row] = values.mean(axis=0)
        best = int(benefit[row].argmax())
        loss[row] = top.mean() - benefit[row]
        lost = top - values[:, best]
        evpi[row] = lost.mean()
        evpi_error[row] = lost.std(ddof=1) / draws**0.5 if draws > 1 else 0.0
    best = benefit.argmax(axis=1)
    return Acceptability(
        thresholds=levels,
        probability=probability,
        expected_benefit=benefit,
        best=best,
        frontier=probability[np.arange(len(levels)), best],
        expected_loss=loss,
        evpi=evpi,
        standard_error=np.sqrt(probability * (1 - probability) / draws),
        evpi_error=evpi_error,
    )


def population_evpi(evpi: float, yearly: float, years: float, rate: float) -> float:
    """EVPI of everyone the decision concerns: `yearly` people in each of `years`, discounted at `rate` (annual)."""
    if yearly < 0 or years < 0:
        raise InvalidInput("People and years are not negative.")
    whole = np.arange(int(np.ceil(years)))
    share = np.minimum(years - whole, 1.0)
    return float(evpi * yearly * (share / (1 + rate) ** whole).sum())


def budget_impact(cost_by_year: npt.ArrayLike, starters: npt.ArrayLike) -> FloatArray:
    """(…, Y) undiscounted cost in each calendar year.

    Parameters
    ----------
    cost_by_year : (…, C) additional cost of one person in the first, second … year after starting.
    starters : (…, Y) people who start in each calendar year; leading axes broadcast against those of the cost.

    Undiscounted, as the budget holder pays it (ISPOR good practice: Sullivan et al 2014, Value in Health).
    """
    costs, people = np.asarray(cost_by_year, dtype=np.float64), np.asarray(starters, dtype=np.float64)
    if people.ndim < 1 or not np.isfinite(people).all() or (people < 0).any() or costs.shape[-1] < 1:
        raise InvalidInput("Give the people who start in each year, none of them negative.")
    years = people.shape[-1]
    total = np.zeros((*np.broadcast_shapes(costs.shape[:-1], people.shape[:-1]), years))
    for begin in range(years):
        span = min(costs.shape[-1], years - begin)
        total[..., begin : begin + span] += people[..., begin : begin + 1] * costs[..., :span]
    return total
