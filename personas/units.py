"""What an attribute is called, in which unit it is held, and how other units are brought to it.

The table is `personas/units.yaml`; every conversion factor there names its source.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from knowledge.errors import InvalidInput, PersonaError
from knowledge.schemas import Frozen

_FILE = Path(__file__).parent / "units.yaml"


class Conversion(Frozen):
    """Value in the attribute's own unit = factor * value + offset. `must_be_written`: never guessed from the value."""

    factor: float = Field(gt=0)
    offset: float = 0.0
    source: str
    names: tuple[str, ...] = ()
    must_be_written: bool = False


class Definition(Frozen):
    """The attribute is true exactly when another attribute meets a condition, e.g. obesity when `bmi>=30`."""

    when: str
    source: str


class AttributeInfo(Frozen):
    """One row of the table."""

    label: str
    unit: str
    limits: tuple[float, float] | None = None
    decimals: int = Field(2, ge=0, le=6)
    aliases: tuple[str, ...] = ()
    unit_names: tuple[str, ...] = ()
    conversions: dict[str, Conversion] = Field(default_factory=dict)
    phrases: dict[str, str] = Field(default_factory=dict)
    definition: Definition | None = None
    at_most: str = ""

    @property
    def numeric(self) -> bool:
        """True for a measured attribute; categories and yes/no have no limits."""
        return self.limits is not None

    def conversion(self, unit: str) -> Conversion | None:
        """The conversion from `unit`; None when `unit` is already the attribute's own. InvalidInput otherwise."""
        asked = _squeeze(unit)
        if asked in {_squeeze(name) for name in ("", self.unit, *self.unit_names)}:
            return None
        for name, conversion in self.conversions.items():
            if asked in {_squeeze(known) for known in (name, *conversion.names)}:
                return conversion
        known = ", ".join([self.unit, *self.conversions])
        raise InvalidInput(f"'{unit}' is not a unit of {self.label}.", f"Give {self.label} in {known}.")

    def within_limits(self, value: float) -> bool:
        """True when the value is one a person can have."""
        return self.limits is None or self.limits[0] <= value <= self.limits[1]


class _Table(Frozen):
    sources: dict[str, str]
    attributes: dict[str, AttributeInfo]


@lru_cache(maxsize=1)
def attribute_table() -> dict[str, AttributeInfo]:
    """All attributes the table knows, by name. PersonaError when the shipped file is damaged."""
    try:
        raw: Any = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        table = _Table.model_validate(raw)
    except (yaml.YAMLError, ValidationError) as error:
        raise PersonaError(f"{_FILE.name} cannot be read: {error}", "Restore the file.") from error
    for name, info in table.attributes.items():
        cited = [conversion.source for conversion in info.conversions.values()]
        cited += [info.definition.source] if info.definition else []
        missing = sorted(set(cited) - set(table.sources))
        if missing:
            raise PersonaError(f"{_FILE.name}: {name} cites {missing[0]}, which is not under 'sources'.", "Add it.")
    return table.attributes


def attribute_info(attribute: str) -> AttributeInfo | None:
    """The table's row of an attribute, or None when it holds nothing special about it."""
    return attribute_table().get(attribute)


def attribute_label(attribute: str) -> str:
    """How the attribute is written for a reader."""
    info = attribute_info(attribute)
    return info.label if info else attribute.replace("_", " ")


@lru_cache(maxsize=1)
def attribute_aliases() -> dict[str, str]:
    """Lower-case name or alias → attribute name, for every attribute of the table."""
    names: dict[str, str] = {}
    for name, info in attribute_table().items():
        for alias in (name, name.replace("_", " "), info.label, *info.aliases):
            names.setdefault(alias.lower(), name)
    return names


def canonical_attribute(name: str) -> str:
    """Attribute name behind a name or alias in any case; an unknown one comes back in snake case."""
    plain = " ".join(name.lower().split())
    return attribute_aliases().get(plain, plain.replace(" ", "_").replace("-", "_"))


def to_canonical_unit(attribute: str, value: float, unit: str = "") -> float:
    """Value of `attribute` in the unit it is held in.

    Parameters
    ----------
    value : in `unit`, or in the attribute's own unit when `unit` is empty.
    unit : any unit of the table, in any case; per cent of HbA1c is NGSP, mmol/mol is IFCC.

    Raises
    ------
    InvalidInput : unknown unit, or a value no person can have.
    """
    info = attribute_info(attribute)
    if not math.isfinite(value):
        raise InvalidInput(f"{attribute} needs a finite number.", "Give a number such as 65.")
    if info is None:
        return value
    conversion = info.conversion(unit)
    held = value if conversion is None else round(conversion.factor * value + conversion.offset, info.decimals)
    if not info.within_limits(held):
        raise InvalidInput(_out_of_range(info, value, unit or info.unit), _range_hint(info, value, unit))
    return held


def likely_unit(attribute: str, value: float) -> str:
    """The unit a bare number must be in: the attribute's own if it can be, else the only other one that fits.

    "HbA1c above 75" can only be mmol/mol, "LDL above 3" only mmol/L. Empty when the number fits no unit or two.
    """
    info = attribute_info(attribute)
    if info is None or info.within_limits(value):
        return ""
    fitting = [name for name, _ in _fitting_units(info, value)]
    return fitting[0] if len(fitting) == 1 else ""


def _out_of_range(info: AttributeInfo, value: float, unit: str) -> str:
    return f"Nobody has {'an' if info.label[:1] in 'aeHL' else 'a'} {info.label} of {value:g} {unit}."


def _range_hint(info: AttributeInfo, value: float, unit: str) -> str:
    if info.limits is None:
        return ""
    if not unit:
        for name, other in _fitting_units(info, value):
            return f"Did you mean {value:g} {name}, which is {other:g} {info.unit}? Then write the unit."
    return f"Give {info.label} between {info.limits[0]:g} and {info.limits[1]:g} {info.unit}."


def _fitting_units(info: AttributeInfo, value: float) -> list[tuple[str, float]]:
    """Other units in which the number is one a person can have, and what it is in the attribute's own."""
    converted = [
        (name, round(conversion.factor * value + conversion.offset, info.decimals))
        for name, conversion in info.conversions.items()
        if not conversion.must_be_written
    ]
    return [(name, held) for name, held in converted if info.within_limits(held)]


def _squeeze(unit: str) -> str:
    """Unit without spaces, case and typographic signs, so that spellings compare."""
    plain = "".join(unit.lower().split())
    return plain.replace("²", "2").replace("^", "").replace("·", "").replace("percent", "%")
