"""Whom the data stand for: each attribute, and each pair, against a reference archetype.

The reference is drawn and counted exactly as the data are. Single attributes: standardised difference of means or
proportions (for several levels the multivariate form of Yang & Dalton 2012) with a large-sample interval (Hedges & Olkin
1985). Groups: share in the data over share in the reference, with Wilson's interval (1927). Pairs: groups that are
rarer or more frequent than the single attributes alone would make them – a bias that no single attribute shows. The
intervals of groups and pairs are widened for the number of comparisons (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from knowledge.schemas import Frozen
from personas.fitting.defaults import default
from personas.fitting.design import Axis, coarse_labels
from personas.fitting.grouping import nested_groups, regroup
from personas.fitting.statistics import PairCounts, Statistics, count
from personas.fitting.table import PatientTable
from personas.sampling import draw
from personas.schemas import Persona
from personas.units import attribute_label

Floats = NDArray[np.float64]

_REFERENCE_PEOPLE = 50_000
_LEVEL = 0.95
_SHOWN = 12


class Difference(Frozen):
    """Standardised difference of one attribute, data minus reference; several levels have no sign."""

    attribute: str
    data: str
    reference: str
    difference: float
    lower: float
    upper: float
    flagged: bool


class Group(Frozen):
    """One group: its share in the data, in the reference (or as the single attributes imply), and their ratio."""

    group: str
    share: float
    expected: float
    ratio: float
    lower: float
    upper: float
    difference: float


class Representativeness(Frozen):
    """Comparison with a reference archetype. `missing` are its attributes that the data have not."""

    reference: str
    people: float
    threshold: float
    differences: tuple[Difference, ...]
    under: tuple[Group, ...]
    over: tuple[Group, ...]
    hidden: tuple[Group, ...]
    missing: tuple[str, ...]
    compared: int

    @property
    def representative(self) -> bool:
        """True when nothing was flagged."""
        return not (self.hidden or self.under or self.over or any(item.flagged for item in self.differences))


def compare(statistics: Statistics, reference: Persona, seed: int = 1) -> Representativeness:
    """Compare counts with a reference archetype. Attributes that only one of the two has are listed, not compared."""
    axes = [axis for axis in statistics.design.axes if axis.name in reference.attributes]
    axes = [axis for axis in axes if axis.name in statistics.attributes]
    expected = _reference_counts(statistics, reference, axes, seed)
    differences = [_difference(axis, statistics, expected) for axis in axes]
    singles = [group for axis in axes for group in _single(axis, statistics, expected)]
    names = {axis.name for axis in axes}
    tables = {pair.between: pair for pair in expected.pairs}
    doubles = [
        group
        for pair in statistics.pairs
        if set(pair.between) <= names
        for group in _double(statistics, pair, tables[pair.between])
    ]
    flagged = _flag(singles, statistics.people)
    return Representativeness(
        reference=reference.id,
        people=statistics.people,
        threshold=default("standardised_difference"),
        differences=tuple(sorted(differences, key=lambda item: -abs(item.difference))),
        under=tuple(sorted((g for g in flagged if g.ratio < 1), key=lambda g: g.ratio))[:_SHOWN],
        over=tuple(sorted((g for g in flagged if g.ratio > 1), key=lambda g: -g.ratio))[:_SHOWN],
        hidden=tuple(sorted(_flag(doubles, statistics.people), key=lambda g: -abs(g.difference)))[:_SHOWN],
        missing=tuple(sorted(set(reference.attributes) - names)),
        compared=len(singles) + len(doubles),
    )


def _reference_counts(statistics: Statistics, reference: Persona, axes: list[Axis], seed: int) -> Statistics:
    drawn = draw(reference, (), _REFERENCE_PEOPLE, seed)
    columns = {}
    for axis in statistics.design.axes:
        column = np.full(drawn.n, np.nan)
        if axis in axes:
            raw = drawn.columns[axis.name]
            column = raw.astype(np.float64)
            if axis.name in drawn.levels:
                places = [
                    axis.levels.index(level) if level in axis.levels else np.nan for level in drawn.levels[axis.name]
                ]
                column = np.array(places, dtype=np.float64)[raw.astype(np.intp)]
            elif axis.kind == "number":
                column = np.clip(column, axis.edges[0], axis.edges[-1])
        columns[axis.name] = column
    return count(PatientTable(columns, drawn.n), statistics.design)


def _same_groups(axis: Axis, statistics: Statistics, expected: Statistics) -> tuple[Floats, Floats, tuple[int, ...]]:
    """Counts of the data and of the reference by the data's own groups."""
    item = statistics.attributes[axis.name]
    groups = item.groups or tuple(range(axis.bins))
    return np.array(item.counts), regroup(np.array(expected.attributes[axis.name].counts), groups), groups


def _difference(axis: Axis, statistics: Statistics, expected: Statistics) -> Difference:
    data, reference, groups = _same_groups(axis, statistics, expected)
    n, m = data.sum(), reference.sum()
    p, q = data / n, reference / m
    if axis.kind == "number":
        # Both are summed over the reference's middles of the same groups, so that wide groups bias neither.
        middles = _middles(axis, expected, groups)
        means = float(p @ middles), float(q @ middles)
        spreads = [
            math.sqrt(max(float(share @ (middles - mean) ** 2), 1e-12))
            for share, mean in zip((p, q), means, strict=True)
        ]
        value = (means[0] - means[1]) / math.sqrt((spreads[0] ** 2 + spreads[1] ** 2) / 2)
        shown = [f"{mean:.3g} (sd {spread:.2g})" for mean, spread in zip(means, spreads, strict=True)]
    else:
        value = _levels_difference(p, q)
        named = _level_names(axis, groups)
        worst = int(np.abs(p - q).argmax()) if len(p) > 2 else len(p) - 1
        shown = [f"{share[worst]:.1%} {named[worst]}" for share in (p, q)]
    error = math.sqrt((n + m) / (n * m) + value**2 / (2 * (n + m)))
    half = NormalDist().inv_cdf((1 + _LEVEL) / 2) * error
    return Difference(
        attribute=axis.name,
        data=shown[0],
        reference=shown[1],
        difference=value,
        lower=value - half,
        upper=value + half,
        flagged=abs(value) > default("standardised_difference") and (value - half > 0 or value + half < 0),
    )


def _middles(axis: Axis, expected: Statistics, groups: tuple[int, ...]) -> Floats:
    """Mean of the reference within each group; the middle where it has nobody."""
    fine = np.array(expected.attributes[axis.name].counts)
    centres = (np.array(axis.edges[:-1]) + np.array(axis.edges[1:])) / 2
    people, even = regroup(fine, groups), regroup(np.ones(len(fine)), groups)
    weighted = regroup(fine * centres, groups) / np.maximum(people, 1e-9)
    return np.where(people > 0, weighted, regroup(centres, groups) / even)


def _levels_difference(p: Floats, q: Floats) -> float:
    """Of proportions: signed for two levels, Mahalanobis distance for more."""
    kept = (p > 0) | (q > 0)
    p, q = p[kept], q[kept]
    if len(p) < 2:
        return 0.0
    if len(p) == 2:
        return float((p[1] - q[1]) / math.sqrt(max((p[1] * (1 - p[1]) + q[1] * (1 - q[1])) / 2, 1e-9)))
    a, b = p[1:], q[1:]
    spread = (np.diag(a) - np.outer(a, a) + np.diag(b) - np.outer(b, b)) / 2
    return math.sqrt(max(float((a - b) @ np.linalg.pinv(spread) @ (a - b)), 0.0))


def _level_names(axis: Axis, groups: tuple[int, ...]) -> list[str]:
    held: dict[int, list[str]] = {}
    for level, group in zip(axis.levels, groups, strict=True):
        held.setdefault(group, []).append(level)
    return [" or ".join(held[group]) for group in sorted(held)]


def _single(axis: Axis, statistics: Statistics, expected: Statistics) -> Iterable[Group]:
    label = attribute_label(axis.name)
    data, reference, groups = _same_groups(axis, statistics, expected)
    if axis.kind != "number":
        names = _level_names(axis, groups)
        for place, name in enumerate(names):
            if not (axis.kind == "yes_no" and name == "no"):
                yield _group(f"{label}: {name}", data[place], data.sum(), reference[place] / reference.sum())
        return
    quarters = _quarters(axis)
    cuts = np.array([axis.edges[place] for place in quarters[1:-1]])
    starts = np.array([axis.edges[groups.index(group)] for group in range(len(data))])
    homes = np.searchsorted(cuts, starts, side="right")
    for place, name in enumerate(coarse_labels(axis, quarters)):
        share = reference[homes == place].sum() / reference.sum()
        yield _group(f"{label} {name} {axis.unit}", data[homes == place].sum(), data.sum(), share)


def _quarters(axis: Axis) -> tuple[int, ...]:
    inner = axis.coarse[1:-1]
    return (axis.coarse[0], *inner[1::2], axis.coarse[-1]) if len(inner) > 3 else axis.coarse


def _double(statistics: Statistics, pair: PairCounts, expected: PairCounts) -> Iterable[Group]:
    """Groups of a pair against what the margins of the data and the association of the reference imply together."""
    axes = [statistics.design.axis(name) for name in pair.between]
    groups = [list(pair.rows or range(axes[0].pair_bins)), list(pair.columns or range(axes[1].pair_bins))]
    for side, axis in enumerate(axes):
        if axis.kind == "number":
            quarter = nested_groups(axis.pair_bins)[1] if axis.pair_bins > 4 else tuple(range(axis.pair_bins))
            groups[side] = [
                max(a, b) if max(groups[side]) < max(quarter) else b for a, b in zip(groups[side], quarter, strict=True)
            ]
            groups[side] = _numbered(groups[side])
    data = _collapsed(np.array(pair.table), pair, groups, axes)
    reference = regroup(regroup(np.array(expected.table), tuple(groups[0])).T, tuple(groups[1])).T
    if data is None or data.sum() <= 0 or reference.sum() <= 0:
        return
    implied = _raked(reference / reference.sum(), data.sum(axis=1) / data.sum(), data.sum(axis=0) / data.sum())
    names = [_pair_names(axis, groups[side]) for side, axis in enumerate(axes)]
    for i, j in np.ndindex(data.shape):
        yield _group(f"{names[0][i]}, {names[1][j]}", float(data[i, j]), float(data.sum()), float(implied[i, j]))


def _numbered(groups: list[int]) -> list[int]:
    order = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return [order[group] for group in groups]


def _collapsed(table: Floats, pair: PairCounts, groups: list[list[int]], axes: list[Axis]) -> Floats | None:
    """The data's table on the given groups of bins; None when its own groups cut across them."""
    for side in (0, 1):
        own = (pair.rows if side == 0 else pair.columns) or tuple(range(axes[side].pair_bins))
        homes: dict[int, int] = {}
        for bin_, group in enumerate(own):
            if homes.setdefault(group, groups[side][bin_]) != groups[side][bin_]:
                return None
        wanted = tuple(homes[group] for group in range(table.shape[side]))
        table = regroup(table, wanted) if side == 0 else regroup(table.T, wanted).T
    return table


def _raked(start: Floats, rows: Floats, columns: Floats, sweeps: int = 50) -> Floats:
    """The reference's association with the data's margins (iterative proportional fitting, Deming & Stephan 1940)."""
    table = np.maximum(start, 1e-9)
    for _ in range(sweeps):
        table = table * (rows / np.maximum(table.sum(axis=1), 1e-300))[:, None]
        table = table * (columns / np.maximum(table.sum(axis=0), 1e-300))[None, :]
    return table


def _pair_names(axis: Axis, groups: list[int]) -> list[str]:
    label = attribute_label(axis.name)
    if axis.kind != "number":
        return [f"{label} {name}" for name in _level_names(axis, tuple(groups))]
    starts = [axis.coarse[groups.index(group)] for group in range(max(groups) + 1)]
    return [f"{label} {name}" for name in coarse_labels(axis, (*starts, axis.coarse[-1]))]


def _group(name: str, people: float, n: float, expected: float) -> Group:
    share = people / n if n > 0 else 0.0
    spread = math.sqrt(max((share * (1 - share) + expected * (1 - expected)) / 2, 1e-9))
    ratio = share / max(expected, 1.0 / _REFERENCE_PEOPLE)
    return Group(
        group=name,
        share=share,
        expected=expected,
        ratio=ratio,
        lower=0.0,
        upper=0.0,
        difference=(share - expected) / spread,
    )


def _flag(groups: list[Group], people: float) -> list[Group]:
    """Groups that differ by more than the threshold and surely so, with their intervals."""
    kept = [group for group in groups if group.expected >= default("smallest_group")]
    z = NormalDist().inv_cdf(1 - (1 - _LEVEL) / (2 * max(len(kept), 1)))
    flagged = []
    for group in kept:
        low, high = _wilson(group.share, people, z)
        noise = z * math.sqrt(group.expected * (1 - group.expected) / _REFERENCE_PEOPLE)
        apart = group.expected + noise < low or group.expected - noise > high
        if apart and abs(group.difference) > default("standardised_difference"):
            limits = {"lower": low / group.expected, "upper": high / group.expected}
            flagged.append(group.model_copy(update=limits))
    return flagged


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)
