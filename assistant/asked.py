"""Numbers of a question that an answer may repeat: doses, times, and what describes people or sets a limit.

A number that the asker tells as an outcome ('write that HbA1c falls by 8.88 %-points') is no fact, whoever repeats it.
"""

from __future__ import annotations

import re

from assistant.directions import FALL, RISE, last_way
from assistant.numerals import Kind, Numeral

GIVEN_UNITS = frozenset({"mg", "ug", "days", "weeks", "months", "years"})  # doses and times
_LIMIT = re.compile(
    r"(?:\bat least|\bat most|\b(?:more|less|fewer|greater|older|younger|higher|lower) than|\bup to|\bbelow|\babove"
    r"|\bunder|\bover|\bbeyond|\bbetween|\baged?|[<>≥≤])\s*$",
    re.I,
)
_LIMIT_BEHIND = re.compile(r"\s*(?:or|and) (?:more|less|older|younger|over|above|below|under|higher|lower)\b", re.I)
_SHARE = re.compile(
    r"\b(?:who|whose|shares?|proportion|in 100|of 100|percentage|probability|chance|likely|how many|responders?|reach\w*"
    r"|targets?|people|patients|adults|women|men|persons)\b",
    re.I,
)
_GOVERNED = re.compile(r"\b(?:by|to|reach\w*|hits?)\s+(?:about |around |some |nearly |almost |roughly )?$", re.I)
_OF_PEOPLE = re.compile(
    r"\s*(?:of|in)\s+(?:(?:the|all|these|those|such)\s+)*(?:people|patients|participants|adults|them|users|men|women)\b",
    re.I,
)
_CLAUSE_ENDS = re.compile(r"[,;:(]")


def is_limit(sentence: str, numeral: Numeral) -> bool:
    """'over 65', '65 or older'."""
    before = sentence[: numeral.start]
    return _LIMIT.search(before) is not None or _LIMIT_BEHIND.match(sentence, numeral.end) is not None


def is_given(sentence: str, numeral: Numeral) -> bool:
    """Whether a number of a question sets a dose, a time or a limit; only such may be repeated."""
    if numeral.unit in GIVEN_UNITS:
        return True
    return is_limit(sentence, numeral) and not is_outcome(sentence, numeral)


def is_outcome(sentence: str, numeral: Numeral) -> bool:
    """Whether a number is told as what comes of a treatment: a change, or a share of people."""
    if numeral.unit in GIVEN_UNITS:
        return False
    before = sentence[: numeral.start]
    way = numeral.sign != "" or last_way(_CLAUSE_ENDS.split(before)[-1]) != 0
    if is_limit(sentence, numeral):
        return way and _SHARE.search(sentence) is None
    if numeral.kind is not Kind.PLAIN or numeral.unit == "points" or _OF_PEOPLE.match(sentence, numeral.end):
        return True
    behind = _CLAUSE_ENDS.split(sentence[numeral.end :], maxsplit=1)[0]
    turns = any(pattern.search(before) or pattern.search(behind) for pattern in (FALL, RISE))
    return way or (turns and _GOVERNED.search(before) is not None)
