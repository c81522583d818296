"""The Gaussian copula's latent correlations, from stated Spearman correlations.

Two continuous margins: ρ = 2 sin(π ρ_S / 6) (Kruskal 1958). With a discrete margin ties weaken the rank correlation, so
the latent value is solved for: by Price's theorem (1958) the covariance of the two mid-ranks is an integral over the
latent correlation whose integrand has a closed form. Pairs nobody stated are completed so that the entropy is greatest
(Dempster 1972: zeros in the inverse, i.e. conditional independence given everything else), by iterative proportional
scaling (Speed & Kiiveri 1986). Stated values that no correlation matrix can have are repaired to the nearest one
(Higham 2002). numpy only; no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import PersonaError
from personas.margins import DISCRETE, level_shares, level_thresholds
from personas.schemas import Attribute, Correlation, Distribution

Floats = NDArray[np.float64]

# A repair that moves a stated correlation by more than this is a contradiction in the data, not rounding.
REPAIR_TOLERANCE = 0.05
# Beyond this latent correlation one attribute is a function of the other.
_LARGEST = 0.999
# The integral behind a rank correlation is right to this; an attainable one must not be refused for less.
ROUNDING = 1e-6
_SMALLEST_EIGENVALUE = 1e-6
# Stated values that no matrix can have make the scaling run away.
_DIVERGED = 1e6
# A margin with zeros and continuous values above has the ranks of one with zeros and this many even levels above; the
# difference in rank correlation is below 1e-4.
_SLICES = 48
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class LatentCorrelation:
    """Correlation matrix of the latent normals.

    Attributes
    ----------
    names : the attributes that are correlated with another one, in matrix order.
    matrix : (k, k), positive definite, unit diagonal.
    moved : the largest change that a repair made to a stated entry, 0 without one.
    moved_pair : the pair it was made to.
    """

    names: tuple[str, ...]
    matrix: Floats
    moved: float = 0.0
    moved_pair: tuple[str, str] = ("", "")


def latent_correlation(attributes: Mapping[str, Attribute], stated: Sequence[Correlation]) -> LatentCorrelation:
    """Latent correlation matrix of the attributes that `stated` names.

    An attribute that is the same for everybody correlates with nothing and is left out.

    Raises
    ------
    PersonaError : a stated value beyond what the two margins allow, or with unordered categories.
    """
    names, edges = _latent_pairs(attributes, stated)
    matrix, repaired = _complete(len(names), edges)
    if not repaired:
        return LatentCorrelation(names, matrix)
    moved = [abs(float(matrix[i, j]) - value) for i, j, value in edges]
    worst = int(np.argmax(moved))
    return LatentCorrelation(names, matrix, moved[worst], (names[edges[worst][0]], names[edges[worst][1]]))


def _latent_pairs(
    attributes: Mapping[str, Attribute], stated: Sequence[Correlation]
) -> tuple[tuple[str, ...], tuple[tuple[int, int, float], ...]]:
    """The correlated attributes, and by position each stated pair with its latent correlation."""
    shares = {name: _shares(attributes[name]) for item in stated for name in item.between}
    pairs: dict[tuple[str, str], float] = {}
    for item in stated:
        first, second = item.between
        if _constant(shares[first]) or _constant(shares[second]) or item.spearman == 0:
            continue
        for name in item.between:
            if attributes[name].distribution is Distribution.CATEGORICAL and len(shares[name] or ()) > 2:
                raise PersonaError(f"The levels of {name} have no order, so it has no rank correlation.", "Drop it.")
        try:
            pairs[item.between] = latent_of_spearman(item.spearman, shares[first], shares[second])
        except PersonaError as error:
            raise PersonaError(f"Correlation of {first} and {second}: {error.message}", error.hint) from error
    names = tuple(name for name in attributes if any(name in pair for pair in pairs))
    position = {name: index for index, name in enumerate(names)}
    return names, tuple((position[a], position[b], value) for (a, b), value in pairs.items())


@lru_cache(maxsize=4096)
def latent_of_spearman(
    spearman: float, first: tuple[float, ...] | None = None, second: tuple[float, ...] | None = None
) -> float:
    """Latent correlation that gives two margins the Spearman correlation `spearman`.

    Parameters
    ----------
    first, second : shares of the levels of a discrete margin in order, None for a continuous one.

    Raises
    ------
    PersonaError : the margins cannot be as strongly correlated.
    """
    if first is None and second is None:
        return 2.0 * math.sin(math.pi * spearman / 6.0)
    limit = math.copysign(_LARGEST, spearman)
    most = spearman_of_latent(limit, first, second)
    if abs(spearman) > abs(most) + ROUNDING:
        raise PersonaError(
            f"Spearman {spearman:g} is out of reach; these two margins allow {most:.3f} at most.",
            "A share near 0 or 1 bounds how strongly an attribute can correlate.",
        )
    if abs(spearman) >= abs(most):
        return limit
    return _root(lambda latent: spearman_of_latent(latent, first, second) - spearman, limit, -spearman, most - spearman)


def _root(function: Callable[[float], float], end: float, at_zero: float, at_end: float) -> float:
    """Root of a monotone function between 0 and `end` by the Illinois variant of false position."""
    low, high, below, above = 0.0, end, at_zero, at_end
    for _ in range(200):
        middle = (low * above - high * below) / (above - below)
        value = function(middle)
        if abs(value) < 1e-11 or abs(high - low) < 1e-12:
            return middle
        if value * above < 0:
            low, below = high, above
        else:
            below /= 2
        high, above = middle, value
    return high


def spearman_of_latent(latent: float, first: tuple[float, ...] | None, second: tuple[float, ...] | None) -> float:
    """Spearman correlation (mid-ranks for ties) of two margins under a latent correlation.

    ∂/∂ρ cov(f(Z₁), g(Z₂)) = E[f'(Z₁) g'(Z₂)] (Price 1958), integrated over ρ = sin θ by Gauss-Legendre quadrature.
    """
    if first is None:
        first, second = second, first
    if first is None:
        return 6.0 / math.pi * math.asin(latent / 2.0)
    theta = math.asin(latent) * (_NODES + 1.0) / 2.0
    weight = math.asin(latent) * _WEIGHTS / 2.0
    r, cosine = np.sin(theta)[:, None], np.cos(theta)[:, None]
    t, rise, sd = _steps(first)
    if second is None:
        # E[φ(Z₁) | Z₂ = t] is the density of N(0, 2 − ρ²) at ρ t.
        variance = 2.0 - r**2
        density = np.exp(-(t**2) / 2 - (r * t) ** 2 / (2 * variance)) / (2 * math.pi * np.sqrt(variance))
        integrand = (density * rise).sum(axis=1) * cosine[:, 0]
        return float(weight @ integrand) / (sd * math.sqrt(1 / 12))
    u, other_rise, other_sd = _steps(second)
    a, b = t[:, None], u[None, :]
    squares = (a**2 + b**2)[None] - 2 * a * b * r[:, :, None]
    density = np.exp(-squares / (2 * cosine[:, :, None] ** 2)) / (2 * math.pi)
    integrand = np.einsum("nij,i,j->n", density, rise, other_rise)
    return float(weight @ integrand) / (sd * other_sd)


def _steps(shares: tuple[float, ...]) -> tuple[Floats, Floats, float]:
    """Thresholds of a discrete margin, the rise of the mid-rank at each, and the mid-ranks' standard deviation."""
    share = np.array(shares)
    middle = np.cumsum(share) - share / 2
    thresholds, rise = np.array(level_thresholds(shares)), np.diff(middle)
    inside = np.isfinite(thresholds)
    return thresholds[inside], rise[inside], math.sqrt(float(share @ middle**2) - 0.25)


def reachable_spearman(stated: Correlation, before: Mapping[str, Attribute], after: Mapping[str, Attribute]) -> float:
    """A stated correlation, or what is left of it where the margins `after` are too one-sided to reach it.

    In that case the latent correlation it has under the margins `before` is kept.
    """
    first, second = stated.between
    new = _shares(after[first]), _shares(after[second])
    if _constant(new[0]) or _constant(new[1]) or new == (None, None):
        return stated.spearman
    if abs(stated.spearman) <= abs(spearman_of_latent(math.copysign(_LARGEST, stated.spearman), *new)):
        return stated.spearman
    latent = latent_of_spearman(stated.spearman, _shares(before[first]), _shares(before[second]))
    return round(spearman_of_latent(latent, *new), 4)


def nearest_correlation(matrix: Floats, smallest: float = _SMALLEST_EIGENVALUE, sweeps: int = 500) -> Floats:
    """Nearest correlation matrix in the Frobenius norm with eigenvalues of at least `smallest`.

    Alternating projections with Dykstra's correction (Higham 2002, algorithm 3.3). (k, k) → (k, k).
    """
    current, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(sweeps):
        shifted = current - correction
        values, vectors = np.linalg.eigh(shifted)
        projected = (vectors * np.maximum(values, smallest)) @ vectors.T
        correction = projected - shifted
        before, current = current, projected.copy()
        np.fill_diagonal(current, 1.0)
        if np.abs(current - before).max() < 1e-9:
            break
    values, vectors = np.linalg.eigh(current)
    if values[0] < smallest:
        current = (vectors * np.maximum(values, smallest)) @ vectors.T
        scale = 1.0 / np.sqrt(np.diag(current))
        current = current * scale[:, None] * scale[None, :]
    return (current + current.T) / 2


def _shares(attribute: Attribute) -> tuple[float, ...] | None:
    """Shares of levels as far as ranks are concerned; None for a continuous margin."""
    if attribute.zeros is not None:
        return attribute.zeros, *([(1.0 - attribute.zeros) / _SLICES] * _SLICES)
    return level_shares(attribute) if attribute.distribution in DISCRETE else None


def _constant(shares: tuple[float, ...] | None) -> bool:
    return shares is not None and max(shares) >= 1.0 - 1e-12


@lru_cache(maxsize=256)
def _complete(size: int, edges: tuple[tuple[int, int, float], ...]) -> tuple[Floats, bool]:
    """Matrix with the stated entries, completed by greatest entropy; repaired (second value) if no matrix has them."""
    stated: Floats = np.eye(size)
    for i, j, value in edges:
        stated[i, j] = stated[j, i] = value
    cliques = _cliques(size, [(i, j) for i, j, _ in edges])
    if all(np.linalg.eigvalsh(stated[np.ix_(clique, clique)])[0] >= _SMALLEST_EIGENVALUE for clique in cliques):
        matrix = _greatest_entropy(stated, cliques)
        kept = all(abs(float(matrix[i, j]) - value) < 1e-4 for i, j, value in edges)
        if kept and (size == 0 or np.linalg.eigvalsh(matrix)[0] >= _SMALLEST_EIGENVALUE):
            return matrix, False
    # Fitting pair by pair comes near values that no matrix can have; the unstated ones are taken from there.
    near = _greatest_entropy(stated, [[i, j] for i, j, _ in edges])
    for i, j, value in edges:
        near[i, j] = near[j, i] = value
    return nearest_correlation(near), True


def _greatest_entropy(stated: Floats, blocks: Sequence[Sequence[int]], sweeps: int = 300) -> Floats:
    """Iterative proportional scaling: each block in turn becomes as stated, all else given the block stays as it is."""
    covariance: Floats = np.eye(len(stated))
    indices = [(np.array(block), np.ix_(block, block)) for block in blocks]
    for _ in range(sweeps):
        worst = 0.0
        for rows, square in indices:
            block = covariance[square]
            wanted = stated[square] - block
            worst = max(worst, float(np.abs(wanted).max()))
            try:
                gain = np.linalg.solve(block, covariance[rows])
            except np.linalg.LinAlgError:  # two attributes have become one; nothing nearer is to be had
                continue
            covariance = covariance + gain.T @ wanted @ gain
        if worst < 1e-9 or worst > _DIVERGED:
            break
    scale = 1.0 / np.sqrt(np.diag(covariance))
    matrix: Floats = covariance * scale[:, None] * scale[None, :]
    return matrix


def _cliques(size: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The largest sets of attributes all of whose pairs are stated (Bron & Kerbosch 1973)."""
    near: list[set[int]] = [set() for _ in range(size)]
    for i, j in edges:
        near[i].add(j)
        near[j].add(i)
    found: list[list[int]] = []

    def grow(clique: list[int], candidates: set[int], done: set[int]) -> None:
        if not candidates and not done:
            found.append(sorted(clique))
        for node in sorted(candidates):
            grow([*clique, node], candidates & near[node], done & near[node])
            candidates = candidates - {node}
            done = done | {node}

    grow([], set(range(size)), set())
    return [clique for clique in found if clique]
