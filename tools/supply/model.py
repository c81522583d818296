"""Exact ordering rules and their cost. Costs per unit and period, demand in units per period, unless said otherwise.

Arrow, Harris and Marschak 1951 (newsvendor); Zheng and Federgruen 1991 (s, S); Federgruen and Zheng 1992 (r, Q); textbook: Snyder and
Shen, Fundamentals of Supply Chain Theory. Lots are in `lots`, perishables in `perishable`; both are found here too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from knowledge.errors import InvalidInput
from tools.supply.basics import Rule, positive
from tools.supply.lots import (
    eoq,
    eoq_with_backorders,
    eoq_with_disruptions,
    eoq_with_disruptions_cost,
    production_quantity,
    wagner_whitin,
)
from tools.supply.perishable import PerishablePlan, order_table, perishable_orders

FloatArray = npt.NDArray[np.float64]
MAX_LEVEL = 200_000
TAIL = 1e-15
__all__ = [
    "PerishablePlan", "Rule", "base_stock_cost", "base_stock_with_disruptions", "demand_over", "eoq", "eoq_with_backorders",
    "eoq_with_disruptions", "eoq_with_disruptions_cost", "negative_binomial_pmf", "newsvendor", "newsvendor_normal",
    "newsvendor_poisson", "order_table", "perishable_orders", "poisson_pmf", "production_quantity", "r_q_cost", "r_q_optimal",
    "rounded_gamma_pmf", "s_s_cost", "s_s_optimal", "wagner_whitin",
]  # fmt: skip


def _pmf(pmf: npt.ArrayLike) -> FloatArray:
    given = np.asarray(pmf, dtype=np.float64)
    if given.ndim != 1 or given.size == 0 or not np.isfinite(given).all() or (given < 0).any():
        raise InvalidInput("Probabilities of demand are numbers of 0 or more, for 0, 1, 2 … units.")
    if abs(given.sum() - 1) > 1e-6:
        raise InvalidInput(f"The probabilities of demand add up to {given.sum():.6g}, not to one.")
    return np.asarray(given / given.sum())


def poisson_pmf(mean: float) -> FloatArray:
    """Probabilities of 0, 1, 2 … units, until what remains no longer matters."""
    positive(mean=mean)
    top = int(stats.poisson.isf(TAIL, mean)) + 2
    if top > MAX_LEVEL:
        raise InvalidInput(f"A mean demand of {mean:g} is too large for an exact calculation.", "Count in packs.")
    return np.asarray(stats.poisson.pmf(np.arange(top), mean))


def negative_binomial_pmf(mean: float, variance: float) -> FloatArray:
    """The same of a negative binomial; its variance lies above its mean."""
    positive(mean=mean)
    if not variance > mean:
        raise InvalidInput("The variance of a negative binomial lies above its mean.")
    size, share = mean**2 / (variance - mean), mean / variance
    top = int(stats.nbinom.isf(TAIL, size, share)) + 2
    if top > MAX_LEVEL:
        raise InvalidInput("Demand is too large for an exact calculation.", "Count in packs.")
    return np.asarray(stats.nbinom.pmf(np.arange(top), size, share))


def rounded_gamma_pmf(mean: float, cv: float) -> FloatArray:
    """The same of a gamma rounded to whole units: P(0) up to 0.5, P(1) from 0.5 to 1.5 and so on."""
    positive(mean=mean, cv=cv)
    shape, scale = 1 / cv**2, mean * cv**2
    top = int(stats.gamma.isf(TAIL, shape, scale=scale)) + 2
    if top > MAX_LEVEL:
        raise InvalidInput("Demand is too large for an exact calculation.", "Count in packs.")
    edges = np.concatenate([[0.0], np.arange(top) + 0.5])
    return np.asarray(np.diff(stats.gamma.cdf(edges, shape, scale=scale)))


def demand_over(pmf: npt.ArrayLike, periods: int) -> FloatArray:
    """Distribution of the demand of several independent periods."""
    single = _pmf(pmf)
    if periods < 1 or single.size * periods > MAX_LEVEL:
        raise InvalidInput("The demand of so many periods cannot be computed exactly.")
    total = single
    for _ in range(periods - 1):
        total = np.convolve(total, single)
    return total


def newsvendor_normal(
    holding_cost: float, shortage_cost: float, demand_mean: float, demand_sd: float, lead_time: int = 0
) -> Rule:
    """Best base stock for normal demand: S = μ + z·σ at p / (p + h), cost (h + p)·σ·φ(z).

    Parameters
    ----------
    holding_cost, shortage_cost : per unit left over or short at the end of a period. lead_time : periods; the stock then covers
        the demand of lead time + 1 periods.

    Raises
    ------
    InvalidInput
        A cost or spread of 0 or below.
    """
    positive(holding_cost=holding_cost, shortage_cost=shortage_cost, demand_sd=demand_sd)
    if lead_time < 0 or not np.isfinite(demand_mean):
        raise InvalidInput("The lead time is 0 or more periods, the mean a number.")
    mean, sd = demand_mean * (lead_time + 1), demand_sd * (lead_time + 1) ** 0.5
    z = float(stats.norm.ppf(shortage_cost / (shortage_cost + holding_cost)))
    return Rule(mean + z * sd, float((holding_cost + shortage_cost) * sd * stats.norm.pdf(z)))


def base_stock_cost(level: float, holding_cost: float, shortage_cost: float, pmf: npt.ArrayLike) -> float:
    """Expected holding and shortage cost at the end of a period that began with `level` (below 0: owed)."""
    chances = _pmf(pmf)
    off = level - np.arange(chances.size)
    return float(chances @ np.where(off > 0, holding_cost * off, -shortage_cost * off))


def newsvendor(holding_cost: float, shortage_cost: float, pmf: npt.ArrayLike) -> Rule:
    """Best base stock for demand in whole units: the smallest level that covers p / (p + h) of the demand."""
    positive(holding_cost=holding_cost, shortage_cost=shortage_cost)
    chances = _pmf(pmf)
    share = shortage_cost / (shortage_cost + holding_cost)
    level = int(np.searchsorted(np.cumsum(chances), share - 1e-12))
    level = min(level, chances.size - 1)
    return Rule(float(level), base_stock_cost(level, holding_cost, shortage_cost, chances))


def newsvendor_poisson(holding_cost: float, shortage_cost: float, demand_mean: float) -> Rule:
    """The same for Poisson demand."""
    return newsvendor(holding_cost, shortage_cost, poisson_pmf(demand_mean))


def r_q_cost(
    reorder: int, quantity: int, holding_cost: float, shortage_cost: float, fixed_cost: float, demand_rate: float,
    lead_time: float,
) -> float:  # fmt: skip
    """Cost per unit of time of ordering `quantity` at the moment the position falls to `reorder`; Poisson demand that waits.

    Parameters
    ----------
    holding_cost, shortage_cost : per unit and unit of time. demand_rate : per unit of time. lead_time : above 0, in that unit.
    """
    if int(reorder) != reorder or int(quantity) != quantity or not 1 <= quantity <= MAX_LEVEL:
        raise InvalidInput("The reorder point is a whole number, the quantity one of 1 or more.")
    positive(holding_cost=holding_cost, shortage_cost=shortage_cost, demand_rate=demand_rate, lead_time=lead_time)
    pmf = poisson_pmf(demand_rate * lead_time)
    positions = range(int(reorder) + 1, int(reorder + quantity) + 1)
    kept = sum(base_stock_cost(y, holding_cost, shortage_cost, pmf) for y in positions)
    return float((fixed_cost * demand_rate + kept) / quantity)


def r_q_optimal(
    holding_cost: float, shortage_cost: float, fixed_cost: float, demand_rate: float, lead_time: float
) -> Rule:
    """Best `reorder` point and quantity (as `level`) for Poisson demand that waits (Federgruen and Zheng 1992)."""
    positive(holding_cost=holding_cost, shortage_cost=shortage_cost, demand_rate=demand_rate, lead_time=lead_time)
    if not (np.isfinite(fixed_cost) and fixed_cost >= 0):
        raise InvalidInput("A fixed cost is 0 or more.")
    pmf = poisson_pmf(demand_rate * lead_time)

    def period(y: int) -> float:
        return base_stock_cost(y, holding_cost, shortage_cost, pmf)

    start = int(newsvendor(holding_cost, shortage_cost, pmf).level)
    low, high = start - 1, start + 1  # positions next to take in, below and above
    spent, quantity = fixed_cost * demand_rate + period(start), 1
    while quantity < MAX_LEVEL:
        below, above = period(low), period(high)
        if min(below, above) >= spent / quantity:
            break
        spent += min(below, above)
        quantity += 1
        low, high = (low - 1, high) if below <= above else (low, high + 1)
    return Rule(float(quantity), spent / quantity, float(low))


def s_s_cost(
    reorder: int,
    level: int,
    holding_cost: float,
    shortage_cost: float,
    fixed_cost: float,
    pmf: npt.ArrayLike,
    lead_time: int = 0,
) -> float:
    """Long-run cost per period of ordering up to `level` whenever the position is at or below `reorder` (renewal reward).

    Unmet demand waits. Raises InvalidInput when the reorder point is not below the level.
    """  # fmt: skip
    if int(reorder) != reorder or int(level) != level or reorder >= level:
        raise InvalidInput("The reorder point and the level are whole numbers, the first below the second.")
    table = _Renewal(holding_cost, shortage_cost, fixed_cost, pmf, lead_time)
    return table.cost(int(reorder), int(level))


def s_s_optimal(
    holding_cost: float, shortage_cost: float, fixed_cost: float, pmf: npt.ArrayLike, lead_time: int = 0
) -> Rule:
    """Best (s, S) for demand in whole units that waits when unmet (algorithm of Zheng and Federgruen 1991).

    Parameters
    ----------
    holding_cost, shortage_cost : per unit at the end of a period. fixed_cost : per order. pmf : (N,) of a period's demand.
    """
    table = _Renewal(holding_cost, shortage_cost, fixed_cost, pmf, lead_time)
    start = int(newsvendor(holding_cost, shortage_cost, demand_over(pmf, lead_time + 1)).level)
    low, best = start - 1, start
    while table.cost(low, best) > table.period(low):
        low -= 1
    cost = table.cost(low, best)
    high = best + 1
    while table.period(high) <= cost:
        if table.cost(low, high) < cost:
            best = high
            while low + 1 < best and table.cost(low, best) <= table.period(low + 1):
                low += 1
            cost = table.cost(low, best)
        high += 1
    return Rule(float(best), cost, float(low))


class _Renewal:
    """Expected visits of each position between two orders, and the cost of a period at each."""

    def __init__(self, holding: float, shortage: float, fixed: float, pmf: npt.ArrayLike, lead_time: int) -> None:
        positive(holding_cost=holding, shortage_cost=shortage)
        if not (np.isfinite(fixed) and fixed >= 0) or lead_time < 0:
            raise InvalidInput("A fixed cost and a lead time are 0 or more.")
        self.single = _pmf(pmf)
        if self.single[0] >= 1:
            raise InvalidInput("Nobody ever asks for anything.")
        self.covered = demand_over(pmf, lead_time + 1)
        self.h, self.p, self.fixed = holding, shortage, fixed
        self.visits = [1 / (1 - self.single[0])]
        self.costs: dict[int, float] = {}

    def period(self, position: int) -> float:
        if position not in self.costs:
            self.costs[position] = base_stock_cost(position, self.h, self.p, self.covered)
        return self.costs[position]

    def cost(self, low: int, high: int) -> float:
        if high - low > MAX_LEVEL:
            raise InvalidInput("An order is too large for an exact calculation.", "Count in packs.")
        while len(self.visits) < high - low:
            j = len(self.visits)
            reach = min(j, self.single.size - 1)
            before = np.asarray(self.visits[j - reach :][::-1])
            self.visits.append(float(self.single[1 : reach + 1] @ before) / (1 - self.single[0]))
        m = np.asarray(self.visits[: high - low])
        spent = m @ np.array([self.period(high - j) for j in range(high - low)])
        return float((self.fixed + spent) / m.sum())


def base_stock_with_disruptions(
    holding_cost: float, shortage_cost: float, demand: float, fails: float, recovers: float
) -> Rule:
    """Best base stock for a fixed demand per period when the supplier fails and recovers with these probabilities per period.

    An order of an outage arrives when it ends; unmet demand waits. The stock covers 1 + n periods of demand, n the smallest outage
    age that is exceeded with a share of at most h / (p + h) of the periods (Snyder and Shen, section 9.2).
    """
    positive(holding_cost=holding_cost, shortage_cost=shortage_cost, demand=demand)
    if not (0 < fails < 1 and 0 < recovers <= 1):
        raise InvalidInput("The probabilities of failing and recovering lie between 0 and 1.")
    top = 1 if recovers >= 1 else int(np.log(TAIL) / np.log1p(-recovers)) + 2
    if top > MAX_LEVEL:
        raise InvalidInput("The supplier recovers too slowly for an exact calculation.")
    n = np.arange(1, top + 1)
    share = np.concatenate([[recovers], fails * recovers * (1 - recovers) ** (n - 1)]) / (fails + recovers)
    off = 1.0 + np.arange(top + 1)
    covered = 1.0 + int(np.searchsorted(np.cumsum(share), shortage_cost / (shortage_cost + holding_cost) - 1e-12))
    cost = share @ np.where(covered > off, holding_cost * (covered - off), shortage_cost * (off - covered)) * demand
    return Rule(float(covered * demand), float(cost))
