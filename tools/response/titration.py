"""A dose that is raised in steps, as numbers: the early course is slower, the end is the same. Arrays in, arrays out.

The model's effect approaches its end as `1 - exp(-onset * t)`, which is a turnover model with a constant drive (Dayneka,
Garg and Jusko 1993). Under a dose that changes, the drive is the Emax curve of the dose of the day, so that the effect is
a convolution; in steps it has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.response.features import FloatArray


@dataclass(frozen=True)
class Step:
    """A dose from a week on: `ratio` is the dose over the drug's reference dose."""

    from_week: float
    ratio: float


def titrated_share(steps: Sequence[Step], weeks: float, onset: FloatArray, half_dose: FloatArray) -> FloatArray:
    """Effect of a dose raised in steps over that of the last dose from the start.

    Parameters
    ----------
    steps : in order, the first from week 0; the last dose is the one that the effect is compared with.
    weeks : time of the visit.
    onset : (K,) rate of the time course, 1/week; half_dose : (K,) dose of the half-maximal effect over the reference.

    Returns
    -------
    (K,) 1 for a single step; below 1 where doses rise, towards 1 as time goes on.

    Raises
    ------
    ValueError : no step, a first step that is not at week 0, steps out of order, or a dose that is not positive.
    """
    if not steps or steps[0].from_week != 0:
        raise ValueError("the first dose starts at week 0")
    starts = np.array([step.from_week for step in steps], dtype=float)
    if np.any(np.diff(starts) <= 0):
        raise ValueError("steps come in the order of their weeks")
    if any(not step.ratio > 0 for step in steps) or not weeks > 0:
        raise ValueError("doses and weeks must be positive")
    onset, half_dose = np.broadcast_arrays(*map(np.atleast_1d, (onset, half_dose)))
    ends = np.append(starts[1:], np.inf)
    total = np.zeros(onset.shape)
    final = _drive(steps[-1].ratio, half_dose)
    for step, start, end in zip(steps, starts, ends, strict=True):
        if start >= weeks:
            break
        until = min(float(end), weeks)
        reached = np.exp(-onset * (weeks - until)) - np.exp(-onset * (weeks - start))
        total += _drive(step.ratio, half_dose) / final * reached
    return np.asarray(total / -np.expm1(-onset * weeks))


def _drive(ratio: float, half_dose: FloatArray) -> FloatArray:
    """Effect of a dose on the Emax curve, 1 at the reference dose."""
    return np.asarray(ratio * (1.0 + half_dose) / (ratio + half_dose))
