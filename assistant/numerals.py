"""Numbers as people write them, in digits or in words: value, unit, sign, and how far rounding may have moved them.

'1.3 %-points', '−1.9 to −0.8 kg', 'twelve weeks', 'three in four', 'about a third', 'one in five', 'halved',
'number needed to treat 8'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a number is meant."""

    PLAIN = "plain"
    FRACTION = "fraction"  # of people, as a percentage: 'a third'
    NEEDED = "needed"  # number needed to treat or harm
    RATIO = "ratio"  # of two others: 'halved', 'twice'


@dataclass(frozen=True)
class Numeral:
    """A number at `text[start:end]`.

    Attributes
    ----------
    value : signed as written; fractions of people in percent.
    tolerance : half of the last digit written; for fractions in words as far as the words reach.
    unit : family of the unit ('percent', 'points', 'kg', …), empty when none is written.
    sign : '-', '+' or empty.
    """

    start: int
    end: int
    value: float
    tolerance: float
    unit: str = ""
    sign: str = ""
    kind: Kind = Kind.PLAIN


_UNITS = {
    r"%[- ]points?|percentage[- ]points?|per cent points?|pp\b|ppts?\b|points?\b": "points",
    r"%|per ?cent\b|in 100\b|in a hundred\b|out of 100\b|per 100\b(?! (?:person|patient)[- ]years)": "percent",
    r"mmol/mol": "mmol/mol", r"mmol/[lL]\b": "mmol/L", r"mg/d[lL]\b": "mg/dL", r"mm ?Hg\b": "mmHg",
    r"m[lL]/min(?:/1\.73 ?m[2²])?(?: (?:per|a) year|/year|/yr)\b": "mL/min/year",
    r"m[lL]/min(?:/1\.73 ?m[2²])?": "mL/min", r"kg/m[2²]": "kg/m2", r"kg\b|kilograms?\b|kilos?\b": "kg",
    r"lbs?\b|pounds?\b": "lb", r"mg\b|milligrams?\b": "mg", r"[µμ]g\b|mcg\b": "ug",
    r"(?:-|\s)?days?\b": "days", r"(?:-|\s)?(?:weeks?|wks?)\b": "weeks", r"(?:-|\s)?months?\b": "months",
    r"(?:-|\s)?(?:years?|yrs?)\b": "years",
}  # fmt: skip
_UNIT = re.compile(r"\s?(?:" + "|".join(f"(?P<u{i}>{pattern})" for i, pattern in enumerate(_UNITS)) + ")")
_FAMILIES = tuple(_UNITS.values())
_DIGITS = re.compile(
    r"(?<![\w.,/])(?P<sign>[-−–+]?)(?P<digits>\d{1,3}(?:[\u00a0\u2009\u202f ,]\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?)(?!\d)"
)
_UNIT_AHEAD = re.compile(r"\b(?P<unit>week|month|day)s?\s$", re.I)  # 'by week 68'
_SMALL = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_CARDINAL = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(list(_SMALL)[:9])}))?|{'|'.join(_SMALL)}|a hundred|one hundred)"
)
_WORDS = re.compile(rf"(?<![\w-])(?P<words>{_CARDINAL})(?:\s+point\s+(?P<tenths>{'|'.join(_SMALL)}))?(?![\w])", re.I)
_OUT_OF = re.compile(
    rf"(?<![\w-])(?P<part>{_CARDINAL}|\d+)\s+(?:in|out of|of every|in every)\s+(?P<whole>{_CARDINAL}|\d+)(?![\w%]|\.\d)",
    re.I,
)
MOST_OUT_OF = 20  # 'three in twenty' is a share as people say it
_PARTS = {
    "half": 50.0, "third": 100 / 3, "quarter": 25.0, "fifth": 20.0, "sixth": 100 / 6, "seventh": 100 / 7,
    "eighth": 12.5, "tenth": 10.0,
}  # fmt: skip
_FRACTION = re.compile(
    r"(?<![\w-])(?:(?P<times>an?|one|two|three|four|nine)[- ])?(?P<part>half|third|quarter|fifth|sixth|seventh|eighth|tenth)s?"
    r"(?=\s+(?:of|as|the|fewer|more|less)\b|[\s,.;)]|$)(?!\s+(?:line|trial|phase|dose|visit|year|arm|person|party)\b)",
    re.I,
)
_NEEDED = re.compile(r"\b(?:NNTB?|NNH|number needed to (?:treat|harm))\b[^.;\d]{0,40}(?P<n>\d+(?:\.\d+)?)", re.I)
_RATIO = {
    r"halv(?:e[sd]?|ing)|half as (?:many|much|often|likely)": 0.5,
    r"doubl(?:e[sd]?|ing)|twice as (?:many|much|often|likely)|two times as": 2.0,
    r"tripl(?:e[sd]?|ing)|(?:three times|thrice) as": 3.0,
}
_RATIOS = re.compile("|".join(rf"(?P<r{i}>\b(?:{pattern})\b)" for i, pattern in enumerate(_RATIO)), re.I)
# 'one of them' counts nothing; a word is a number when a unit or something that is counted stands behind it.
_COUNTED = re.compile(
    r"[\s-]+(?:trials?|studies|people|persons?|patients?|participants?|adults?|events?|arms?|of\s+\d)", re.I
)
_JOIN = re.compile(r"\s*(?P<unit>[^\s\d]{0,10})\s*(?:to|and|[-–])\s*$")


def read_numerals(text: str) -> list[Numeral]:
    """All numbers of a text, in order, none overlapping another."""
    found: list[Numeral] = []
    taken = bytearray(len(text) + 1)
    for read in (_needed, _shares, _digits, _words, _fractions, _ratios):
        for numeral in read(text):
            if not any(taken[numeral.start : numeral.end]):
                taken[numeral.start : numeral.end] = b"\1" * (numeral.end - numeral.start)
                found.append(numeral)
    return sorted(found, key=lambda numeral: numeral.start)


def unit_at(text: str, position: int) -> tuple[str, int]:
    """(family, end) of the unit written at a position; ('', position) when there is none."""
    match = _UNIT.match(text, position)
    if match is None:
        return "", position
    return _FAMILIES[int((match.lastgroup or "u0")[1:])], match.end()


def unit_family(unit: str) -> str:
    """The family of a unit by itself, such as that of an estimate; empty when it is not known."""
    found, end = unit_at(unit, 0)
    return found if found and end == len(unit) else ""


def _digits(text: str) -> list[Numeral]:
    found = []
    for match in _DIGITS.finditer(text):
        unit, end = unit_at(text, match.end())
        if not unit and (ahead := _UNIT_AHEAD.search(text[: match.start()])) is not None:
            unit = f"{ahead['unit'].lower()}s"
        if end == match.end() and re.match(r"[A-Za-z]", text[end : end + 1]):
            continue  # part of a name, such as 3b or 2nd
        digits = re.sub(r"[\u00a0\u2009\u202f ,](?=\d{3})", "", match["digits"])
        # A dash behind a digit ('4-6 weeks', '11.5–13.4') joins, it is no sign.
        sign = "" if match["sign"] and re.search(r"\d\s?%?$", text[: match.start()]) else match["sign"]
        sign = "-" if sign in ("-", "−", "–") and sign else sign
        value = float(digits) * (-1 if sign == "-" else 1)
        tolerance = 0.5 * 10.0 ** -len(digits.partition(".")[2])
        found.append(Numeral(match.start(), end, value, tolerance, unit, sign))
    # '−1.9 to −0.8 kg': the unit behind the second is that of the first too.
    for index in range(len(found) - 2, -1, -1):
        first, second = found[index], found[index + 1]
        if not first.unit and second.unit and re.fullmatch(r"\s*(?:to|and|or|[-–])\s*", text[first.end : second.start]):
            found[index] = Numeral(first.start, first.end, first.value, first.tolerance, second.unit, first.sign)
    return found


def _words(text: str) -> list[Numeral]:
    found = []
    for match in _WORDS.finditer(text):
        unit, end = unit_at(text, match.end())
        if not unit and not match["tenths"] and not _COUNTED.match(text, match.end()):
            continue
        tenths = _SMALL[match["tenths"].lower()] if match["tenths"] else 0
        value = _cardinal(match["words"]) + tenths / 10
        found.append(Numeral(match.start(), end, value, 0.05 if match["tenths"] else 0.5, unit))
    return found


def _shares(text: str) -> list[Numeral]:
    """'three in four', '1 in 5'; a denominator of 100 is a percentage like any other."""
    found = []
    for match in _OUT_OF.finditer(text):
        part, whole = _cardinal(match["part"]), _cardinal(match["whole"])
        if whole <= part or part <= 0 or (whole > MOST_OUT_OF and whole not in (1_000, 10_000)):
            continue  # 'in 100' is a unit; '11 in 102' is two numbers
        tolerance = min(100 / whole / 4, 3.0)
        if part == 1:  # 'one in 15' is whatever rounds to 15
            tolerance = max(abs(100 / (whole - 0.5) - 100 / whole), 0.3) if whole > 6 else 3.0
        found.append(Numeral(match.start(), match.end(), 100 * part / whole, tolerance, "percent", kind=Kind.FRACTION))
    return found


def _fractions(text: str) -> list[Numeral]:
    found = []
    for match in _FRACTION.finditer(text):
        times = {"a": 1, "an": 1, None: 1}.get((match["times"] or "").lower() or None) or _SMALL.get(
            (match["times"] or "").lower(), 1
        )
        if match["part"].lower() != "half" and match["times"] is None:
            continue  # 'the third visit'
        value = times * _PARTS[match["part"].lower()]
        found.append(Numeral(match.start(), match.end(), value, 3.0, "percent", kind=Kind.FRACTION))
    return found


def _needed(text: str) -> list[Numeral]:
    return [
        Numeral(match.start("n"), match.end("n"), float(match["n"]), 0.5, kind=Kind.NEEDED)
        for match in _NEEDED.finditer(text)
    ]


def _ratios(text: str) -> list[Numeral]:
    values = tuple(_RATIO.values())
    return [
        Numeral(match.start(), match.end(), value, 0.1 * value, kind=Kind.RATIO)
        for match in _RATIOS.finditer(text)
        for value in [values[int((match.lastgroup or "r0")[1:])]]
    ]


def _cardinal(words: str) -> float:
    words = words.lower()
    if words.isdigit():
        return float(words)
    if words in ("a hundred", "one hundred"):
        return 100.0
    return float(sum(_TENS.get(part, 0) + _SMALL.get(part, 0) for part in re.split(r"[- ]", words)))
