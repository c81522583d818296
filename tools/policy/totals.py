"""From what one starter needs to what all starters need, month by month.

Who starts in a month starts in its middle. All functions take the same draws: starters (D, R, M), persons' needs (D, M).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
MONTHS = 12


def monthly_profile(until: Callable[[float], FloatArray], months: int) -> FloatArray:
    """(D, M) of one starter in the calendar month of starting, the next one, and so on.

    Parameters
    ----------
    until : years since starting → (D,) amount used up by then. months : of the horizon, 1 or more (InvalidInput).
    """
    if months < 1:
        raise InvalidInput("The horizon is a month or longer.")
    reached = np.stack([until((k + 0.5) / MONTHS) for k in range(months)], axis=-1)
    return np.diff(reached, axis=-1, prepend=0.0)


def by_month(started: npt.ArrayLike, profile: npt.ArrayLike) -> FloatArray:
    """(D, R, M) amount in each calendar month: the sum over those who started in it and before.

    Parameters
    ----------
    started : (D, R, M) new in each month. profile : (D, M) of one starter by months since starting.
    """
    people, each = np.asarray(started, dtype=np.float64), np.asarray(profile, dtype=np.float64)
    if people.ndim != 3 or each.shape != (people.shape[0], people.shape[2]):
        raise InvalidInput("Starters are draws by replicates by months, and a person's needs draws by months.")
    total = np.zeros_like(people)
    for month in range(people.shape[2]):
        total[..., month:] += people[..., month : month + 1] * each[:, None, : people.shape[2] - month]
    return total


def clinic_wait(visits: npt.ArrayLike, minutes: float, clinicians: int, hours: float) -> tuple[FloatArray, FloatArray]:
    """(D,) mean wait in hours of opening and (D,) share of the clinicians' time that is busy, at (D,) visits per week.

    M/M/c of `tools.capacity`; where the visits are more than the clinicians can see, the wait is infinite.
    """
    from tools.capacity.model import mmc

    weekly = np.atleast_1d(np.asarray(visits, dtype=np.float64))
    if not (minutes > 0 and hours > 0 and clinicians >= 1) or not np.isfinite(weekly).all() or (weekly < 0).any():
        raise InvalidInput("A clinic has clinicians, opening hours and visits that last.", "Give numbers above 0.")
    served = 60.0 / minutes
    busy = weekly / hours / served / clinicians
    wait = np.array(
        [
            0.0 if one <= 0 else mmc(one / hours, served, clinicians).wait_mean if load < 1 else np.inf
            for one, load in zip(weekly, busy, strict=True)
        ]
    )
    return wait, busy
