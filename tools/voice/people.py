"""Virtual patients who speak: who they are, and sentences from their own attributes (`lines.yaml`)."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.errors import DataError
from knowledge.faults import Fault, raise_faults
from knowledge.yaml_files import read_mapping
from personas.cohort import Cohort
from personas.units import attribute_label
from tools.cohort.tool import Statement
from tools.schemas import Estimate, Kind, Level, Validation
from tools.voice.schemas import SimulatedLine

FILE = Path(__file__).parent / "lines.yaml"
ADULT_FROM = 18.0  # years; below, 'girl' and 'boy'
_WORD = re.compile(r"[^\W\d_]{4,}")
_DECADES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_SEXES = {"female": ("woman", "girl", "her"), "male": ("man", "boy", "his"), "": ("person", "child", "their")}
_MOST_OWN = 2  # things of their own that a person mentions


def filler() -> str:
    """Pattern of words that carry nothing to be weighed."""
    return str(_lines()["filler"])


def who(cohort: Cohort, row: int) -> str:
    """'woman in her seventies'; what the cohort does not hold is left out. Without digits, which would read as figures."""
    columns = cohort.patients.columns
    age = float(columns["age"][row]) if "age" in columns else None
    sex = str(cohort.patients.labels("sex")[row]) if "sex" in columns else ""
    adult, child, their = _SEXES.get(sex, _SEXES[""])
    noun = adult if age is None or age >= ADULT_FROM else child
    if age is None:
        return noun
    decade = int(age // 10)
    return f"{noun} in {their} {_DECADES[min(decade, len(_DECADES)) - 1]}" if decade else f"young {noun}"


def letter(row: int) -> str:
    """A name for the person of a row: A, B … Z, AA, AB …"""
    quotient, rest = divmod(row, 26)
    return (letter(quotient - 1) if quotient else "") + chr(ord("A") + rest)


def about_me(cohort: Cohort, row: int, *, with_figure: bool = True) -> str:
    """Two or three sentences from the person's own attributes, one of them with a figure where that is wanted."""
    patients = cohort.patients
    figure = _figure(cohort) if with_figure else None
    numbers = []
    if figure is not None:
        value = float(patients.columns[figure["attribute"]][row])
        numbers.append(str(figure["said"]).format(value=f"{value:.{figure['places']}f}"))
    own = [
        str(sentence)
        for name, sentence in _lines()["has"].items()
        if name in patients.columns and _defining(cohort, name) and bool(patients.columns[name][row])
    ]
    return " ".join([*numbers, *own[:_MOST_OWN]])


def answers(cohort: Cohort, row: int, about: str) -> list[SimulatedLine]:
    """What the person says to the questions of `lines.yaml`, those that `about` asks first."""
    found: list[tuple[bool, SimulatedLine]] = []
    for item in _lines()["asked"]:
        name = item["attribute"]
        if name in cohort.patients.columns:
            said = item["when_so" if bool(cohort.patients.columns[name][row]) else "otherwise"]
            wanted = re.search(rf"\b(?:{item['about']})\b", about, re.IGNORECASE) is not None
            found.append((wanted, SimulatedLine(asked=item["question"], said=said, rests_on="own attribute")))
    return [line for _, line in sorted(found, key=lambda pair: not pair[0])]


def numbers_of(cohort: Cohort, row: int) -> list[Estimate]:
    """The figures that the person may mention, each as an estimate about that person alone."""
    patients = cohort.patients
    figure = _figure(cohort)
    places = {str(figure["attribute"]): int(figure["places"])} if figure is not None else {}
    return [
        Estimate(
            id=f"{name}.person_{letter(row)}",
            quantity=f"{attribute_label(name)} of simulated person {letter(row)}",
            unit=patients.units[name],
            population=f"simulated person {letter(row)}",
            point=round(float(patients.columns[name][row]), places[name]),
            kind=Kind.DESCRIPTIVE,
            of=Level.INDIVIDUAL,
            validation=Validation.SCENARIO,
            note="drawn from the archetype; nobody real",
        )
        for name in places
    ]


def statements(cohort: Cohort, about: str = "") -> list[Statement]:
    """Published statements about such people, those that share a word with `about` first; assumed ones are left out."""
    wanted = {word.casefold()[:5] for word in _WORD.findall(about)}
    found = [
        Statement(topic=one.topic, statement=one.statement, source_id=one.source.source_id)
        for one in cohort.persona.preferences
        if one.source is not None
    ]
    return sorted(found, key=lambda one: -len(wanted & {w.casefold()[:5] for w in _WORD.findall(_text(one))}))


def value_counts(cohort: Cohort, attribute: str, value: str) -> Any:
    """Boolean (N,): who has the value of a levelled attribute; None when the cohort does not hold it."""
    if attribute not in cohort.patients.columns:
        return None
    return np.asarray(cohort.patients.labels(attribute) == value)


def _text(statement: Statement) -> str:
    return f"{statement.topic} {statement.statement}"


def _figure(cohort: Cohort) -> dict[str, Any] | None:
    """What figure of their own such people mention; None when the area has none, or the cohort does not hold it."""
    figure: dict[str, Any] | None = _lines()["numbers"].get(cohort.persona.area)
    return figure if figure is not None and figure["attribute"] in cohort.patients.columns else None


def _defining(cohort: Cohort, name: str) -> bool:
    """True for what not everybody of the cohort has: the rest goes without saying."""
    column = cohort.patients.columns[name]
    return column.dtype == np.bool_ and not bool(np.all(column))


@lru_cache(maxsize=1)
def _lines() -> dict[str, Any]:
    faults: list[Fault] = []
    content, _ = read_mapping(FILE, FILE.name, faults)
    for key in ("numbers", "has", "asked", "filler"):
        if key not in content:
            faults.append(Fault(FILE.name, 0, key, "is missing"))
    raise_faults(faults, DataError, "lines of simulated people")
    return content
