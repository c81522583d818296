"""The number verifier: each numeral of a text is traced to an estimate, a passage, a tool argument or the question.

A numeral matches a fact when rounding the fact to the numeral's own digits gives the numeral, the units agree, the
direction words of the clause do not contradict the fact's sign, and what stands around the numeral (endpoint, arm, the
other end of an interval, the words of a passage) is what the fact is about.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.asked import GIVEN_UNITS, is_limit, is_outcome
from assistant.directions import clause_behind, good_of, way_of, ways
from assistant.facts import (
    Fact,
    Part,
    counted_at,
    facts_from,
    neighbours,
    passage_facts,
)
from assistant.layout import Place, places
from assistant.names import Names
from assistant.numerals import Kind, Numeral, read_numerals
from assistant.simulation_pages import GIVEN

__all__ = ["Fact", "Untraceable", "facts_from", "passage_facts", "remove_untraceable", "untraceable"]

NOTE = "_[a sentence was removed: its number could not be traced to a source]_"
LARGE = 1000
MOST_FAULTS = 100  # a text with so many is not read further: what else holds a number goes as well
_CITATION = re.compile(r"\[[a-z0-9][\w.\-/]*\]|\[\d+\]|`[^`]*`|PMID \d+|doi:\S+|https?://\S+")
_NAMES = re.compile(
    r"\b(?:GLP-1|SGLT-?2i?|DPP-?4i?|HbA1c|COVID-19|PCSK9|HER2|[Tt]ype [12]|[Ss]tage [1-5][ab]?"
    r"|[A-Z]{2,}[A-Za-z]*(?:[- ][A-Z]{2,}[A-Za-z]*)*[- ]\d+[a-z]?)\b"
)
_BASE = re.compile(r"^\W*(?:Of|Among|In|Out of) (?:every )?100\b(?= [a-z])")  # 'Of 100 smokers, 18 …'
_ORDERED = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_JOINED = re.compile(r"\s*(?:to|and|[-–])\s*")
_FROM = re.compile(r"\bfrom\s*$", re.I)
_BETWEEN = re.compile(r"\bbetween\s*$", re.I)
_BOUND = re.compile(
    r"\b(?:at least|at most|up to|as (?:much|many|little|few|low|high) as|no (?:more|less|fewer) than|upper|lower|between"
    r"|range\w*|limit|or (?:more|less)|worst|best)\b",
    re.I,
)
_CONTRAST = re.compile(
    r"\b(?:more|less|fewer|higher|lower|greater|larger|smaller|better|worse) than\b|\bdifference\b|\bminus\b|\bgap\b"
    r"|\bbeyond\b|\b(?:versus|vs\.?|compared with|relative to|over|against) (?:the )?(?:placebo|control|comparator|usual care)\b|\bratio\b"
    r"|\bthan (?:on|with|under)\b|placebo-(?:adjusted|corrected|subtracted)|\bextra\b|\badditional\b|\bmore\b|\bless\b|\bfewer\b",
    re.I,
)
_LEVEL = re.compile(
    r"\s*(?:(?:of )?(?:such |new |these |the |all |simulated )*(?:trials|studies|cases|runs)"
    r"|(?:of the time|sure|certain|probab\w+|chance)\b"
    r"|(?:individuals|people|persons|patients|of them)?\s*(?:would|will|are|is|lie|fall|be|\s)*\b(?:between|within)\b"
    r"|(?:\w+ )?(?:intervals?|ranges?|limits?|bands?)\b|(?:CI|CrI|PI)\b)",
    re.I,
)


@dataclass(frozen=True)
class Untraceable:
    """Something nobody computed and no source states, the sentence it stands in, and what is wrong with it."""

    numeral: str
    sentence: str
    why: str = "number"


def untraceable(text: str, facts: Sequence[Fact], names: Names | None = None) -> list[Untraceable]:
    """Numerals of `text` that no fact explains, in order; with `names` also checked for whom and what they are said."""
    names = names or Names(facts)
    index_of_facts = _ByValue(facts)
    found: list[Untraceable] = []
    for place, original in places(text):
        numerals = _numerals(place, names)
        for index, numeral in enumerate(numerals):
            pair = _partner(place.sentence, numerals, index)
            if len(found) >= MOST_FAULTS:
                found.append(Untraceable(place.sentence[numeral.start : numeral.end].strip(), original))
                break
            numeral = _loosened(numeral, place.sentence)
            fine = _explained(numeral, pair, place, index_of_facts, names)
            if not fine and pair is not None and _FROM.search(place.sentence[: min(numeral.start, pair[0].start)]):
                fine = _explained(
                    numeral, None, place, index_of_facts, names
                )  # 'from 7.0 % to 5.7 %' need not be an interval
            if not fine:
                found.append(Untraceable(place.sentence[numeral.start : numeral.end].strip(), original))
    return found


def _numerals(place: Place, names: Names) -> list[Numeral]:
    readable = _blank(place.sentence, _CITATION, _NAMES, _ORDERED, _BASE)
    for span in names.treatments(place.sentence):  # a dose belongs to the name of its treatment
        if span.dosed:
            readable = readable[: span.start] + " " * (span.end - span.start) + readable[span.end :]
    for title in names.titles:
        readable = readable.replace(title, " " * len(title))
    return [replace(one, tolerance=max(one.tolerance, _of_three_digits(one))) for one in read_numerals(readable)]


def _partner(sentence: str, numerals: Sequence[Numeral], index: int) -> tuple[Numeral, bool] | None:
    """The other end of an interval 'A to B' or 'between A and B', and whether it is the upper one."""
    for other, upper in ((index + 1, True), (index - 1, False)):
        if not 0 <= other < len(numerals):
            continue
        first, second = (numerals[index], numerals[other]) if upper else (numerals[other], numerals[index])
        between = sentence[first.end : second.start]
        if not _JOINED.fullmatch(between):
            continue
        if re.search(r"\d[-–]$", sentence[: first.start]):  # 'in 2005-2006 to 13 %'
            continue
        if re.search(r"\b(?:19|20)\d\d[-–]\d\d$", sentence[: second.end]):  # 'in 2013-14'
            continue
        if between.strip() == "and" and not _BETWEEN.search(sentence[: first.start]):
            continue
        return numerals[other], upper
    return None


_BEHIND_BOUND = re.compile(
    r"(?:at least|at most|more than|less than|up to|below|above|under|over|by|of|per|after|within|past|last|[<>≥≤]|0 to|\ba)\s*$",
    re.I,
)
_THAN_ON = re.compile(r"\s*(?:[%\w/-]+\s)?(?:more|less|fewer) than (?:on|with|under)\b")
_ABOVE = re.compile(r"(?:\b(?:more|greater|higher) than|\b(?:over|above)|>)\s*$", re.I)
_BELOW = re.compile(r"(?:\b(?:less|fewer|lower) than|\b(?:under|below)|<)\s*$", re.I)
_NEAR = re.compile(r"(?:\b(?:almost|nearly|just)|[≈~])\s*$", re.I)


def _loosened(numeral: Numeral, sentence: str) -> Numeral:
    """'More than 99 %' is true of 99.9 % too, 'almost 80 %' of what is near it."""
    if numeral.kind is not Kind.PLAIN:
        return numeral
    before = sentence[: numeral.start]
    away = 1 if _ABOVE.search(before) else -1 if _BELOW.search(before) else 0
    if away:
        return replace(numeral, value=numeral.value + away * math.copysign(numeral.tolerance, numeral.value))
    return replace(numeral, tolerance=2 * numeral.tolerance) if _NEAR.search(before) else numeral


def _of_three_digits(numeral: Numeral) -> float:
    """'44,600' stands for what rounds to it: zeros at the end of a large whole number are no digits beyond the third."""
    size = abs(numeral.value)
    if numeral.kind is not Kind.PLAIN or numeral.tolerance != 0.5 or size < LARGE:
        return 0.0
    digits = f"{size:.0f}"
    return 0.5 * 10.0 ** (len(digits) - max(3, len(digits.rstrip("0"))))


class _ByValue:
    """Facts in the order of their size, so that only those near a numeral are looked at."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._facts = sorted(facts, key=lambda fact: abs(fact.value))
        self._sizes = [abs(fact.value) for fact in self._facts]

    def same(self, numeral: Numeral) -> list[Fact]:
        """Facts that may be the number the numeral stands for."""
        size, away = abs(numeral.value), numeral.tolerance + 2e-9
        near = self._facts[bisect_left(self._sizes, size - away) : bisect_right(self._sizes, size + away)]
        return [fact for fact in near if _same_number(fact, numeral)]


def _explained(
    numeral: Numeral, pair: tuple[Numeral, bool] | None, place: Place, facts: _ByValue, names: Names
) -> bool:
    candidates = facts.same(numeral)
    if pair is not None:
        other, is_lower = pair
        if (numeral.value > other.value) if is_lower else (numeral.value < other.value):
            # No interval; a source may tell of a split of '52.5 to 47.5 %'.
            candidates = [fact for fact in candidates if fact.part is Part.TEXT and fact.source in place.sources]
        elif not is_lower:
            # The upper end answers for the pair: it must belong to an interval that begins with the lower end.
            others = facts.same(other)
            begun = {f.group for f in others if f.part is Part.LOWER}
            texts = {(f.source, f.words) for f in others if f.part is Part.TEXT}
            candidates = [
                fact
                for fact in candidates
                if (fact.part is Part.UPPER and fact.group in begun)
                or (fact.part is Part.TEXT and any(source == fact.source for source, _ in texts))
                or (fact.part is Part.FREE and not begun and not texts)
            ]
        else:
            candidates = [fact for fact in candidates if fact.part in (Part.LOWER, Part.TEXT, Part.FREE)]
    return any(_about(fact, numeral, place, names, pair is not None) for fact in candidates)


def _same_number(fact: Fact, numeral: Numeral) -> bool:
    if (fact.kind is not numeral.kind) and {fact.kind, numeral.kind} & {Kind.NEEDED, Kind.RATIO}:
        return False
    if abs(abs(fact.value) - abs(numeral.value)) > numeral.tolerance + 1e-9:
        return False
    if numeral.unit and fact.unit and numeral.unit != fact.unit:
        return False
    if numeral.unit and not fact.unit and fact.part is not Part.FREE:
        return fact.part is Part.TEXT and bool(fact.source) and numeral.unit in fact.units
    return True


def _about(fact: Fact, numeral: Numeral, place: Place, names: Names, paired: bool) -> bool:
    """Whether the sentence says of the numeral what the fact is about."""
    if fact.part is Part.TEXT:
        return _quotes(fact, numeral, place)
    if numeral.sign == "-" and fact.value > 0:
        return False
    if fact.good and good_of(clause_behind(place.sentence, numeral)) == -fact.good:
        return False
    counted = counted_at(place.sentence, numeral.end)
    if fact.part is Part.LEVEL:
        return _is_level(numeral, place)
    if (fact.part is Part.TRIALS) != (counted == "trials"):
        return False
    if fact.part is Part.TRIALS:
        return names.subject_fits(fact, numeral, place.sentence, place.before)
    if fact.part is Part.FREE and not fact.change:
        return not fact.unit or fact.unit == numeral.unit or place.cell
    if not _direction_fits(fact, numeral, place):
        return False
    if fact.part is Part.FREE:
        return True
    if (
        fact.part is not Part.POINT
        and not paired
        and not _BOUND.search(place.sentence[max(0, numeral.start - 40) : numeral.end + 12])
    ):
        return False
    if any(not _says(place.sentence, need) for need in fact.needs):
        return False
    return names.subject_fits(fact, numeral, place.sentence, place.before, cell=place.cell) and names.arm_fits(
        fact, numeral, place.sentence, place.column, contrast=_is_contrast(numeral, place), cell=place.cell
    )


def _quotes(fact: Fact, numeral: Numeral, place: Place) -> bool:
    """A number of a text is recognised by the words around it; a cited sentence takes them from its source."""
    if fact.input and place.sentence.startswith(("## ", f"{GIVEN.capitalize()}:")):
        return True
    if fact.source and fact.source not in place.sources and (place.sources or place.cell):
        return False
    counted, before = counted_at(place.sentence, numeral.end), place.sentence[: numeral.start]
    if counted != fact.counted and (
        (counted and fact.counted) or counted == "trials" or (counted and not place.sources)
    ):
        return False
    if fact.source and fact.cited and not place.sources:
        return False
    if fact.bound and not (_BEHIND_BOUND.search(before) or (numeral.value == 0 and before.endswith("("))):
        return False  # '(0 to 100 mm)' is the name of a scale
    if not place.sources and _THAN_ON.match(place.sentence, numeral.end):
        return False  # '3.8 more than on placebo' is a difference that a tool computed, no number of a note
    if place.cell and ": " in place.sentence[: numeral.start] and not fact.asked:
        return False  # the figures of a table are estimates
    way = (-1 if numeral.sign == "-" else 1) if numeral.sign else way_of(place.sentence, numeral)
    if fact.direction and way and fact.direction != way:
        return False
    near = neighbours(place.sentence, numeral)
    if fact.asked and not _asked_for(fact, numeral, place.sentence):
        return False
    if fact.asked and _BEHIND_BOUND.search(place.sentence[: numeral.start]):
        return True  # 'people over 65', as asked
    if place.sources or fact.asked or fact.bound:
        wanted = 1.0
    elif fact.source:
        wanted = max(3, len(near) / 2)
    else:  # a note of a tool is repeated, not borrowed from
        wanted = max(2, 0.6 * len(fact.words))
    return len(fact.words & near) >= min(wanted, len(fact.words))


def _asked_for(fact: Fact, numeral: Numeral, sentence: str) -> bool:
    """Whether the user's own number stands for what it did in the question: a dose, a time, a limit, no outcome."""
    if fact.unit in GIVEN_UNITS and numeral.unit != fact.unit and not is_limit(sentence, numeral):
        return False
    return not is_outcome(sentence, numeral)


_HEAD = re.compile(r"\s*(?:individuals|people|persons|patients)?\s*$", re.I)  # of a column of a table


def _is_level(numeral: Numeral, place: Place) -> bool:
    """'90 % of such trials', 'the 90 % interval', '(90 % CI …)', 'nine in ten would be between …'."""
    if place.cell and not place.column and _HEAD.match(place.sentence, numeral.end):
        return True
    return _LEVEL.match(place.sentence, numeral.end) is not None


def _says(sentence: str, value: float) -> bool:
    return any(abs(abs(numeral.value) - abs(value)) <= numeral.tolerance for numeral in read_numerals(sentence))


def _is_contrast(numeral: Numeral, place: Place) -> bool:
    if place.cell:
        return bool(
            re.search(r"difference|minus|versus|ratio", f"{place.column} {place.sentence[: numeral.start]}", re.I)
        )
    after = re.split(r"[,;(]", place.sentence[numeral.end :], maxsplit=1)[0]
    before = place.sentence[: numeral.start]
    return bool(_CONTRAST.search(after) or _CONTRAST.search(before))


def _direction_fits(fact: Fact, numeral: Numeral, place: Place) -> bool:
    """Whether the words of the clause, or the sign, say which way the number goes."""
    if not fact.change:
        falls, rises = ways(clause_behind(place.sentence, numeral))
        return not fact.direction or falls == rises or rises - falls == fact.direction
    if abs(fact.value) <= numeral.tolerance + 1e-9 or numeral.kind is not Kind.PLAIN:
        return True
    if numeral.sign:
        return (numeral.sign == "-") == (fact.value < 0)
    if (
        place.cell
        or _REPORTED.search(place.sentence[: numeral.start])
        or _beside_a_signed_bound(place.sentence, numeral)
    ):
        return fact.value > 0  # table cells and intervals are written with their signs
    return (way_of(place.sentence, numeral) < 0) == (fact.value < 0)


_REPORTED = re.compile(r"\bwould report (?:[-−]?\d[\d.]*\s?[%\w/-]* to )?$")
_SIGNED_BOUND = re.compile(r"[-−]\d+(?:\.\d+)?\s*(?:%|[a-z/%-]+)?\s*(?:to|and)\s*$")


def _beside_a_signed_bound(sentence: str, numeral: Numeral) -> bool:
    """True for the 0.4 of '−1.9 to 0.4': its own sign is written by leaving it out."""
    return _SIGNED_BOUND.search(sentence[: numeral.start]) is not None


def _blank(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text


def remove_untraceable(text: str, faults: Sequence[Untraceable]) -> tuple[str, tuple[str, ...]]:
    """Take out every sentence that holds an untraceable numeral; return the rest and what was taken."""
    removed = tuple(dict.fromkeys(fault.sentence for fault in faults))
    for sentence in removed:
        text = text.replace(sentence, NOTE)
    return text, removed
