"""Dying with age: Gompertz's law, or a life table that the user gives.

Gompertz 1825 (Philosophical Transactions of the Royal Society): hazard a·exp(b·age). In a life table the hazard is constant
within each row's years of age; the last row's goes on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


def gompertz_cumulative_hazard(age: npt.ArrayLike, years: npt.ArrayLike, a: float, b: float) -> FloatArray:
    """Hazard accumulated from `age` over `years`: a·exp(b·age)·(exp(b·years) − 1) / b."""
    if not (np.isfinite(a) and np.isfinite(b)) or a < 0:
        raise InvalidInput("Gompertz's level is a rate of 0 or more a year.")
    ages, spans = np.asarray(age, dtype=np.float64), np.asarray(years, dtype=np.float64)
    if b == 0.0:
        return np.asarray(a * spans + 0.0 * ages)
    return np.asarray(a * np.exp(b * ages) * np.expm1(b * spans) / b)


def table_cumulative_hazard(
    age: npt.ArrayLike, years: npt.ArrayLike, ages: npt.ArrayLike, probabilities: npt.ArrayLike
) -> FloatArray:
    """Hazard accumulated from `age` over `years` in a life table.

    Parameters
    ----------
    ages : (R,) first age of each row, rising. probabilities : (R,) probability of dying within a year in that row.

    Raises
    ------
    InvalidInput
        Ages that do not rise, or probabilities outside [0, 1); a probability of 1 means a hazard without end.
    """
    first, q = np.asarray(ages, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if first.ndim != 1 or first.shape != q.shape or first.size == 0 or (np.diff(first) <= 0).any():
        raise InvalidInput("A life table has one probability for each age, and the ages rise.")
    if not (np.isfinite(q).all() and (q >= 0).all() and (q < 1).all()):
        raise InvalidInput(
            "A yearly probability of dying lies between 0 and 1 (below 1).", "Leave out the closing row."
        )
    hazard = -np.log1p(-q)
    steps = np.concatenate([[0.0], np.cumsum(hazard[:-1] * np.diff(first))])

    def accumulated(to: FloatArray) -> FloatArray:
        row = np.clip(np.searchsorted(first, to, side="right") - 1, 0, len(first) - 1)
        return np.asarray(steps[row] + hazard[row] * (to - first[row]))

    start = np.asarray(age, dtype=np.float64)
    return accumulated(start + np.asarray(years, dtype=np.float64)) - accumulated(start)
