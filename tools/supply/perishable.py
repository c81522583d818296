"""Best orders of a perishable product by value iteration.

The decision problem of De Moor, Gijsbrechts and Boute 2022 (costs, discounted) and Hendrix et al 2019 (profit on average): in each
period the order is placed, demand is met from stock of several ages, what has reached its life is wasted, and the order of
`lead_time` − 1 periods ago arrives fresh for the next period. Unmet demand is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MAX_NUMBERS, MAX_ROUNDS, DAMPING = 30_000_000, 20_000, 0.8


@dataclass(frozen=True)
class PerishablePlan:
    """The best orders.

    Attributes
    ----------
    orders : (B,) × (lead_time − 1 + life) best order for each state: what is on its way, the newest first, then stock by age,
        the freshest first; B = largest order + 1. value : the same shape, value of each state (relative without discounting).
    gain : reward per period in the long run; NaN with discounting.
    """

    orders: IntArray
    value: FloatArray
    gain: float
    rounds: int


def perishable_orders(
    pmf: npt.ArrayLike,
    *,
    life: int,
    lead_time: int = 1,
    max_order: int = 10,
    issuing: str = "fifo",
    order_cost: float = 0.0,
    shortage_cost: float = 0.0,
    waste_cost: float = 0.0,
    holding_cost: float = 0.0,
    price: float = 0.0,
    discount: float = 1.0,
    tolerance: float = 1e-8,
) -> PerishablePlan:
    """Best order in each state.

    Parameters
    ----------
    pmf : (N,) probability of a demand of 0, 1, 2 … units a period. life : periods in which a unit can be used once it is there.
    lead_time : 1: ordered today, there tomorrow. issuing : "fifo" oldest first, "lifo" freshest first.
    order_cost, shortage_cost, waste_cost, holding_cost, price : per unit ordered, lost, wasted, kept, sold.
    discount : per period; 1: the best reward per period in the long run.

    Raises
    ------
    InvalidInput
        Values that make no sense, or more states than fit in memory.
    """
    chances = np.asarray(pmf, dtype=np.float64)
    if chances.ndim != 1 or not np.isfinite(chances).all() or (chances < 0).any() or abs(chances.sum() - 1) > 1e-6:
        raise InvalidInput("The probabilities of demand are 0 or more and add up to one.")
    if life < 1 or lead_time < 1 or max_order < 1 or not 0 < discount <= 1:
        raise InvalidInput(
            "Life, lead time and largest order are 1 or more, the discount lies above 0 and at most at 1."
        )
    if issuing not in ("fifo", "lifo"):
        raise InvalidInput("Stock is issued 'fifo' (oldest first) or 'lifo' (freshest first).")
    base = max_order + 1
    if float(base) ** life * (max_order * life + 1) > MAX_NUMBERS or float(base) ** (life + lead_time) > MAX_NUMBERS:
        raise InvalidInput(
            "There are too many states for exact optimisation.", "Count in packs, or order less at once."
        )
    stock = np.array(np.unravel_index(np.arange(base**life), (base,) * life)).T
    moves, sold, lost, wasted, kept = _period(stock, chances, issuing, base)
    now = price * sold - shortage_cost * lost - waste_cost * wasted - holding_cost * kept
    transit, rest = base ** (lead_time - 1), base ** (life - 1)
    value = np.zeros(base * transit * rest)
    asked = -order_cost * np.arange(base)[:, None, None]
    damping = 1.0 if discount < 1 else DAMPING  # best orders may go round in a cycle, which undamped steps would follow
    rounds = 0
    while rounds < MAX_ROUNDS:
        rounds += 1
        ahead = (moves @ value.reshape(base * transit, rest).T).T  # (order and what is on its way, stock)
        worth = asked + now[None, None] + discount * ahead.reshape(base, transit, base**life)
        change = worth.max(axis=0).ravel() - value
        value = value + damping * change
        if discount < 1 and np.abs(change).max() < tolerance:
            break
        if discount == 1:
            if change.max() - change.min() < tolerance:
                break
            value = value - value[0]
    else:
        raise InvalidInput("The best orders were not found in time.", "Discount a little, or use a smaller order.")
    shape = (base,) * (lead_time - 1 + life)
    gain = float((change.max() + change.min()) / 2) if discount == 1 else float("nan")
    # Ties within rounding go to the smaller order.
    orders = (worth >= worth.max(axis=0) - 1e-9).argmax(axis=0)
    return PerishablePlan(orders.reshape(shape).astype(np.int64), value.reshape(shape), gain, rounds)


def order_table(pmf: npt.ArrayLike, largest_stock: int, **settings: Any) -> IntArray:
    """(B, B) best orders of a product with a life of 2 and a lead time of 1: rows by fresh stock, columns by old stock.

    Parameters
    ----------
    largest_stock : of each age that the table shows, from 0. settings : those of `perishable_orders`.
    """
    plan = perishable_orders(pmf, **{"life": 2, "lead_time": 1} | settings)
    if plan.orders.ndim != 2 or largest_stock < 0:
        raise InvalidInput("A table of orders by age needs a life of 2 and a lead time of 1.")
    return plan.orders[: largest_stock + 1, : largest_stock + 1]


def _period(
    stock: IntArray, chances: FloatArray, issuing: str, base: int
) -> tuple[Any, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Sparse (S, base^(life−1)) moves to what is left of all but the oldest; (S,) expected sold, lost, wasted, kept."""
    states, life = stock.shape
    total = stock.sum(axis=1)
    demand = np.arange(chances.size)
    mean = float(chances @ demand)
    places, chance_of = [], []
    sold, wasted, kept = np.zeros(states), np.zeros(states), np.zeros(states)
    order = range(life - 1, -1, -1) if issuing == "fifo" else range(life)
    top = int(total.max())
    met = np.concatenate([chances[:top], np.zeros(max(top - chances.size, 0)), [chances[top:].sum()]])
    for asked, chance in enumerate(met):
        if chance <= 0:
            continue
        left, after = np.full(states, asked), stock.copy()
        for age in order:
            taken = np.minimum(after[:, age], left)
            after[:, age] -= taken
            left -= taken
        place = np.zeros(states, dtype=np.int64)
        for age in range(life - 1):
            place = place * base + after[:, age]
        places.append(place)
        chance_of.append(chance)
        sold += chance * (asked - left)
        wasted += chance * after[:, -1]
        kept += chance * after[:, :-1].sum(axis=1)
    from scipy import sparse

    rows = np.tile(np.arange(states), len(places))
    shares = np.repeat(np.asarray(chance_of), states)
    shape = (states, base ** (life - 1))
    moves = sparse.coo_array((shares, (rows, np.concatenate(places))), shape=shape).tocsr()  # same places add up
    return moves, sold, mean - sold, wasted, kept
