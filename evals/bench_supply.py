"""Speed of supply and inventory, by turns with stockpyl and a loop over periods on the same demand, and how it grows.

A base stock with a delivery before the demand of the next period, and a chain of three stocks: against stockpyl's simulation. A
perishable stock: against a loop over periods in Python. The costs are compared first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.supply.kernels import BASE_STOCK, one_stock, serial

Floats = NDArray[np.float64]
HOLDING, SHORTAGE, LEVEL = 0.18, 0.70, 57.0
LEVELS, LEADS, HOLDINGS = (6.5, 5.5, 10.7), (1, 1, 2), (7.0, 4.0, 2.0)
PEER_PERIODS, LOOPED, PERIODS, LIFE = 300, 5_000, 1_000_000, 5
A_RUN = 1_000_000
NO_TABLE = np.zeros(1, dtype=np.int64)


def one(demand: Floats, life: int = 0) -> float:
    """Cost of a base stock over all periods; a perishable one orders for tomorrow and loses what it cannot meet."""
    n = demand.size
    sums = one_stock(
        demand, np.full(n, 1 if life else 0), np.arange(n), BASE_STOCK, 0.0, LEVEL, life, False, not life, NO_TABLE, 1,
        LEVEL, 0, np.zeros((0, 4)),
    )  # fmt: skip
    return float(HOLDING * sums[4] + SHORTAGE * (sums[2] if life else sums[3]) + sums[7])


def chain(demand: Floats) -> float:
    """Cost of the chain over all periods."""
    sums, _ = serial(demand, np.arange(demand.size), np.array(LEVELS), np.array(LEADS), 0)
    held = np.array(HOLDINGS)
    return float(held @ sums[:, 0] + held[1:] @ sums[:-1, 2] + 37.12 * sums[0, 1])


def loop(demand: Floats) -> float:
    """Peer: the perishable base stock in plain Python."""
    ages, coming, cost = [LEVEL] + [0.0] * (LIFE - 1), 0.0, 0.0
    for asked in demand.tolist():
        ages[0] += coming
        coming = max(LEVEL - sum(ages), 0.0)
        left = asked
        for age in range(LIFE - 1, -1, -1):
            taken = min(ages[age], left)
            ages[age] -= taken
            left -= taken
        cost += SHORTAGE * left + ages[-1]
        ages = [0.0, *ages[:-1]]
        cost += HOLDING * sum(ages)
    return cost


def by_stockpyl(demand: Floats, *, stages: bool) -> float | None:
    """Peer: stockpyl's simulation, (total cost); None when it is not installed."""
    try:
        from stockpyl.sim import simulation  # type: ignore[import-not-found]
        from stockpyl.supply_chain_network import (  # type: ignore[import-not-found]
            serial_system,
            single_stage_system,
        )
    except ImportError:
        return None
    if stages:
        network = serial_system(
            num_nodes=3, node_order_in_system=[3, 2, 1], local_holding_cost={1: 7, 2: 4, 3: 2},
            stockout_cost={1: 37.12, 2: 0, 3: 0}, shipment_lead_time={1: 1, 2: 1, 3: 2}, demand_type={1: "D", 2: None, 3: None},
            demand_list={1: demand.tolist(), 2: None, 3: None}, policy_type="BS",
            base_stock_level=dict(zip((1, 2, 3), LEVELS, strict=True)),
        )  # fmt: skip
    else:
        network = single_stage_system(
            holding_cost=HOLDING, stockout_cost=SHORTAGE, shipment_lead_time=1, demand_type="D",
            demand_list=demand.tolist(), policy_type="BS", base_stock_level=LEVEL,
        )  # fmt: skip
    return float(simulation(network, demand.size, progress_bar=False))


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    rng = np.random.default_rng(1)
    demand, small = rng.normal(50, 8, PERIODS).clip(0), rng.normal(5, 1, PERIODS).clip(0)
    few = demand[:PEER_PERIODS], small[:PEER_PERIODS]
    np.testing.assert_allclose(one(demand[:LOOPED], LIFE), loop(demand[:LOOPED]), rtol=1e-9)
    theirs = by_stockpyl(few[0], stages=False)
    single: dict[str, tuple[int, Callable[[int], object]]] = {"base stock": (PERIODS, lambda _: one(demand))}
    several: dict[str, tuple[int, Callable[[int], object]]] = {"chain of three": (PERIODS, lambda _: chain(small))}
    yield f"{runs} runs by turns; median periods per second (lowest to highest)"
    if theirs is None:
        yield "  peer: stockpyl is not installed (measured with 1.0.2, which also needs jsonpickle, networkx, tabulate and tqdm)."
    else:
        np.testing.assert_allclose(one(few[0]), theirs, rtol=1e-9)
        np.testing.assert_allclose(chain(few[1]), by_stockpyl(few[1], stages=True) or np.nan, rtol=1e-9)
        single["peer: stockpyl"] = (PEER_PERIODS, lambda _: by_stockpyl(few[0], stages=False))
        several["peer: stockpyl, chain"] = (PEER_PERIODS, lambda _: by_stockpyl(few[1], stages=True))
        yield from report_rates(single, runs)
        yield from report_rates(several, runs)
    yield from report_rates(
        {
            "perishable stock": (PERIODS, lambda _: one(demand, LIFE)),
            "peer: loop over periods": (LOOPED, lambda _: loop(demand[:LOOPED])),
        },
        runs,
    )


def growth() -> Growth:
    """Perishable stock, by the number of periods, in runs of at most `A_RUN`."""

    def work(n: int) -> None:
        for part in range(-(-n // A_RUN)):
            one(np.random.default_rng(part).normal(50, 8, min(n, A_RUN)).clip(0), LIFE)

    return Growth("perishable stock", "periods", work)
