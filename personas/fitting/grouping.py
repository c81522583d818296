"""Groups of bins or levels: small ones merged, and the finest grouping that several sites share. Arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Groups = tuple[int, ...]


def regroup(counts: Floats, groups: Groups) -> Floats:
    """Sums of the rows of `counts`, (n,) or (n, m), by group."""
    result = np.zeros((max(groups) + 1, *counts.shape[1:]))
    np.add.at(result, np.array(groups), counts)
    return result


def merge_small(counts: Floats, smallest: int, *, ordered: bool, rest: int = -1) -> Groups:
    """Groups of bins such that each group holds nobody or at least `smallest` people.

    Neighbours are merged when `ordered` (empty bins at the two ends stay apart, as a sharp edge of the data is no
    secret when enough people stand at it); otherwise the small ones together, with the level `rest` ("other"), or the
    smallest large one, if need be.
    """
    return _merge_neighbours(counts, smallest) if ordered else _merge_any(counts, smallest, rest)


def _merge_neighbours(counts: Floats, smallest: int) -> Groups:
    n = len(counts)
    filled = np.flatnonzero(counts > 0)
    if len(filled) == 0:
        return (0,) * n
    first, last = int(filled[0]), int(filled[-1])
    # An end is told only when enough people stand in the last bin; else the empty bins join the tail.
    start = first if first > 0 and counts[first] >= smallest else 0
    stop = last if last < n - 1 and counts[last] >= smallest else n - 1
    groups, current, held = [0] * start, 1 if start > 0 else 0, 0.0
    opened = current
    for position in range(start, stop + 1):
        groups.append(current)
        held += float(counts[position])
        if held >= smallest and position < stop:
            current, held = current + 1, 0.0
    if held < smallest and current > opened:
        groups = [min(group, current - 1) for group in groups]
        current -= 1
    groups += [current + 1] * (n - 1 - stop)
    return tuple(groups)


def _merge_any(counts: Floats, smallest: int, rest: int) -> Groups:
    small = [position for position in range(len(counts)) if 0 < counts[position] < smallest]
    large = [position for position in range(len(counts)) if counts[position] >= smallest]
    if small:
        for position in sorted(large, key=lambda p: (p != rest, counts[p], p)):
            if sum(counts[p] for p in small) >= smallest and len(small) > 1 and position != rest:
                break
            small.append(position)
            if position != rest or sum(counts[p] for p in small) >= smallest:
                break
        if rest >= 0 and rest not in small and counts[rest] == 0:
            small.append(rest)
    keys = [min(small) if position in small else position for position in range(len(counts))]
    order = sorted(set(keys))
    return tuple(order.index(key) for key in keys)


def nested_groups(bins: int) -> list[Groups]:
    """Each bin by itself, then neighbours in twos, in fours …, down to two groups."""
    found, width = [], 1
    while True:
        groups = tuple(position // width for position in range(bins))
        found.append(groups)
        if max(groups) <= 1:
            return found
        width *= 2


def common_groups(parts: Sequence[Groups]) -> Groups:
    """The finest grouping in which everything that any part has together is together."""
    size = len(parts[0])
    root = list(range(size))

    def find(position: int) -> int:
        while root[position] != position:
            position = root[position]
        return position

    for groups in parts:
        seen: dict[int, int] = {}
        for position, group in enumerate(groups):
            a, b = find(seen.setdefault(group, position)), find(position)
            root[max(a, b)] = min(a, b)
    order: dict[int, int] = {}
    return tuple(order.setdefault(find(position), len(order)) for position in range(size))
