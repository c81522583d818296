"""Chance: people followed one by one, or counted by state where they are too many to follow.

Both give the same distribution of people in each state. One by one (event by event, exponential times) everything is
exact; counted, people of a state are split by a multinomial draw each year, and time and moves within the year take
their expectation given where people were at its beginning.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.population.markov import Expected, check_forecast, transition_probabilities, year_integrals

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MOST_PEOPLE = 10**15


def simulate_people(
    start: npt.ArrayLike, rates: npt.ArrayLike, inflow: npt.ArrayLike, years: int, rng: np.random.Generator
) -> Expected:
    """One realisation, person by person; arguments as `expected_forecast`, people are whole numbers.

    Memory does not grow with the number of people.

    Raises
    ------
    InvalidInput
        As `expected_forecast`.
    """
    matrix, first, new = check_forecast(start, rates, inflow, years)
    from tools.population.kernels import walk  # numba, which the start of the program would feel

    states = len(first)
    people, entries = np.zeros((years + 1, states), dtype=np.int64), np.zeros((years, states), dtype=np.int64)
    spent, moves = np.zeros((years, states)), np.zeros((years, states, states), dtype=np.int64)
    walk(rng, _whole(first), _whole(new), matrix, people, spent, moves, entries)
    return Expected(people.astype(np.float64), spent, moves.astype(np.float64), entries.astype(np.float64))


def simulate_counts(
    start: npt.ArrayLike, rates: npt.ArrayLike, inflow: npt.ArrayLike, years: int, rng: np.random.Generator
) -> Expected:
    """One realisation of the counts at the ends of years (multinomial chain); arguments and errors as above.

    New people of a year are placed by their expected state at its end.
    """
    matrix, first, new = check_forecast(start, rates, inflow, years)
    states = len(first)
    people = np.zeros((years + 1, states))
    spent = np.zeros((years, states))
    people[0] = _whole(first)
    arrivals = _whole(new)
    if people[0].sum() + arrivals.sum() > MOST_PEOPLE:
        raise InvalidInput("These are more people than can be counted.")
    for year in range(years):
        q = matrix[year]
        if year == 0 or not np.array_equal(q, matrix[year - 1]):
            whole = year_integrals(q)
            stay, once, twice = (whole[:, i * states : (i + 1) * states] for i in range(3))
            stay, place = _shares(transition_probabilities(q, 1.0)), _shares(once)
        spent[year] = people[year] @ once + arrivals[year] @ twice
        people[year + 1] = rng.multinomial(people[year].astype(np.int64), stay).sum(axis=0)
        people[year + 1] += rng.multinomial(arrivals[year], place).sum(axis=0)
    moves = spent[:, :, None] * (matrix * (1 - np.eye(states)))
    return Expected(people, spent, moves, moves.sum(axis=1) + arrivals)


def _shares(table: FloatArray) -> FloatArray:
    """Rows that sum to 1 in spite of rounding."""
    positive = np.clip(table, 0.0, 1.0)
    return np.asarray(positive / positive.sum(axis=1, keepdims=True))


def _whole(values: FloatArray) -> IntArray:
    return np.rint(values).astype(np.int64)
