"""Cleaning the text of publications: what a reader sees stays, what only a layout needs goes."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Invisible characters (zero-width, direction marks, soft hyphen, byte-order mark) hide words from a search.
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Typographic ligatures. Compatibility normalisation would also turn 10² into 102, so only these are taken apart.
_LIGATURES: Final = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)  # fmt: skip
_HYPHENATED: Final = re.compile(r"(?<=[a-z]{2})[-‐]\n(?=[a-z]{2})")


def clean(text: str) -> str:
    """One line of text: blanks joined, invisible and control characters gone, accents composed."""
    kept = _CONTROL.sub(" ", _INVISIBLE.sub("", text)).translate(_LIGATURES)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def join_lines(text: str) -> str:
    """Text of a page as one line; a word that was divided at the end of a line is joined again."""
    return clean(_HYPHENATED.sub("", _INVISIBLE.sub("", text)))


def shortened(text: str, limit: int) -> str:
    """`text`, cut after a word so that it has at most `limit` characters."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip(" ,;:.-") + "…"
