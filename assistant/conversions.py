"""The second unit system of a change: %-points and mmol/mol, kg and lb. Factors come from personas/units.yaml."""

from __future__ import annotations

from functools import lru_cache

from knowledge.schemas import Endpoint
from personas.units import attribute_table

# The unit of a *change* of an attribute measured in the key.
_CHANGE_UNIT = {"%": "%-points"}


@lru_cache(maxsize=256)
def other_unit(endpoint: Endpoint) -> tuple[float, str] | None:
    """(factor, unit) that turn a change of this endpoint into the other unit in use; None when there is only one.

    A change has no offset, so that the factor alone converts it.
    """
    attribute = attribute_table().get(endpoint.baseline)
    if attribute is None or endpoint.unit != _CHANGE_UNIT.get(attribute.unit, attribute.unit):
        return None
    for unit, conversion in attribute.conversions.items():
        return 1.0 / conversion.factor, unit
    return None
