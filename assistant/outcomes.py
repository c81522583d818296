"""Which outcomes a question names: the vocabulary's synonyms, and lay words that the cohort gives a meaning.

"Flare-ups" are exacerbations in COPD and attacks of gout in gout; "quit" is stopping smoking among smokers and stopping
a medicine elsewhere. The words are data: `outcomes.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from knowledge.errors import DataError
from knowledge.phrases import PhraseMatcher
from knowledge.vocabulary import Vocabulary
from personas.lexicon import expand

WORDS = Path(__file__).parent / "outcomes.yaml"
ANYWHERE = "anywhere"
_TIME_BEHIND = re.compile(r"[\s-]*(?:days?|weeks?|wks?|months?|mos?|years?|yrs?)\b", re.IGNORECASE)

# 'Baseline BMI' is what people come with, not what comes of the treatment.
_AT_START = re.compile(r"\b(?:baseline|starting|initial|pre-?treatment|entry)\s+$", re.IGNORECASE)
_JOINED = re.compile(r"\s*(?:who (?:are|were)|being|that are)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class OutcomeMention:
    """An endpoint named at `text[start:end]`."""

    start: int
    end: int
    endpoint: str


def read_outcomes(
    text: str, vocabulary: Vocabulary, kinds: Sequence[str], cohort: Sequence[tuple[int, int]] = ()
) -> list[OutcomeMention]:
    """Endpoints named in `text`, in order; what only describes the cohort ('HbA1c above 9 %') is none.

    Parameters
    ----------
    kinds : archetype, its ancestors and its area, the nearest first; empty when no cohort is known.
    cohort : character spans of `text` that were read as the cohort.
    """
    # 'LDL at 18 months' says when it is measured, not who is asked about.
    describing = [(start, end) for start, end in cohort if not _is_time(text, start, end)]
    return [
        OutcomeMention(match.start, match.end, match.value)
        for match in _matcher(vocabulary, tuple(kinds)).find(text)
        if not _describes(text, match.start, match.end, describing) and not _AT_START.search(text[: match.start])
    ]


def check_words(vocabulary: Vocabulary) -> list[str]:
    """Endpoints of `outcomes.yaml` that the vocabulary does not have."""
    return sorted({name for group in _words().values() for name in group} - set(vocabulary.endpoints))


def _describes(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Does it say who they are: inside one span, or over several right behind the people ('patients hospitalised with …')?"""
    if any(left <= start and end <= right for left, right in spans):
        return True
    begun = next((index for index, (left, right) in enumerate(spans) if left <= start < right), None)
    ended = any(left < end <= right for left, right in spans)
    if not begun or not ended:
        return False
    return _JOINED.fullmatch(text, spans[begun - 1][1], start) is not None


def _is_time(text: str, start: int, end: int) -> bool:
    return text[end - 1].isdigit() and not text[start].isdigit() and _TIME_BEHIND.match(text, end) is not None


@lru_cache(maxsize=64)
def _matcher(vocabulary: Vocabulary, kinds: tuple[str, ...]) -> PhraseMatcher:
    phrases: dict[str, str] = {}
    for kind in (*kinds, ANYWHERE):
        for endpoint, surfaces in _words().get(kind, {}).items():
            for surface in expand(tuple(surfaces)):
                phrases.setdefault(surface, endpoint)
    for known in vocabulary.endpoints.values():
        for surface in (known.endpoint_id, *known.synonyms):
            phrases.setdefault(surface, known.endpoint_id)
    return PhraseMatcher(phrases, plural=True)


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, list[str]]]:
    content = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise DataError(f"{WORDS.name} holds no groups of words.")
    return content
