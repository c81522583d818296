"""Speed of the population forecast, by turns with a numpy event loop on the same people, and how it grows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.population.model import expected_forecast, generator, simulate_people

YEARS, PEOPLE, LOOPED = 10, 200_000, 2_000
RATES = generator(np.array([[0, 0.4, 0.1, 0.05], [0.1, 0, 0.3, 0.1], [0, 0.05, 0, 0.5], [0, 0, 0, 0]]))
Floats = npt.NDArray[np.float64]


def ours(people: int, seed: int) -> Floats:
    """(S,) people in each state at the end."""
    found = simulate_people([people, 0, 0, 0], RATES, [0, 0, 0, 0], YEARS, np.random.default_rng(seed))
    return np.asarray(found.occupancy[-1])


def event_loop(people: int, seed: int) -> Floats:
    """Peer: one person and one event after another, in Python with numpy's random numbers."""
    rng = np.random.default_rng(seed)
    leave = -np.diag(RATES)
    shares = np.where(np.eye(4), 0, RATES) / np.where(leave > 0, leave, 1)[:, None]
    occupancy, spent = np.zeros((YEARS + 1, 4)), np.zeros(4)
    for _ in range(people):
        now, state = 0.0, 0
        while now < YEARS:
            then = now + rng.exponential(1 / leave[state]) if leave[state] > 0 else np.inf
            stop = min(then, YEARS)
            spent[state] += stop - now
            occupancy[int(np.ceil(now)) : int(np.floor(stop)) + 1, state] += 1
            if then < YEARS:
                state = int(rng.choice(4, p=shares[state]))
            now = then
    return np.asarray(occupancy[-1])


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    want = expected_forecast([1, 0, 0, 0], RATES, [0, 0, 0, 0], YEARS).occupancy[-1]
    for found, people in ((ours(PEOPLE, 1), PEOPLE), (event_loop(LOOPED, 1), LOOPED)):
        assert np.all(np.abs(found / people - want) < 5 * np.sqrt(want / people))
    yield f"{runs} runs by turns; four states, {YEARS} years; median people per second (lowest to highest)"
    yield from report_rates(
        {
            "population, one by one": (PEOPLE, lambda seed: ours(PEOPLE, seed)),
            "peer: numpy event loop": (LOOPED, lambda seed: event_loop(LOOPED, seed)),
        },
        runs,
    )


def growth() -> Growth:
    """The population, by the number of people."""
    return Growth("population forecast", "people", lambda people: ours(people, 1))
