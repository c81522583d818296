"""How numbers are written for a reader: no more digits than the interval supports, units always."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "−"
NOTHING = "–"


def number(value: float | None, digits: int | None = None) -> str:
    """A number with a real minus sign; three significant digits unless `digits` after the point are asked for."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if digits is None:
        digits = _digits(value)
    shown = f"{value:,.{digits}f}"
    if not any(character in "123456789" for character in shown):
        shown = shown.removeprefix("-")
    return shown.replace("-", MINUS)


def percent(share: float | None) -> str:
    """A share (0-1) in per cent; one digit after the point where whole per cents would hide that it is not 0 or 100."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = 100 * share
    near_an_end = 0 < value < 1 or 99 < value < 100
    return f"{number(value, 1 if near_an_end else 0)} %"


def measure(value: float | None, unit: str) -> str:
    """A value with its unit; the unit 'share' is shown in per cent, an empty one not at all."""
    if unit == "share":
        return percent(value)
    shown = number(value)
    return shown if not unit or shown == NOTHING else f"{shown} {unit}"


def interval(lower: float | None, upper: float | None, unit: str = "") -> str:
    """'84 to 95 %'; a dash where there is no interval. Limits have two digits of the width."""
    if lower is None or upper is None or not (math.isfinite(lower) and math.isfinite(upper)):
        return NOTHING
    if unit == "share":
        return f"{percent(lower).removesuffix(' %')} to {percent(upper)}"
    width = upper - lower
    digits = min(max(1 - math.floor(math.log10(width)), 0), 3) if width > 0 else _digits(lower)
    return f"{number(lower, digits)} to {number(upper, digits)}"


def count(n: int, singular: str, plural: str = "") -> str:
    """'1 case', '2 cases'."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def listed(words: Sequence[str]) -> str:
    """'a, b and c'."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def seconds(value: float) -> str:
    """'0.4 s', '12 s', '3 min 20 s', '2 h 5 min'."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def tick(value: float) -> str:
    """A round number of an axis: '0.2', '−2', '0'."""
    return f"{value:g}".replace("-", MINUS)


def p_value(value: float | None) -> str:
    """'p = 0.03', 'p < 0.001'."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def _digits(value: float) -> int:
    size = abs(value)
    if size >= 100 or size == 0:
        return 0
    return 1 if size >= 10 else 2 if size >= 0.1 else 3
