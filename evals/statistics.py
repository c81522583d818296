"""Intervals and paired comparisons by resampling clusters (trials, sources). Arrays in, numbers out.

Figures of one trial share what was special about it, so whole clusters are drawn with replacement, all their figures
together (Davison and Hinkley 1997, section 3.8; Cameron, Gelbach and Miller 2008, Rev Econ Stat 90:414).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES: Final = 2000
RESAMPLES_OF_CURVES: Final = 300  # of statistics that are no ratio of sums, and dear
FEWEST: Final = 5  # clusters; the percentiles of fewer say nothing
SEED: Final = 20261121


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile interval; no interval (None) with fewer than `FEWEST` clusters."""

    value: float
    lower: float | None
    upper: float | None
    clusters: int


@dataclass(frozen=True)
class Difference:
    """Now minus before with its interval, and the two-sided bootstrap p-value (None with too few clusters)."""

    value: float
    lower: float | None
    upper: float | None
    p: float | None
    clusters: int


def ratio_interval(
    totals: Sequence[float] | Array, weights: Sequence[float] | Array, clusters: Sequence[str], level: float = 0.95
) -> Interval:
    """Interval of sum(totals) / sum(weights); a mean has weights of 1.

    Parameters
    ----------
    totals, weights, clusters : (n,); weights not negative.

    Raises
    ------
    ValueError
        Shapes differ, or nothing has a weight.
    """
    total, weight = _by_cluster(totals, weights, clusters)
    if weight.sum() <= 0:
        raise ValueError("nothing has a weight")
    value = float(total.sum() / weight.sum())
    if len(total) < FEWEST:
        return Interval(value, None, None, len(total))
    drawn = _ratios(_counts(len(total)), total, weight)
    lower, upper = _percentiles(drawn, level)
    return Interval(value, lower, upper, len(total))


def paired_difference(
    now: Sequence[tuple[float, float]],
    before: Sequence[tuple[float, float]],
    clusters: Sequence[str],
    level: float = 0.95,
) -> Difference:
    """Difference of two ratios of sums on the same cases, both sides of a cluster drawn together.

    p is twice the smaller share of resampled differences on either side of 0, ties counting half on both, and never
    below 1 / resamples (Davison and Hinkley 1997, section 4.2).

    Parameters
    ----------
    now, before : (n,) pairs (total, weight) of the same case in both runs.
    clusters : (n,).
    """
    first = _by_cluster([total for total, _ in now], [weight for _, weight in now], clusters)
    second = _by_cluster([total for total, _ in before], [weight for _, weight in before], clusters)
    if first[1].sum() <= 0 or second[1].sum() <= 0:
        raise ValueError("nothing has a weight")
    value = float(first[0].sum() / first[1].sum() - second[0].sum() / second[1].sum())
    n = len(first[0])
    if all(np.array_equal(one, other) for one, other in zip(first, second, strict=True)):
        return Difference(0.0, 0.0, 0.0, 1.0, n)
    if n < FEWEST:
        return Difference(value, None, None, None, n)
    counts = _counts(n)
    drawn = _ratios(counts, *first) - _ratios(counts, *second)
    drawn = drawn[np.isfinite(drawn)]
    ties = float(np.mean(np.abs(drawn) < 1e-12)) / 2
    p = 2 * min(float(np.mean(drawn < -1e-12)) + ties, float(np.mean(drawn > 1e-12)) + ties)
    lower, upper = _percentiles(drawn, level)
    return Difference(value, lower, upper, min(1.0, max(p, 1 / len(drawn))), n)


def statistic_interval(
    columns: Array, clusters: Sequence[str], statistic: Callable[[Array], float], level: float = 0.95
) -> Interval:
    """Interval of any statistic of rows (AUROC, AURC, calibration error).

    Parameters
    ----------
    columns : (n, k), a row per figure. clusters : (n,).
    statistic : of rows (m, k); may be NaN for some resamples, which are left out.
    """
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    value = statistic(columns)
    if len(names) < FEWEST or math.isnan(value):
        return Interval(value, None, None, len(names))
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
    rows = [order[starts[i] : starts[i + 1]] for i in range(len(names))]
    generator = np.random.Generator(np.random.PCG64(SEED))
    drawn = np.array(
        [
            statistic(columns[np.concatenate([rows[i] for i in generator.integers(0, len(names), len(names))])])
            for _ in range(RESAMPLES_OF_CURVES)
        ]
    )
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(value, None, None, len(names))
    lower, upper = _percentiles(drawn, level)
    return Interval(value, lower, upper, len(names))


def _by_cluster(
    totals: Sequence[float] | Array, weights: Sequence[float] | Array, clusters: Sequence[str]
) -> tuple[Array, Array]:
    if not len(totals) == len(weights) == len(clusters):
        raise ValueError(f"{len(totals)} totals, {len(weights)} weights and {len(clusters)} clusters do not fit")
    names, codes = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    weight = np.asarray(weights, dtype=float)
    if np.any(weight < 0):
        raise ValueError("a weight is not negative")
    total = np.asarray(totals, dtype=float)
    count = len(names)
    return (
        np.asarray(np.bincount(codes, weights=total, minlength=count), dtype=float),
        np.asarray(np.bincount(codes, weights=weight, minlength=count), dtype=float),
    )


def _ratios(counts: Array, total: Array, weight: Array) -> Array:
    bottom = counts @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(bottom > 0, (counts @ total) / bottom, np.nan)
    return found


@lru_cache(maxsize=64)
def _counts(clusters: int) -> Array:
    """How often each cluster is drawn, (resamples, clusters); the same for equal numbers of clusters."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    return generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES).astype(float)


def _percentiles(drawn: Array, level: float) -> tuple[float, float]:
    usable = drawn[np.isfinite(drawn)]
    lower, upper = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)
