"""Text and figures of an export: what no file format can hold is taken out, and each number reads the same everywhere."""

from __future__ import annotations

import math
import re
import unicodedata

MINUS = "−"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")  # could show a number the wrong way round
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?\s?%?")


def clean(text: str) -> str:
    """Text that XML, PDF and CSV can hold: lone surrogates become '?', control and direction marks go."""
    whole = text.encode("utf-8", "replace").decode()
    return _DIRECTION.sub("", _CONTROL.sub("", whole.replace("\r\n", "\n").replace("\r", "\n")))


def figure(value: float | None) -> str:
    """A number with four significant digits, a true minus sign and thousands separated; '' for None."""
    if value is None:
        return ""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else ""
    size = abs(value)
    decimals = max(0, 3 - math.floor(math.log10(size)))
    if size < 1e-4:
        text = f"{size:.3e}"
    else:
        text = f"{size:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{MINUS}{text}" if value < 0 else text


def inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: behind an apostrophe if it starts like one.

    Numbers that start with a sign are left as they are. Wide forms of the signs count as the signs.
    """
    text = clean(text)
    start = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\u200b\ufeff\n")[:1])
    if start.startswith(_FORMULA) or text[:1] in ("\t", "\n"):
        return text if _NUMBER.fullmatch(text.strip()) else f"'{text}"
    return text


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters, the end marked when something is missing."""
    text = " ".join(clean(text).split())
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
