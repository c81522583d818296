"""Speed of simulated trials beside a loop over statsmodels fits, by turns on the same work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np

from evals.growth import Growth
from tools.trial_design.simulation import simulate_trials

N = 100  # participants an arm
EFFECT, SD, R_SQUARED = 0.4, 1.0, 0.36
TRIALS = 4000
PEER_TRIALS = 200


def ours(trials: int, seed: int) -> float:
    """Share of trials that the analysis of covariance rejects."""
    runs = simulate_trials(N, N, EFFECT, SD, R_SQUARED, trials, np.random.default_rng(seed))
    return float(runs.rejected(adjusted=True).mean())


def one_by_one(trials: int, seed: int) -> float:
    """The same with a statsmodels fit for each trial."""
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    treated = np.repeat([1.0, 0.0], N)
    found = 0
    for _ in range(trials):
        score = rng.standard_normal(2 * N)
        outcome = SD * (np.sqrt(R_SQUARED) * score + np.sqrt(1 - R_SQUARED) * rng.standard_normal(2 * N))
        outcome += EFFECT * treated
        fit = sm.OLS(outcome, np.column_stack([np.ones(2 * N), treated, score])).fit()
        found += fit.pvalues[1] < 0.05
    return found / trials


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report; the two ways must agree before they are timed."""
    first, second = ours(TRIALS, 1), one_by_one(PEER_TRIALS * 2, 2)
    error = (first * (1 - first) * (1 / TRIALS + 1 / (2 * PEER_TRIALS))) ** 0.5
    if abs(first - second) > 4 * error:
        raise AssertionError(f"power differs: {first:.3f} and {second:.3f}")
    rates: dict[str, list[float]] = {"trial design": [], "peer: a loop over statsmodels fits": []}
    for run in range(runs):
        for rate, work in zip(rates.values(), ((ours, TRIALS), (one_by_one, PEER_TRIALS)), strict=True):
            started = time.perf_counter()
            work[0](work[1], run)
            rate.append(work[1] / (time.perf_counter() - started))
    yield f"simulated trials of {2 * N} people with a prognostic score; trials a second, median of {runs} interleaved runs"
    for name, rate in rates.items():
        yield f"  {name:<54} {statistics.median(rate):12,.0f}  ({min(rate):,.0f} to {max(rate):,.0f})"
    fast, slow = (statistics.median(rate) for rate in rates.values())
    yield f"Simulated trials: {fast / slow:.0f} times the loop."


def growth() -> Growth:
    """Simulated trials, by the number of people in them."""

    def work(people: int) -> object:
        return simulate_trials(N, N, EFFECT, SD, R_SQUARED, people // (2 * N), np.random.default_rng(1))

    return Growth("simulated trials", "simulated people", work)
