"""From the text of a file to observations of one archetype: names, units, dates and figures checked, errors by row."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from knowledge.errors import CohortTwinError, InvalidInput
from personas.margins import DISCRETE
from personas.restrictions import Bounds, bounds_of, definition_of, parse_restrictions
from personas.schemas import Attribute, Distribution, Persona
from personas.units import attribute_info, attribute_label, canonical_attribute, to_canonical_unit
from personas.updating.people import people_observations
from personas.updating.reading import SUMMARY_COLUMNS, Table
from personas.updating.schemas import LONGEST_NAME, Observation, ObservationSet

_HEADER = re.compile(r"(?P<name>[^\[\](]+?)\s*(?:[\[(](?P<unit>[^\])]+)[\])])?")
_YES = {"yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0}
# A printed share is rounded; more than half a point off, it is not the share of that many people.
_SHARE_ROUNDING = 0.005
# A sample SD of two people exceeds their population SD by √2, of more people by less.
_SAMPLE_SD = math.sqrt(2)


def observations_of(table: Table, persona: Persona, *, on: date | None, source: str, today: date) -> ObservationSet:
    """The observations of a file, in the archetype's units, by date.

    Parameters
    ----------
    on : date of all rows that state none.
    source : where the observations are from, in words or as a source id.
    today : later dates are refused.

    Raises
    ------
    InvalidInput : unknown attribute, level, unit or column; NaN; nobody observed; a date that is missing or in the
        future; figures that contradict each other or the archetype's definition.
    """
    reader = _Reader(table, persona, on, today)
    observations = reader.people() if table.of_people else reader.summaries()
    said = (source or table.source or "; ".join(reader.sources))[:LONGEST_NAME]
    people = len(table.rows) if table.of_people else max((seen.n for seen in observations), default=0)
    ordered = tuple(sorted(observations, key=lambda seen: seen.on))
    return ObservationSet(
        name=table.name[:LONGEST_NAME], source=said, digest=table.digest, people=people, observations=ordered
    )


@dataclass(frozen=True)
class Column:
    """A column of a table of people, ready to be read."""

    name: str
    attribute: Attribute
    unit: str


class _Reader:
    """One file about one archetype."""

    def __init__(self, table: Table, persona: Persona, on: date | None, today: date) -> None:
        self.table, self.persona, self.today = table, persona, today
        self.on = on
        self.sources: dict[str, None] = {}
        if table.on and on is None:
            self.on = self._date(table.on, 0)
        if on is not None and on > today:
            raise InvalidInput(f"The date {on} is in the future.", "Give the day on which the observations were made.")
        self.bounds: Mapping[str, Bounds] = bounds_of(persona, parse_restrictions(persona.restrictions))

    # --- one row a person -------------------------------------------------------------------------------------------

    def people(self) -> list[Observation]:
        """Columns are attributes; a column that begins with '_' is left out."""
        columns: dict[str, Column] = {}
        for header in self.table.columns:
            match = _HEADER.fullmatch(header)
            if header.startswith("_") or header == "date":
                continue
            if match is None:
                raise InvalidInput(
                    f"{self.table.name}: '{header}' is not the name of an attribute.", "Name the column."
                )
            name = self._attribute(match["name"], 1)
            if name in {column.name for column in columns.values()}:
                raise InvalidInput(f"{self.table.name}: two columns are {attribute_label(name)}.", "Keep one.")
            columns[header] = Column(name, self.persona.attributes[name], match["unit"] or "")
        found: dict[tuple[str, date], list[float]] = {}
        for row, cells in self.table.rows:
            day = self._row_date(cells, row)
            for header, column in columns.items():
                if cells[header] not in ("", "NA"):
                    found.setdefault((column.name, day), []).append(self._single(column, cells[header], row))
        if not found:
            raise InvalidInput(
                f"{self.table.name} holds no value of any attribute (n = 0).", "Fill in what was observed."
            )
        return people_observations(found, self.persona.attributes)

    def _single(self, column: Column, cell: str, row: int) -> float:
        """A person's value; levels as their position, yes/no as 1 and 0."""
        attribute, name = column.attribute, column.name
        if attribute.distribution is Distribution.BERNOULLI:
            if cell.lower() not in _YES:
                self._refuse(row, f"{attribute_label(name)} is yes or no, not '{cell[:40]}'", "Write yes or no.")
            value = float(_YES[cell.lower()])
        elif attribute.distribution in DISCRETE:
            value = float(list(attribute.levels or {}).index(self._level(name, cell, row)))
        else:
            value = self._in_unit(name, self._number(cell, name, row), column.unit, row)
        left = self.bounds.get(name)
        if left is not None and _outside(value, left):
            by = " and ".join(str(item) for item in (left.lower_by, left.upper_by) if item is not None)
            self._refuse(
                row,
                f"{attribute_label(name)} {cell[:40]} contradicts {by}, which makes a member of '{self.persona.name}'",
                "Leave out people who do not belong to the cohort, or update another archetype.",
            )
        return value

    # --- one row an attribute ---------------------------------------------------------------------------------------

    def summaries(self) -> list[Observation]:
        """Rows are attributes, levels of one, or life events."""
        unknown = [column for column in self.table.columns if column not in SUMMARY_COLUMNS]
        if unknown:
            raise InvalidInput(
                f"{self.table.name} has the unknown column '{unknown[0][:60]}'.",
                f"There are: {', '.join(SUMMARY_COLUMNS)}.",
            )
        rows: dict[tuple[str, date], dict[str, tuple[int, dict[str, str]]]] = {}
        for row, cells in self.table.rows:
            day = self._row_date(cells, row)
            if cells.get("source"):
                self.sources[cells["source"]] = None
            event = bool(cells.get("person_years"))
            name = self._event(cells, row) if event else self._attribute(cells.get("attribute", ""), row)
            group = rows.setdefault((name, day), {})
            level = cells.get("level", "")
            if level in group:
                self._refuse(
                    row,
                    f"{name}{f' = {level}' if level else ''} on {day} was already given in row {group[level][0]}, so the two"
                    " contradict or repeat each other",
                    "Give each group of people once; other groups of the same day belong in a file of their own.",
                )
            group[level] = (row, cells)
        return [self._summary(name, day, group) for (name, day), group in rows.items()]

    def _summary(self, name: str, day: date, group: dict[str, tuple[int, dict[str, str]]]) -> Observation:
        row, cells = next(iter(group.values()))
        if cells.get("person_years"):
            years = self._number(cells["person_years"], "person_years", row)
            if years <= 0:
                self._refuse(row, f"{years:g} person-years were observed", "They must be above 0.")
            return Observation(name=name, on=day, count=self._whole(cells, "count", row), person_years=years)
        attribute = self.persona.attributes[name]
        if attribute.distribution is Distribution.BERNOULLI:
            return self._share(name, day, row, cells)
        if attribute.distribution in DISCRETE:
            return self._levels(name, day, group)
        n = self._people_counted(cells, row)
        mean = self._in_unit(name, self._number(cells.get("mean", ""), "mean", row), cells.get("unit", ""), row)
        left = self.bounds.get(name)
        if left is not None and _outside(mean, left):
            by = " and ".join(str(item) for item in (left.lower_by, left.upper_by) if item is not None)
            self._refuse(
                row,
                f"a mean {attribute_label(name)} of {mean:g} contradicts {by}, which makes a member of '{self.persona.name}'",
                "Check the unit, or update another archetype.",
            )
        sd = self._sd(name, n, cells, row)
        self._check_spread(name, mean, sd, left, row)
        return Observation(name=name, on=day, n=n, mean=mean, sd=sd)

    def _check_spread(self, name: str, mean: float, sd: float, left: Bounds | None, row: int) -> None:
        """No values between two limits vary more than when all lie at the two limits (Bhatia and Davis 2000)."""
        info = attribute_info(name)
        limits = (info.limits if info else None) or (-math.inf, math.inf)
        low, high = max(limits[0], left.lower if left else -math.inf), min(limits[1], left.upper if left else math.inf)
        most = math.sqrt(max(0.0, (mean - low) * (high - mean))) if math.isfinite(high - low) else math.inf
        if sd > most * _SAMPLE_SD:
            self._refuse(
                row,
                f"people between {low:g} and {high:g} with a mean {attribute_label(name)} of {mean:g} cannot have an SD of "
                f"{sd:g}; {most:.3g} at most, so the two figures contradict each other",
                "Check that the SD is that of individuals and the unit the same.",
            )

    def _sd(self, name: str, n: int, cells: dict[str, str], row: int) -> float:
        if n == 1:
            return 0.0
        sd = self._number(cells.get("sd", ""), "sd", row)
        info = attribute_info(name)
        conversion = info.conversion(cells.get("unit", "")) if info else None
        sd *= conversion.factor if conversion else 1.0
        if sd <= 0:
            self._refuse(row, f"an SD of {sd:g} of {n} people says that all are alike", "Give the SD of individuals.")
        return sd

    def _share(self, name: str, day: date, row: int, cells: dict[str, str]) -> Observation:
        n = self._people_counted(cells, row)
        if cells.get("level", "").lower() not in ("", "yes"):
            self._refuse(row, f"{attribute_label(name)} is counted by its yes", "Leave 'level' empty.")
        count = self._whole(cells, "count", row) if cells.get("count") else None
        if cells.get("share"):
            share = self._number(cells["share"], "share", row)
            if not 0 <= share <= 1:
                self._refuse(row, f"a share of {share:g} is not between 0 and 1", "Write 29 % as 0.29.")
            if count is None:
                count = round(share * n)
            if abs(count / n - share) > _SHARE_ROUNDING:
                self._refuse(
                    row, f"a share of {share:g} of {n} people contradicts {count} people", "Give n and count alone."
                )
        if count is None:
            self._refuse(row, f"{attribute_label(name)} is yes or no and has neither count nor share", "Give one.")
        if count > n:
            self._refuse(row, f"{count} of {n} people is a contradiction", "The count cannot exceed n.")
        return Observation(name=name, on=day, n=n, count=count)

    def _levels(self, name: str, day: date, group: dict[str, tuple[int, dict[str, str]]]) -> Observation:
        counts: dict[str, int] = {}
        for level, (row, cells) in group.items():
            counts[self._level(name, level, row)] = self._whole(cells, "count", row)
        total, first = sum(counts.values()), next(iter(group.values()))[0]
        if total == 0:
            self._refuse(first, f"nobody was observed (n = 0) of {attribute_label(name)}", "Give counts above 0.")
        for row, cells in group.values():
            if cells.get("n") and self._whole(cells, "n", row) != total:
                self._refuse(
                    row, f"n is {cells['n']}, and the levels of {name} count {total} people", "Mend one of the two."
                )
        return Observation(name=name, on=day, n=total, counts=counts)

    # --- cells ------------------------------------------------------------------------------------------------------

    def _attribute(self, written: str, row: int) -> str:
        name = canonical_attribute(written) if written else ""
        attributes = self.persona.attributes
        if name not in attributes:
            self._refuse(row, f"'{self.persona.name}' has no attribute '{written[:60]}'", _nearest(name, attributes))
        when = definition_of(name, attributes)
        if when is not None:
            self._refuse(
                row,
                f"{attribute_label(name)} follows from {when} and learns nothing itself",
                f"Give observations of {when.attribute}.",
            )
        return name

    def _event(self, cells: dict[str, str], row: int) -> str:
        events = {event.event.lower(): event.event for event in self.persona.life_events}
        written = cells.get("attribute", "")
        if written.lower() not in events:
            known = f"There are: {', '.join(events.values())}." if events else "It has none."
            self._refuse(row, f"'{self.persona.name}' has no life event '{written[:60]}'", known)
        return events[written.lower()]

    def _level(self, name: str, written: str, row: int) -> str:
        levels = {level.lower(): level for level in self.persona.attributes[name].levels or {}}
        if written.lower() not in levels:
            known = f"There are: {', '.join(levels.values())}."
            self._refuse(row, f"{attribute_label(name)} has no level '{written[:40]}'", known)
        return levels[written.lower()]

    def _in_unit(self, name: str, value: float, unit: str, row: int) -> float:
        stated = self.persona.attributes[name].unit
        if attribute_info(name) is None and unit and unit != stated:
            self._refuse(row, f"'{unit[:40]}' is not the unit of {attribute_label(name)}", f"Give it in {stated}.")
        try:
            return to_canonical_unit(name, value, unit)
        except CohortTwinError as error:
            self._refuse(row, error.message.rstrip("."), error.hint)

    def _number(self, cell: str, what: str, row: int) -> float:
        if not cell:
            self._refuse(row, f"{what} is missing", "Fill it in.")
        try:
            value = float(cell)
        except ValueError:
            self._refuse(row, f"{what} is '{cell[:40]}', which is not a number", "Write it like 7.4.")
        if not math.isfinite(value):
            self._refuse(
                row, f"{what} is '{cell[:40]}', which is not a finite number", "Leave out what was not measured."
            )
        return value

    def _whole(self, cells: dict[str, str], what: str, row: int) -> int:
        value = self._number(cells.get(what, ""), what, row)
        if value < 0 or value != int(value):
            self._refuse(row, f"{what} is {value:g}, which is not a number of people or events", "Give a whole number.")
        return int(value)

    def _people_counted(self, cells: dict[str, str], row: int) -> int:
        n = self._whole(cells, "n", row)
        if n == 0:
            self._refuse(row, "nobody was observed (n = 0)", "Leave the row out.")
        return n

    def _row_date(self, cells: dict[str, str], row: int) -> date:
        written = cells.get("date", "")
        if written:
            return self._date(written, row)
        if self.on is None:
            self._refuse(
                row, "the date of the observation is missing", "Add a column 'date', or give --date YYYY-MM-DD."
            )
        return self.on

    def _date(self, written: str, row: int) -> date:
        try:
            day = date.fromisoformat(written)
        except ValueError:
            self._refuse(row, f"'{written[:40]}' is not a date", "Write it as YYYY-MM-DD.")
        if day > self.today:
            self._refuse(row, f"the date {day} is in the future", "Give the day on which it was observed.")
        return day

    def _refuse(self, row: int, what: str, hint: str) -> NoReturn:
        place = f"{self.table.name}, row {row}" if row else self.table.name
        raise InvalidInput(f"{place}: {what}.", hint)


def _outside(value: float, left: Bounds) -> bool:
    below = value < left.lower or (value == left.lower and left.lower_open)
    return below or value > left.upper or (value == left.upper and left.upper_open)


def _nearest(name: str, attributes: Mapping[str, Attribute]) -> str:
    from rapidfuzz import process

    near = [match[0] for match in process.extract(name, list(attributes), limit=3, score_cutoff=60)]
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(sorted(attributes))}."
    return f"{hint} A column of people whose name begins with '_' is left out."
