"""Is a question one for a simulation, and which numbers does it give? By the patterns of the pages alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from assistant.simulation_numbers import Found, Value, read_value
from assistant.simulation_pages import Page, Slot, never_at_all, opened, pages, words
from knowledge.errors import DataError

_CARRIES_ON = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|thanks|thank you|great|right|well|so|and|but|now|then|also|or|hm+)\W+)*"
    r"(?:what (?:if|about|happens (?:if|when|with))"
    r"|how about|suppose|assume|imagine|with|without|if|at|for|over|in|make|try|use|set|change|say|again|same|only|just|instead|it is|it's"
    r"|the |a |an |[a-z0-9_ -]{1,40}? ?(?:=|is|are|were|was|of)? ?[-−$€£]?\d)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"\(\?P<v>[^()]*\)")  # a value that is one of some words
LONGEST_FOLLOW_UP = 25  # words
MOST_OF_A_SHARE = 10.0  # 'power 120 %' is a share that is out of reach, 30,000 is none
MOST_REPEATED = 6  # values of one slot


@dataclass(frozen=True)
class Simulation:
    """A question for a simulation tool.

    Attributes
    ----------
    values : what the question gives, by slot, in the order it was said.
    text : the question; of a follow-up both, the earlier one first. `carried` : slots taken from the question before.
    sure : by words that say so; else by numbers beside words that other questions have too.
    """

    tool: str
    values: Mapping[str, tuple[Found, ...]]
    text: str
    carried: frozenset[str] = field(default_factory=frozenset)
    sure: bool = True

    @property
    def page(self) -> Page:
        """The page of the tool."""
        return pages()[self.tool]

    def said(self, slot: str, *, whole: bool = False) -> str:
        """The words that gave a slot; of many values the first ones, unless the `whole` is wanted."""
        words_said = [" ".join(found.said.split()) for found in self.values[slot]]
        if len(words_said) > MOST_REPEATED and not whole:
            return f"{', '.join(words_said[:3])} …"
        return " and ".join(words_said)


def read_simulation(text: str) -> Simulation | None:
    """What a question asks of which simulation; None when it is no such question.

    Of several pages that fit, the one with surer words wins, then the one that more numbers of the question fill.
    """
    written = read_plan(text)
    if written is not None:
        return written
    if never_at_all().search(text):
        return None
    best: tuple[tuple[bool, bool, int], Simulation] | None = None
    for page in pages().values():
        if words(page.never).search(text):
            continue
        sure = words(page.says).search(text) is not None
        if not sure and not words(page.maybe).search(text):
            continue
        values = read_slots(page, text)
        numbers = sum(any(one.unit or not isinstance(one.value, str) for one in found) for found in values.values())
        if not sure and numbers < page.enough:
            continue
        rank = (sure, page.first and sure, numbers)
        if best is None or rank > best[0]:
            best = rank, Simulation(page.tool, values, text, sure=sure)
    return best[1] if best else None


def read_plan(text: str) -> Simulation | None:
    """What a plan says that somebody edited: 'An outbreak: R0 3; latent period 3 days; …', slot by slot; else None."""
    title, colon, rest = text.partition(":")
    page = next((one for one in pages().values() if colon and one.title.casefold() == title.strip().casefold()), None)
    if page is None:
        return None
    values: dict[str, tuple[Found, ...]] = {}
    place = len(title) + 1
    for part in rest.split(";"):
        start = place + len(part) - len(part.lstrip())
        place += len(part) + 1
        said = part.strip().rstrip(".?")
        for name, slot in page.slots.items():
            if name in values or not f"{said} ".casefold().startswith(f"{slot.name} ".casefold()):
                continue
            found = _written(slot, said[len(slot.name) :].strip(), start + len(slot.name) + 1)
            if found:
                values[name] = found
                break
    return Simulation(page.tool, values, text)


def _written(slot: Slot, said: str, start: int) -> tuple[Found, ...]:
    """The value behind the name of a slot; of a slot with many values those that 'and' joins."""
    if slot.becomes is not None:
        return (Found(slot.becomes, slot.name, start, start),) if not said else ()
    found: list[Found] = []
    for one in said.split(" and ") if slot.many else [said]:
        for pattern in slot.patterns:
            kind = opened(pattern)[1]
            words_of = _WORDS.search(pattern)
            alone = f"<{kind}>" if kind else words_of.group() if words_of is not None else pattern
            match = opened(alone)[0].fullmatch(one)
            value = _value(slot, kind, match) if match is not None else None
            if value is not None:
                found.append(replace(value, start=start, end=start + len(one)))
                break
        start += len(one) + len(" and ")
    return tuple(found)


def follow_up(text: str, read: Simulation | None, before: Simulation) -> Simulation | None:
    """The simulation before with what a follow-up changes or adds; None when the text is no follow-up to it.

    Parameters
    ----------
    read : what the text asks for when it is read by itself.
    """
    if len(text.split()) > LONGEST_FOLLOW_UP or (read is not None and read.tool != before.tool):
        return None
    if not _CARRIES_ON.search(text):
        return None
    said = read_slots(before.page, text)
    if not said:
        return None
    lead = f"{before.text} / "
    moved = {
        name: tuple(replace(one, start=one.start + len(lead), end=one.end + len(lead)) for one in found)
        for name, found in said.items()
    }
    kept = frozenset(before.values) - frozenset(said)
    return replace(before, values={**before.values, **moved}, text=f"{lead}{text}", carried=kept)


def read_slots(page: Page, text: str) -> dict[str, tuple[Found, ...]]:
    """The values of a page's slots; words that gave one value give no second."""
    rest = text
    found: dict[str, tuple[Found, ...]] = {}
    for name, slot in page.slots.items():
        read = _of_slot(slot, rest)
        if not read:
            continue
        found[name] = tuple(read)
        if slot.becomes is None and not slot.shares:
            for one in read:
                rest = rest[: one.start] + " " * (one.end - one.start) + rest[one.end :]
    return found


def _of_slot(slot: Slot, text: str) -> list[Found]:
    read: list[Found] = []
    for pattern in slot.patterns:
        expression, kind = opened(pattern)
        for match in expression.finditer(text):
            one = _value(slot, kind, match)
            if one is None or any(one.start < other.end and other.start < one.end for other in read):
                continue
            read.append(one)
            if not slot.many:
                return read
    return sorted(read, key=lambda one: one.start)


def _value(slot: Slot, kind: str, match: re.Match[str]) -> Found | None:
    if slot.becomes is not None:
        return Found(slot.becomes, match.group(), match.start(), match.end())
    said, start, end = match["v"], match.start("v"), match.end("v")
    if not kind:
        return Found(said.casefold(), said, start, end)
    try:
        value, unit = read_value(kind, said, slot.unit)
    except (DataError, KeyError, StopIteration, ValueError, ZeroDivisionError):
        return None
    if kind == "share" and isinstance(value, float) and abs(value) > MOST_OF_A_SHARE:
        return None  # a count
    return Found(_settled(slot, value), said, start, end, unit)


def _settled(slot: Slot, value: Value) -> Value:
    if isinstance(value, str | bool | tuple):
        return value
    if slot.one_minus:
        return round(1.0 - value, 12)
    return float(round(value)) if slot.whole else value
