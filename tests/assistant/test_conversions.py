"""The second unit of a change, from the factors of personas/units.yaml."""

from __future__ import annotations

import pytest

from assistant.conversions import other_unit
from knowledge.base import KnowledgeBase
from personas.units import attribute_table


@pytest.mark.parametrize(("endpoint", "unit"), [("hba1c_change", "mmol/mol"), ("weight_change", "lb")])
def test_a_change_is_converted_by_the_factor_alone(endpoint: str, unit: str, shipped: KnowledgeBase) -> None:
    known = shipped.vocabulary.endpoint(endpoint)
    converted = other_unit(known)
    assert converted is not None
    factor, name = converted
    assert name == unit
    assert factor * attribute_table()[known.baseline].conversions[unit].factor == pytest.approx(1.0)


def test_what_has_one_unit_only_is_left_alone(shipped: KnowledgeBase) -> None:
    assert other_unit(shipped.vocabulary.endpoint("nausea")) is None
    assert other_unit(shipped.vocabulary.endpoint("weight_percent_change")) is None
