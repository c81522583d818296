"""Distances between archetypes against closed forms."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from personas.bank.contrast import compare, similar
from personas.library import PersonaLibrary
from personas.schemas import Persona


def _persona(name: str, **attributes: object) -> Persona:
    stated = {
        key: {"unit": "x", "assumption": "made up", **value}  # type: ignore[dict-item]
        for key, value in attributes.items()
    }
    return Persona.model_validate(
        {"id": name, "name": name, "area": "general", "summary": "made up", "biomarkers": stated}
    )


def test_two_normals() -> None:
    first = _persona("a", z={"distribution": "normal", "mean": 10, "sd": 2})
    second = _persona("b", z={"distribution": "normal", "mean": 12, "sd": 2})
    (row,) = compare(first, second).rows
    assert row.difference == pytest.approx(1.0, abs=0.002)
    assert row.wasserstein == pytest.approx(1.0, abs=0.002)
    # Inman and Bradley: 2 Φ(−d/2) for equal spreads.
    assert row.overlap == pytest.approx(2 * NormalDist().cdf(-0.5), abs=0.005)


def test_the_same_and_the_disjoint() -> None:
    first = _persona("a", z={"distribution": "uniform", "lower": 0, "upper": 1})
    second = _persona("b", z={"distribution": "uniform", "lower": 2, "upper": 3})
    assert compare(first, first).distance == 0
    assert compare(first, second).distance == pytest.approx(1, abs=0.005)


def test_shares_as_in_baseline_tables() -> None:
    first = _persona("a", z={"distribution": "bernoulli", "probability": 0.3})
    second = _persona("b", z={"distribution": "bernoulli", "probability": 0.5})
    (row,) = compare(first, second).rows
    assert row.difference == pytest.approx(0.2 / math.sqrt((0.21 + 0.25) / 2))
    assert row.overlap == pytest.approx(0.8)
    assert compare(second, first).rows[0].difference == pytest.approx(-(row.difference or 0))


def test_two_levels_have_the_same_difference_as_yes_and_no() -> None:
    """Yang and Dalton's distance of two levels is the absolute value of Austin's."""
    first = _persona("a", z={"distribution": "categorical", "levels": {"u": 0.7, "v": 0.3}})
    second = _persona("b", z={"distribution": "categorical", "levels": {"u": 0.5, "v": 0.5}})
    (row,) = compare(first, second).rows
    assert row.difference == pytest.approx(0.2 / math.sqrt((0.21 + 0.25) / 2))


def test_all_against_nobody_has_no_standardised_difference() -> None:
    first = _persona("a", z={"distribution": "bernoulli", "probability": 0})
    second = _persona("b", z={"distribution": "bernoulli", "probability": 1})
    (row,) = compare(first, second).rows
    assert row.difference is None
    assert row.overlap == 0


def test_what_only_one_has_is_named_and_not_counted() -> None:
    first = _persona(
        "a", z={"distribution": "normal", "mean": 1, "sd": 1}, y={"distribution": "normal", "mean": 1, "sd": 1}
    )
    second = _persona(
        "b", z={"distribution": "normal", "mean": 1, "sd": 1}, y={"distribution": "bernoulli", "probability": 0.1}
    )
    result = compare(first, second)
    assert [row.attribute for row in result.rows] == ["z"]
    assert result.only_first == ("y",)
    assert result.only_second == ("y",)


def test_the_distance_is_a_distance(library: PersonaLibrary) -> None:
    people, older, frail = (library.get(name) for name in ("people", "people_older", "people_frail"))
    there, back = compare(people, older).distance, compare(older, people).distance
    assert there == pytest.approx(back)
    assert compare(older, frail).distance == 0, "the frail inherit all margins of the older"
    assert [item.id for item in similar(older, [people, frail])] == ["people_frail", "people"]
    assert similar(older, [people])[0].farthest_attribute == "eGFR"
