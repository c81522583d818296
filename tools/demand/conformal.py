"""Split conformal intervals: as wide as the backtest's own errors, with a coverage that is known in finite samples.

The k-th smallest of n absolute errors, k = ceil((n + 1) · level), covers the next one with a probability of at least the level
when errors are exchangeable; given the n errors, the coverage is Beta(k, n + 1 - k) (Marques 2023, arXiv 2303.02770).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
SLACK = 1e-9  # of a level such as 0.9, which has no exact binary form


def _level(level: float) -> None:
    if not 0 < level < 1:
        raise InvalidInput(f"The level of an interval lies between 0 and 1, not at {level:g}.")


def errors_needed(level: float) -> int:
    """The smallest number of errors from which an interval of this level can be made."""
    _level(level)
    return max(1, math.ceil(level / (1 - level) - SLACK))


def highest_level(errors: int) -> float:
    """The highest level that so many errors allow, n / (n + 1)."""
    return errors / (errors + 1)


def conformal_rank(errors: int, level: float) -> int:
    """Rank k = ceil((n + 1) · level) of the error that bounds the interval.

    Raises
    ------
    InvalidInput
        Too few errors: the rank would lie above n, and any finite interval would promise too much.
    """
    _level(level)
    rank = math.ceil((errors + 1) * level - SLACK)
    if rank > errors:
        raise InvalidInput(
            f"An interval of {100 * level:g} % needs at least {errors_needed(level)} backtest errors; there are {errors}.",
            f"Give a longer history, or a level of at most {highest_level(errors):.3g}." if errors else "",
        )
    return rank


def radius(errors: npt.ArrayLike, level: float) -> FloatArray:
    """Half width of the interval: (…) from errors (n, …), one for each of the trailing dimensions."""
    given = np.asarray(errors, dtype=np.float64)
    if given.ndim < 1 or not np.isfinite(given).all():
        raise InvalidInput("Errors are numbers, one row for each fold.")
    rank = conformal_rank(given.shape[0], level)
    # Each row of errors lies together in memory: selecting along the first axis is several times slower.
    turned = np.moveaxis(given, 0, -1)
    size = np.abs(turned, out=np.empty(turned.shape))
    size.partition(rank - 1, axis=-1)
    return np.asarray(size[..., rank - 1])


@dataclass(frozen=True)
class CoverageLaw:
    """Beta law of the coverage, given the errors: its rank, mean, standard deviation and parameters."""

    rank: int
    mean: float
    sd: float
    a: float
    b: float


def coverage_law(errors: int, level: float) -> CoverageLaw:
    """Distribution of the coverage over samples of `errors` exchangeable errors without ties."""
    rank = conformal_rank(errors, level)
    a, b = float(rank), float(errors + 1 - rank)
    return CoverageLaw(rank, a / (a + b), math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1))), a, b)


def simulated_coverage(generator: np.random.Generator, errors: int, level: float, samples: int) -> dict[str, float]:
    """Mean, sd and standard error of the coverage of `radius` over samples of uniform errors, whose coverage is the radius itself."""
    if samples < 2:
        raise InvalidInput("Give at least two samples.")
    covered = radius(generator.random((errors, samples)), level)
    sd = float(covered.std(ddof=1))
    return {"mean": float(covered.mean()), "sd": sd, "standard_error": sd / math.sqrt(samples)}
