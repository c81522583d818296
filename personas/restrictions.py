"""Restrictions on a cohort: parse them, bring them to one unit, intersect them, name contradictions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from knowledge.errors import EmptyCohort, InvalidInput
from personas.schemas import Attribute, Distribution, Persona, Restriction
from personas.units import attribute_info, attribute_label, canonical_attribute, to_canonical_unit

Operator = Literal[">=", "<=", ">", "<", "="]

LEVELLED = (Distribution.CATEGORICAL, Distribution.ORDINAL)
YES_NO_LEVELS = ("no", "yes")

_FLIPPED: dict[str, Operator] = {">=": "<=", "<=": ">=", ">": "<", "<": ">", "=": "="}
OPPOSITE: dict[str, Operator] = {">=": "<", "<=": ">", ">": "<=", "<": ">="}
# Among levels, "above" is "from the next one up".
_CLOSED: dict[str, Operator] = {">": ">=", "<": "<="}
_STEP = {">": 1, "<": -1}
_SPELLINGS = {"≥": ">=", "≤": "<=", "=>": ">=", "=<": "<=", "==": "="}
_OPERATOR = r"(>=|<=|=>|=<|==|≥|≤|>|<|=)"
_NAME = r"([A-Za-z][\w /-]*?)"
_NUMBER = r"([-+]?\d+(?:[.,]\d+)?)"
_ONE = re.compile(rf"\s*{_NAME}\s*{_OPERATOR}\s*(\S(?:.*\S)?)\s*")
_CHAIN = re.compile(rf"\s*{_NUMBER}\s*{_OPERATOR}\s*{_NAME}\s*{_OPERATOR}\s*{_NUMBER}\s*(\S.*)?")
_QUANTITY = re.compile(rf"{_NUMBER}\s*([^\d\s].*)?")
_YES = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}
_EXAMPLE = "Write it like 'age>=65', 'sex=female' or '30<=egfr<60'."


@dataclass(frozen=True)
class Bounds:
    """The values that restrictions leave on one attribute.

    For a numeric attribute `lower` and `upper` are in its unit; for levels they are positions in the list of levels,
    for yes/no 0 and 1, both ends included. `by` holds the restrictions that set the two ends.
    """

    lower: float = -math.inf
    upper: float = math.inf
    lower_open: bool = False
    upper_open: bool = False
    lower_by: Restriction | None = None
    upper_by: Restriction | None = None

    @property
    def empty(self) -> bool:
        """True when no value is left."""
        return self.lower > self.upper or (self.lower == self.upper and (self.lower_open or self.upper_open))

    @property
    def closed(self) -> tuple[float, float]:
        """The smallest and the largest value left: of an open end, the number next to it."""
        lower = math.nextafter(self.lower, math.inf) if self.lower_open else self.lower
        upper = math.nextafter(self.upper, -math.inf) if self.upper_open else self.upper
        return lower, upper

    def narrowed(self, operator: Operator, value: float, by: Restriction) -> Bounds:
        """Intersection with one comparison."""
        result = self
        if operator in (">=", ">", "="):
            is_open = operator == ">"
            if value > result.lower or (value == result.lower and is_open):
                result = replace(result, lower=value, lower_open=is_open, lower_by=by)
        if operator in ("<=", "<", "="):
            is_open = operator == "<"
            if value < result.upper or (value == result.upper and is_open):
                result = replace(result, upper=value, upper_open=is_open, upper_by=by)
        return result

    def inside(self, other: Bounds) -> bool:
        """True when every value left here is left there too."""
        above = self.lower > other.lower or (self.lower == other.lower and (self.lower_open or not other.lower_open))
        below = self.upper < other.upper or (self.upper == other.upper and (self.upper_open or not other.upper_open))
        return above and below


def parse_restriction(text: str) -> Restriction:
    """One restriction, e.g. `age>=65`, `sex=female`, `HbA1c >= 53 mmol/mol` (7.0 % by the NGSP equation).

    Names may be aliases in any case; numbers may carry any unit of `units.yaml` and come back in the attribute's own.

    Raises
    ------
    InvalidInput : not a restriction, a range (which is two), an unknown unit, an impossible value, a word where the
        attribute is a number.
    """
    if _CHAIN.fullmatch(text):
        raise InvalidInput(f"'{text.strip()}' is two restrictions.", "Give each side on its own.")
    match = _ONE.fullmatch(text)
    if not match:
        raise InvalidInput(f"'{text.strip()}' is not a restriction.", _EXAMPLE)
    name, operator, value = match.groups()
    return _restriction(name, operator, value, text)


def parse_restrictions(texts: str | Iterable[str]) -> tuple[Restriction, ...]:
    """Several restrictions, without duplicates; a string is split at `;`, `,` and the word "and".

    `30<=egfr<60` gives two. EmptyCohort names two that cannot both hold, e.g. `age>=65` and `age<40`.
    """
    parts = re.split(r"[;,](?!\d)|\band\b", texts) if isinstance(texts, str) else list(texts)
    found: list[Restriction] = []
    for part in parts:
        if not part.strip():
            continue
        chain = _CHAIN.fullmatch(part)
        if chain:
            low, first, name, second, high, unit = chain.groups()
            tail = f" {unit}" if unit else ""
            first = _FLIPPED[_SPELLINGS.get(first, first)]
            found += [_restriction(name, first, low + tail, part), _restriction(name, second, high + tail, part)]
        else:
            found.append(parse_restriction(part))
    unique = tuple(dict.fromkeys(found))
    check_consistent(unique)
    return unique


def _restriction(name: str, operator: str, raw: str, text: str) -> Restriction:
    sign = cast(Operator, _SPELLINGS.get(operator, operator))
    attribute = canonical_attribute(name)
    info = attribute_info(attribute)
    raw = raw.strip().strip("'\"")
    quantity = _QUANTITY.fullmatch(raw)
    if quantity and (info is None or info.numeric):
        number, unit = float(quantity[1].replace(",", ".")), quantity[2] or ""
        if info is None and unit:
            raise InvalidInput(f"'{text.strip()}' gives a unit, and {attribute} has none.", f"Write {name}{sign}…")
        return Restriction(attribute=attribute, operator=sign, value=to_canonical_unit(attribute, number, unit))
    if info is not None and info.numeric:
        raise InvalidInput(
            f"{info.label} is a number in {info.unit}, and '{raw}' is not one.", f"Write it like '{attribute}{sign}50'."
        )
    if re.search(r"[<>=]", raw):
        raise InvalidInput(f"'{text.strip()}' is not a restriction.", _EXAMPLE)
    return Restriction(attribute=attribute, operator=sign, value=raw.lower())


def check_consistent(restrictions: Sequence[Restriction]) -> None:
    """EmptyCohort when two restrictions on one attribute exclude each other; both are named."""
    intersect(restrictions)


def intersect(restrictions: Iterable[Restriction]) -> dict[str, Bounds | str]:
    """What the restrictions leave of each attribute, without knowing the archetype.

    Numbers give `Bounds`; words of categories give the word itself. EmptyCohort names two that exclude each other.
    """
    left: dict[str, Bounds | str] = {}
    words: dict[str, Restriction] = {}
    for item in restrictions:
        if isinstance(item.value, str):
            if item.operator != "=":
                continue  # the order of levels is the archetype's; `bounds_of` compares them
            if item.attribute in words and words[item.attribute].value != item.value:
                raise _contradiction(words[item.attribute], item)
            words[item.attribute] = item
            left[item.attribute] = item.value
        else:
            before = left.get(item.attribute, Bounds())
            if isinstance(before, str):
                raise _contradiction(words[item.attribute], item)
            left[item.attribute] = _narrow(before, item.operator, item.value, item)
    return left


def entails(said: Iterable[Restriction], wanted: Restriction) -> bool:
    """True when everybody who meets all of `said` also meets `wanted`."""
    same = [item for item in said if item.attribute == wanted.attribute]
    left = intersect(same).get(wanted.attribute)
    if left is None:
        return wanted in same  # the order of levels is the archetype's, but what was said is said
    if isinstance(left, str) or isinstance(wanted.value, str):
        return left == wanted.value and wanted.operator == "="
    return left.inside(Bounds().narrowed(wanted.operator, wanted.value, wanted))


def bounds_of(persona: Persona, restrictions: Sequence[Restriction]) -> dict[str, Bounds]:
    """What `restrictions` leave of each attribute of `persona`, levels as positions, yes/no as 0 and 1.

    Raises
    ------
    InvalidInput : an attribute the persona has not (those it has are listed), a level it has not, a word for a number,
        a number for a word, `=` on a measured value.
    EmptyCohort : two restrictions that exclude each other; both are named.
    """
    attributes = persona.attributes
    left: dict[str, Bounds] = {}
    for item in _unfold(attributes, restrictions):
        if item.attribute not in attributes:
            raise InvalidInput(
                f"The cohort '{persona.name}' has no attribute '{item.attribute}'.",
                f"There are: {', '.join(sorted(attributes))}.",
            )
        operator, value = item.operator, _position(item, attributes[item.attribute])
        if attributes[item.attribute].distribution in LEVELLED:
            operator, value = _CLOSED.get(operator, operator), value + _STEP.get(operator, 0)
        left[item.attribute] = _narrow(left.get(item.attribute, Bounds()), operator, value, item)
    return left


def definition_of(attribute: str, attributes: Mapping[str, Attribute]) -> Restriction | None:
    """The condition that defines a yes/no attribute, when the attribute it refers to is among `attributes`."""
    info = attribute_info(attribute)
    if info is None or info.definition is None:
        return None
    when = parse_restriction(info.definition.when)
    return when if when.attribute in attributes else None


def _unfold(attributes: Mapping[str, Attribute], items: Iterable[Restriction]) -> Iterator[Restriction]:
    """The restrictions, each on a defined attribute replaced by its definition: `obesity=yes` by `bmi>=30`."""
    for item in items:
        when = definition_of(item.attribute, attributes)
        if when is None:
            yield item
        elif _yes_or_no(item) == "yes":
            yield when
        else:
            yield when.model_copy(update={"operator": OPPOSITE[when.operator]})


def _yes_or_no(item: Restriction) -> str:
    word = _YES.get(f"{item.value:g}" if isinstance(item.value, int | float) else item.value.lower())
    if word is None or item.operator != "=":
        raise InvalidInput(
            f"{attribute_label(item.attribute)} is yes or no, so '{item}' says nothing.",
            f"Write '{item.attribute}=yes'.",
        )
    return word


def _position(item: Restriction, attribute: Attribute) -> float:
    """The restriction's value on the axis of `Bounds`."""
    label = attribute_label(item.attribute)
    if attribute.distribution is Distribution.BERNOULLI:
        return float(YES_NO_LEVELS.index(_yes_or_no(item)))
    if attribute.distribution in LEVELLED:
        levels = list(attribute.levels or {})
        level = f"{item.value:g}" if isinstance(item.value, int | float) else item.value
        positions = {name.lower(): position for position, name in enumerate(levels)}
        if level.lower() not in positions:
            raise InvalidInput(f"{label} has no level '{level}'.", f"There are: {', '.join(levels)}.")
        if attribute.distribution is Distribution.CATEGORICAL and item.operator != "=":
            raise InvalidInput(f"The levels of {label} have no order.", f"Write '{item.attribute}={level}'.")
        return float(positions[level.lower()])
    if isinstance(item.value, str):
        raise InvalidInput(
            f"{label} is a number in {attribute.unit}, and '{item.value}' is not one.",
            f"Write it like '{item.attribute}{item.operator}50'.",
        )
    if item.operator == "=" and not (attribute.zeros is not None and item.value == 0):
        raise InvalidInput(
            f"Nobody has {label} of exactly {item.value:g}.",
            f"Give a range, such as '{item.value:g}<={item.attribute}<{item.value + 1:g}'.",
        )
    info = attribute_info(item.attribute)
    if info is not None and not info.within_limits(item.value):
        to_canonical_unit(item.attribute, item.value)
    return float(item.value)


def _narrow(before: Bounds, operator: Operator, value: float, item: Restriction) -> Bounds:
    after = before.narrowed(operator, value, item)
    if after.empty and after.lower_by is not None and after.upper_by is not None:
        raise _contradiction(after.lower_by, after.upper_by)
    return after


def _contradiction(first: Restriction, second: Restriction) -> EmptyCohort:
    return EmptyCohort(
        f"Nobody can meet both {first} and {second}.", "Drop one of the two, or ask about one group at a time."
    )
