"""What a fit is computed from: counts. They add up across sites, so that many sites give what their pool would give.

Per attribute the number of people in each bin or level; per pair of rankable attributes a table of counts over coarse
bins. Small cells are merged with their neighbours before a file leaves a site; a sum of sites is formed on the finest
grouping that all of them share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from knowledge.errors import InvalidInput, PatientDataError
from knowledge.faults import describe
from knowledge.schemas import Frozen
from personas.fitting.design import Axis, Design
from personas.fitting.grouping import common_groups, merge_small, nested_groups, regroup
from personas.fitting.table import PatientTable

Floats = NDArray[np.float64]


class AttributeCounts(Frozen):
    """Counts of one attribute.

    `groups` gives the group of each bin or level (empty: each is its own); `counts` the people of each group; `missing`
    those without a value.
    """

    groups: tuple[int, ...] = ()
    counts: tuple[float, ...]
    missing: float = 0.0


class PairCounts(Frozen):
    """Table of two attributes over the coarse bins or levels of both, grouped as in `AttributeCounts`."""

    between: tuple[str, str]
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    table: tuple[tuple[float, ...], ...]


class Statistics(Frozen):
    """Everything a fit needs to know about the people of one or several sites. No rows."""

    schema_name: Literal["cohort-twin-statistics-1"] = "cohort-twin-statistics-1"
    design: Design
    people: float
    sites: int = 1
    files: tuple[str, ...] = ()
    smallest_cell: int = 1
    epsilon: float | None = None
    missing_method: str = "available cases"
    attributes: dict[str, AttributeCounts]
    pairs: tuple[PairCounts, ...] = ()
    withheld: dict[str, str] = Field(default_factory=dict)


def count(table: PatientTable, design: Design, files: Sequence[str] = ()) -> Statistics:
    """Counts of a table of patients, complete: for use in memory only. See `safe_to_share`."""
    attributes = {}
    for axis in design.axes:
        column = table.columns[axis.name]
        known = ~np.isnan(column)
        counts = np.bincount(_bins(axis, column[known]), minlength=axis.bins)
        attributes[axis.name] = AttributeCounts(counts=tuple(counts.astype(float)), missing=float((~known).sum()))
    coarse = {axis.name: _coarse_bins(axis, table.columns[axis.name]) for axis in design.axes if axis.ranked}
    pairs = []
    for first, second in design.pairs:
        a, b = coarse[first.name], coarse[second.name]
        both = (a >= 0) & (b >= 0)
        cells = np.bincount(a[both] * second.pair_bins + b[both], minlength=first.pair_bins * second.pair_bins)
        pairs.append(_pair(first, second, cells.reshape(first.pair_bins, second.pair_bins).astype(np.float64)))
    return Statistics(
        design=design, people=float(table.n), files=tuple(files), attributes=attributes, pairs=tuple(pairs)
    )


def average(parts: Sequence[Statistics]) -> Statistics:
    """Mean of complete statistics of one design: of several completed tables."""
    first, share = parts[0], 1.0 / len(parts)
    attributes = {
        name: AttributeCounts(
            counts=tuple(np.sum([part.attributes[name].counts for part in parts], axis=0) * share),
            missing=sum(part.attributes[name].missing for part in parts) * share,
        )
        for name in first.attributes
    }
    pairs = tuple(
        PairCounts(between=pair.between, table=_rows(np.sum([part.pairs[i].table for part in parts], axis=0) * share))
        for i, pair in enumerate(first.pairs)
    )
    return first.model_copy(update={"attributes": attributes, "pairs": pairs})


def safe_to_share(complete: Statistics, smallest_cell: int) -> Statistics:
    """Statistics in which nobody stands in a group of fewer than `smallest_cell` people (1: nothing is merged).

    Bins and ordered levels are merged with a neighbour, categories with the smallest others; coarse bins of pairs are
    halved in number until every cell is empty or large enough. What cannot be made safe is withheld and named.
    """
    if complete.people < smallest_cell:
        raise PatientDataError(
            f"The site has {complete.people:g} people, fewer than the smallest cell of {smallest_cell}.", ""
        )
    if smallest_cell <= 1:
        return complete
    attributes: dict[str, AttributeCounts] = {}
    withheld: dict[str, str] = {}
    for axis in complete.design.axes:
        before = complete.attributes[axis.name]
        groups = merge_small(np.array(before.counts), smallest_cell, ordered=axis.kind != "categories", rest=axis.rest)
        if axis.kind != "number" and max(groups) == 0 and max(before.counts) < complete.people - before.missing:
            withheld[axis.name] = f"fewer than {smallest_cell} people at all levels but one"
            continue
        attributes[axis.name] = AttributeCounts(
            groups=groups,
            counts=tuple(regroup(np.array(before.counts), groups)),
            missing=before.missing,
        )
    pairs = []
    for pair in complete.pairs:
        if any(name in withheld for name in pair.between):
            continue
        safe = _safe_pair(pair, attributes, complete.design, smallest_cell)
        if safe is None:
            withheld[" and ".join(pair.between)] = f"a combination with fewer than {smallest_cell} people"
        else:
            pairs.append(safe)
    return complete.model_copy(
        update={
            "attributes": attributes,
            "pairs": tuple(pairs),
            "withheld": withheld,
            "smallest_cell": smallest_cell,
        }
    )


def _safe_pair(
    pair: PairCounts, attributes: dict[str, AttributeCounts], design: Design, smallest: int
) -> PairCounts | None:
    table = np.array(pair.table)
    choices = [
        nested_groups(axis.pair_bins) if axis.kind == "number" else [_level_groups(axis, attributes[axis.name])]
        for axis in map(design.axis, pair.between)
    ]
    options = [(rows, columns) for rows in choices[0] for columns in choices[1]]
    options.sort(key=lambda option: -(max(option[0]) + 1) * (max(option[1]) + 1))
    for rows, columns in options:
        merged = regroup(regroup(table, rows).T, columns).T
        if np.all((merged == 0) | (merged >= smallest)):
            return PairCounts(between=pair.between, rows=rows, columns=columns, table=_rows(merged))
    return None


def _level_groups(axis: Axis, counts: AttributeCounts) -> tuple[int, ...]:
    return counts.groups or tuple(range(axis.bins))


def add(sites: Sequence[Statistics]) -> Statistics:
    """The sum of several sites, on the finest grouping that all share.

    Raises
    ------
    InvalidInput : no site, sites of different designs, or the same file twice.
    """
    if not sites:
        raise InvalidInput("There are no statistics to merge.", "Name at least one file.")
    first = sites[0]
    for number, site in enumerate(sites[1:], start=2):
        if site.design != first.design:
            raise InvalidInput(
                f"File {number} was made with another design: {_difference(first.design, site.design)}.",
                "Use the same mapping file (but for column names), parent and reference at every site.",
            )
        if any(site.attributes == other.attributes and site.pairs == other.pairs for other in sites[: number - 1]):
            raise InvalidInput(f"File {number} holds the same counts as an earlier one.", "Name each site once.")
        if site.missing_method != first.missing_method:
            raise InvalidInput(f"File {number} treats missing values otherwise ({site.missing_method}).", "")
    withheld = {name: reason for site in sites for name, reason in site.withheld.items()}
    attributes = {
        name: _add_attributes([site.attributes[name] for site in sites], first.design.axis(name))
        for name in first.attributes
        if name not in withheld
    }
    tables = [{pair.between: pair for pair in site.pairs} for site in sites]
    pairs = tuple(
        _add_pairs([table[between] for table in tables], first.design)
        for between in tables[0]
        if all(between in table for table in tables)
    )
    epsilons = [site.epsilon for site in sites]
    return first.model_copy(
        update={
            "people": sum(site.people for site in sites),
            "sites": sum(site.sites for site in sites),
            "files": tuple(name for site in sites for name in site.files),
            "attributes": attributes,
            "pairs": pairs,
            "withheld": withheld,
            "smallest_cell": min(site.smallest_cell for site in sites),
            # Sites hold different people: everybody is protected by the noise of his own site.
            "epsilon": None if None in epsilons else max(e for e in epsilons if e is not None),
        }
    )


def _add_attributes(parts: Sequence[AttributeCounts], axis: Axis) -> AttributeCounts:
    groups = common_groups([part.groups or tuple(range(axis.bins)) for part in parts])
    total = sum(_to_common(np.array(part.counts), part.groups or tuple(range(axis.bins)), groups) for part in parts)
    missing = sum(part.missing for part in parts)
    return AttributeCounts(groups=groups, counts=tuple(np.asarray(total)), missing=missing)


def _add_pairs(parts: Sequence[PairCounts], design: Design) -> PairCounts:
    first, second = (design.axis(name).pair_bins for name in parts[0].between)
    rows = common_groups([part.rows or tuple(range(first)) for part in parts])
    columns = common_groups([part.columns or tuple(range(second)) for part in parts])
    total = np.zeros((max(rows) + 1, max(columns) + 1))
    for part in parts:
        table = _to_common(np.array(part.table), part.rows or tuple(range(first)), rows)
        total += _to_common(table.T, part.columns or tuple(range(second)), columns).T
    return PairCounts(between=parts[0].between, rows=rows, columns=columns, table=_rows(total))


def _to_common(counts: Floats, own: tuple[int, ...], common: tuple[int, ...]) -> Floats:
    """Counts by own group → counts by common group."""
    wider = {group: common[position] for position, group in enumerate(own)}
    return regroup(counts, tuple(wider[group] for group in range(len(counts))))


def _difference(first: Design, second: Design) -> str:
    names = [axis.name for axis in first.axes], [axis.name for axis in second.axes]
    if names[0] != names[1]:
        other = sorted(set(names[0]) ^ set(names[1]))
        return f"{other[0]} is in one and not in the other" if other else "the attributes stand in another order"
    differing = [a.name for a, b in zip(first.axes, second.axes, strict=True) if a != b]
    if differing:
        return f"{differing[0]} has other levels or another grid"
    return "the parent or the restrictions differ"


def write_statistics(statistics: Statistics, path: Path) -> None:
    """Write a site's file."""
    path.write_text(statistics.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_statistics(path: Path) -> Statistics:
    """Read a site's file. PatientDataError when it is missing, damaged or of another kind."""
    if not path.is_file():
        raise PatientDataError(f"There is no file '{path.name}'.", "Make it with: cohort personas fit --statistics-out")
    try:
        read = Statistics.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PatientDataError(f"{path.name} is not JSON ({error}).", "Ask the site for the file again.") from error
    except ValidationError as error:
        where, what = describe(error)[0]
        raise PatientDataError(f"{path.name}: {where}: {what}.", "Ask the site for the file again.") from error
    _check(read, path.name)
    return read


def _check(read: Statistics, name: str) -> None:
    """The counts fit the design; what a site sends is not taken on trust."""
    for attribute, counts in read.attributes.items():
        axis = next((axis for axis in read.design.axes if axis.name == attribute), None)
        groups = counts.groups or tuple(range(axis.bins if axis else 0))
        good = axis is not None and len(groups) == axis.bins and len(counts.counts) == len(set(groups))
        if not good or not all(0 <= value < np.inf for value in counts.counts):
            raise PatientDataError(f"{name}: the counts of {attribute} do not fit its bins.", "Make the file again.")
    known = {(a.name, b.name): (a.pair_bins, b.pair_bins) for a, b in read.design.pairs}
    for pair in read.pairs:
        shape = known.get(pair.between, (0, 0))
        rows, columns = pair.rows or tuple(range(shape[0])), pair.columns or tuple(range(shape[1]))
        table = {len(row) for row in pair.table}
        good = (len(rows), len(columns)) == shape and len(pair.table) == len(set(rows)) and table == {len(set(columns))}
        if not good or not all(0 <= value < np.inf for row in pair.table for value in row):
            what = " and ".join(pair.between)
            raise PatientDataError(f"{name}: the table of {what} does not fit its bins.", "Make the file again.")


def _bins(axis: Axis, values: Floats) -> NDArray[np.intp]:
    """Bin or level of each value; a value on an edge belongs to the bin above, the largest to the last one."""
    if axis.kind != "number":
        return values.astype(np.intp)
    found = np.searchsorted(np.array(axis.edges), values, side="right") - 1
    return np.asarray(np.clip(found, 0, axis.bins - 1), dtype=np.intp)


def _coarse_bins(axis: Axis, column: Floats) -> NDArray[np.intp]:
    """Coarse bin or level of each value, -1 where nothing is known."""
    known = ~np.isnan(column)
    result = np.full(len(column), -1, dtype=np.intp)
    if axis.kind != "number":
        result[known] = column[known].astype(np.intp)
        return result
    cuts = np.array([axis.edges[position] for position in axis.coarse[1:-1]])
    result[known] = np.searchsorted(cuts, column[known], side="right")
    return result


def _pair(first: Axis, second: Axis, cells: Floats) -> PairCounts:
    return PairCounts(between=(first.name, second.name), table=_rows(cells))


def _rows(table: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in table)
