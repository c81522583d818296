"""From statistics to margins and correlations. The same statistics give the same digits, from one site or from many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from knowledge.errors import InvalidInput, PrivacyRefused
from knowledge.schemas import Frozen
from personas.copula import nearest_correlation
from personas.fitting.correlations import latent_of_table, spearman_between
from personas.fitting.defaults import default
from personas.fitting.design import Axis
from personas.fitting.families import Grouped, fit_families
from personas.fitting.grouping import merge_small, regroup
from personas.fitting.noise import noise_sd
from personas.fitting.statistics import AttributeCounts, PairCounts, Statistics
from personas.schemas import Attribute, Correlation, Distribution

Floats = NDArray[np.float64]

# Below this a correlation would be taken for one that nobody stated.
_ZERO = 1e-4
# Rounding to the digits of a file must not make a matrix impossible again.
_SMALLEST_EIGENVALUE = 0.005


class FittedAttribute(Frozen):
    """One margin with how it came about. `aic_gap` is the lead over the next best family."""

    attribute: Attribute
    people: float
    missing_share: float
    runner_up: str = ""
    aic_gap: float | None = None
    misfit: float | None = None
    merged: tuple[str, ...] = ()


class Fit(Frozen):
    """Margins and correlations of an archetype; no rows.

    `left_out` says of each attribute or pair that could not be fitted why. `moved` is the largest change that made the
    correlations possible together.
    """

    people: float
    sites: int
    attributes: dict[str, FittedAttribute]
    correlations: tuple[Correlation, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)
    moved: float = 0.0
    moved_pair: tuple[str, str] = ("", "")


def fit_statistics(
    statistics: Statistics, smallest_cell: int, *, refuse: bool = False, families: dict[str, Distribution] | None = None
) -> Fit:
    """Fit every attribute and every pair that enough people stand behind.

    Parameters
    ----------
    smallest_cell : levels with fewer people are merged with others; pairs of categories with a smaller cell are left
        out, and so are yes/no attributes with fewer people at one of the two.
    refuse : refuse such data instead.
    families : only this family for an attribute (used where the choice has been made before).

    Raises
    ------
    InvalidInput : smallest_cell below 1.
    PrivacyRefused : too few people for an archetype; with `refuse`, a small cell.
    """
    if smallest_cell < 1:
        raise InvalidInput(f"The smallest cell cannot be {smallest_cell}.", "Give 1 or more.")
    least = int(default("smallest_cohort"))
    if statistics.people < least:
        raise PrivacyRefused(
            f"{statistics.people:.0f} people are too few for an archetype; it takes {least}.", "Pool more data."
        )
    attributes: dict[str, FittedAttribute] = {}
    left_out = {**statistics.design.left_out, **statistics.withheld}
    for axis in statistics.design.axes:
        counts = statistics.attributes.get(axis.name)
        if counts is None:
            continue
        kinds = (families[axis.name],) if families and axis.name in families else ()
        noisy = statistics.epsilon is not None
        done = (
            _fit_number(axis, counts, smallest_cell, noisy, kinds, statistics.people)
            if axis.kind == "number"
            else _fit_levels(axis, counts, smallest_cell, statistics.people)
        )
        if isinstance(done, str):
            left_out[axis.name] = done
        else:
            attributes[axis.name] = done
    small = [name for name, item in attributes.items() if item.merged]
    if refuse and (small or any("fewer than" in reason for reason in left_out.values())):
        named = small or [name for name, reason in left_out.items() if "fewer than" in reason]
        raise PrivacyRefused(
            f"{', '.join(named)}: some values are held by fewer than {smallest_cell} people.",
            "Merge levels in the mapping file, or let them be merged.",
        )
    correlations, pairs_out = _correlations(statistics, attributes, smallest_cell)
    left_out |= pairs_out
    possible, moved, pair = _possible(attributes, correlations)
    return Fit(
        people=statistics.people,
        sites=statistics.sites,
        attributes=attributes,
        correlations=possible,
        left_out=left_out,
        moved=moved,
        moved_pair=pair,
    )


def grouped(axis: Axis, counts: AttributeCounts, smallest_cell: int, noisy: bool = False) -> Grouped:
    """People by group of values, each group empty or with at least `smallest_cell` people.

    Groups of fewer than the default are never formed: the smallest and the largest value would pass for sharp edges.
    """
    own = counts.groups or tuple(range(axis.bins))
    least = max(smallest_cell, int(default("smallest_cell")))
    merged = tuple(range(len(counts.counts))) if noisy else merge_small(np.array(counts.counts), least, ordered=True)
    groups = np.array([merged[group] for group in own])
    people = regroup(np.array(counts.counts), merged)
    starts = [int(np.flatnonzero(groups == group)[0]) for group in range(len(people))]
    edges = np.array([axis.edges[start] for start in starts] + [axis.edges[-1]])
    low = axis.edges[0] if axis.lower is None else axis.lower
    high = axis.edges[-1] if axis.upper is None else axis.upper
    inside = np.clip(edges, low, high)
    kept = np.diff(inside) > 0
    people, edges = people[kept], np.append(inside[:-1][kept], high)
    restricted = axis.lower is not None or axis.upper is not None
    lower, upper, seen = low, high, 0
    if not noisy and len(people) > 2:
        if people[0] == 0:
            lower, seen = float(edges[1]), seen + 1
        if people[-1] == 0:
            upper, seen = float(edges[-2]), seen + 1
    return Grouped(edges, people, float(lower), float(upper), restricted, seen, axis.limits)


def _fit_number(
    axis: Axis,
    counts: AttributeCounts,
    smallest: int,
    noisy: bool,
    kinds: tuple[Distribution, ...],
    people_all: float,
) -> FittedAttribute | str:
    known = sum(counts.counts)
    if known < default("smallest_cohort"):
        return f"fewer than {default('smallest_cohort'):.0f} people have a value"
    data = grouped(axis, counts, smallest, noisy)
    if (data.counts > 0).sum() < 3:
        return "nearly everybody has the same value"
    fits = fit_families(data, kinds)
    best = fits[0]
    attribute = Attribute(
        distribution=best.distribution, unit=axis.unit, assumption="Fitted to data.", **best.parameters
    )
    return FittedAttribute(
        attribute=attribute,
        people=known,
        missing_share=_missing_share(counts, people_all),
        runner_up=fits[1].distribution.value if len(fits) > 1 else "",
        aic_gap=fits[1].aic - best.aic if len(fits) > 1 else None,
        misfit=best.misfit,
    )


def _fit_levels(axis: Axis, counts: AttributeCounts, smallest: int, people_all: float) -> FittedAttribute | str:
    own = counts.groups or tuple(range(axis.bins))
    known = sum(counts.counts)
    if known < default("smallest_cohort"):
        return f"fewer than {default('smallest_cohort'):.0f} people have a value"
    people = np.array(counts.counts)
    rest = own[axis.rest] if axis.rest >= 0 else -1
    merged = merge_small(people, smallest, ordered=axis.kind == "ordered", rest=rest)
    groups = [merged[group] for group in own]
    if axis.kind == "yes_no":
        if 0 < min(people) < smallest:
            return f"fewer than {smallest} people with {'yes' if people[1] < people[0] else 'no'}"
        attribute = Attribute(
            distribution=Distribution.BERNOULLI,
            unit=axis.unit,
            probability=float(people[1] / known),
            assumption="Fitted to data.",
        )
        return FittedAttribute(attribute=attribute, people=known, missing_share=_missing_share(counts, people_all))
    names: dict[int, list[str]] = {}
    for level, group in zip(axis.levels, groups, strict=True):
        names.setdefault(group, []).append(level)
    totals = regroup(people, merged)
    labels = {group: "other" if "other" in levels else " or ".join(levels) for group, levels in names.items()}
    if len(labels) < 2 and max(people) < known:
        return f"fewer than {smallest} people at all levels but one"
    attribute = Attribute(
        distribution=Distribution.ORDINAL if axis.kind == "ordered" else Distribution.CATEGORICAL,
        unit=axis.unit,
        levels={labels[group]: float(totals[group] / known) for group in labels},
        assumption="Fitted to data.",
    )
    return FittedAttribute(
        attribute=attribute,
        people=known,
        missing_share=_missing_share(counts, people_all),
        merged=tuple(" and ".join(levels) for levels in names.values() if len(levels) > 1),
    )


def _missing_share(counts: AttributeCounts, people: float) -> float:
    return min(counts.missing / people, 1.0)


def _correlations(
    statistics: Statistics, attributes: dict[str, FittedAttribute], smallest: int
) -> tuple[list[tuple[Correlation, float]], dict[str, str]]:
    """Correlations with the latent ones behind them, and why others are left out."""
    found, left_out = [], {}
    for pair in statistics.pairs:
        first, second = pair.between
        if first not in attributes or second not in attributes:
            continue
        a, b = attributes[first], attributes[second]
        reason = _too_small(statistics, pair, smallest)
        if reason:
            left_out[f"{first} and {second}"] = reason
            continue
        latent = None if _flat(a) or _flat(b) else latent_of_table(np.array(pair.table))
        if latent is None:
            continue
        spearman = spearman_between(latent, a.attribute, b.attribute)
        if abs(spearman) >= _ZERO:
            item = Correlation(between=pair.between, spearman=spearman, assumption="Fitted to data.")
            found.append((item, latent))
    return found, left_out


def _flat(item: FittedAttribute) -> bool:
    """True for a margin that cannot be correlated: the same for everybody, or more than two unordered levels."""
    attribute = item.attribute
    if attribute.distribution is Distribution.BERNOULLI:
        return not 0 < (attribute.probability or 0.0) < 1
    shares = list((attribute.levels or {}).values())
    return bool(shares) and (
        max(shares) >= 1 or (attribute.distribution is Distribution.CATEGORICAL and len(shares) > 2)
    )


def _too_small(statistics: Statistics, pair: PairCounts, smallest: int) -> str:
    table = np.array(pair.table)
    if table.sum() < default("smallest_cohort"):
        return f"fewer than {default('smallest_cohort'):.0f} people have both values"
    if statistics.epsilon is not None:
        noise = _noise_of_correlation(table, noise_sd(statistics.epsilon / (2 * len(statistics.pairs))))
        if noise * np.sqrt(statistics.sites) > default("noisy_correlation"):
            return "the noise for epsilon drowns it"
    categories = all(statistics.design.axis(name).kind != "number" for name in pair.between)
    if categories and statistics.epsilon is None and bool(np.any((table > 0) & (table < smallest))):
        return f"a combination with fewer than {smallest} people"
    return ""


def _noise_of_correlation(table: Floats, spread: float) -> float:
    """Standard deviation that noise of `spread` on each cell gives a rank correlation."""
    total, squares, variance = float(table.sum()), 1.0, 1.0
    for side in (table.sum(axis=1), table.sum(axis=0)):
        ranks = (np.cumsum(side) - side / 2) / total - 0.5
        squares *= float((ranks**2).sum())
        variance *= float(side @ ranks**2) / total
    return spread * float(np.sqrt(squares / max(variance, 1e-12))) / total


def _possible(
    attributes: dict[str, FittedAttribute], correlations: list[tuple[Correlation, float]]
) -> tuple[tuple[Correlation, ...], float, tuple[str, str]]:
    """The correlations as they are, or the nearest that a population can have (Higham 2002)."""
    names = [name for name in attributes if any(name in item.between for item, _ in correlations)]
    matrix = np.eye(len(names))
    places = [(names.index(item.between[0]), names.index(item.between[1])) for item, _ in correlations]
    for (i, j), (_, latent) in zip(places, correlations, strict=True):
        matrix[i, j] = matrix[j, i] = latent
    if not names or np.linalg.eigvalsh(matrix)[0] >= _SMALLEST_EIGENVALUE:
        return tuple(item for item, _ in correlations), 0.0, ("", "")
    nearest = nearest_correlation(matrix, _SMALLEST_EIGENVALUE)
    repaired = []
    for (i, j), (item, _) in zip(places, correlations, strict=True):
        a, b = item.between
        spearman = spearman_between(float(nearest[i, j]), attributes[a].attribute, attributes[b].attribute)
        if abs(spearman) >= _ZERO:
            repaired.append(item.model_copy(update={"spearman": spearman}))
    moved = [abs(float(nearest[i, j] - matrix[i, j])) for i, j in places]
    worst = int(np.argmax(moved))
    return tuple(repaired), moved[worst], correlations[worst][0].between
