"""Spearman correlations from tables of counts over coarse bins.

Coarse bins are ties, and ties weaken a rank correlation. Under the Gaussian copula the latent correlation behind the
mid-rank correlation of a table is known (`personas.copula.latent_of_spearman`), and from it what the two margins of the
archetype have. So neither the bins nor their number bias the result. Each pair uses the people who have both values.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import PersonaError
from personas.copula import latent_of_spearman, spearman_of_latent
from personas.margins import DISCRETE, level_shares
from personas.schemas import Attribute

Floats = NDArray[np.float64]
Shares = tuple[float, ...] | None

_LARGEST = 0.99
_MOST = 0.98
_SLICES = 64


def latent_of_table(table: Floats) -> float | None:
    """Latent correlation behind a table of counts, (rows, columns); None when one of the two does not vary."""
    filled = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(filled.shape) < 2:
        return None
    rows, columns = filled.sum(axis=1) / filled.sum(), filled.sum(axis=0) / filled.sum()
    first, second = tuple(map(float, rows)), tuple(map(float, columns))
    observed = rank_correlation(filled)
    reach = spearman_of_latent(math.copysign(_LARGEST, observed), first, second)
    if abs(observed) >= abs(reach):
        return math.copysign(_LARGEST, observed)
    try:
        return latent_of_spearman(observed, first, second)
    except PersonaError:  # the table's own margins cannot have it by rounding alone
        return math.copysign(_LARGEST, observed)


def rank_correlation(table: Floats) -> float:
    """Spearman correlation with mid-ranks of a table of counts without empty rows or columns."""
    total = table.sum()
    ranks = [np.cumsum(side) - side / 2 for side in (table.sum(axis=1), table.sum(axis=0))]
    centred = [rank - total / 2 for rank in ranks]
    covariance = float(centred[0] @ table @ centred[1])
    spreads = [
        float(side @ rank**2) for side, rank in zip((table.sum(axis=1), table.sum(axis=0)), centred, strict=True)
    ]
    return covariance / math.sqrt(spreads[0] * spreads[1])


def spearman_between(latent: float, first: Attribute, second: Attribute) -> float:
    """Spearman correlation that two margins of the archetype have under a latent correlation.

    Kept a little below the largest these margins allow, so that shares rounded in the file can still have it.
    """
    margins = shares_of(first), shares_of(second)
    most = _MOST * abs(spearman_of_latent(math.copysign(_LARGEST, latent), *margins))
    return min(max(spearman_of_latent(latent, *margins), -most), most)


def shares_of(attribute: Attribute) -> Shares:
    """Shares of the levels of a discrete margin, None for a continuous one; zeros are ties, the rest fine slices."""
    if attribute.zeros is not None:
        return attribute.zeros, *([(1.0 - attribute.zeros) / _SLICES] * _SLICES)
    return level_shares(attribute) if attribute.distribution in DISCRETE else None
