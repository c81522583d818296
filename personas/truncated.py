"""Exact draws from a multivariate normal inside a box, however small the box.

Minimax exponential tilting (Botev 2017, J R Stat Soc B 79:125): the attributes are drawn one after another from their
truncated conditional ranges (as in the GHK simulator), with shifts that make the importance weights nearly constant,
and accepted with probability proportional to the weight. Accepted draws are exact and independent; the mean weight is
an unbiased estimate of the probability of the box. numpy and scipy.special only; no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Tails beyond this many standard deviations hold less than 1e-300 of the probability.
_FAR = 37.0
# Points of the lattice rule for the probability of a box; errs by about 1e-4 of the value in four dimensions.
_LATTICE_POINTS = 8192
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)


@dataclass(frozen=True)
class Box:
    """A box, scaled and tilted for drawing.

    Attributes
    ----------
    factor : (k, k) Cholesky factor of the correlation matrix, in the order of `order`.
    order : (k,) the original position of each row; the narrowest range comes first.
    lower, upper : (k,) limits divided by the factor's diagonal.
    rows : (k, k) factor divided by its diagonal, diagonal zero.
    tilt : (k,) shift of each deviate.
    log_bound : the largest log weight any draw can have.
    """

    factor: Floats
    order: NDArray[np.intp]
    lower: Floats
    upper: Floats
    rows: Floats
    tilt: Floats
    log_bound: float


def make_box(correlation: Floats, lower: Floats, upper: Floats) -> Box:
    """Prepare a box.

    Parameters
    ----------
    correlation : (k, k), positive definite, unit diagonal.
    lower, upper : (k,), lower < upper; may be infinite.
    """
    order = np.argsort(_interval(lower, upper), kind="stable")
    factor = np.asarray(np.linalg.cholesky(correlation[np.ix_(order, order)]), dtype=np.float64)
    scale = np.diag(factor)
    rows = factor / scale[:, None] - np.eye(len(scale))
    low, high = lower[order] / scale, upper[order] / scale
    tilt, log_bound = _tilt(rows, low, high)
    return Box(factor, order, low, high, rows, tilt, log_bound)


def propose(box: Box, uniforms: Floats) -> tuple[Floats, Floats]:
    """Tilted deviates and their log weights.

    Parameters
    ----------
    uniforms : (n, k) in (0, 1).

    Returns
    -------
    deviates : (n, k), independent standard normals before truncation; `deviates @ factor.T` has the correlation.
    log_weight : (n,), at most `box.log_bound`.
    """
    n, k = uniforms.shape
    deviates = np.zeros((n, k), order="F")
    log_weight = np.zeros(n)
    for j in range(k):
        shift = np.full(n, box.tilt[j])
        for i in range(j):
            shift += box.rows[j, i] * deviates[:, i]
        low, high = box.lower[j] - shift, box.upper[j] - shift
        inside, share = _deviates_and_share(uniforms[:, j], low, high)
        deviates[:, j] = box.tilt[j] + inside
        log_weight += np.log(share) + 0.5 * box.tilt[j] ** 2 - box.tilt[j] * deviates[:, j]
    return deviates, log_weight


def draw_box(box: Box, n: int, rng: np.random.Generator) -> Floats:
    """Exact independent draws of the deviates, (n, k). Never more than 2 n + 256 proposals are held at once."""
    k = len(box.tilt)
    kept: list[Floats] = []
    missing = n
    while missing > 0:
        proposals = min(2 * missing, n) + 256
        uniforms = rng.random((proposals, k + 1))
        deviates, log_weight = propose(box, _open(uniforms[:, :k]))
        accepted = deviates[np.log(_open(uniforms[:, k])) <= log_weight - box.log_bound]
        kept.append(accepted[:missing])
        missing -= len(kept[-1])
    return np.concatenate(kept) if kept else np.zeros((0, k))


def box_probability(box: Box) -> float:
    """Probability of the box by a lattice rule with the baker's transform (Genz & Bretz 2002); no randomness."""
    k = len(box.tilt)
    if k == 0:
        return 1.0
    _, log_weight = propose(box, _lattice(k))
    top = float(log_weight.max())
    return min(1.0, math.exp(top) * float(np.exp(log_weight - top).mean()))


def truncated_deviates(uniforms: Floats, lower: Floats | float, upper: Floats | float) -> Floats:
    """Standard normal deviates between two limits by inversion, in the tail in which digits are not lost. (n,)."""
    return _deviates_and_share(uniforms, np.asarray(lower), np.asarray(upper))[0]


def _deviates_and_share(uniforms: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Deviates between the limits, and the probability between them, at least 1e-300. Limits of (n,) or ()."""
    from scipy.special import ndtr, ndtri

    flip = lower > 0
    low, high = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    start = ndtr(low)
    share: Floats = np.maximum(ndtr(high) - start, 1e-300)
    inside = np.clip(ndtri(start + uniforms * share), low, high)
    deviates: Floats = np.where(flip, -inside, inside)
    return deviates, share


@lru_cache(maxsize=32)
def _lattice(k: int) -> Floats:
    """Richtmyer's lattice of square roots of primes, (points, k), folded by the baker's transform."""
    steps = np.sqrt(np.array(_PRIMES[:k], dtype=np.float64))
    points = np.outer(np.arange(1, _LATTICE_POINTS + 1), steps) % 1.0
    return _open(np.abs(2.0 * points - 1.0))


def _open(uniforms: Floats) -> Floats:
    """Keep uniforms off 0 and 1, where a deviate would be infinite."""
    return np.clip(uniforms, 1e-15, 1.0 - 1e-15)


def _interval(lower: Floats, upper: Floats) -> Floats:
    """P(lower < Z < upper), computed in the lower tail; at least 1e-300."""
    from scipy.special import ndtr

    flip = lower > 0
    low, high = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    share: Floats = np.maximum(ndtr(high) - ndtr(low), 1e-300)
    return share


def _tilt(rows: Floats, lower: Floats, upper: Floats) -> tuple[Floats, float]:
    """Saddle point of the log weight: largest over the deviates, smallest over the shifts (Newton with halving)."""
    k = len(lower)
    point = np.zeros(2 * (k - 1)) if k > 1 else np.zeros(0)
    gradient, jacobian, value = _saddle(point, rows, lower, upper)
    for _ in range(200):
        size = float(np.abs(gradient).max()) if k > 1 else 0.0
        if size < 1e-9:
            break
        step = np.linalg.solve(jacobian, -gradient)
        length = 1.0
        while length > 1e-6:
            trial = _saddle(point + length * step, rows, lower, upper)
            if float(np.abs(trial[0]).max()) < size:
                break
            length /= 2
        else:
            return np.zeros(k), _untilted_bound(lower, upper)
        point = point + length * step
        gradient, jacobian, value = trial
    tilt = np.zeros(k)
    tilt[: k - 1] = point[k - 1 :]
    return tilt, value


def _untilted_bound(lower: Floats, upper: Floats) -> float:
    """Without tilting every factor of the weight is at most 1, and the first is fixed."""
    return float(np.log(_interval(lower[:1], upper[:1])[0]))


def _saddle(point: Floats, rows: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats, float]:
    """Gradient, Jacobian and value of the log weight at (deviates, shifts); the last of each is fixed at 0."""
    k = len(lower)
    x, tilt = np.zeros(k), np.zeros(k)
    x[: k - 1], tilt[: k - 1] = point[: k - 1], point[k - 1 :]
    low = np.clip(lower - tilt - rows @ x, -_FAR, _FAR)
    high = np.clip(upper - tilt - rows @ x, -_FAR, _FAR)
    share = _interval(low, high)
    density_low = np.exp(-0.5 * low**2) / (math.sqrt(2 * math.pi) * share)
    density_high = np.exp(-0.5 * high**2) / (math.sqrt(2 * math.pi) * share)
    mean = density_low - density_high
    slope = -(mean**2) + low * density_low - high * density_high
    gradient = np.concatenate([(-tilt + rows.T @ mean)[:-1], (tilt - x + mean)[:-1]])
    curved = slope[:, None] * rows
    across = (curved - np.eye(k))[:-1, :-1]
    jacobian = np.block([[(rows.T @ curved)[:-1, :-1], across.T], [across, np.diag(1.0 + slope)[:-1, :-1]]])
    value = float(np.sum(np.log(share) + 0.5 * tilt**2 - x * tilt))
    return gradient, jacobian, value
