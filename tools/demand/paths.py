"""Courses that demand may take: the forecast plus errors of whole backtest forecasts, resampled for all series at once.

An error course of one fold is drawn with its dependence over periods and series, and mixed with others so that more courses than
folds are possible: a smoothed bootstrap whose second moments are those of the errors (Silverman and Young 1987, Biometrika 74, 469).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.execution import Piece

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """Draws of one piece: bottom forecasts (H, m), fold errors (K, H, m), factors of events (d, H, m), and what to sum.

    Attributes
    ----------
    sums : (n, m). keep : rows of `sums` whose courses are returned.
    """

    piece: Piece
    replicates: int
    future: FloatArray
    errors: FloatArray
    factors: FloatArray
    sums: FloatArray
    keep: tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """Of one piece: totals over the horizon (d, R, n) with and without the events, and courses (d, R, H, keep) with them."""

    totals: FloatArray
    plain: FloatArray
    courses: FloatArray


def weights(generator: np.random.Generator, runs: int, folds: int) -> FloatArray:
    """(runs, folds) weights of fold errors: one fold each, blurred, with the mean error (a bias) of either sign.

    Over runs the mean is 0, so that courses lie around the forecast, and second moments are those of the folds, bias included, as in
    the conformal intervals.
    """
    one = np.zeros((runs, folds))
    one[np.arange(runs), generator.integers(0, folds, runs)] = 1.0
    middle = 1 / folds
    sign = generator.choice([-middle, middle], (runs, 1))
    blur = folds**-0.2  # rate of the best bandwidth of a kernel density
    other = generator.standard_normal((runs, folds)) / np.sqrt(folds)
    other -= other.mean(axis=1, keepdims=True)
    return np.asarray(sign + (one - middle + blur * other) / np.sqrt(1 + blur**2))


def draw(course: Course) -> Drawn:
    """Courses of one piece (module level: picklable)."""
    generator = course.piece.rng()
    draws, replicates = course.piece.size, course.replicates
    folds, horizon, parts = course.errors.shape
    mix = weights(generator, draws * replicates, folds)
    paths = course.future + (mix @ course.errors.reshape(folds, -1)).reshape(draws, replicates, horizon, parts)
    np.maximum(paths, 0.0, out=paths)
    plain = paths.sum(axis=2) @ course.sums.T
    paths *= course.factors[:, None]
    return Drawn(paths.sum(axis=2) @ course.sums.T, plain, paths @ course.sums[list(course.keep)].T)
