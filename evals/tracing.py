"""How much of an answer's numbers has a source, counted numeral by numeral on the recorded run.

Two judges. The product's own verifier, run afresh on the recorded tool results (value, unit, sign, and what is said of
the number). And a plain one that shares no code with it: the digits of a sentence must be those of an estimate, of a
number in the question or the plan, or, where the sentence cites a source, of a text the tools returned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from assistant.conversions import other_unit
from assistant.schemas import Answer
from assistant.verifying import Verifier, cohorts_named_in
from evals.subject import Asked
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.registry import Registry
from tools.schemas import ToolResult

# Parts of results that hold what others published; and the numbers of estimates and charts, which are looked at apart.
_PUBLISHED: Final = frozenset({"passages", "evidence", "preferences", "charts", "provenance", "source_ids"})
_ESTIMATED: Final = frozenset({"point", "lower", "upper", "level"})
# Sections whose numbers are the answer's own; the others list sources, limits and what was assumed.
TOLD: Final = frozenset({"How sure?", "Evidence", "Assumed", "Not covered", "Removed"})
_MARK = re.compile(r"\[\d+(?:, ?\d+)*\]")
_NUMERAL = re.compile(r"(?<![\w.,])[-−–+]?\d[\d,]*(?:\.\d+)?(?![\w])")
_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")
_EXAMPLE = re.compile(r"For example: “[^”]*”|\bin 100\b")  # a question to try; a base, not a number of its own


@dataclass(frozen=True)
class Traced:
    """`traced` of `numerals`; `lost` are the sentences with one that was not."""

    numerals: int
    traced: int
    lost: tuple[str, ...]


def body_of(answer: Answer) -> str:
    """The headline and the sections that the model, or the offline composer, wrote."""
    own = [section.body for section in answer.sections if section.title not in TOLD]
    return _EXAMPLE.sub(" ", "\n\n".join([answer.headline, *own]))


def revived(asked: Asked, registry: Registry) -> list[ToolResult]:
    """The recorded tool results, typed again."""
    called = [step.tool for step in asked.answer.steps if step.ok]
    return [registry[name].result_model.model_validate(dump) for name, dump in zip(called, asked.results, strict=True)]


def verified(asked: Asked, registry: Registry, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Traced:
    """Count with the product's verifier, given the recorded results."""
    answer = asked.answer
    verifier = Verifier(
        answer.question,
        revived(asked, registry),
        [step.arguments for step in answer.steps],
        knowledge.vocabulary,
        told=_told(answer),
        people=cohorts_named_in(personas),
    )
    text = _with_sources(body_of(answer), answer)
    lost = verifier.numbers(text)
    total = len(_NUMERAL.findall(_MARK.sub("", body_of(answer))))
    return Traced(total, max(total - len(lost), 0), tuple(f"{one.numeral}: {one.sentence}" for one in lost))


def plainly_traced(asked: Asked, knowledge: KnowledgeBase) -> Traced:
    """Count with the plain judge."""
    answer = asked.answer
    computed: list[float] = []
    for estimate in answer.estimates:
        endpoint = knowledge.vocabulary.endpoints.get(estimate.endpoint)
        other = other_unit(endpoint) if endpoint is not None else None
        values = [v for v in (estimate.point, estimate.lower, estimate.upper, 100 * estimate.level) if v is not None]
        computed += [abs(value) * factor for value in values for factor in (1.0, *([other[0]] if other else []))]
    told = [answer.question, *_told(answer), *(json.dumps(step.arguments) for step in answer.steps)]
    own = _sorted([*computed, *_numbers(told), *_leaves(asked.results)])
    quoted = _sorted(_numbers(_strings(asked.results)))
    total, lost = 0, []
    for line in body_of(answer).splitlines():
        cited = _MARK.search(line) is not None
        for match in _NUMERAL.finditer(_MARK.sub(" ", line)):
            total += 1
            if not _holds(own, match.group()) and not (cited and _holds(quoted, match.group())):
                lost.append(f"{match.group()}: {line.strip()}")
    return Traced(total, total - len(lost), tuple(lost))


def _leaves(value: Any, key: str = "") -> Iterable[float]:
    """Numbers that tools computed beside their estimates, and those of their own words; nothing of a published text."""
    if key in _PUBLISHED:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, key)
    elif isinstance(value, str):
        yield from _numbers([value])
    elif isinstance(value, int | float) and not isinstance(value, bool) and key not in _ESTIMATED:
        yield abs(float(value))


def _told(answer: Answer) -> list[str]:
    plan = answer.plan
    said = [step.error for step in answer.steps if step.error]
    if plan is not None:
        said += [plan.population, plan.comparator, *plan.interventions, *plan.notes, f"{plan.horizon_weeks or ''}"]
    return [text for text in said if text]


def _with_sources(text: str, answer: Answer) -> str:
    """Numbered marks turned back into source ids, which the verifier knows."""
    ids = {str(citation.number): citation.source_id for citation in answer.citations}
    return re.sub(r"\[(\d+)\]", lambda match: f"[{ids.get(match.group(1), match.group(1))}]", text)


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _numbers(texts: Iterable[str]) -> Iterable[float]:
    for text in texts:
        for match in _DIGITS.findall(text):
            yield float(match.replace(",", "").rstrip("."))


def _sorted(values: Iterable[float]) -> NDArray[np.float64]:
    return np.array(sorted(values), dtype=float)


def _holds(pool: NDArray[np.float64], numeral: str) -> bool:
    """Does a number of the pool round to the numeral's own digits?"""
    digits = numeral.lstrip("-−–+").replace(",", "")
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2]) + 1e-9
    low, high = np.searchsorted(pool, [float(digits) - half, float(digits) + half])
    return bool(high > low)
