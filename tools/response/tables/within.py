"""How sure was the forecast that the figure would fall within a tolerance, and was it right to be? Arrays only."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import rankdata

from tools.response.features import FloatArray
from tools.response.tables.scoring import MEDIAN, PROBABILITIES

BINS: Final = 10
NULL_DRAWS: Final = 2000


def probability_within(quantiles: FloatArray, tolerance: float) -> FloatArray:
    """Forecast probability (m,) that the figure lies within `tolerance` of the median; quantiles (q, m)."""
    found = []
    for column in quantiles.T:
        edges = column[MEDIAN] + np.array([-tolerance, tolerance])
        # Beyond the outermost quantiles next to nothing is left: 0 and 1.
        low, high = np.interp(edges, column, PROBABILITIES, left=0.0, right=1.0)
        found.append(high - low)
    return np.array(found)


def brier(probability: FloatArray, hit: FloatArray) -> float:
    """Mean squared difference of probabilities and hits (0 or 1), Brier 1950."""
    return float(np.mean((probability - hit) ** 2))


def auroc(probability: FloatArray, hit: FloatArray) -> float:
    """Chance that a hit was given a higher probability than a miss (Hanley and McNeil 1982); NaN without both."""
    hits = hit > 0.5
    if hits.all() or not hits.any():
        return float("nan")
    ranks = rankdata(probability)
    positive = int(hits.sum())
    return float((ranks[hits].sum() - positive * (positive + 1) / 2) / (positive * (len(hit) - positive)))


def calibration_error(probability: FloatArray, hit: FloatArray, bins: int = BINS) -> float:
    """Mean distance of mean probability and share of hits over bins of equal size, weighted by their size."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    return float(sum(len(part) * abs(probability[part].mean() - hit[part].mean()) for part in parts) / len(order))


def excess_calibration_error(probability: FloatArray, hit: FloatArray, bins: int = BINS) -> tuple[float, float]:
    """Calibration error, and how far above that of a perfectly calibrated forecaster of the same size it is.

    The perfect forecaster says the same probabilities, and its hits are drawn with them one by one. Figures of one
    trial share their luck, so its chance error is if anything understated and the excess overstated.

    Returns
    -------
    error, excess : the second may be below 0.
    """
    error = calibration_error(probability, hit, bins)
    generator = np.random.Generator(np.random.PCG64(20261125))
    chance = [
        calibration_error(probability, (generator.random(len(probability)) < probability).astype(float), bins)
        for _ in range(NULL_DRAWS)
    ]
    return error, error - float(np.mean(chance))
