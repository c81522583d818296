"""The curves the charts show, as small tables: predictions in, points out. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals import scorers
from evals.schemas import Prediction
from knowledge.schemas import Frozen

BAND = 0.9  # probability of the bands that chance alone would fill
BINS = 10
MOST_POINTS = 60
LEAST = 10  # predictions with a stated confidence; a curve of fewer is a picture of chance


class ReliabilityBin(Frozen):
    """Predictions of like confidence: stated confidence, measured share near enough, and the band of chance (all 0-1)."""

    stated: float
    measured: float
    n: int
    null_lower: float
    null_upper: float


class PitBin(Frozen):
    """Share of the probability integral transforms from `start` to `end`."""

    start: float
    end: float
    n: int
    share: float


class RiskPoint(Frozen):
    """Share of predictions that were not near enough among the `coverage` (0-1) that were most confident."""

    coverage: float
    risk: float


def near(prediction: Prediction) -> bool | None:
    """Whether the point came within the tolerance; None where nobody said what counts as near."""
    return None if prediction.tolerance is None else abs(prediction.error) <= prediction.tolerance


def judged(predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
    """Stated confidence and whether it came true, of the predictions that have both."""
    pairs = [(p.probability, near(p)) for p in predictions]
    kept = [(stated, came) for stated, came in pairs if stated is not None and came is not None]
    return [stated for stated, _ in kept], [came for _, came in kept]


def reliability(predictions: Sequence[Prediction]) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram; empty when hardly a prediction states a confidence.

    Bins of about equal size; predictions that state the same confidence are never parted, since how they would fall into
    two bins would be chance.
    """
    found: list[ReliabilityBin] = []
    pairs = judged(predictions)
    if len(pairs[0]) < LEAST:
        return ()
    for stated, came in _alike(*pairs):
        (one,) = scorers.calibration_curve(stated, came, 1, BAND)
        found.append(
            ReliabilityBin(stated=one.said, measured=one.share, n=one.n, null_lower=one.lower, null_upper=one.upper)
        )
    return tuple(found)


def pit_histogram(predictions: Sequence[Prediction]) -> tuple[PitBin, ...]:
    """Histogram of the probability integral transforms; empty when there are none."""
    values = [prediction.pit for prediction in predictions if prediction.pit is not None]
    if not values:
        return ()
    counts, edges = np.histogram(np.clip(values, 0, 1), bins=BINS, range=(0, 1))
    return tuple(
        PitBin(start=float(edges[i]), end=float(edges[i + 1]), n=int(counts[i]), share=float(counts[i] / len(values)))
        for i in range(BINS)
    )


def pit_band(n: int) -> tuple[float, float]:
    """Where the share of one bin would lie with probability `BAND` for `n` independent uniform values."""
    from scipy.stats import binom

    low, high = (float(binom.ppf(at, n, 1 / BINS)) / n for at in ((1 - BAND) / 2, (1 + BAND) / 2))
    return low, high


def risk_coverage(predictions: Sequence[Prediction]) -> tuple[RiskPoint, ...]:
    """Risk against coverage, thinned to a few dozen points; empty when hardly a prediction states a confidence."""
    stated, came = judged(predictions)
    if len(stated) < LEAST:
        return ()
    shares, risks = scorers.risk_coverage(stated, [float(not hit) for hit in came])
    chosen = np.unique(np.linspace(0, len(shares) - 1, min(MOST_POINTS, len(shares))).round().astype(int))
    return tuple(RiskPoint(coverage=float(shares[i]), risk=float(risks[i])) for i in chosen)


def _alike(stated: Sequence[float], came: Sequence[bool]) -> list[tuple[list[float], list[float]]]:
    size = max(1, -(-len(stated) // BINS))
    bins: list[tuple[list[float], list[float]]] = []
    for confidence, hit in sorted(zip(stated, came, strict=True)):
        if not bins or (len(bins[-1][0]) >= size and bins[-1][0][-1] != confidence):
            bins.append(([], []))
        bins[-1][0].append(confidence)
        bins[-1][1].append(float(hit))
    return bins
