"""From the request to one table of counts: periods in order, gaps filled as asked, sums made or checked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.demand.reconciliation import Hierarchy, hierarchy
from tools.demand.schemas import SEASONS, DemandInput, DemandSeries

FloatArray = npt.NDArray[np.float64]
TOLERANCE = 1e-6  # relative, of a sum given with its parts


@dataclass(frozen=True)
class History:
    """All series (n, T), sums first; `first` is the number of the first period on the calendar of its frequency, None without dates."""

    tree: Hierarchy
    values: FloatArray
    season: int
    first: int | None
    said: tuple[str, ...]


def period_number(day: dt.date, frequency: str) -> int:
    """Number of the period that holds this day; weeks begin on Mondays."""
    if frequency == "day":
        return day.toordinal()
    if frequency == "week":
        return (day.toordinal() - 1) // 7
    if frequency in ("month", "quarter"):
        return (day.year * 12 + day.month - 1) // (1 if frequency == "month" else 3)
    if frequency == "year":
        return day.year
    raise InvalidInput(
        f"Dates do not tell one {frequency} from another.", "Leave dates and start out, or add up to days."
    )


def period_label(number: int, frequency: str) -> str:
    """A period as a reader writes it: 2024-03, 2024 Q1, 2024-03-05, and weeks by their Monday."""
    if frequency == "month":
        return f"{number // 12}-{number % 12 + 1:02d}"
    if frequency == "quarter":
        return f"{number // 4} Q{number % 4 + 1}"
    if frequency == "year":
        return str(number)
    return dt.date.fromordinal(number if frequency == "day" else number * 7 + 1).isoformat()


def read_history(request: DemandInput) -> History:
    """Order, fill and add up the histories.

    Raises
    ------
    InvalidInput
        Two counts for one period, gaps that nothing is said about, series of different lengths, or parts that do not add up to the
        sum that was given.
    """
    given = {one.name: one for one in request.series}
    tree = hierarchy({one.name: one.parent for one in request.series})
    rows, first, said = _rows([one for one in request.series if one.counts], request)
    empty = [name for name in tree.bottom if name not in rows]
    if empty:
        raise InvalidInput(f"'{empty[0]}' has no counts, and no other series is part of it.")
    bottom = np.vstack([rows[name] for name in tree.bottom])
    values = tree.sums @ bottom
    for place, name in enumerate(tree.names[: len(tree.names) - len(tree.bottom)]):
        if name in given and given[name].counts:
            off = np.abs(rows[name] - values[place])
            if (off > TOLERANCE * np.maximum(np.abs(rows[name]), 1.0)).any():
                worst = int(off.argmax())
                raise InvalidInput(
                    f"The parts of '{name}' add up to {values[place, worst]:g} in period {worst + 1}, but {rows[name][worst]:g} is "
                    "given for it.",
                    "Add a series for the rest, or leave out the counts of the sum.",
                )
    season = request.season_length or SEASONS[request.frequency]
    return History(tree, values, season, first, tuple(said))


def _rows(series: list[DemandSeries], request: DemandInput) -> tuple[dict[str, FloatArray], int | None, list[str]]:
    if not series:
        raise InvalidInput("Give the counts of at least one series.")
    if series[0].dates:
        numbers = {one.name: [period_number(day, request.frequency) for day in one.dates] for one in series}
        first = min(min(places) for places in numbers.values())
        length = max(max(places) for places in numbers.values()) - first + 1
        if length > 20 * max(len(places) for places in numbers.values()) + 20:
            raise InvalidInput(f"The dates lie too far apart for a {request.frequency} each.", "Check the frequency.")
    else:
        numbers = {one.name: list(range(len(one.counts))) for one in series}
        first = 0
        length = len(series[0].counts)
        odd = next((one for one in series if len(one.counts) != length), None)
        if odd:
            raise InvalidInput(
                f"'{series[0].name}' has {length} periods and '{odd.name}' {len(odd.counts)}: all series cover the same periods.",
                "Give null for periods that are unknown.",
            )
    said: list[str] = []
    rows = {one.name: _row(one, [n - first for n in numbers[one.name]], length, request, said) for one in series}
    begun = period_number(request.start, request.frequency) if request.start and not series[0].dates else None
    return rows, first if series[0].dates else begun, said


def _row(one: DemandSeries, places: list[int], length: int, request: DemandInput, said: list[str]) -> FloatArray:
    row = np.full(length, np.nan)
    for place, count in zip(places, one.counts, strict=True):
        if not np.isnan(row[place]):
            raise InvalidInput(
                f"'{one.name}' has two counts for the same {request.frequency} (period {place + 1}).",
                "Add them up, or drop one.",
            )
        row[place] = np.nan if count is None else count
    gone = np.flatnonzero(np.isnan(row))
    if not gone.size:
        return row
    where = ", ".join(str(n + 1) for n in gone[:5]) + (" …" if gone.size > 5 else "")
    if request.gaps == "zero":
        row[gone] = 0.0
        said.append(f"{gone.size} unknown periods of '{one.name}' are taken as no demand.")
        return row
    if request.gaps == "refuse":
        raise InvalidInput(
            f"'{one.name}' has {gone.size} unknown periods of {length} (number {where}).",
            "Unknown is not the same as none: say gaps zero, or gaps interpolate.",
        )
    known = np.flatnonzero(~np.isnan(row))
    if known.size < 2 or gone[0] == 0 or gone[-1] == length - 1:
        raise InvalidInput(f"'{one.name}' begins or ends with an unknown period: there is nothing to interpolate from.")
    row[gone] = np.interp(gone, known, row[known])
    said.append(f"{gone.size} unknown periods of '{one.name}' are interpolated; the backtest takes them for real.")
    return row
