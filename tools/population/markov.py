"""Continuous-time Markov models of states: probabilities, expected counts, time spent and events, year by year.

Rates are constant within a year and may change between years; new people enter at a constant rate within each year.
All expectations come from one matrix exponential a year (van Loan 1978, IEEE Transactions on Automatic Control 23:395,
for the integral).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """Expected numbers of one forecast.

    Attributes
    ----------
    occupancy : (T + 1, S) people in each state at the start and at the end of each year.
    person_years : (T, S) time spent in each state in each year.
    moves : (T, S, S) moves from the row's to the column's state in each year.
    entries : (T, S) people who come into a state in each year: by moves, and as new cases.
    """

    occupancy: FloatArray
    person_years: FloatArray
    moves: FloatArray
    entries: FloatArray


def generator(rates: npt.ArrayLike) -> FloatArray:
    """Rate matrix Q (…, S, S) per unit of time with rows that sum to 0, from rates (its diagonal is replaced).

    Raises
    ------
    InvalidInput
        Not square, or a rate that is negative or not finite.
    """
    matrix = np.array(rates, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise InvalidInput("Rates need one row and one column for each state.")
    diagonal = np.arange(matrix.shape[-1])
    matrix[..., diagonal, diagonal] = 0.0
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise InvalidInput("Rates are finite numbers of 0 or more.")
    matrix[..., diagonal, diagonal] = -matrix.sum(axis=-1)
    return matrix


def transition_probabilities(rates: npt.ArrayLike, time: float) -> FloatArray:
    """P(t) = exp(Q t), (…, S, S): probability to be in the column's state after `time` from the row's.

    Raises
    ------
    InvalidInput
        As `generator`, or a negative time.
    """
    if not np.isfinite(time) or time < 0:
        raise InvalidInput("Time is a finite number of 0 or more.")
    return np.asarray(np.clip(linalg.expm(generator(rates) * time), 0.0, 1.0))


def occupancy(start: npt.ArrayLike, rates: npt.ArrayLike, times: npt.ArrayLike) -> FloatArray:
    """(T, S) people (or shares) in each state at each of `times`, from (S,) at time 0, under constant rates.

    Raises
    ------
    InvalidInput
        As `transition_probabilities`, or a start that does not fit.
    """
    first = np.asarray(start, dtype=np.float64)
    matrix = generator(rates)
    if first.shape != (matrix.shape[-1],) or not np.isfinite(first).all() or (first < 0).any():
        raise InvalidInput("The start needs a number of 0 or more for each state.")
    return np.stack([first @ transition_probabilities(matrix, float(t)) for t in np.atleast_1d(np.asarray(times))])


def expected_forecast(start: npt.ArrayLike, rates: npt.ArrayLike, inflow: npt.ArrayLike, years: int) -> Expected:
    """Expected counts for `years` years.

    Parameters
    ----------
    start : (S,) people at the beginning. rates : (S, S), or (T, S, S) by year, per person-year.
    inflow : (S,), or (T, S) by year: new people a year who start in each state.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, negative numbers, no years.
    """
    matrix, first, new = check_forecast(start, rates, inflow, years)
    states = len(first)
    people = np.zeros((years + 1, states))
    spent = np.zeros((years, states))
    people[0] = first
    made: dict[bytes, FloatArray] = {}
    for year in range(years):
        q = matrix[year]
        key = q.tobytes()
        if key not in made:
            made[key] = year_integrals(q)
        whole = made[key]
        stay, once, twice = (whole[:states, i * states : (i + 1) * states] for i in range(3))
        people[year + 1] = people[year] @ stay + new[year] @ once
        spent[year] = people[year] @ once + new[year] @ twice
    off = matrix * (1 - np.eye(states))
    moves = spent[:, :, None] * off
    return Expected(people, spent, moves, moves.sum(axis=1) + new)


def year_integrals(q: FloatArray) -> FloatArray:
    """(S, 3 S): exp(Q), its integral over the year, and the integral of that, side by side."""
    states = len(q)
    block = np.zeros((3 * states, 3 * states))
    block[:states, :states] = q
    block[:states, states : 2 * states] = np.eye(states)
    block[states : 2 * states, 2 * states :] = np.eye(states)
    return np.asarray(linalg.expm(block)[:states])


def check_forecast(
    start: npt.ArrayLike, rates: npt.ArrayLike, inflow: npt.ArrayLike, years: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(T, S, S) rate matrices, (S,) start and (T, S) inflow; InvalidInput as `expected_forecast`."""
    if years < 1:
        raise InvalidInput("A forecast covers at least one year.")
    matrix = generator(rates)
    matrix = np.broadcast_to(matrix, (years, *matrix.shape[-2:])) if matrix.ndim == 2 else matrix
    states = matrix.shape[-1]
    first, new = np.asarray(start, dtype=np.float64), np.asarray(inflow, dtype=np.float64)
    if matrix.shape[0] != years or first.shape != (states,) or new.shape not in ((states,), (years, states)):
        raise InvalidInput("Rates, start and inflow do not fit the states and years.")
    if not (np.isfinite(first).all() and np.isfinite(new).all()) or (first < 0).any() or (new < 0).any():
        raise InvalidInput("People at the start and new people are numbers of 0 or more.")
    return np.ascontiguousarray(matrix), first, np.ascontiguousarray(np.broadcast_to(new, (years, states)))


def mean_time_in_states(rates: npt.ArrayLike, start: int) -> FloatArray:
    """(S,) expected time ever spent in each transient state by somebody who starts in state `start`; absorbing: inf.

    Raises
    ------
    InvalidInput
        As `generator`, a start that is no state, or states that people can circle in for ever.
    """
    q = generator(rates)
    if not 0 <= start < len(q):
        raise InvalidInput("The start is the number of a state.")
    moving = np.flatnonzero(np.diag(q) < 0)
    found = np.where(np.diag(q) < 0, 0.0, np.inf)
    if start not in moving:
        return found
    try:
        inverse = np.linalg.inv(-q[np.ix_(moving, moving)])
    except np.linalg.LinAlgError as error:
        raise InvalidInput("Some people never leave these states: the time has no end.") from error
    found[moving] = inverse[int(np.flatnonzero(moving == start)[0])]
    return found
