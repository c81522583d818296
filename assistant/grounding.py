"""The number verifier: each numeral of a text is traced to an estimate, a passage, a tool argument or the question.

A numeral matches a fact when rounding the fact to the numeral's own digits gives the numeral, the units (where both say
one) agree, and the direction words of the clause do not contradict the fact's sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.conversions import other_unit
from knowledge.schemas import Endpoint, RetrievedPassage
from tools.schemas import Estimate, ToolResult

_NUMERAL = re.compile(
    r"(?<![\w.,/])(?P<sign>[-−–+]?)(?P<digits>\d{1,3}(?:[  ,]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:\s?(?P<unit>%-points?|percentage points?|pp\b|%|percent\b|points?\b|kg/m²|kg\b|lb\b|pounds?\b|mmol/mol|mmol/L|mg/dL"
    r"|mmHg|mL/min|mg\b|µg|weeks?\b|months?\b|years?\b|in 100\b|in ten\b))?(?![\w])",
)
_UNIT_FAMILY = {
    "%-point": "points", "%-points": "points", "percentage point": "points", "percentage points": "points", "pp": "points",
    "point": "points", "points": "points", "%": "percent", "percent": "percent", "in 100": "percent", "kg": "kg",
    "kg/m²": "kg/m2", "kg/m2": "kg/m2", "lb": "lb", "pound": "lb", "pounds": "lb", "mmol/mol": "mmol/mol", "mmHg": "mmHg",
    "mg/dL": "mg/dL", "week": "weeks", "weeks": "weeks", "mg": "mg", "year": "years", "years": "years",
}  # fmt: skip
_CITATION = re.compile(r"\[[a-z0-9][\w.\-/]*\]|\[\d+\]|`[^`]*`|PMID \d+|doi:\S+|https?://\S+")
_NAMES = re.compile(
    r"\b(?:GLP-1|SGLT-?2i?|DPP-?4i?|HbA1c|COVID-19|PCSK9|HER2|type [12]|stage [1-5][ab]?"
    r"|[A-Z]{2,}[A-Za-z]*(?:[- ][A-Z]{2,}[A-Za-z]*)*[- ]\d+[a-z]?)\b"
)
_SIGNED_BOUND = re.compile(r"[-−]\d+(?:\.\d+)?\s*(?:%|[a-z/%-]+)?\s*(?:to|and)\s*$")
_ORDERED = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_FALL = re.compile(
    r"\b(?:fall|falls|fell|lose|loses|lost|loss|reduc\w+|decreas\w+|lower\w*|drop\w*|declin\w+|down)\b", re.I
)
_RISE = re.compile(r"\b(?:rise|rises|rose|gain\w*|increas\w+|higher|grow\w*|up by)\b", re.I)
_CLAUSE = re.compile(r"(?<=[.;!?])\s+|\n|, (?:and|but) |; ")


@dataclass(frozen=True)
class Fact:
    """A number that may be written. `change` facts have a direction."""

    value: float
    unit: str = ""
    change: bool = False


@dataclass(frozen=True)
class Untraceable:
    """A numeral nobody computed, and the sentence it stands in."""

    numeral: str
    sentence: str


def facts_from(
    question: str,
    results: Sequence[ToolResult],
    arguments: Iterable[dict[str, Any]],
    endpoints: Mapping[str, Endpoint] | None = None,
) -> list[Fact]:
    """All numbers that an answer may contain; with `endpoints` also in the other unit in use (mmol/mol, lb)."""
    facts = _numbers(question)
    for argument in arguments:
        facts += _leaves(argument)
    for result in results:
        for estimate in result.estimates:
            facts += _estimate_facts(estimate, (endpoints or {}).get(estimate.endpoint))
        for text in (result.title, *result.assumptions, *result.warnings):
            facts += _numbers(text)
        for hit in result.passages:
            facts += passage_facts(hit)
        extra = result.model_dump(mode="python", exclude={*ToolResult.model_fields})
        facts += _leaves(extra)
    return facts


def _estimate_facts(estimate: Estimate, endpoint: Endpoint | None) -> list[Fact]:
    unit = _UNIT_FAMILY.get(estimate.unit, "")
    change = "change" in estimate.quantity.lower() or "difference" in estimate.quantity.lower()
    values = [value for value in (estimate.point, estimate.lower, estimate.upper) if value is not None]
    facts = [Fact(value, unit, change) for value in values]
    converted = other_unit(endpoint) if endpoint is not None else None
    if converted is not None and estimate.unit == endpoint.unit:  # type: ignore[union-attr]
        facts += [Fact(value * converted[0], converted[1], change) for value in values]
    facts.append(Fact(100 * estimate.level, "percent"))
    if estimate.horizon_weeks is not None:
        facts.append(Fact(estimate.horizon_weeks, "weeks"))
    if estimate.n_trials is not None:
        facts.append(Fact(float(estimate.n_trials)))
    return facts + _numbers(" · ".join((estimate.quantity, estimate.arm, estimate.population, estimate.note)))


def passage_facts(hit: RetrievedPassage) -> list[Fact]:
    """Numbers of a quoted passage and the year of its source."""
    return [*_numbers(hit.passage.text), Fact(float(hit.source.year))]


def _numbers(text: str) -> list[Fact]:
    """Numbers of a text with the units written behind them."""
    return [Fact(_value(match), _unit(match)) for match in _NUMERAL.finditer(text)]


def _leaves(value: Any, unit: str = "") -> list[Fact]:
    """Numbers of a JSON-like value; keys that name a unit give it."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [Fact(float(value), unit)]
    if isinstance(value, str):
        return _numbers(value)
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, _unit_of_key(str(key), value))]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item, unit)]
    return []


def _unit_of_key(key: str, siblings: dict[str, Any]) -> str:
    if key.endswith("weeks"):
        return "weeks"
    if key == "dose":
        return _UNIT_FAMILY.get(str(siblings.get("dose_unit") or ""), "")
    return ""


def _unit(match: re.Match[str]) -> str:
    return _UNIT_FAMILY.get((match["unit"] or "").strip(), "")


def _value(match: re.Match[str]) -> float:
    digits = re.sub(r"[  ,](?=\d{3})", "", match["digits"])
    value = float(digits)
    return -value if match["sign"] in ("-", "−", "–") else value


def untraceable(text: str, facts: Sequence[Fact]) -> list[Untraceable]:
    """Numerals of `text` that no fact explains, in order."""
    readable = _blank(text, _CITATION, _NAMES, _ORDERED)
    found = []
    for clause, start in _clauses(readable):
        before = readable[:start].rpartition("\n")[2].rpartition(". ")[2]
        for match in _NUMERAL.finditer(clause):
            if not any(_explains(fact, match, clause, before) for fact in facts):
                found.append(Untraceable(match.group().strip(), _sentence_at(text, start + match.start())))
    return found


def _clauses(text: str) -> Iterable[tuple[str, int]]:
    position = 0
    for separator in _CLAUSE.finditer(text):
        yield text[position : separator.start()], position
        position = separator.end()
    yield text[position:], position


def _explains(fact: Fact, match: re.Match[str], clause: str, before: str) -> bool:
    """Whether `fact` is what the numeral says; `before` is the part of the sentence in front of the clause."""
    written = _value(match)
    places = len(match["digits"].partition(".")[2])
    tolerance = 0.5 * 10**-places + 1e-9
    if abs(abs(fact.value) - abs(written)) > tolerance:
        return False
    unit = _unit(match)
    if unit and fact.unit and unit != fact.unit and {unit, fact.unit} != {"points", "percent"}:
        return False
    if not fact.change or abs(fact.value) <= tolerance:
        return True
    if match["sign"]:
        # A dash between two numbers ('4-6 weeks') is no sign; a signed change must keep its sign.
        return (written < 0) == (fact.value < 0)
    if "|" in clause or _beside_a_signed_bound(match, clause):
        return fact.value > 0  # table cells and intervals are written with their signs
    falls, rises = bool(_FALL.search(clause)), bool(_RISE.search(clause))
    if not falls and not rises:  # 'HbA1c falls by 1 point, weight by 4 kg': the verb stands earlier
        falls, rises = bool(_FALL.search(before)), bool(_RISE.search(before))
    if falls and rises:
        return True
    return falls == (fact.value < 0)


def _beside_a_signed_bound(match: re.Match[str], clause: str) -> bool:
    """True for the 0.4 of '−1.9 to 0.4': its own sign is written by leaving it out."""
    return _SIGNED_BOUND.search(clause[: match.start()]) is not None


def _blank(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text


def _sentence_at(text: str, position: int) -> str:
    start = max(
        (found + len(mark) for mark in ("\n", ". ") if (found := text.rfind(mark, 0, position)) >= 0), default=0
    )
    ends = [found + len(mark.strip()) for mark in ("\n", ". ") if (found := text.find(mark, position)) >= 0]
    return text[start : min(ends, default=len(text))].strip()


def remove_untraceable(text: str, faults: Sequence[Untraceable]) -> tuple[str, tuple[str, ...]]:
    """Take out every sentence that holds an untraceable numeral; return the rest and what was taken."""
    removed = tuple(dict.fromkeys(fault.sentence for fault in faults))
    for sentence in removed:
        text = text.replace(sentence, "_[a sentence was removed: its number could not be traced to a source]_")
    return text, removed
