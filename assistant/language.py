"""How numbers and sentences are written: digits, units, uncertainty words. One place, so that all faces agree."""

from __future__ import annotations

import math

from tools.schemas import Estimate

MINUS = "−"


def decimals(estimate: Estimate) -> int:
    """As many digits as the interval supports, never more than two."""
    if (estimate.unit == "%" and estimate.of.value in ("share", "count")) or _is_proportion(estimate):
        return 0
    if estimate.lower is None or estimate.upper is None or estimate.upper <= estimate.lower:
        return 1
    half = (estimate.upper - estimate.lower) / 2
    return max(1, min(2, -math.floor(math.log10(half))))


def _is_proportion(estimate: Estimate) -> bool:
    return (
        estimate.unit == "%"
        and estimate.lower is not None
        and estimate.lower >= 0
        and "change" not in estimate.quantity
    )


def number(value: float, places: int) -> str:
    """A number with a real minus sign and no '-0.0'."""
    rounded = round(value, places)
    if rounded == 0:
        rounded = 0.0
    text = f"{abs(rounded):.{places}f}"
    return f"{MINUS}{text}" if rounded < 0 else text


def signed(value: float, places: int) -> str:
    """As `number`, with a plus sign for rises."""
    text = number(value, places)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def interval(estimate: Estimate) -> str:
    """'−1.8 to −1.1 %-points'; empty when there is no interval."""
    if estimate.lower is None or estimate.upper is None:
        return ""
    places = decimals(estimate)
    return f"{number(estimate.lower, places)} to {number(estimate.upper, places)} {unit(estimate)}"


def unit(estimate: Estimate) -> str:
    """The unit as written behind a number."""
    return {"%-points": "%-points", "kg/m2": "kg/m²"}.get(estimate.unit, estimate.unit)


def percent(level: float) -> str:
    """0.9 -> '90 %'."""
    return f"{100 * level:.0f} %"


def weeks(value: float) -> str:
    """'30 weeks'."""
    return f"{value:g} week" + ("" if value == 1 else "s")


def likelihood(probability: float) -> str:
    """Uncertainty words tied to figures: very likely ≥ 90 %, likely 66–90 %, about as likely as not 33–66 %."""
    if probability >= 0.9:
        return "very likely"
    if probability >= 0.66:
        return "likely"
    if probability >= 0.33:
        return "about as likely as not"
    return "unlikely"


def joined(parts: list[str], last: str = "and") -> str:
    """'a, b and c'."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence_case(text: str) -> str:
    """First letter upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
