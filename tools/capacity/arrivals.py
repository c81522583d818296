"""When patients come: walk-ins at a constant or a varying rate, and appointments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
MAX_PATIENTS = 3_000_000


def walk_ins(rng: np.random.Generator, rates: Sequence[float], period: float, end: float) -> FloatArray:
    """Arrival times of a Poisson process with rates that vary over equal periods and repeat, until `end`.

    Thinning (Lewis and Shedler 1979): arrivals at the highest rate, each kept with the share of it that its period has.

    Parameters
    ----------
    rates : (P,) per unit of time. period : length of each, in units of time. end : of the arrivals.

    Raises
    ------
    InvalidInput
        Rates or lengths that make no sense, or more patients than one run may hold.
    """
    given = np.asarray(rates, dtype=np.float64)
    if given.ndim != 1 or given.size == 0 or not np.isfinite(given).all() or (given < 0).any():
        raise InvalidInput("Arrival rates are numbers of 0 or more.")
    if not (np.isfinite(end) and end > 0 and np.isfinite(period) and period > 0):
        raise InvalidInput("Periods and runs are longer than 0.")
    top = float(given.max())
    _bounded(top * end)
    if top == 0:
        return np.empty(0)
    at = np.empty(0)
    while at.size == 0 or at[-1] < end:
        begin = at[-1] if at.size else 0.0
        expected = top * (end - begin)
        more = rng.exponential(1 / top, int(expected + 4 * expected**0.5) + 16)
        at = np.concatenate([at, begin + np.cumsum(more)])
    at = at[at < end]
    if (given == top).all():
        return at
    place = (at / period).astype(np.int64) % given.size
    return at[rng.random(at.size) * top < given[place]]


def appointments(
    rng: np.random.Generator,
    times: Sequence[float],
    cycle: float,
    end: float,
    *,
    no_show: float = 0.0,
    lateness_sd: float = 0.0,
) -> FloatArray:
    """Arrival times of patients with appointments at `times` of every cycle, until `end`.

    Parameters
    ----------
    times : (A,) in the cycle. cycle : its length; 0: once only. no_show : share that does not come, 0 to 1.
    lateness_sd : standard deviation of the time between appointment and arrival (normal, early or late).
    """
    slots = np.asarray(times, dtype=np.float64)
    if slots.ndim != 1 or slots.size == 0 or not np.isfinite(slots).all() or (slots < 0).any():
        raise InvalidInput("Appointments are at times of 0 or later.")
    if not 0 <= no_show <= 1 or not lateness_sd >= 0 or not end > 0:
        raise InvalidInput("A share of no-shows lies between 0 and 1, a deviation at 0 or above.")
    if cycle > 0 and (slots >= cycle).any():
        raise InvalidInput(f"An appointment is later than the cycle of {cycle:g}.")
    rounds = int(np.ceil(end / cycle)) if cycle > 0 else 1
    _bounded(slots.size * rounds)
    due = (np.arange(rounds)[:, None] * max(cycle, 0.0) + slots).ravel()
    due = due[due < end]
    come = rng.random(due.size) >= no_show
    late = lateness_sd * rng.standard_normal(due.size)
    return np.asarray(np.sort(np.maximum(due + late, 0.0)[come]))


def _bounded(expected: float) -> None:
    if expected > MAX_PATIENTS:
        raise InvalidInput(
            f"One run would hold {expected:,.0f} patients, more than {MAX_PATIENTS:,}.",
            "Make runs shorter and repeat them more often: the numbers are as sure, and the memory is bounded.",
        )
