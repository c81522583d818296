"""Numbers within bounds, written one character at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

WHOLE_DIGITS = 9
PLACES = 4
_CHARACTERS = "0123456789.-"
_NO_BOUND = Decimal(10) ** WHOLE_DIGITS


@dataclass(frozen=True)
class NumberText:
    """A number of which `text` is written; bounds are inclusive unless `open_low`, `open_high`."""

    low: Decimal
    high: Decimal
    open_low: bool
    open_high: bool
    integer: bool
    text: str = ""

    @property
    def complete(self) -> bool:
        """Whether the number may end here."""
        return _complete(self)

    @property
    def next_characters(self) -> frozenset[str]:
        """The characters that may come next."""
        return _next_characters(self)

    @property
    def more(self) -> bool:
        """Whether another character may come."""
        return bool(self.next_characters)

    @property
    def shortest(self) -> int:
        """Characters of the shortest way to a number within the bounds."""
        return _shortest(self)

    def with_character(self, character: str) -> NumberText | None:
        """The number with one more character; None when no number within the bounds starts so."""
        return _extended(self, character) if character in _CHARACTERS else None


def number_schema(schema: Mapping[str, Any], *, integer: bool) -> NumberText:
    """The start of a number that keeps a schema's minimum, maximum and their exclusive forms."""
    lows = [(Decimal(str(schema[key])), key != "minimum") for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [(Decimal(str(schema[key])), key != "maximum") for key in ("maximum", "exclusiveMaximum") if key in schema]
    low, open_low = max(lows, default=(-_NO_BOUND, False))
    high, open_high = min(highs, key=lambda bound: (bound[0], not bound[1]), default=(_NO_BOUND, False))
    return NumberText(low, high, open_low, open_high, integer)


def _inside(number: NumberText, value: Decimal) -> bool:
    above = value > number.low if number.open_low else value >= number.low
    below = value < number.high if number.open_high else value <= number.high
    return above and below


def _complete(number: NumberText) -> bool:
    return number.text[-1:].isdigit() and _inside(number, Decimal(number.text))


@lru_cache(maxsize=100_000)
def _extended(number: NumberText, character: str) -> NumberText | None:
    text = number.text + character
    longer = NumberText(number.low, number.high, number.open_low, number.open_high, number.integer, text)
    return longer if _well_formed(text, number.integer) and _reachable(longer) else None


@lru_cache(maxsize=100_000)
def _next_characters(number: NumberText) -> frozenset[str]:
    return frozenset(character for character in _CHARACTERS if _extended(number, character) is not None)


def _well_formed(text: str, integer: bool) -> bool:
    """Whether `text` starts a plain JSON number (no exponent, no leading zero)."""
    whole, point, places = text.removeprefix("-").partition(".")
    if "-" in whole + places or "." in places or len(whole) > WHOLE_DIGITS or len(places) > PLACES:
        return False
    if point and (integer or not whole):
        return False
    return not (len(whole) > 1 and whole[0] == "0")


def _reachable(number: NumberText) -> bool:
    """Whether some number within the bounds starts with the text: its reach is a few intervals."""
    sign = -1 if number.text.startswith("-") else 1
    whole, point, places = number.text.removeprefix("-").partition(".")
    if not whole:
        return number.low < 0 if sign < 0 else True
    if point:
        spans = [(Decimal(f"{whole}.{places or 0}"), Decimal(10) ** -len(places), PLACES - len(places))]
    else:
        start = Decimal(whole)
        left = WHOLE_DIGITS - len(whole) if start else 0
        spans = [(start * 10**k, Decimal(10) ** k, 0 if number.integer else PLACES) for k in range(left + 1)]
    # The largest number of each span has nothing but nines in the places that are left.
    for start, width, left in spans:
        step = Decimal(10) ** -left if point or not number.integer else Decimal(1)
        if point:
            step = Decimal(10) ** -PLACES
        ends = sorted((sign * start, sign * (start + max(width - step, Decimal(0)))))
        if _overlaps(number, ends[0], ends[1], step):
            return True
    return False


def _overlaps(number: NumberText, first: Decimal, last: Decimal, step: Decimal) -> bool:
    """Whether a multiple of `step` between `first` and `last` lies within the bounds."""
    low = max(first, _up(number.low, step, number.open_low))
    high = min(last, _down(number.high, step, number.open_high))
    return low <= high


def _up(bound: Decimal, step: Decimal, strict: bool) -> Decimal:
    """The smallest multiple of `step` at or, if strict, above the bound."""
    found = (bound / step).to_integral_value(rounding="ROUND_CEILING") * step
    return found + step if strict and found == bound else found


def _down(bound: Decimal, step: Decimal, strict: bool) -> Decimal:
    """The largest multiple of `step` at or, if strict, below the bound."""
    found = (bound / step).to_integral_value(rounding="ROUND_FLOOR") * step
    return found - step if strict and found == bound else found


@lru_cache(maxsize=100_000)
def _shortest(number: NumberText) -> int:
    """Breadth first; every start that `with_character` lets through leads somewhere."""
    width, starts = 0, [number]
    while starts:
        if any(start.complete for start in starts):
            return width
        longer = (start.with_character(character) for start in starts for character in _CHARACTERS)
        # Few starts are enough: each of them leads to a number, and the first digits decide how many more it takes.
        starts = [start for start in longer if start is not None][:2000]
        width += 1
    raise ValueError(f"no number between {number.low} and {number.high}")
