"""How much to order at once: economic order quantities, with backorders, production and disruptions, and lots for known demand.

Harris 1913; Berk and Arreola-Risa 1994 (disruptions); Wagner and Whitin 1958; textbook: Snyder and Shen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from knowledge.errors import InvalidInput
from tools.supply.basics import Rule, positive

MAX_PERIODS = 3000


def eoq(fixed_cost: float, holding_cost: float, demand_rate: float) -> Rule:
    """Economic order quantity √(2·K·λ / h), as `level`, and its cost √(2·K·λ·h) per unit of time.

    Parameters
    ----------
    fixed_cost : per order. holding_cost : per unit and unit of time. demand_rate : units per unit of time.
    """
    positive(fixed_cost=fixed_cost, holding_cost=holding_cost, demand_rate=demand_rate)
    return Rule(
        float((2 * fixed_cost * demand_rate / holding_cost) ** 0.5),
        float((2 * fixed_cost * demand_rate * holding_cost) ** 0.5),
    )


def eoq_with_backorders(fixed_cost: float, holding_cost: float, shortage_cost: float, demand_rate: float) -> Rule:
    """The same when demand may wait at `shortage_cost` per unit and unit of time; `backorder_share` waits on purpose."""
    positive(shortage_cost=shortage_cost)
    plain = eoq(fixed_cost, holding_cost, demand_rate)
    share = shortage_cost / (shortage_cost + holding_cost)
    return Rule(plain.level / share**0.5, plain.cost * share**0.5, None, 1 - share)


def production_quantity(fixed_cost: float, holding_cost: float, demand_rate: float, production_rate: float) -> Rule:
    """Economic lot of a product that is made at `production_rate`, above the demand rate, while it is handed out."""
    if not production_rate > demand_rate:
        raise InvalidInput("Production is faster than demand.")
    return eoq(fixed_cost, holding_cost * (1 - demand_rate / production_rate), demand_rate)


def eoq_with_disruptions_cost(
    quantity: float, fixed_cost: float, holding_cost: float, shortage_cost: float, demand_rate: float,
    disruption_rate: float, recovery_rate: float,
) -> float:  # fmt: skip
    """Cost per unit of time of ordering `quantity` whenever the stock is used up, when the supplier fails and recovers.

    Demand during an outage is lost at `shortage_cost` a unit; times up and down are exponential with these rates.
    """
    positive(
        quantity=quantity, fixed_cost=fixed_cost, holding_cost=holding_cost, shortage_cost=shortage_cost,
        demand_rate=demand_rate, disruption_rate=disruption_rate, recovery_rate=recovery_rate,
    )  # fmt: skip
    lasts = quantity / demand_rate
    both = disruption_rate + recovery_rate
    down = disruption_rate / both * -np.expm1(-both * lasts)
    spent = fixed_cost + holding_cost * quantity * lasts / 2 + shortage_cost * demand_rate * down / recovery_rate
    return float(spent / (lasts + down / recovery_rate))


def eoq_with_disruptions(
    fixed_cost: float, holding_cost: float, shortage_cost: float, demand_rate: float, disruption_rate: float,
    recovery_rate: float,
) -> Rule:  # fmt: skip
    """Best order quantity (as `level`) and its cost per unit of time; found numerically, the cost has one minimum."""
    from scipy import optimize

    begin = eoq(fixed_cost, holding_cost, demand_rate).level

    def cost(log: float) -> float:
        return eoq_with_disruptions_cost(
            float(np.exp(log)), fixed_cost, holding_cost, shortage_cost, demand_rate, disruption_rate, recovery_rate
        )

    grid = np.linspace(np.log(begin) - 3, np.log(begin) + 12, 301)
    best = grid[int(np.argmin([cost(float(log)) for log in grid]))]
    step = grid[1] - grid[0]
    found = optimize.minimize_scalar(
        cost, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-12}
    )
    return Rule(float(np.exp(found.x)), float(found.fun))


def wagner_whitin(demand: Sequence[float], fixed_cost: float, holding_cost: float) -> tuple[list[float], float]:
    """Cheapest orders for demand that is known in advance, by dynamic programming.

    Parameters
    ----------
    demand : (T,) units of each period. fixed_cost : per order. holding_cost : per unit kept to the next period.

    Returns
    -------
    orders : (T,) at the beginning of each period. cost : of all periods.
    """
    asked = np.asarray(demand, dtype=np.float64)
    if asked.ndim != 1 or not 1 <= asked.size <= MAX_PERIODS or not np.isfinite(asked).all() or (asked < 0).any():
        raise InvalidInput(f"Demand is 0 or more in each of 1 to {MAX_PERIODS} periods.")
    if not (fixed_cost >= 0 and holding_cost >= 0 and np.isfinite(fixed_cost + holding_cost)):
        raise InvalidInput("Costs are 0 or more.")
    last = asked.size
    best, until = np.zeros(last + 1), np.zeros(last, dtype=np.int64)
    for t in range(last - 1, -1, -1):
        kept = holding_cost * np.cumsum(np.arange(last - t) * asked[t:])
        ways = (fixed_cost if asked[t:].any() else 0.0) + kept + best[t + 1 :]
        # Nothing needs to be ordered for a period without demand.
        until[t] = int(np.argmin(ways)) + t + 1
        best[t] = ways[until[t] - t - 1]
        if asked[t] == 0 and best[t + 1] < best[t]:
            best[t], until[t] = best[t + 1], t + 1
    orders, t = [0.0] * last, 0
    while t < last:
        orders[t] = float(asked[t : until[t]].sum())
        t = int(until[t])
    return orders, float(best[0])
