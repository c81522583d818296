"""Speed of cost-effectiveness, by turns with peers on the same work, and how it grows.

Probabilistic sensitivity analysis of the Sick-Sicker model (four strategies, 75 cycles, 16 uncertain parameters; inputs as in
DARTH-git/cohort-modeling-tutorial-intro). Peers: a loop over iterations in Python with numpy's matrix products, as the
tutorial has it in R, and heormodel (PyPI, MIT), which is measured when it is installed. Microsimulation: against a loop over
people. All peers get the parameters drawn already, and their results are compared before anything is timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.growth import Growth
from knowledge.base import load_knowledge
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.cost_effectiveness import arrays
from tools.cost_effectiveness.evaluation import evaluate_model
from tools.cost_effectiveness.microsim import simulate_people
from tools.cost_effectiveness.model import cycle_weights, discount_factors
from tools.cost_effectiveness.schemas import MarkovModel

Floats = NDArray[np.float64]
Draws = Mapping[str, Floats]

DRAWS, CYCLES, RATE = 2000, 75, 0.03
PEOPLE, LOOPED = 200_000, 500
NAMES = ("SoC", "A", "B", "AB")


def sick_sicker_draws(n: int) -> dict[str, Floats]:
    """Parameters of the tutorial's sensitivity analysis, (n,) each."""
    rng = np.random.default_rng(71818)
    return {
        "r_HD": rng.gamma(20, 1 / 10_000, n), "r_HS1": rng.gamma(30, 1 / 200, n), "r_S1H": rng.gamma(60, 1 / 120, n),
        "r_S1S2": rng.gamma(84, 1 / 800, n), "hr_S1": rng.lognormal(np.log(3), 0.01, n),
        "hr_S2": rng.lognormal(np.log(10), 0.02, n), "hr_B": rng.lognormal(np.log(0.6), 0.02, n),
        "c_H": rng.gamma(100, 20, n), "c_S1": rng.gamma(177.8, 22.5, n), "c_S2": rng.gamma(225, 66.7, n),
        "c_A": rng.gamma(73.5, 163.3, n), "c_B": rng.gamma(86.2, 150.8, n), "u_H": rng.beta(200, 3, n),
        "u_S1": rng.beta(130, 45, n), "u_S2": rng.beta(230, 230, n), "u_A": rng.beta(300, 15, n),
    }  # fmt: skip


def sick_sicker(draws: Draws) -> MarkovModel:
    """The model as a user writes it."""
    rate = "rate_to_probability"

    def table(progress: str) -> list[list[float | str]]:
        return [
            ["rest", f"(1 - {rate}(r_HD)) * {rate}(r_HS1)", 0, f"{rate}(r_HD)"],
            [
                f"(1 - {rate}(r_HD * hr_S1)) * {rate}(r_S1H)", "rest",
                f"(1 - {rate}(r_HD * hr_S1)) * {rate}({progress})", f"{rate}(r_HD * hr_S1)",
            ],
            [0, 0, "rest", f"{rate}(r_HD * hr_S2)"],
            [0, 0, 0, 1],
        ]  # fmt: skip

    return MarkovModel.model_validate(
        {
            "states": ["H", "S1", "S2", "D"],
            "dead": "D",
            "cycles": CYCLES,
            "parameters": {name: {"draws": tuple(values.tolist())} for name, values in draws.items()},
            "strategies": [
                {"name": "SoC", "transitions": table("r_S1S2"), "costs": ["c_H", "c_S1", "c_S2", 0],
                 "utilities": ["u_H", "u_S1", "u_S2", 0]},
                {"name": "A", "costs": ["c_H", "c_S1 + c_A", "c_S2 + c_A", 0], "utilities": ["u_H", "u_A", "u_S2", 0]},
                {"name": "B", "transitions": table("r_S1S2 * hr_B"), "costs": ["c_H", "c_S1 + c_B", "c_S2 + c_B", 0]},
                {"name": "AB", "transitions": table("r_S1S2 * hr_B"), "utilities": ["u_H", "u_A", "u_S2", 0],
                 "costs": ["c_H", "c_S1 + c_A + c_B", "c_S2 + c_A + c_B", 0]},
            ],
        }
    )  # fmt: skip


def inputs_of(p: Mapping[str, float], name: str) -> tuple[Floats, Floats, Floats]:
    """Transition matrix, costs and utilities of one strategy under one draw, as the peers build them."""
    die = {s: 1 - np.exp(-p["r_HD"] * h) for s, h in (("H", 1.0), ("S1", p["hr_S1"]), ("S2", p["hr_S2"]))}
    sick, well = 1 - np.exp(-p["r_HS1"]), 1 - np.exp(-p["r_S1H"])
    worse = 1 - np.exp(-p["r_S1S2"] * (p["hr_B"] if "B" in name else 1.0))
    steps = np.array([
        [(1 - die["H"]) * (1 - sick), (1 - die["H"]) * sick, 0, die["H"]],
        [(1 - die["S1"]) * well, (1 - die["S1"]) * (1 - well - worse), (1 - die["S1"]) * worse, die["S1"]],
        [0, 0, 1 - die["S2"], die["S2"]],
        [0, 0, 0, 1],
    ])  # fmt: skip
    extra = (p["c_A"] if "A" in name else 0.0) + (p["c_B"] if "B" in name else 0.0)
    costs = np.array([p["c_H"], p["c_S1"] + extra, p["c_S2"] + extra, 0.0])
    return steps, costs, np.array([p["u_H"], p["u_A"] if "A" in name else p["u_S1"], p["u_S2"], 0.0])


def ours(model: MarkovModel, n: int, context: ToolContext) -> Floats:
    """(n, 4, 2) costs and QALYs from the tool's engine, from cells to totals."""
    counting = arrays.count(
        CYCLES, 1.0, correction="simpson", cost_rate=RATE, effect_rate=RATE, timing="start", undiscounted_years=0.0,
        compounding="annual",
    )  # fmt: skip
    return evaluate_model(model, counting, n, context).outcomes[:, 0, :, :2]


def one_by_one(draws: Draws, n: int) -> Floats:
    """Peer: iteration after iteration, cycle after cycle."""
    weights = cycle_weights(CYCLES, "simpson") * discount_factors(CYCLES, RATE)
    found = np.empty((n, 4, 2))
    for i in range(n):
        p = {name: values[i] for name, values in draws.items()}
        for k, name in enumerate(NAMES):
            steps, costs, utilities = inputs_of(p, name)
            trace = np.empty((CYCLES + 1, 4))
            trace[0] = [1, 0, 0, 0]
            for cycle in range(CYCLES):
                trace[cycle + 1] = trace[cycle] @ steps
            found[i, k] = (trace @ costs) @ weights, (trace @ utilities) @ weights
    return found


def heormodel_way(draws: Draws, n: int) -> Floats | None:
    """Peer: heormodel's Markov engine; None when it is not installed."""
    try:
        import pandas as pd
        from heormodel.models.markov import CohortSpec  # type: ignore[import-not-found]
        from heormodel.models.markov import MarkovModel as Theirs
    except ImportError:
        return None

    def spec(params: Any, intervention: str) -> Any:
        return CohortSpec(*inputs_of(params, intervention))

    engine = Theirs(
        states=("H", "S1", "S2", "D"), interventions=NAMES, transitions_and_rewards=spec, n_cycles=CYCLES,
        discount_rate=RATE, cycle_correction="simpson",
    )  # fmt: skip
    table = pd.DataFrame({name: values[:n] for name, values in draws.items()}, index=pd.RangeIndex(n, name="iteration"))
    data = engine.evaluate(table).data
    return np.stack([data.loc[name][["cost", "qaly"]].to_numpy() for name in NAMES], axis=1)


def people_one_by_one(steps: Floats, rewards: Floats, people: int, seed: int) -> float:
    """Peer: a microsimulation that loops over people and cycles, as the tutorial of Krijkamp et al does."""
    rng = np.random.default_rng(seed)
    total = 0.0
    for _ in range(people):
        state = 0
        total += rewards[0, state]
        for cycle in range(1, len(rewards)):
            state = int(rng.choice(4, p=steps[state]))
            total += rewards[cycle, state]
    return total / people


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    draws = sick_sicker_draws(DRAWS)
    model = sick_sicker(draws)
    context = ToolContext(knowledge=load_knowledge(), personas=PersonaLibrary(), retriever=_no_retriever)
    expected, loop, package = ours(model, DRAWS, context), one_by_one(draws, 50), heormodel_way(draws, 50)
    np.testing.assert_allclose(expected[:50], loop, rtol=1e-9)
    ways: dict[str, tuple[int, Callable[[int], object]]] = {
        "cost-effectiveness PSA": (DRAWS, lambda _: ours(model, DRAWS, context)),
        "peer: loop over iterations (numpy)": (200, lambda _: one_by_one(draws, 200)),
    }
    if package is not None:
        np.testing.assert_allclose(expected[:50], package, rtol=1e-9)
        ways["peer: heormodel"] = (200, lambda _: heormodel_way(draws, 200))
    yield f"{runs} runs by turns; Sick-Sicker, 4 strategies, {CYCLES} cycles; median draws per second (lowest to highest)"
    yield from report_rates(ways, runs)
    if package is None:
        yield "  peer: heormodel is not installed (extra bench)."
    steps, rewards = standard_of_care(draws)
    ours_people: Callable[[int], object] = lambda seed: simulate_people(  # noqa: E731
        PEOPLE, [1, 0, 0, 0], steps[None, None], rewards[None, :, None, :], seed=seed
    )
    yield "Microsimulation, 30 cycles; median people per second"
    yield from report_rates(
        {
            "microsimulation": (PEOPLE, ours_people),
            "peer: loop over people": (LOOPED, lambda seed: people_one_by_one(steps, rewards, LOOPED, seed)),
        },
        runs,
    )


def growth() -> Growth:
    """The microsimulation of 30 cycles, by the number of people."""
    steps, rewards = standard_of_care(sick_sicker_draws(1))
    return Growth(
        "microsimulation of costs and health", "people",
        lambda people: simulate_people(people, [1, 0, 0, 0], steps[None, None], rewards[None, :, None, :], seed=1),
    )  # fmt: skip


def standard_of_care(draws: Draws) -> tuple[Floats, Floats]:
    """Steps (4, 4) of the first draw, and discounted rewards (cycles, 4)."""
    steps = inputs_of({name: float(values[0]) for name, values in draws.items()}, "SoC")[0]
    return steps, discount_factors(30, RATE)[:, None] * np.array([1.0, 0.75, 0.5, 0.0])


def _no_retriever() -> Any:
    raise RuntimeError("the bench reads no passages")


def report_rates(ways: Mapping[str, tuple[int, Callable[[int], object]]], runs: int) -> Iterator[str]:
    """Units per second, one run of each way after the other; the first round only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs + 1):
        for name, (units, way) in ways.items():
            started = time.perf_counter()
            way(run)
            if run:
                rates[name].append(units / (time.perf_counter() - started))
    for name, found in rates.items():
        yield f"  {name:<48} {statistics.median(found):12,.0f}  ({min(found):,.0f} to {max(found):,.0f})"
    own, *others = (statistics.median(found) for found in rates.values())
    yield f"  ahead of the peers by a factor of {', '.join(f'{own / other:,.0f}' for other in others)} (in their order)."
