"""From records to columns: units converted, categories named, impossible values and non-members set aside and counted."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import InvalidInput, PatientDataError
from knowledge.schemas import Frozen
from personas.fitting.design import Axis, Design
from personas.fitting.mapping import AttributeMap
from personas.fitting.mapping import Mapping as DataMapping
from personas.fitting.records import Observation, Place, Records
from personas.restrictions import Bounds, intersect, parse_restrictions
from personas.units import attribute_info, canonical_attribute

Floats = NDArray[np.float64]

_YES_NO = {"yes": "yes", "true": "yes", "1": "yes", "y": "yes", "no": "no", "false": "no", "0": "no", "n": "no"}
_SHOWN = 5
_DAYS_IN_YEAR = 365.25


@dataclass(frozen=True)
class PatientTable:
    """People column by column, in memory only.

    Attributes
    ----------
    columns : by attribute, (n,) values in its unit or positions of its level; nan where nothing is known.
    n : number of people.
    """

    columns: Mapping[str, Floats]
    n: int

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> PatientTable:
        """The chosen people."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return PatientTable(columns, len(next(iter(columns.values()))))


class AttributeQuality(Frozen):
    """What is wrong with the values of one attribute among the members."""

    attribute: str
    missing: int
    missing_share: float
    impossible: int
    impossible_at: tuple[str, ...] = ()


class QualityReport(Frozen):
    """What was read and what was set aside. People: read = people + the four groups that were left out."""

    files: tuple[str, ...]
    people_read: int
    people: int
    repeated_ids: int
    repeated_at: tuple[str, ...] = ()
    same_rows: int
    dead: int
    not_included: int
    not_members: int
    membership_unknown: int
    contradictions: int
    attributes: tuple[AttributeQuality, ...]
    unchecked_restrictions: tuple[str, ...] = ()


@dataclass
class _Column:
    values: list[float]
    impossible: list[tuple[int, Place]] = field(default_factory=list)


def found_levels(records: Records, mapping: DataMapping) -> dict[str, set[str]]:
    """Texts in the columns of the mapping, by attribute."""
    found: dict[str, set[str]] = {}
    for name, item in mapping.attributes.items():
        if item.column and not item.values:
            texts = {person.fields[item.column.lower()].lower() for person in records.people}
            found[canonical_attribute(name)] = {text for text in texts if not mapping.is_missing(text)}
    return found


def build_table(records: Records, mapping: DataMapping, design: Design) -> tuple[PatientTable, QualityReport]:
    """Columns of the members, and what was found wrong.

    Raises
    ------
    PatientDataError : text in a number, an unknown unit, level or column; names file and row. No member left.
    """
    read = len(records.people)
    alive = [p for p in records.people if p.death is None or mapping.as_of is None or p.death > mapping.as_of]
    wanted = _with_condition(records, mapping.include.condition, mapping.as_of) if mapping.include.condition else None
    included = [person for person in alive if wanted is None or person.id in wanted]
    kept = Records(included, records.observations, records.conditions)
    names = {canonical_attribute(name): item for name, item in mapping.attributes.items()}
    columns = {axis.name: _column(axis, names[axis.name], kept, mapping) for axis in design.axes}
    arrays = {name: np.array(column.values, dtype=np.float64) for name, column in columns.items()}
    members, unknown, unchecked = _members(arrays, design, len(included))
    possible = _possible(arrays, len(included))
    chosen = members & ~unknown & possible
    if not chosen.any():
        raise PatientDataError(
            f"Nobody of the {read:,} people in {records.files[0]} belongs to the cohort.",
            f"It takes {' and '.join(design.restrictions) or 'everybody'}; check units, dates and codes.",
        )
    table = PatientTable({name: array[chosen] for name, array in arrays.items()}, int(chosen.sum()))
    report = QualityReport(
        files=tuple(records.files),
        people_read=read + len(records.repeated_ids),
        people=table.n,
        repeated_ids=len(records.repeated_ids),
        repeated_at=tuple(str(place) for place in records.repeated_ids[:_SHOWN]),
        same_rows=_same_rows(table),
        dead=read - len(alive),
        not_included=len(alive) - len(included),
        not_members=int((~members & ~unknown).sum()),
        membership_unknown=int(unknown.sum()),
        contradictions=int((members & ~unknown & ~possible).sum()),
        attributes=tuple(_quality(name, columns[name], array, chosen) for name, array in arrays.items()),
        unchecked_restrictions=unchecked,
    )
    return table, report


def _quality(name: str, column: _Column, array: Floats, chosen: NDArray[np.bool_]) -> AttributeQuality:
    impossible = [place for row, place in column.impossible if chosen[row]]
    missing = int(np.isnan(array[chosen]).sum())
    return AttributeQuality(
        attribute=name,
        missing=missing,
        missing_share=missing / int(chosen.sum()),
        impossible=len(impossible),
        impossible_at=tuple(str(place) for place in impossible[:_SHOWN]),
    )


def _same_rows(table: PatientTable) -> int:
    """People whose known values all equal those of somebody before; only rows with a measured value count."""
    stacked = np.column_stack(list(table.columns.values()))
    measured = ~np.isnan(stacked).all(axis=1)
    _, counts = np.unique(np.nan_to_num(stacked[measured], nan=-1e300), axis=0, return_counts=True)
    return int((counts - 1).sum())


def _column(axis: Axis, item: AttributeMap, records: Records, mapping: DataMapping) -> _Column:
    if item.condition:
        ill = _with_condition(records, item.condition, mapping.as_of)
        return _Column([float(person.id in ill) for person in records.people])
    if item.birth_date:
        return _ages(axis, records, mapping)
    if item.observation:
        return _measured(axis, item, records, mapping)
    column = item.column.lower()
    result = _Column([])
    for row, person in enumerate(records.people):
        if column not in person.fields:
            known = ", ".join(sorted(person.fields))
            raise PatientDataError(f"{person.place}: there is no field '{item.column}'.", f"There are: {known}.")
        text = person.fields[column]
        unit = person.fields.get(item.unit_column.lower(), "") if item.unit_column else item.unit
        if mapping.is_missing(text):
            result.values.append(math.nan)
        elif axis.kind == "number":
            _number(result, axis, text, mapping.unit(unit), person.place, row)
        else:
            result.values.append(_level(axis, item, text, person.place))
    return result


def _number(result: _Column, axis: Axis, text: str, unit: str, place: Place, row: int) -> None:
    """Append a value in the attribute's unit; one that nobody can have is missing and noted."""
    value = converted(axis, text, unit, place)
    if axis.edges[0] <= value <= axis.edges[-1]:
        result.values.append(value)
    else:
        result.values.append(math.nan)
        result.impossible.append((row, place))


def converted(axis: Axis, text: str, unit: str, place: Place) -> float:
    """A written value in the attribute's own unit. PatientDataError names the place."""
    try:
        value = float(text)
    except ValueError as error:
        hint = (
            "Write decimals with a point." if "," in text else "Correct it, or list it under 'missing' in the mapping."
        )
        raise PatientDataError(f"{place}: {axis.name} is '{text[:40]}', not a number.", hint) from error
    if not math.isfinite(value):
        raise PatientDataError(f"{place}: {axis.name} is '{text[:40]}', not a finite number.", "Correct it.")
    info = attribute_info(axis.name)
    if info is None:
        if unit and unit != axis.unit:
            raise PatientDataError(f"{place}: {axis.name} is in '{unit}'.", f"It is fitted in {axis.unit}.")
        return value
    try:
        conversion = info.conversion(unit)
    except InvalidInput as error:
        raise PatientDataError(f"{place}: {error.message}", f"{error.hint} Or translate it under 'units'.") from error
    return value if conversion is None else conversion.factor * value + conversion.offset


def _level(axis: Axis, item: AttributeMap, text: str, place: Place) -> float:
    values = {key.lower(): target for key, target in item.values.items()}
    plain = values.get(text.lower(), "" if values else text.lower())
    if axis.kind == "yes_no":
        plain = _YES_NO.get(plain, plain)
    positions = {level.lower(): position for position, level in enumerate(axis.levels)}
    if plain.lower() not in positions:
        known = ", ".join(values or axis.levels)
        raise PatientDataError(
            f"{place}: {axis.name} is '{text[:40]}', which the mapping does not name.",
            f"Add it under 'values' or 'missing'. Known are: {known}.",
        )
    return float(positions[plain.lower()])


def _ages(axis: Axis, records: Records, mapping: DataMapping) -> _Column:
    result = _Column([])
    for row, person in enumerate(records.people):
        if person.birth is None or mapping.as_of is None:
            result.values.append(math.nan)
            continue
        age = (mapping.as_of - person.birth).days / _DAYS_IN_YEAR
        if axis.edges[0] <= age <= axis.edges[-1]:
            result.values.append(age)
        else:
            result.values.append(math.nan)
            result.impossible.append((row, person.place))
    return result


def _measured(axis: Axis, item: AttributeMap, records: Records, mapping: DataMapping) -> _Column:
    """The latest, earliest or mean measured value up to the day looked at."""
    by_person: dict[str, list[Observation]] = defaultdict(list)
    for code in item.observation:
        for observation in records.observations.get(code, ()):
            if mapping.as_of is None or observation.on <= mapping.as_of:
                by_person[observation.person].append(observation)
    result = _Column([])
    for row, person in enumerate(records.people):
        found = [o for o in by_person.get(person.id, ()) if not mapping.is_missing(o.value)]
        if not found:
            result.values.append(math.nan)
            continue
        found.sort(key=lambda o: o.on, reverse=item.take == "latest")
        used = found if item.take == "mean" else found[:1]
        written = [(mapping.unit(o.unit) or item.unit) for o in used]
        values = [converted(axis, o.value, unit, o.place) for o, unit in zip(used, written, strict=True)]
        mean = sum(values) / len(values)
        if axis.edges[0] <= mean <= axis.edges[-1]:
            result.values.append(mean)
        else:
            result.values.append(math.nan)
            result.impossible.append((row, used[0].place))
    return result


def _with_condition(records: Records, codes: tuple[str, ...], as_of: date | None) -> set[str]:
    """People who have one of the conditions on the day looked at: begun by then, and not ended before."""
    return {
        condition.person
        for code in codes
        for condition in records.conditions.get(code, ())
        if as_of is None
        or ((condition.start is None or condition.start <= as_of) and (condition.end is None or condition.end >= as_of))
    }


def _members(
    arrays: Mapping[str, Floats], design: Design, n: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[str, ...]]:
    """Who meets the restrictions, of whom it is unknown, and restrictions that no column can tell."""
    members, unknown = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    unchecked = []
    restrictions = parse_restrictions(design.restrictions)
    for name, left in intersect(restrictions).items():
        if name not in arrays:
            unchecked += [str(item) for item in restrictions if item.attribute == name]
            continue
        column, axis = arrays[name], design.axis(name)
        unknown |= np.isnan(column)
        if isinstance(left, Bounds):
            members &= ~_outside(column, left)
        else:
            positions = {level.lower(): float(place) for place, level in enumerate(axis.levels)}
            members &= (column == positions.get(left, -1.0)) | np.isnan(column)
    return members, unknown, tuple(unchecked)


def _outside(column: Floats, left: Bounds) -> NDArray[np.bool_]:
    below = column <= left.lower if left.lower_open else column < left.lower
    above = column >= left.upper if left.upper_open else column > left.upper
    return np.asarray(below | above, dtype=np.bool_)


def _possible(arrays: Mapping[str, Floats], n: int) -> NDArray[np.bool_]:
    """False for people who contradict themselves: a disease older than its patient."""
    possible = np.ones(n, dtype=np.bool_)
    for name, column in arrays.items():
        info = attribute_info(name)
        if info is not None and info.at_most in arrays:
            possible &= ~(column > arrays[info.at_most])
    return possible
