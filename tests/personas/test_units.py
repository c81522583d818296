from __future__ import annotations

import pytest

from knowledge.errors import InvalidInput
from personas.units import attribute_table, canonical_attribute, likely_unit, to_canonical_unit


@pytest.mark.parametrize(
    ("attribute", "value", "unit", "held"),
    [
        ("hba1c", 53, "mmol/mol", 7.0),  # NGSP: 0.09148 * 53 + 2.152 = 7.0004
        ("hba1c", 75, "mmol/mol", 9.0),
        ("hba1c", 7.5, "%", 7.5),
        ("hba1c", 7.5, "per cent", 7.5),
        ("ldl", 3, "mmol/L", 116),
        ("weight", 220, "lb", 99.8),
        ("weight", 15, "stone", 95.3),
        ("egfr", 45, "mL/min/1.73 m²", 45),
        ("sbp", 140, "mm Hg", 140),
        ("age", 780, "months", 65),
    ],
)
def test_units_are_converted(attribute: str, value: float, unit: str, held: float) -> None:
    assert to_canonical_unit(attribute, value, unit) == pytest.approx(held)


def test_an_unknown_unit_names_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match=r"'furlongs' is not a unit of HbA1c.*%, mmol/mol"):
        to_canonical_unit("hba1c", 7, "furlongs")


def test_an_impossible_value_suggests_the_unit_that_was_left_out() -> None:
    with pytest.raises(InvalidInput, match=r"HbA1c of 53 %.*Did you mean 53 mmol/mol, which is 7 %"):
        to_canonical_unit("hba1c", 53)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(InvalidInput, match="finite"):
        to_canonical_unit("age", float("nan"))


@pytest.mark.parametrize(
    ("attribute", "value", "unit"),
    [("hba1c", 75, "mmol/mol"), ("ldl", 3, "mmol/L"), ("hba1c", 9, ""), ("age", 200, ""), ("unheard_of", 9, "")],
)
def test_a_bare_number_is_given_the_only_unit_it_can_have(attribute: str, value: float, unit: str) -> None:
    assert likely_unit(attribute, value) == unit


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("HbA1c", "hba1c"), ("A1C", "hba1c"), ("body mass index", "bmi"), ("Systolic BP", "sbp"), ("Foo Bar", "foo_bar")],
)
def test_names_and_aliases_lead_to_the_attribute(name: str, attribute: str) -> None:
    assert canonical_attribute(name) == attribute


def test_no_alias_belongs_to_two_attributes() -> None:
    seen: dict[str, str] = {}
    for name, info in attribute_table().items():
        for alias in {name, *info.aliases}:
            assert seen.setdefault(alias.lower(), name) == name
