"""Choices by (latent-class) multinomial logit. Arrays in, arrays out; no I/O.

P(j) = exp(V_j) / sum exp(V), with V = X b (McFadden 1974); with classes, the mean over them weighted by the chance of
belonging to each (Greene & Hensher 2003). Weights are drawn from normals with their published standard errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def choice_probabilities(utilities: FloatArray) -> FloatArray:
    """Chance (0–1) of each option; the last axis of `utilities` (log odds) is the options."""
    shifted = np.exp(utilities - utilities.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def drawn_weights(mean: FloatArray, se: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """(draws, P) weights from independent normals; the first row is `mean` itself."""
    drawn = mean + se * rng.standard_normal((draws, len(mean)))
    drawn[0] = mean
    return np.asarray(drawn)


def calibrated_constant(offsets: FloatArray, share: float) -> float:
    """Constant at which the mean of 1 / (1 + exp(-(constant + offsets))) is `share`; by bisection.

    Raises
    ------
    ValueError : `share` is not between 0 and 1.
    """
    if not 0.0 < share < 1.0:
        raise ValueError("a share lies between 0 and 1")
    reach = 60.0 + float(np.abs(offsets).max(initial=0.0))
    low, high = -reach, reach
    for _ in range(200):
        middle = (low + high) / 2.0
        if float(np.mean(1.0 / (1.0 + np.exp(-(middle + offsets))))) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def simulated_choices(utilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """The option each of N persons takes, (N,): the largest of `utilities` (N, J) plus a standard Gumbel error."""
    return np.asarray((utilities + rng.gumbel(size=utilities.shape)).argmax(axis=1), dtype=np.int64)


def group_counts(shares: FloatArray, people: int, rng: np.random.Generator) -> IntArray:
    """How many of a group of `people` take each option, one group for each row of `shares` (D, J)."""
    return np.asarray(rng.multinomial(people, shares), dtype=np.int64)
