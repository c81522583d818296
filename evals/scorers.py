"""Scorers: small pure functions on numbers. Arrays in, numbers out; each names the literature it follows."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# Integral of the squared standard normal distribution function over the negative half line.
_HALF = 1 / math.sqrt(2 * math.pi) - 1 / (2 * math.sqrt(math.pi))


# -- figures ------------------------------------------------------------------------------------------------------------


def absolute_error(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Mean absolute error, in the unit of the input. Shapes (n,), (n,)."""
    first, second = _paired(predicted, observed)
    return float(np.mean(np.abs(first - second))) if len(second) else math.nan


def scaled_error(predicted: ArrayLike, observed: ArrayLike, scale: ArrayLike) -> float:
    """Mean of absolute errors over `scale` (> 0; e.g. the minimal important difference), free of units. Shapes (n,).

    Scaling by what matters to the reader, as Hyndman and Koehler 2006 (Int J Forecasting 22:679) scale by a naive error.
    """
    first, second = _paired(predicted, observed)
    unit, _ = _paired(scale, observed)
    if np.any(unit <= 0):
        raise ValueError("a scale must be above 0")
    return float(np.mean(np.abs(first - second) / unit)) if len(second) else math.nan


def coverage(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike) -> float:
    """Share of observations inside their interval, 0-1. Shapes (n,)."""
    low, seen = _paired(lower, observed)
    high, _ = _paired(upper, observed)
    return float(np.mean((low <= seen) & (seen <= high))) if len(seen) else math.nan


def interval_score(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, level: float) -> float:
    """Mean interval score at `level` (0-1): width plus 2/alpha times the miss (Gneiting & Raftery 2007, JASA 102:359)."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    low, seen = _paired(lower, observed)
    high, _ = _paired(upper, observed)
    if not len(seen):
        return math.nan
    miss = np.maximum(low - seen, 0) + np.maximum(seen - high, 0)
    return float(np.mean((high - low) + 2 / (1 - level) * miss))


def crps_quantiles(probabilities: ArrayLike, quantiles: ArrayLike, observed: float) -> float:
    """Continuous ranked probability score from quantiles: twice the pinball loss integrated over the probabilities.

    Laio and Tamea 2007 (HESS 11:1267); trapezoids between the probabilities, which are ascending in (0, 1). Shapes (q,),
    (q,). Beyond the outermost probabilities nothing is known, so the integral is scaled to the span that is.
    """
    levels, values = _paired(probabilities, quantiles)
    if len(levels) < 2 or np.any(np.diff(levels) <= 0) or levels[0] <= 0 or levels[-1] >= 1:
        raise ValueError("quantiles need two or more ascending probabilities between 0 and 1")
    error = observed - values
    loss = np.maximum(levels * error, (levels - 1) * error)
    return float(2 * np.trapezoid(loss, levels) / (levels[-1] - levels[0]))


def crps_normal(mean: float, sd: float, observed: float) -> float:
    """CRPS of a normal forecast, closed form (Gneiting et al 2005, Mon Wea Rev 133:1098); |error| where sd is 0."""
    if sd < 0:
        raise ValueError(f"a standard deviation is not negative, got {sd}")
    if sd == 0:
        return abs(observed - mean)
    z = (observed - mean) / sd
    return sd * (z * (2 * _phi_below(z) - 1) + 2 * _density(z) - 1 / math.sqrt(math.pi))


def crps_split_normal(point: float, lower: float, upper: float, level: float, observed: float) -> float:
    """CRPS of the forecast whose median is `point` and whose central interval is `lower` to `upper`.

    Two normal halves, each with its own spread, meet at the median (the quantile-matching form of the two-piece normal,
    Wallis 2014, Statistical Science 29:106). Equal halves give `crps_normal`.
    """
    below, above = _spreads(point, lower, upper, level)
    own, other = (above, below) if observed >= point else (below, above)
    return crps_normal(point, own, observed) + (other - own) * _HALF


def pit_split_normal(point: float, lower: float, upper: float, level: float, observed: float) -> float:
    """Probability integral transform of the same forecast, 0-1 (Dawid 1984, JRSS A 147:278)."""
    below, above = _spreads(point, lower, upper, level)
    spread = above if observed >= point else below
    if spread == 0:
        return 0.5 if observed == point else float(observed > point)
    return _phi_below((observed - point) / spread)


def within_split_normal(point: float, lower: float, upper: float, level: float, tolerance: float) -> float:
    """Probability that the same forecast gives to being within `tolerance` of its point, 0-1."""
    return pit_split_normal(point, lower, upper, level, point + tolerance) - pit_split_normal(
        point, lower, upper, level, math.nextafter(point - tolerance, -math.inf)
    )


def uniform_distance(pits: ArrayLike) -> float:
    """Largest distance of the distribution of PIT values from the uniform one (Kolmogorov-Smirnov), 0-1; NaN for none."""
    values = np.sort(np.asarray(pits, dtype=float))
    n = len(values)
    if not n:
        return math.nan
    steps = np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - values), np.max(values - steps[:-1])))


# -- probabilities ------------------------------------------------------------------------------------------------------


def brier(probability: ArrayLike, hit: ArrayLike) -> float:
    """Mean squared difference of probabilities and hits (0 or 1), Brier 1950 (Mon Wea Rev 78:1). Shapes (n,)."""
    said, came = _paired(probability, hit)
    return float(np.mean((said - came) ** 2)) if len(said) else math.nan


def auroc(score: ArrayLike, hit: ArrayLike) -> float:
    """Chance that a hit has a higher score than a miss, ties half (Hanley and McNeil 1982); NaN without both."""
    value, came = _paired(score, hit)
    positive = came > 0.5
    n, hits = len(value), int(positive.sum())
    if not 0 < hits < n:
        return math.nan
    order = np.argsort(value, kind="stable")
    _, where, counts = np.unique(value[order], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each tied group
    ranks = np.empty(n)
    ranks[order] = middle[where]
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * (n - hits)))


@dataclass(frozen=True)
class Bin:
    """A bin of a reliability diagram; `lower` to `upper` is where the share would fall were the probabilities right."""

    n: int
    said: float
    share: float
    lower: float
    upper: float


def calibration_curve(probability: ArrayLike, hit: ArrayLike, bins: int = 10, level: float = 0.9) -> list[Bin]:
    """Reliability diagram over bins of equal size, with consistency bars.

    The bars hold a share of hits that the bin's own mean probability would give with probability `level` (Bröcker and
    Smith 2007, Weather and Forecasting 22:651), here from the binomial distribution. Figures of one trial share their
    luck, so the bars are if anything too narrow.

    Parameters
    ----------
    probability, hit : (n,), 0-1 and 0 or 1.
    """
    from scipy.stats import binom

    said, came = _paired(probability, hit)
    order = np.argsort(said, kind="stable")
    found = []
    for part in np.array_split(order, min(bins, len(order))) if len(order) else []:
        n, mean = len(part), float(said[part].mean())
        low, high = (float(binom.ppf(edge, n, mean)) / n for edge in ((1 - level) / 2, (1 + level) / 2))
        found.append(Bin(n, mean, float(came[part].mean()), low, high))
    return found


def calibration_error(probability: ArrayLike, hit: ArrayLike, bins: int = 10) -> float:
    """Mean distance of said and share over the bins of `calibration_curve`, by size (Naeini et al 2015, AAAI)."""
    curve = calibration_curve(probability, hit, bins)
    total = sum(one.n for one in curve)
    return sum(one.n * abs(one.said - one.share) for one in curve) / total if total else math.nan


def risk_coverage(confidence: ArrayLike, loss: ArrayLike) -> tuple[Array, Array]:
    """(coverage, risk): mean loss of the most confident share of the answers, for every share (El-Yaniv and Wiener 2010).

    Answers of equal confidence come in together: each has the mean loss of its group. Shapes (n,) → (n,), (n,).
    """
    sure, lost = _paired(confidence, loss)
    n = len(sure)
    values, group = np.unique(-sure, return_inverse=True)
    mean = np.bincount(group, weights=lost, minlength=len(values)) / np.maximum(
        np.bincount(group, minlength=len(values)), 1
    )
    ordered = mean[group][np.argsort(-sure, kind="stable")]
    return np.arange(1, n + 1) / n if n else np.empty(0), np.cumsum(ordered) / np.arange(1, n + 1)


def aurc(confidence: ArrayLike, loss: ArrayLike) -> float:
    """Area under the risk-coverage curve, in the unit of the loss (Geifman, Uziel and El-Yaniv 2019, ICLR); NaN for none.

    Confidence that says nothing gives the mean loss; below it, the confident answers are the better ones.
    """
    _, risk = risk_coverage(confidence, loss)
    return float(risk.mean()) if len(risk) else math.nan


# -- sets and labels ----------------------------------------------------------------------------------------------------


def precision(found: Collection[str], right: Collection[str]) -> float:
    """Share of what was found that is right, 0-1 (van Rijsbergen 1979); NaN when nothing was found."""
    return len(set(found) & set(right)) / len(set(found)) if found else math.nan


def recall(found: Collection[str], right: Collection[str]) -> float:
    """Share of what is right that was found, 0-1; NaN when nothing is right."""
    return len(set(found) & set(right)) / len(set(right)) if right else math.nan


def f1(true_positive: float, false_positive: float, false_negative: float) -> float:
    """Harmonic mean of precision and recall, 2TP / (2TP + FP + FN), 0-1 (van Rijsbergen 1979); NaN when all are 0.

    For slots as in task-oriented dialogue: a slot with a wrong value is one false positive and one false negative.
    """
    total = 2 * true_positive + false_positive + false_negative
    return 2 * true_positive / total if total else math.nan


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """1 / rank of the first relevant one, 0 when there is none (Voorhees 1999, TREC-8)."""
    wanted = set(relevant)
    return next((1 / rank for rank, key in enumerate(ranking, start=1) if key in wanted), 0.0)


def kappa(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Cohen's kappa of two judges (Cohen 1960, Educ Psychol Meas 20:37); NaN when chance alone would agree, or for none."""
    one, other = _paired([float(value) for value in first], [float(value) for value in second])
    if not len(one):
        return math.nan
    agreed = float(np.mean(one == other))
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return (agreed - chance) / (1 - chance) if chance < 1 else math.nan


def wilson(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson interval of a share (Wilson 1927), 95 % by default; (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _spreads(point: float, lower: float, upper: float, level: float) -> tuple[float, float]:
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if not lower <= point <= upper:
        raise ValueError(f"the point {point} lies outside its interval {lower} to {upper}")
    z = float(ndtri((1 + level) / 2))
    return (point - lower) / z, (upper - point) / z


def _phi_below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[Array, Array]:
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"{one.size} predictions but {other.size} observations")
    return one, other
