"""Splitting English scientific prose into sentences."""

from __future__ import annotations

import re
from typing import Final

_END: Final = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9ÀÖØ-ÞΑ-Ω])")
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\[\"'])(?:e\.g|i\.e|cf|vs|v|et al|al|fig|figs|eq|eqs|ref|refs|tab|no|nos|vol|pp?|ca|approx|resp|incl|excl|"
    r"dr|prof|mr|mrs|ms|st|inc|ltd|co|corp|u\.s|u\.k|sp|spp|var|min|max|suppl|dept|univ|ed|eds|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|[A-Z])$",
    re.IGNORECASE,
)
_LONGEST: Final = 12  # characters, more than any abbreviation


def split_sentences(text: str) -> list[str]:
    """The sentences of a text that is on one line, in order; joined with blanks they are the text again.

    A point after an abbreviation (`vs.`, `et al.`, `Fig.`), after an initial or inside a number ends nothing.
    """
    sentences: list[str] = []
    start = 0
    for match in _END.finditer(text):
        before = text[max(start, match.start() - _LONGEST) : match.start()]
        if text[match.start()] == "." and _ABBREVIATION.search(before):
            continue
        sentence = text[start : match.end()].strip()
        if sentence:
            sentences.append(sentence)
        start = match.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences
