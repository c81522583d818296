"""Cohorts in words: restrictions as a reader would say them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from personas.restrictions import Bounds, entails, intersect, parse_restrictions
from personas.schemas import Persona, Restriction
from personas.units import attribute_info, attribute_label

_UNDER_AGE = Restriction(attribute="age", operator="<", value=18)
_UNDER_AGE_WORDS = {"female": "girls", "male": "boys"}


def describe_restrictions(restrictions: Iterable[Restriction], under_age: bool = False) -> str:
    """Restrictions in words, e.g. `women, eGFR 30 to below 60, HbA1c above 9 %`. Empty without restrictions.

    `under_age` when all they apply to are under 18. EmptyCohort when two of them exclude each other.
    """
    items = list(restrictions)
    described = [
        _describe_level(attribute, left, under_age) if isinstance(left, str) else _describe_range(attribute, left)
        for attribute, left in sorted(intersect(items).items(), key=_place)
    ]
    ordered = [item for item in items if isinstance(item.value, str) and item.operator != "="]
    for name in dict.fromkeys(item.attribute for item in ordered):
        described.append(_describe_ordered(name, [item for item in ordered if item.attribute == name]))
    return ", ".join(described)


def describe_cohort(persona: Persona, restrictions: Iterable[Restriction]) -> str:
    """The archetype's name and what it is limited to, one phrase for headings and sentences."""
    items = list(restrictions)
    limits = describe_restrictions(items, entails((*parse_restrictions(persona.restrictions), *items), _UNDER_AGE))
    return f"{persona.name}, limited to {limits}" if limits else persona.name


def _place(described: tuple[str, object]) -> int:
    """Who they are comes before what was measured; otherwise the order in which it was said (sorting is stable)."""
    return {"sex": 0, "age": 1}.get(described[0], 2)


def _describe_level(attribute: str, level: str, under_age: bool) -> str:
    info = attribute_info(attribute)
    if attribute == "sex" and under_age:
        return _UNDER_AGE_WORDS.get(level, level)
    if info is not None and level in info.phrases:
        return info.phrases[level]
    label = attribute_label(attribute)
    if level in ("yes", "no"):
        return f"those {'with' if level == 'yes' else 'without'} {label}"
    return f"{label} {level.replace('_', ' ')}"


def _describe_ordered(attribute: str, items: list[Restriction]) -> str:
    """Levels in order, whose order only the archetype knows: 'ecog 0 to 1', 'nyha >= iii'."""
    label = attribute_label(attribute)
    ends = {item.operator: str(item.value).replace("_", " ") for item in items}
    if len(items) == 2 and ends.keys() == {">=", "<="}:
        return f"{label} {ends['>=']} to {ends['<=']}"
    return ", ".join(f"{label} {item.operator} {item.value}" for item in items)


def _describe_range(attribute: str, left: Bounds) -> str:
    label, info = attribute_label(attribute), attribute_info(attribute)
    # eGFR and BMI are customarily written without their unit, ages without "years".
    silent = info is None or attribute == "age" or info.unit.endswith("m2") or " " in info.unit
    unit = "" if silent or info is None else f" {info.unit}"
    low, high = f"{left.lower:g}", f"{left.upper:g}{unit}"
    if left.lower == left.upper or _one_year(attribute, left):
        return f"{label} {low}{unit}"
    if math.isinf(left.lower):
        return f"{label} {'below' if left.upper_open else 'up to'} {high}"
    if math.isinf(left.upper):
        if left.lower_open:
            return f"{label} {_above(attribute)} {low}{unit}"
        return f"{label} {low}{unit} {'and over' if attribute == 'age' else 'or more'}"
    # Read back, a range of ages includes its last year, one of a measured value does not (see `quantities`).
    first = f"{_above(attribute)} {low}" if left.lower_open else low
    inclusive = "" if left.upper_open or attribute == "age" else " inclusive"
    return f"{label} {first} to {'below ' if left.upper_open else ''}{high}{inclusive}"


def _above(attribute: str) -> str:
    """'Above 65' of ages is commonly said of those who are 65 as well."""
    return ">" if attribute == "age" else "above"


def _one_year(attribute: str, left: Bounds) -> bool:
    whole = left.lower.is_integer() and left.upper == left.lower + 1
    return attribute == "age" and whole and left.upper_open and not left.lower_open
