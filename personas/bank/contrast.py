"""Two archetypes attribute by attribute: standardised difference, overlap, Wasserstein distance.

Standardised differences as for baseline tables (Austin 2009; of several levels Yang and Dalton 2012); the overlap is
that of Inman and Bradley (1989), one minus the total variation distance. Margins are compared, not their correlations.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from personas.bank.schemas import AttributeContrast, Comparison, Similar
from personas.margins import DISCRETE, level_shares, margin_of
from personas.restrictions import YES_NO_LEVELS
from personas.schemas import Attribute, Distribution, Persona
from personas.units import attribute_label

Floats = NDArray[np.float64]

_SECTIONS = ("demographics", "biomarkers", "comorbidities", "behaviours")
# Quantiles of a margin: the overlap of two normals comes out within 0.001.
_QUANTILES = 4000
_BINS = 400


def compare(first: Persona, second: Persona) -> Comparison:
    """Both archetypes on every attribute they share, in the order of the first."""
    theirs = second.attributes
    rows = tuple(
        _contrast(name, section, attribute, theirs[name])
        for section in _SECTIONS
        for name, attribute in getattr(first, section).items()
        if name in theirs and _comparable(attribute, theirs[name])
    )
    shared = {row.attribute for row in rows}
    return Comparison(
        first=first.id,
        second=second.id,
        first_name=first.name,
        second_name=second.name,
        rows=rows,
        only_first=tuple(attribute_label(name) for name in first.attributes if name not in shared),
        only_second=tuple(attribute_label(name) for name in theirs if name not in shared),
        distance=sum(1 - row.overlap for row in rows) / len(rows) if rows else 1.0,
    )


def similar(persona: Persona, others: list[Persona]) -> tuple[Similar, ...]:
    """The others by distance, nearest first."""
    found = []
    for other in others:
        result = compare(persona, other)
        apart = max(result.rows, key=lambda row: 1 - row.overlap, default=None)
        found.append(
            Similar(
                id=other.id,
                name=other.name,
                distance=result.distance,
                shared=len(result.rows),
                farthest_attribute=apart.label if apart and apart.overlap < 1 else "",
            )
        )
    return tuple(sorted(found, key=lambda item: (item.distance, item.id)))


def _comparable(first: Attribute, second: Attribute) -> bool:
    """Same unit and same kind: a number against levels has no distance."""
    kinds = [attribute.distribution in DISCRETE for attribute in (first, second)]
    return first.unit == second.unit and kinds[0] == kinds[1]


def _contrast(name: str, section: str, first: Attribute, second: Attribute) -> AttributeContrast:
    common = {"attribute": name, "label": attribute_label(name), "section": section, "unit": first.unit}
    if first.distribution in DISCRETE:
        mine, theirs = shares_of(first), shares_of(second)
        levels = list(dict.fromkeys((*mine, *theirs)))
        p, q = (np.array([shares.get(level, 0.0) for level in levels]) for shares in (mine, theirs))
        return AttributeContrast(
            **common,
            first_shares=mine,
            second_shares=theirs,
            difference=_share_difference(levels, p, q),
            overlap=_area(p, q),
        )
    a, b = quantiles(first), quantiles(second)
    (mean_a, sd_a), (mean_b, sd_b) = ((float(x.mean()), float(x.std())) for x in (a, b))
    pooled = math.sqrt((sd_a**2 + sd_b**2) / 2)
    return AttributeContrast(
        **common,
        first_mean=mean_a,
        first_sd=sd_a,
        second_mean=mean_b,
        second_sd=sd_b,
        difference=(mean_b - mean_a) / pooled if pooled > 0 else None,
        overlap=_overlap(a, b),
        wasserstein=float(np.abs(a - b).mean()) / pooled if pooled > 0 else None,
    )


def shares_of(attribute: Attribute) -> dict[str, float]:
    """Share of each level of a discrete attribute, 0–1; no and yes of a yes/no one."""
    names = YES_NO_LEVELS if attribute.distribution is Distribution.BERNOULLI else tuple(attribute.levels or ())
    return dict(zip(names, level_shares(attribute), strict=True))


def quantiles(attribute: Attribute) -> Floats:
    """4,000 evenly spaced quantiles of a measured attribute, (4000,), in its unit."""
    return np.asarray(margin_of(attribute).values(_deviates()), dtype=np.float64)


@lru_cache(maxsize=1)
def _deviates() -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES), dtype=np.float64)


def _overlap(a: Floats, b: Floats) -> float:
    """Shared area of two densities, from their quantiles on a common grid."""
    low, high = min(a[0], b[0]), max(a[-1], b[-1])
    edges = np.linspace(low, high, _BINS + 1)
    counts = [np.diff(np.searchsorted(x, edges[1:-1], side="right"), prepend=0, append=len(x)) / len(x) for x in (a, b)]
    return _area(*counts)


def _area(p: Floats, q: Floats) -> float:
    """Shared area of two sets of shares; the same shares share everything, whatever the rounding of their sum."""
    return 1.0 - round(float(np.abs(p - q).sum()) / 2, 12)


def _share_difference(levels: list[str], p: Floats, q: Floats) -> float | None:
    """Standardised difference of shares: signed for yes/no, a Mahalanobis distance for more levels."""
    if levels == list(YES_NO_LEVELS):
        variance = (p[1] * p[0] + q[1] * q[0]) / 2
        if variance <= 0:
            return 0.0 if p[1] == q[1] else None
        return float((q[1] - p[1]) / math.sqrt(variance))
    difference = (q - p)[1:]
    covariance = sum((np.diag(s) - np.outer(s, s)) / 2 for s in (p[1:], q[1:]))
    if not np.any(difference):
        return 0.0
    if np.linalg.matrix_rank(covariance) == 0:
        return None
    return float(math.sqrt(max(0.0, float(difference @ np.linalg.pinv(covariance) @ difference))))
