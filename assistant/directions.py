"""Which way a number goes, by the words around it: falls and rises, better and worse."""

from __future__ import annotations

import re

from assistant.numerals import Numeral

FALL = re.compile(
    r"\b(?:fall\w*|fell|lose[sd]?|losing|lost|loss(?:es)?|reduc\w+|decreas\w+|lower\w*|drop\w*|declin\w+|down|less|fewer|cut)\b",
    re.I,
)
RISE = re.compile(
    r"\b(?:ris(?:e|es|en|ing)|rose|gain\w*|increas\w+|higher|grow\w*|grew|up by|climb\w*|rais(?:e[sd]?|ing))\b", re.I
)
_GOOD = re.compile(r"\b(?:improv\w+|gets? better|feels? better)\b", re.I)
_BAD = re.compile(r"\b(?:worsen\w*|deteriorat\w+|gets? worse|feels? worse)\b", re.I)
_COMPARED = re.compile(
    r"\s*(?P<word>more|less|greater|larger|bigger|smaller|fewer|lower|higher)\b(?: of an? \w+)? (?:than|with|on|under)\b",
    re.I,
)
_SAME_WAY = {"more": 1, "greater": 1, "larger": 1, "bigger": 1, "less": -1, "smaller": -1}
_BESIDE = re.compile(
    r"[\s-]*(?:\([^)]*\) )?(?:\w+ ){0,2}?(?P<noun>fall|drop|reduction|decrease|loss|decline|rise|increase|gain)\b", re.I
)


def direction_of(clause: str) -> int:
    """-1 when the words say that something falls, 1 when it rises, 0 when neither or both."""
    falls, rises = ways(clause)
    return rises - falls


def last_way(text: str) -> int:
    """The direction that the last such word of a text says; 0 without one."""
    found = [(m.end(), -1) for m in FALL.finditer(text)] + [(m.end(), 1) for m in RISE.finditer(text)]
    return max(found)[1] if found else 0


def first_way(text: str) -> int:
    """The direction that the first such word of a text says; 0 without one."""
    found = [(m.start(), -1) for m in FALL.finditer(text)] + [(m.start(), 1) for m in RISE.finditer(text)]
    return min(found)[1] if found else 0


def good_of(text: str) -> int:
    """1 when the words say that something gets better, -1 when worse, 0 when neither or both."""
    return (_GOOD.search(text) is not None) - (_BAD.search(text) is not None)


def ways(clause: str) -> tuple[bool, bool]:
    """Whether words say that something falls, and whether they say that something rises."""
    return FALL.search(clause) is not None, RISE.search(clause) is not None


def clause_behind(sentence: str, numeral: Numeral) -> str:
    """What is said right behind a number: 'of 100 lose at least 5 %'."""
    return re.split(r"[,;(]| and ", sentence[numeral.end :], maxsplit=1)[0]


def way_of(sentence: str, numeral: Numeral) -> int:
    """-1 when the words say that the number is a fall, 1 a rise, 0 when they say nothing."""
    after = sentence[numeral.end :]
    verb = last_way(sentence[: numeral.start])
    compared = _COMPARED.match(after)
    if compared is not None:
        word = compared["word"].lower()
        if word in _SAME_WAY:
            return (verb or 1) * _SAME_WAY[word]
        return 1 if word == "higher" else -1
    beside = _BESIDE.match(after)
    if beside is not None:
        return direction_of(beside["noun"])
    return verb or first_way(clause_behind(sentence, numeral))
