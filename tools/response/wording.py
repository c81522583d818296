"""Numbers in the sentences that tools say themselves, so that an answer may repeat them word for word."""

from __future__ import annotations

MINUS = "−"


def plain(value: float, digits: int = 2) -> str:
    """`digits` significant digits, never in scientific notation, with a real minus sign."""
    rounded = float(f"{value:.{digits}g}")
    text = f"{abs(rounded):.{digits}g}" if abs(rounded) < 10**digits else f"{abs(rounded):.0f}"
    text = f"{abs(rounded):.4f}".rstrip("0").rstrip(".") if "e" in text else text
    return f"{MINUS}{text}" if rounded < 0 and text != "0" else text


def signed(value: float, digits: int = 2) -> str:
    """As `plain`, with a plus sign for rises."""
    text = plain(value, digits)
    return text if text.startswith(MINUS) or text == "0" else f"+{text}"


def sentence_case(words: str) -> str:
    """With a capital at the beginning; names such as eGFR stay as they are."""
    return f"{words[:1].upper()}{words[1:]}" if words.split(" ")[0].islower() else words


def chance(percent: float) -> str:
    """'79 %', never 0 or 100 %."""
    return "under 1 %" if percent < 1 else "over 99 %" if percent > 99 else f"{percent:.0f} %"
