"""From the request to numbers: drawn quantities, the ordering rule, and the random inputs of each run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.quantities import Quantity, as_uncertain
from tools.supply import model
from tools.supply.perishable import perishable_orders
from tools.supply.schemas import Demand, SupplyInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
COSTS = ("fixed_cost", "unit_cost", "holding_cost", "shortage_cost", "waste_cost", "price")


@dataclass(frozen=True)
class Filled:
    """A request with its uncertain quantities drawn, (D,) each, and its rule.

    Attributes
    ----------
    policy : number as in `kernels`. low, level : its reorder point and level. table, base : best orders of a perishable.
    expected : cost per period of the rule where it is known exactly.
    """

    mean: FloatArray
    costs: dict[str, FloatArray]
    fails: FloatArray
    recovers: FloatArray
    stage_costs: FloatArray
    policy: int
    low: float
    level: float
    table: IntArray
    base: int
    expected: float | None
    certain: bool


def fill(request: SupplyInput, seed: int) -> Filled:
    """Draw the uncertain quantities and find the rule (InvalidInput where either makes no sense)."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5077]))
    certain = [True]

    def drawn(quantity: Quantity | None, what: str, top: float = 1e15) -> FloatArray:
        if quantity is None:
            return np.zeros(request.draws)
        given = as_uncertain(quantity)
        certain[0] = certain[0] and given.certain
        values = given.draw(rng, request.draws)
        if not np.isfinite(values).all() or (values < 0).any() or (values > top).any():
            raise InvalidInput(f"{what} lies between 0 and {top:g}.")
        return values

    demand = request.demand
    if demand is None:
        raise InvalidInput("Give a demand to simulate.")
    costs = {name: drawn(getattr(request, name), name.replace("_", " ")) for name in COSTS}
    stage_costs = np.array([drawn(one.holding_cost, f"The holding cost of {one.name}") for one in request.stages])
    if (any(values.any() for values in costs.values()) or stage_costs.any()) and not request.currency:
        raise InvalidInput("The costs have no currency.", "Name it, e.g. 'currency': 'US$'.")
    down = request.disruption
    fails = drawn(down.fails if down else 0.0, "The probability that the supplier fails", 1.0)
    recovers = drawn(down.recovers if down else 1.0, "The probability that the supplier recovers", 1.0)
    if ((fails > 0) & (recovers <= 0)).any():
        raise InvalidInput("A supplier that fails and never recovers ships nothing in the end.", "Give 'recovers'.")
    mean = drawn(demand.mean, "The mean demand", 1e9)
    if demand.distribution == "negative_binomial" and demand.cv and (demand.cv**2 * mean <= 1).any():
        raise InvalidInput("The variance of a negative binomial lies above its mean.", "Use poisson, or a larger cv.")
    policy, low, level, table, base, expected = _rule(request, demand, costs)
    return Filled(mean, costs, fails, recovers, stage_costs, policy, low, level, table, base, expected, certain[0])


def _rule(
    request: SupplyInput, demand: Demand, costs: dict[str, FloatArray]
) -> tuple[int, float, float, IntArray, int, float | None]:
    """Number, reorder point, level, table, base and exact cost; computed for the base case of uncertain quantities."""
    none: IntArray = np.zeros(1, dtype=np.int64)
    policy = request.policy
    if policy is None:
        return 0, 0.0, 0.0, none, 1, None
    if policy.kind == "base_stock":
        return 0, 0.0, policy.level or 0.0, none, 1, None
    if policy.kind == "s_S":
        return 1, policy.reorder or 0.0, policy.level or 0.0, none, 1, None
    if policy.kind == "r_Q":
        return 2, policy.reorder or 0.0, policy.quantity or 1.0, none, 1, None
    if demand.pattern or demand.paths or request.lead_time_shares:
        raise InvalidInput(
            "The best rule is known for steady demand and a fixed lead time only.", "Give the policy's numbers."
        )
    h, p, k = (_base_case(getattr(request, name)) for name in ("holding_cost", "shortage_cost", "fixed_cost"))
    mean = _base_case(demand.mean)
    if policy.kind == "newsvendor" and demand.distribution == "normal":
        rule = model.newsvendor_normal(h, p, mean, (demand.cv or 0.0) * mean, request.lead_time)
        return 0, 0.0, rule.level, none, 1, rule.cost
    pmf = _pmf(demand, mean)
    if policy.kind == "optimal_perishable":
        plan = perishable_orders(
            pmf, life=request.life, lead_time=request.lead_time, max_order=policy.max_order, issuing=request.issuing,
            order_cost=_base_case(request.unit_cost), shortage_cost=p, waste_cost=_base_case(request.waste_cost),
            holding_cost=h, price=_base_case(request.price),
        )  # fmt: skip
        if k > 0:
            raise InvalidInput("The best orders of a perishable know no fixed cost per order.", "Leave fixed_cost out.")
        return 3, 0.0, 0.0, plan.orders.ravel(), policy.max_order + 1, -plan.gain
    if request.unmet == "lost" or request.life:
        raise InvalidInput("This rule is the best one only when unmet demand waits and the product keeps.")
    if policy.kind == "newsvendor":
        rule = model.newsvendor(h, p, model.demand_over(pmf, request.lead_time + 1))
        return 0, 0.0, rule.level, none, 1, rule.cost
    rule = model.s_s_optimal(h, p, k, pmf, request.lead_time)
    return 1, rule.policy[0], rule.level, none, 1, rule.cost


def _base_case(quantity: Quantity | None) -> float:
    return as_uncertain(quantity).point if quantity is not None else 0.0


def _pmf(demand: Demand, mean: float) -> FloatArray:
    if demand.distribution == "poisson":
        return model.poisson_pmf(mean)
    if demand.distribution == "negative_binomial":
        return model.negative_binomial_pmf(mean, ((demand.cv or 0.0) * mean) ** 2)
    if demand.distribution == "rounded_gamma":
        return model.rounded_gamma_pmf(mean, demand.cv or 0.0)
    raise InvalidInput(
        f"The best rule is not known exactly for {demand.distribution} demand.",
        "Use poisson, negative_binomial or rounded_gamma demand, or give the policy's numbers.",
    )


def demand_path(demand: Demand, mean: float, draw: int, periods: int, rng: np.random.Generator) -> FloatArray:
    """(T,) demand of one run."""
    if demand.paths:
        return np.array(demand.paths[draw % len(demand.paths)][:periods])
    means = np.full(periods, mean)
    if demand.pattern:
        means = means * np.resize(np.asarray(demand.pattern), periods)
    cv = demand.cv or 0.0
    if demand.distribution == "fixed" or not means.any():
        return means
    if demand.distribution == "poisson":
        return rng.poisson(means).astype(np.float64)
    if demand.distribution == "negative_binomial":
        spare = cv**2 * mean - 1  # variance over mean, less one, at the mean demand
        return rng.poisson(rng.gamma(np.maximum(means / spare, 1e-12), spare)).astype(np.float64)
    if demand.distribution == "normal":
        return np.maximum(rng.normal(means, cv * means), 0.0)
    amount = rng.gamma(1 / cv**2, 1.0, periods) * means * cv**2
    return np.asarray(np.floor(amount + 0.5) if demand.distribution == "rounded_gamma" else amount)


def shipping(
    request: SupplyInput, fails: float, recovers: float, rng: np.random.Generator, *, disrupted: bool
) -> IntArray:
    """(T,) period in which an order of each period leaves the supplier; beyond the run: never within it."""
    periods = request.periods
    now = np.arange(periods)
    if not disrupted or request.disruption is None:
        return now
    up = np.ones(periods, dtype=np.bool_)
    if fails > 0:
        at = int(rng.geometric(fails)) - 1
        while at < periods:
            lasts = int(rng.geometric(recovers))
            up[at : at + lasts] = False
            at += lasts + int(rng.geometric(fails))
    for outage in request.disruption.outages:
        up[outage.start : outage.start + outage.periods] = False
    following = np.where(up, now, periods)
    return np.minimum.accumulate(following[::-1])[::-1].astype(np.int64)
