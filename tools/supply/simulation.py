"""Runs of a stock or a chain of stocks, with and without the disruption, each reduced at once to its figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.execution import Piece, pieces
from tools.supply.filling import Filled, FloatArray, IntArray, demand_path, shipping
from tools.supply.schemas import SupplyInput

PIECE = 20
MAX_RUNS, MAX_PERIODS_IN_ALL, TRACE = 50_000, 2_000_000_000, 400


@dataclass(frozen=True)
class Work:
    """One piece of the runs; run r is replicate r mod R of draw r div R."""

    request: SupplyInput
    filled: Filled
    piece: Piece


def simulate(
    request: SupplyInput, filled: Filled, context: ToolContext
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """All runs.

    Returns
    -------
    figures : (D, R) each, by "with.figure" and, where there is a disruption, "without.figure"; a chain's by its stages too.
    traces : (T,) stock or, of a chain, units owed; mean over the runs, for the first periods.

    Raises
    ------
    InvalidInput
        More runs or periods than one call computes.
    """
    runs = request.draws * request.replicates
    if runs > MAX_RUNS or runs * request.periods > MAX_PERIODS_IN_ALL:
        raise InvalidInput(
            f"{runs:,} runs of {request.periods:,} periods are more than one call computes.",
            "Use fewer or shorter runs.",
        )
    works = [Work(request, filled, piece) for piece in pieces(runs, context.seed, size=PIECE)]
    context.progress(0.1, "orders, deliveries and demand")
    parts = context.executor.map(_runs, works)
    context.progress(0.9, "figures of the runs")
    shape = (request.draws, request.replicates)
    found = {key: np.concatenate([part[key] for part, _ in parts]).reshape(shape) for key in parts[0][0]}
    traces = {key: np.sum([trace[key] for _, trace in parts], axis=0) / runs for key in parts[0][1]}
    return found, traces


def _runs(work: Work) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    request, filled = work.request, work.filled
    found: dict[str, list[float]] = {}
    traces: dict[str, FloatArray] = {}
    for offset in range(work.piece.size):
        draw = (work.piece.start + offset) // request.replicates
        own = np.random.SeedSequence(work.piece.seeds.entropy, spawn_key=(*work.piece.seeds.spawn_key, offset))
        asking, travelling, failing = (np.random.default_rng(child) for child in own.spawn(3))
        assert request.demand is not None  # simulated only then
        demand = demand_path(request.demand, float(filled.mean[draw]), draw, request.periods, asking)
        lead = _leads(request, travelling)
        leaves = shipping(request, float(filled.fails[draw]), float(filled.recovers[draw]), failing, disrupted=True)
        worlds = {"supply": leaves}
        if request.disruption is not None:
            worlds["undisrupted"] = np.arange(request.periods)
        for name, world in worlds.items():
            follow = _chain if request.stages else _stock
            figures, trace = follow(request, filled, draw, demand, lead, world)
            for key, value in figures.items():
                found.setdefault(f"{name}.{key}", []).append(value)
            traces[name] = traces.get(name, np.zeros(trace.size)) + trace
    return {key: np.array(values) for key, values in found.items()}, traces


def _leads(request: SupplyInput, rng: np.random.Generator) -> IntArray:
    if not request.lead_time_shares:
        return np.full(request.periods, request.lead_time, dtype=np.int64)
    shares = np.asarray(request.lead_time_shares)
    edges = np.cumsum(shares / shares.sum())
    return np.minimum(np.searchsorted(edges, rng.random(request.periods), side="right"), shares.size - 1).astype(
        np.int64
    )


def _stock(
    request: SupplyInput, filled: Filled, draw: int, demand: FloatArray, lead: IntArray, leaves: IntArray
) -> tuple[dict[str, float], FloatArray]:
    from tools.supply.kernels import one_stock

    trace = np.zeros((request.periods if request.periods <= TRACE else 0, 4))
    sums = one_stock(
        demand, lead, leaves, filled.policy, filled.low, filled.level, request.life, request.issuing == "lifo",
        request.unmet == "waits", filled.table, filled.base, request.start_stock, request.warm_up, trace,
    )  # fmt: skip
    asked, met, short, owed, kept, orders, ordered, wasted, short_periods = sums
    periods = request.periods - request.warm_up
    cost = {name: values[draw] for name, values in filled.costs.items()}
    missing = owed if request.unmet == "waits" else short
    # What waits is handed out and paid for in the end.
    sold = asked if request.unmet == "waits" else met
    figures = {
        "fill_rate": met / asked if asked > 0 else 1.0,
        "periods_short": short_periods / periods,
        "short": short / periods,
        "stock": kept / periods,
        "orders": orders / periods,
        "ordered": ordered / periods,
        "wasted": wasted / periods,
        "waste_share": wasted / ordered if ordered > 0 else 0.0,
        "cost": (
            cost["fixed_cost"] * orders + cost["unit_cost"] * ordered + cost["holding_cost"] * kept
            + cost["shortage_cost"] * missing + cost["waste_cost"] * wasted - cost["price"] * sold
        ) / periods,
    }  # fmt: skip
    return {key: float(value) for key, value in figures.items()}, trace[:, 3]


def _chain(
    request: SupplyInput, filled: Filled, draw: int, demand: FloatArray, _lead: IntArray, leaves: IntArray
) -> tuple[dict[str, float], FloatArray]:
    from tools.supply.kernels import serial

    levels = np.array([one.level for one in request.stages])
    leads = np.array([one.lead_time for one in request.stages], dtype=np.int64)
    sums, owed = serial(demand, leaves, levels, leads, request.warm_up)
    periods = request.periods - request.warm_up
    holding = filled.stage_costs[:, draw]
    spent = float(holding @ sums[:, 0])
    spent += float(holding[1:] @ sums[:-1, 2])  # on its way to the next stock
    spent += float(filled.costs["shortage_cost"][draw]) * float(sums[0, 1])
    counted = demand[request.warm_up :]
    waiting = np.minimum(owed[request.warm_up :], counted)
    figures = {
        "fill_rate": float(sums[0, 4] / sums[0, 3]) if sums[0, 3] > 0 else 1.0,
        "periods_short": float((waiting > 1e-12).mean()),
        "short": float(waiting.sum() / periods),
        "stock": float(sums[:, 0].sum() / periods),
        "cost": spent / periods,
    }
    for n, stage in enumerate(request.stages):
        figures[f"stock_{stage.name}"] = float(sums[n, 0] / periods)
        figures[f"fill_rate_{stage.name}"] = float(sums[n, 4] / sums[n, 3]) if sums[n, 3] > 0 else 1.0
    return figures, owed[: TRACE if request.periods <= TRACE else 0]
