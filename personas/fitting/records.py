"""What every reader yields: people, their measurements and their conditions, each with the place it was read at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from knowledge.errors import PatientDataError


class Place(NamedTuple):
    """A row as a spreadsheet counts it (the header is row 1), or an entry of a bundle, counted from 1."""

    file: str
    row: int
    noun: str = "row"

    def __str__(self) -> str:
        return f"{self.file}, {self.noun} {self.row}"


@dataclass(frozen=True)
class Person:
    """One person. `fields` by lower-case name."""

    id: str
    place: Place
    fields: Mapping[str, str]
    birth: date | None = None
    death: date | None = None


@dataclass(frozen=True)
class Observation:
    """One measured value, as written."""

    person: str
    on: date
    value: str
    unit: str
    place: Place


@dataclass(frozen=True)
class Condition:
    """One diagnosis; `end` is None while it lasts."""

    person: str
    start: date | None
    end: date | None


@dataclass
class Records:
    """Everything a mapping asked for. Observations and conditions are held by code."""

    people: list[Person] = field(default_factory=list)
    observations: dict[str, list[Observation]] = field(default_factory=dict)
    conditions: dict[str, list[Condition]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    repeated_ids: list[Place] = field(default_factory=list)
    content: str = ""


def read_date(text: str, place: Place, what: str) -> date:
    """A date from ISO text; the time of day, if any, is dropped. FHIR's partial dates mean their first day.

    PatientDataError names the place when it is none.
    """
    plain = text.strip()[:10]
    try:
        parts = [int(part) for part in plain.split("-")]
        return date(*[*parts, 1, 1][:3]) if 1 <= len(parts) <= 3 else date.fromisoformat(plain)
    except (ValueError, TypeError) as error:
        raise PatientDataError(
            f"{place}: {what} is '{text.strip()[:40]}', not a date.", "Write dates as YYYY-MM-DD."
        ) from error
