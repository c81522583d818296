"""Readers of tables: one CSV file, a Synthea CSV folder, OMOP CDM tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from knowledge.errors import PatientDataError
from personas.fitting.csv_rows import csv_rows, file_hash
from personas.fitting.mapping import Mapping
from personas.fitting.records import Condition, Observation, Person, Place, Records, read_date


def read_csv(path: Path, mapping: Mapping) -> Records:
    """One CSV file, one person a row; `id` of the mapping names the column that tells people apart.

    PatientDataError as `csv_rows`, or when the mapping asks for measurements or conditions by code.
    """
    if mapping.observation_codes or mapping.condition_codes:
        raise PatientDataError(
            "A single CSV file has columns, no codes; the mapping asks for an observation or a condition.",
            "Use 'column', or --format synthea, fhir or omop.",
        )
    needed = [item.column.lower() for item in mapping.attributes.values() if item.column]
    needed += [item.unit_column.lower() for item in mapping.attributes.values() if item.unit_column]
    needed += [mapping.id.lower()] if mapping.id else []
    born = [name for name, item in mapping.attributes.items() if item.birth_date]
    needed += ["birth_date"] if born else []
    records = Records(files=[path.name])
    seen: set[str] = set()
    for place, cells in csv_rows(path, mapping.delimiter, list(dict.fromkeys(needed))):
        identity = cells[mapping.id.lower()] if mapping.id else str(place.row)
        if not identity:
            raise PatientDataError(f"{place}: {mapping.id} is empty.", "Give every person an identifier.")
        birth = cells.get("birth_date", "") if born else ""
        _add(records, seen, Person(identity, place, cells, read_date(birth, place, "birth_date") if birth else None))
    records.content = file_hash([path])
    return records


def read_synthea(folder: Path, mapping: Mapping) -> Records:
    """Synthea's CSV export: patients.csv and, when the mapping needs them, observations.csv and conditions.csv.

    Format: CSV File Data Dictionary of the Synthea project. PatientDataError as `csv_rows`.
    """
    _folder(folder)
    records = Records(files=["patients.csv"])
    seen: set[str] = set()
    for place, cells in csv_rows(folder / "patients.csv", mapping.delimiter, _columns(mapping, ["id", "birthdate"])):
        birth = read_date(cells["birthdate"], place, "BIRTHDATE")
        death = cells.get("deathdate", "")
        died = read_date(death, place, "DEATHDATE") if death else None
        _add(records, seen, Person(cells["id"], place, cells, birth, died))

    def code(cells: dict[str, str]) -> str:
        return cells["code"]

    if mapping.observation_codes:
        _observations(records, folder / "observations.csv", mapping, code, ("patient", "date", "value", "units"), seen)
    if mapping.condition_codes:
        _conditions(records, folder / "conditions.csv", mapping, code, ("patient", "start", "stop"), seen)
    records.content = file_hash([folder / name for name in records.files])
    return records


def read_omop(folder: Path, mapping: Mapping) -> Records:
    """Tables of the OMOP common data model as CSV: person, and if needed measurement and condition_occurrence.

    Codes of the mapping are standard concept ids. A person without month or day of birth is taken to be born on 1 July
    or on the 15th. A condition counts from its start on: condition_end_date is often the end of a visit.

    PatientDataError as `csv_rows`.
    """
    _folder(folder)
    records = Records(files=["person.csv"])
    seen: set[str] = set()
    for place, cells in csv_rows(
        folder / "person.csv", mapping.delimiter, _columns(mapping, ["person_id", "year_of_birth"])
    ):
        _add(records, seen, Person(cells["person_id"], place, cells, _omop_birth(cells, place)))
    if (folder / "death.csv").is_file():
        records = _with_deaths(records, folder / "death.csv", mapping)

    def measured(cells: dict[str, str]) -> str:
        return cells["measurement_concept_id"]

    def diagnosed(cells: dict[str, str]) -> str:
        return cells["condition_concept_id"]

    if mapping.observation_codes:
        columns = ("person_id", "measurement_date", "value_as_number", "unit_concept_id")
        _observations(records, folder / "measurement.csv", mapping, measured, columns, seen)
    if mapping.condition_codes:
        columns3 = ("person_id", "condition_start_date", "")
        _conditions(records, folder / "condition_occurrence.csv", mapping, diagnosed, columns3, seen)
    records.content = file_hash([folder / name for name in records.files])
    return records


def _folder(folder: Path) -> None:
    if not folder.is_dir():
        raise PatientDataError(f"'{folder.name}' is not a folder.", "Give the folder that holds the CSV files.")


def _columns(mapping: Mapping, needed: list[str]) -> list[str]:
    return [*needed, *(item.column.lower() for item in mapping.attributes.values() if item.column)]


def _add(records: Records, seen: set[str], person: Person) -> None:
    """The first row of a person counts; another one is reported."""
    if person.id in seen:
        records.repeated_ids.append(person.place)
        return
    seen.add(person.id)
    records.people.append(person)


def _omop_birth(cells: dict[str, str], place: Place) -> date:
    parts = []
    for column, otherwise in (("year_of_birth", ""), ("month_of_birth", "7"), ("day_of_birth", "")):
        parts.append(cells.get(column, "") or otherwise)
    year, month, day = parts
    day = day or ("15" if cells.get("month_of_birth") else "1")
    return read_date(
        f"{year}-{int(month):02d}-{int(day):02d}" if (month + day).isdigit() else "", place, "date of birth"
    )


def _with_deaths(records: Records, path: Path, mapping: Mapping) -> Records:
    died = {
        cells["person_id"]: read_date(cells["death_date"], place, "death_date")
        for place, cells in csv_rows(path, mapping.delimiter, ("person_id", "death_date"))
    }
    people = [Person(p.id, p.place, p.fields, p.birth, died.get(p.id)) for p in records.people]
    return Records(people, records.observations, records.conditions, [*records.files, path.name], records.repeated_ids)


def _observations(
    records: Records,
    path: Path,
    mapping: Mapping,
    code: Callable[[dict[str, str]], str],
    columns: tuple[str, str, str, str],
    people: set[str],
) -> None:
    person, on, value, unit = columns
    named = "code" if person == "patient" else "measurement_concept_id"
    records.files.append(path.name)
    for place, cells in csv_rows(path, mapping.delimiter, (person, on, value, unit, named)):
        key = code(cells)
        if key not in mapping.observation_codes:
            continue
        _known(cells[person], people, place)
        when = read_date(cells[on], place, on)
        found = Observation(cells[person], when, cells[value], cells[unit], place)
        records.observations.setdefault(key, []).append(found)


def _conditions(
    records: Records,
    path: Path,
    mapping: Mapping,
    code: Callable[[dict[str, str]], str],
    columns: tuple[str, str, str],
    people: set[str],
) -> None:
    person, start, end = columns
    named = "code" if person == "patient" else "condition_concept_id"
    records.files.append(path.name)
    needed = [column for column in (person, start, end, named) if column]
    for place, cells in csv_rows(path, mapping.delimiter, needed):
        key = code(cells)
        if key not in mapping.condition_codes:
            continue
        _known(cells[person], people, place)
        ended = read_date(cells[end], place, end) if end and cells[end] else None
        began = read_date(cells[start], place, start) if cells[start] else None
        records.conditions.setdefault(key, []).append(Condition(cells[person], began, ended))


def _known(person: str, people: set[str], place: Place) -> None:
    if person not in people:
        raise PatientDataError(
            f"{place}: the person '{person[:40]}' is not in the table of people.", "Export both tables together."
        )
