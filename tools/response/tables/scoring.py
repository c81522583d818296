"""Scores of forecasts given as quantiles. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tools.response.features import FloatArray

LEVELS: Final = (0.5, 0.8, 0.9)
# Forty-one probabilities: 0.0125 apart near the tails is enough for a CRPS within 1 % of the exact one of a normal.
PROBABILITIES: Final = np.concatenate([[0.005], np.linspace(0.025, 0.975, 39), [0.995]])
MEDIAN: Final = 20


def interval(quantiles: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Central interval (m,), (m,) of quantiles (q, m)."""
    low = int(np.argmin(np.abs(PROBABILITIES - (1 - level) / 2)))
    return quantiles[low], quantiles[len(PROBABILITIES) - 1 - low]


def interval_score(quantiles: FloatArray, observed: FloatArray, level: float) -> FloatArray:
    """Width plus 2 / (1 - level) times the miss (Gneiting and Raftery 2007), (m,); lower is better."""
    lower, upper = interval(quantiles, level)
    missed = np.maximum(lower - observed, 0.0) + np.maximum(observed - upper, 0.0)
    return np.asarray(upper - lower + 2.0 / (1.0 - level) * missed)


def covered(quantiles: FloatArray, observed: FloatArray, level: float) -> FloatArray:
    """1 where the interval holds the figure, (m,)."""
    lower, upper = interval(quantiles, level)
    return np.asarray(((lower <= observed) & (observed <= upper)).astype(float))


def crps(quantiles: FloatArray, observed: FloatArray) -> FloatArray:
    """Continuous ranked probability score (m,): twice the pinball loss integrated over the probabilities."""
    error = observed - quantiles
    loss = np.maximum(PROBABILITIES[:, None] * error, (PROBABILITIES[:, None] - 1) * error)
    return np.asarray(2.0 * np.trapezoid(loss, PROBABILITIES, axis=0) / (PROBABILITIES[-1] - PROBABILITIES[0]))


def pit(quantiles: FloatArray, observed: FloatArray) -> FloatArray:
    """Probability integral transform (m,), by linear interpolation between the quantiles."""
    columns = zip(observed, quantiles.T, strict=True)
    return np.array([np.interp(value, column, PROBABILITIES, left=0.0, right=1.0) for value, column in columns])


def by_study(values: FloatArray, studies: NDArray[np.str_]) -> float:
    """Mean over studies of the mean within each, so that a trial with many visits counts once."""
    return float(np.mean([values[studies == study].mean() for study in np.unique(studies)]))


def ratio_interval(
    top: Sequence[FloatArray],
    bottom: Sequence[FloatArray],
    studies: Sequence[NDArray[np.str_]],
    weights: FloatArray | None = None,
    resamples: int = 2000,
) -> tuple[float, float, float]:
    """Weighted geometric mean of mean(top) / mean(bottom), with a 90 % interval by resampling studies within each part.

    Parameters
    ----------
    top, bottom : for each part the scores (m,) of two methods on the same figures.
    studies : for each part the study (m,) of each figure.
    weights : of the parts; equal by default.
    """
    sums = [_sums(a, b, s) for a, b, s in zip(top, bottom, studies, strict=True)]
    weight = np.ones(len(sums)) if weights is None else weights
    weight = weight / weight.sum()
    tiny = np.finfo(float).tiny  # a method that never errs

    def log_ratio(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.asarray(np.log(np.maximum(a, tiny)) - np.log(np.maximum(b, tiny)))

    point = float(np.exp(sum(w * log_ratio(a.sum(), b.sum()) for w, (a, b) in zip(weight, sums, strict=True))))
    generator = np.random.Generator(np.random.PCG64(20261121))
    logs = np.zeros(resamples)
    for w, (a, b) in zip(weight, sums, strict=True):
        chosen = generator.integers(0, len(a), (resamples, len(a)))
        logs += w * log_ratio(a[chosen].sum(axis=1), b[chosen].sum(axis=1))
    low, high = np.exp(np.quantile(logs, [0.05, 0.95]))
    return point, float(low), float(high)


def _sums(top: FloatArray, bottom: FloatArray, studies: NDArray[np.str_]) -> tuple[FloatArray, FloatArray]:
    codes = np.unique(studies, return_inverse=True)[1]
    return np.asarray(np.bincount(codes, weights=top), float), np.asarray(np.bincount(codes, weights=bottom), float)
