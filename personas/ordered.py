"""Pairs of which the first never exceeds the second: a disease is not older than its patient.

Draws that break the order are drawn again. Left alone, that would move both margins and their rank correlation away from
what is stated: where the disease begins in childhood, one draw in ten is broken. So the margins and the correlation
*before* are chosen such that those *after* are as stated, by a fixed-point iteration on a grid of probabilities: the
margins are matched as in iterative proportional fitting (Deming & Stephan 1940), the correlation is moved by what it
lacks. numpy and scipy.special only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from personas.copula import latent_of_spearman, spearman_of_latent
from personas.margins import Margin
from personas.tabulated import tabulate

Floats = NDArray[np.float64]

# A smaller share of broken draws moves no margin and no correlation noticeably.
NEGLIGIBLE = 0.004
# Even steps of deviate, from -4.5 to 4.5: the ends of the margins are in many cells that hold little.
_REACH, _CELLS = 4.5, 181
_ROUNDS = 40
_TOLERANCE = 3e-4
_STRONGEST = 0.98
# Margins that no ordered pair can have are approached, and left where a round no longer brings them a tenth nearer.
_STALLED = 0.9


@dataclass(frozen=True)
class OrderedPair:
    """Margins and rank correlation before the draws that break the order are taken out, and the share that does."""

    first: Margin
    second: Margin
    spearman: float
    broken: float


@lru_cache(maxsize=256)
def ordered_pair(first: Margin, second: Margin, latent: float, spearman: float | None) -> OrderedPair:
    """What to draw from so that those with first ≤ second have the two given margins, and the rank correlation.

    Parameters
    ----------
    first, second : continuous margins.
    latent : correlation of their latent normals, when `spearman` is None and so leaves it as it is.
    spearman : rank correlation of those that keep the order.
    """
    from scipy.special import ndtr, ndtri

    z = np.linspace(-_REACH, _REACH, _CELLS)
    rho = latent if spearman is None else latent_of_spearman(spearman)
    cells = _cells(z, rho)
    # What lies above the largest value of the second can never be drawn; the rest of the first keeps its shape.
    (largest,) = np.asarray(second.values(np.array([8.0])))
    tops = (float(ndtr(first.deviate(float(largest)))), 1.0)
    ranks = [np.asarray(ndtr(z))] * 2
    broken, settled, best = 0.0, False, math.inf
    for turn in range(_ROUNDS):
        x, y = (
            np.asarray(margin.values(ndtri(top * rank)), dtype=np.float64)
            for margin, top, rank in zip((first, second), tops, ranks, strict=True)
        )
        kept = cells * _kept(x, y)
        broken = 1.0 - float(kept.sum())
        if turn == 0 and broken < NEGLIGIBLE:
            return OrderedPair(first, second, spearman_of_latent(rho, None, None), broken)
        kept /= kept.sum()
        after = [_middles(kept.sum(axis=1)), _middles(kept.sum(axis=0))]
        off = max(float(np.abs(new - old).max()) for new, old in zip(after, ranks, strict=True))
        lacking = 0.0 if spearman is None else spearman - 12.0 * float((after[0] - 0.5) @ kept @ (after[1] - 0.5))
        settled = settled or off < _TOLERANCE or off > _STALLED * best
        if settled and abs(lacking) < _TOLERANCE:
            break
        if not settled:
            ranks, best = after, off
        if spearman is not None:
            rho = float(np.clip(rho + 0.8 * lacking, -_STRONGEST, _STRONGEST))
            cells = _cells(z, rho)
    warped = [
        _warped(margin, z, np.asarray(ndtri(top * rank)))
        for margin, top, rank in zip((first, second), tops, ranks, strict=True)
    ]
    return OrderedPair(warped[0], warped[1], spearman_of_latent(rho, None, None), broken)


def _cells(z: Floats, rho: float) -> Floats:
    """Probabilities (m, m) of the cells of a bivariate normal around even steps of deviate."""
    a, b = z[:, None], z[None, :]
    density = np.exp(-(a**2 - 2 * rho * a * b + b**2) / (2 * (1 - rho**2)))
    return np.asarray(density / density.sum())


def _kept(x: Floats, y: Floats) -> Floats:
    """Which part (0-1) of each cell keeps x ≤ y; both rising."""
    place = np.arange(len(y)) + 0.0
    # Where along y each x is met, in cells and between them, so that the share moves evenly with the margins.
    met = np.interp(x, y, place, left=-1.0, right=float(len(y)))
    return np.asarray(np.clip(place[None, :] + 0.5 - met[:, None], 0.0, 1.0))


def _middles(share: Floats) -> Floats:
    """Cumulative probability in the middle of each cell, kept off 0 and 1."""
    return np.asarray(np.clip(np.cumsum(share) - share / 2, 1e-12, 1 - 1e-12))


def _warped(margin: Margin, z: Floats, onto: Floats) -> Margin:
    """The margin with deviates `z` read as `onto`; beyond the ends the last shift is kept."""

    def forth(deviates: Floats) -> Floats:
        inside = np.clip(deviates, z[0], z[-1])
        return np.asarray(np.interp(inside, z, onto) + (deviates - inside))

    def back(deviate: float) -> float:
        if not np.isfinite(deviate):
            return deviate
        inside = min(max(deviate, onto[0]), onto[-1])
        return float(np.interp(inside, onto, z) + (deviate - inside))

    values = tabulate(lambda deviates: np.asarray(margin.values(forth(deviates)), dtype=np.float64))
    return Margin(False, values, lambda x: back(margin.deviate(x)))
