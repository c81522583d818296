"""Scorers: small pure functions on numbers. Arrays in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def absolute_error(predicted: Sequence[float], observed: Sequence[float]) -> float:
    """Mean absolute error, in the unit of the input. Shapes (n,), (n,)."""
    return float(np.mean(np.abs(_paired(predicted, observed)))) if len(observed) else math.nan


def coverage(lower: Sequence[float], upper: Sequence[float], observed: Sequence[float]) -> float:
    """Share of observations inside their interval, 0-1. Shapes (n,)."""
    if not len(observed):
        return math.nan
    low, high, seen = (np.asarray(values, dtype=float) for values in (lower, upper, observed))
    return float(np.mean((low <= seen) & (seen <= high)))


def interval_score(lower: Sequence[float], upper: Sequence[float], observed: Sequence[float], level: float) -> float:
    """Mean interval score at `level` (0-1): width plus 2/alpha times the miss (Gneiting & Raftery 2007, JASA 102:359)."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if not len(observed):
        return math.nan
    low, high, seen = (np.asarray(values, dtype=float) for values in (lower, upper, observed))
    miss = np.maximum(low - seen, 0) + np.maximum(seen - high, 0)
    return float(np.mean((high - low) + 2 / (1 - level) * miss))


def wilson(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson interval of a share (Wilson 1927), 95 % by default; (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _paired(predicted: Sequence[float], observed: Sequence[float]) -> Array:
    if len(predicted) != len(observed):
        raise ValueError(f"{len(predicted)} predictions but {len(observed)} observations")
    difference: Array = np.asarray(predicted, dtype=float) - np.asarray(observed, dtype=float)
    return difference
