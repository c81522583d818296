"""Numbers of a question for a simulation: counts, shares, times, money, each with its unit, as people type them.

A pattern of a page holds one placeholder such as `<number>`; what it matches is read to a value here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge.errors import DataError

Value = float | str | bool | tuple[float, float]  # a pair: anywhere between the two

_SMALL = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_LARGE = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "mio": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9,
}  # fmt: skip
_COUNTED = "|".join(word for word in _SMALL if word not in ("a", "an"))
_DIGITS = r"(?:\d{1,3}(?:[,\u2009\u202f ]\d{3})+(?:\.\d+)?|\d*[.,]?\d+)(?!\d|[.,]\d)"
_TIMES = r"(?:\s?(?:hundred|thousand|million|billion|mn|mio|bn)|\s?[km](?![\w/]))"
NUMBER = (
    rf"[-−]?{_DIGITS}(?:{_TIMES}\b)?|(?:half a|an?|{_COUNTED})\s(?:hundred|thousand|million|billion)\b|(?:{_COUNTED})\b"
)
_MINUTES = {"min": 1.0, "h": 60.0, "d": 1440.0, "w": 10080.0, "mo": 525600 / 12, "y": 525600.0}
_UNITS = {
    "min": r"minutes?|mins?", "h": r"hours?|hrs?|h", "d": r"days?|d", "w": r"weeks?|wks?|wk|w", "mo": r"months?|mos?|mths?",
    "y": r"years?|yrs?|y",
}  # fmt: skip
_ANY_UNIT = "|".join(f"(?:{words})" for words in _UNITS.values())
TIME = rf"(?:{NUMBER}|half an?|half|an?)[\s-]?(?:{_ANY_UNIT})\b"
_PARTS = {
    "half": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4, "fifth": 1 / 5, "fifths": 1 / 5,
    "tenth": 1 / 10,
}  # fmt: skip
_FRACTION = rf"(?:(?:an?|{_COUNTED})[\s-])?(?:{'|'.join(_PARTS)})\b"
_PERCENT = r"\s?(?:%|per ?cent\b|pct\b)"
SHARE = rf"[-−]?{_DIGITS}{_PERCENT}|(?:{NUMBER})\s(?:in|out of)\s(?:{NUMBER})|{_FRACTION}|[-−]?{_DIGITS}"
SHARE_ONLY = rf"[-−]?{_DIGITS}{_PERCENT}|{_FRACTION}"
_SIGNS = {
    "US$": r"us\s?\$|\$|usd|(?:us )?dollars?|bucks", "€": "€|euros?|eur", "£": "£|gbp|pounds?(?: sterling)?",
    "CHF": "chf|francs?",
}  # fmt: skip
_SIGN = "|".join(f"(?:{words})" for words in _SIGNS.values())
MONEY = rf"(?:(?:{_SIGN})\s?)?(?:{NUMBER})(?:\s?(?:{_SIGN})(?!\w))?"
MONEY_ONLY = rf"(?:{_SIGN})\s?(?:{NUMBER})|(?:{NUMBER})\s?(?:{_SIGN})(?!\w)"
_BETWEEN = r"(?:between\s)?(?:{0})\s?(?:to|and|–|-)\s?(?:{0})"
PLACEHOLDERS = {
    "number": NUMBER,
    "range": rf"{_BETWEEN.format(NUMBER)}|{NUMBER}",
    "count": NUMBER,
    "share": SHARE,
    "percent": SHARE_ONLY,
    "time": TIME,
    "times": rf"(?:between\s)?(?:{NUMBER})\s?(?:to|and|–|-)\s?{TIME}|{TIME}",
    "unit": _ANY_UNIT,
    "money": MONEY,
    "price": MONEY_ONLY,
    "year": r"20\d\d",
}
_PLACE = re.compile(rf"<({'|'.join(PLACEHOLDERS)})>")


@dataclass(frozen=True)
class Found:
    """A value of a question: what was written, and where."""

    value: Value
    said: str
    start: int
    end: int
    unit: str = ""


def compiled(pattern: str) -> tuple[re.Pattern[str], str]:
    """A pattern with its placeholder opened as group `v`, and the placeholder's name (empty without one)."""
    names = _PLACE.findall(pattern)
    if len(names) > 1:
        raise DataError(f"The pattern '{pattern}' has more than one placeholder.")
    opened = _PLACE.sub(lambda found: f"(?P<v>{PLACEHOLDERS[found[1]]})", pattern, count=1)
    try:
        return re.compile(rf"(?<![\w.$€£])(?:{opened})", re.IGNORECASE), names[0] if names else ""
    except re.error as error:
        raise DataError(f"The pattern '{pattern}' cannot be read: {error}.") from error


def read_value(kind: str, said: str, unit: str = "") -> tuple[Value, str]:
    """(value, unit) of what a placeholder matched; times are converted to `unit` where one is wanted."""
    text = " ".join(said.split()).casefold()
    if kind in ("range", "times"):
        ends = re.split(r"\s?(?:\bto\b|\band\b|–|(?<=\d)-(?=\d))\s?", text.removeprefix("between "))
        if len(ends) == 2:
            if kind == "range":
                return (number(ends[0]), number(ends[1])), ""
            last, found = time(ends[1], unit)
            first = number(ends[0]) * last / _bare(ends[1])
            return (first, last), found
        kind = "number" if kind == "range" else "time"
    if kind == "time":
        return time(text, unit)
    if kind in ("share", "percent"):
        return share(text), "share"
    if kind in ("money", "price"):
        return number(re.sub(_SIGN, "", text, flags=re.I)), currency(text)
    if kind == "unit":
        return unit_name(text), ""
    return number(text), ""


def number(text: str) -> float:
    """'1.2 million', '50k', 'half a million', '2,4', 'three'."""
    text = text.strip().replace("−", "-").casefold()
    if text.startswith("half a "):
        return 0.5 * _LARGE[text.removeprefix("half a ")]
    match = re.fullmatch(r"(?P<head>-?[\d., \u2009\u202f]*\d|[a-z]+)\s?(?P<tail>[a-z]+)?", text)
    if match is None:
        raise DataError(f"'{text}' is no number.")
    head, tail = match["head"], match["tail"]
    if (head.isalpha() and head not in _SMALL) or (tail is not None and tail not in _LARGE):
        raise DataError(f"'{text}' is no number.")
    if head in _SMALL:
        value = float(_SMALL[head])
    else:
        grouped = re.fullmatch(r"-?\d{1,3}(?:[, \u2009\u202f]\d{3})+(?:\.\d+)?", head)
        value = float(re.sub(r"[, \u2009\u202f]", "", head) if grouped else head.replace(",", "."))
    return value * (_LARGE[tail] if tail else 1.0)


def share(text: str) -> float:
    """0-1 of '40 %', 'a third', 'one in ten', '0.4'; a bare number above 1 is read as a percentage."""
    text = text.strip().casefold()
    of = re.fullmatch(r"(.+?)\s(?:in|out of)\s(.+)", text)
    if of:
        return number(of[1]) / number(of[2])
    words = text.replace("-", " ").split()
    if words[-1] in _PARTS:
        return (_SMALL[words[0]] if len(words) > 1 else 1) * _PARTS[words[-1]]
    bare = re.sub(_PERCENT, "", text)
    value = number(bare)
    return value / 100 if bare != text or abs(value) > 1 else value


def time(text: str, unit: str = "") -> tuple[float, str]:
    """(value, unit) of '3 days', 'half a year'; converted where a unit is wanted."""
    match = re.fullmatch(rf"(?P<n>.+?)[\s-]?(?P<u>{_ANY_UNIT})", text, re.I)
    if match is None:
        raise DataError(f"'{text}' is no time.")
    found = unit_name(match["u"])
    return convert(_bare(text), found, unit or found), unit or found


def unit_name(text: str) -> str:
    """'minutes', 'hours', 'days', 'weeks', 'months' or 'years' of any way to write it."""
    short = next(key for key, words in _UNITS.items() if re.fullmatch(words, text.strip(), re.I))
    return {"min": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months", "y": "years"}[short]


def convert(value: float, unit: str, wanted: str) -> float:
    """A time in another unit; a year has 365 days and a month a twelfth of it."""
    if unit == wanted:
        return value
    return value * minutes_in(unit) / minutes_in(wanted)


def minutes_in(unit: str) -> float:
    """Minutes of one unit of time."""
    return _MINUTES[next(key for key, words in _UNITS.items() if re.fullmatch(words, unit, re.I))]


def currency(text: str) -> str:
    """'US$', '€', '£' or 'CHF' of the first sign or word for money; empty without one."""
    written = {name: re.search(rf"(?<![a-z])(?:{words})(?![a-z])", text, re.I) for name, words in _SIGNS.items()}
    found = [(match.start(), name) for name, match in written.items() if match is not None]
    return min(found)[1] if found else ""


def _bare(text: str) -> float:
    match = re.fullmatch(rf"(?P<n>.+?)[\s-]?(?:{_ANY_UNIT})", text, re.I)
    words = (match["n"] if match else text).strip()
    if words in ("half a", "half an", "half"):
        return 0.5
    return 1.0 if words in ("a", "an") else number(words)
