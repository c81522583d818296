"""Slips of the pen in the words that name a cohort: 'diabetis', 'obeese', 'hypertention'.

One letter wrong, missing, extra or swapped (optimal string alignment distance 1; Damerau 1964) in a word of at least six
letters that is not itself a word anybody uses. Two letters would already turn hypotension into hypertension.
"""

from __future__ import annotations

import re
from functools import lru_cache

from knowledge.common_words import COMMON_WORDS
from personas.lexicon import lexicon

MIN_LETTERS = 6
MIN_KNOWN_LETTERS = 5  # 'obeese' is one letter too many
_WORD = re.compile(rf"[A-Za-z]{{{MIN_LETTERS},}}")
# Neighbours of a cohort word that mean something else.
_OTHER_WORDS = frozenset({"hypotension", "hypothyroidism", "hyperthyroidism", "diabetics", "insulins"})


def correct_spelling(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text with cohort words spelled right, and what was corrected as (written, read) pairs."""
    corrected: list[tuple[str, str]] = []

    def replace(match: re.Match[str]) -> str:
        found = _nearest(match.group().lower())
        if found is None:
            return match.group()
        corrected.append((match.group(), found))
        return found

    return _WORD.sub(replace, text), tuple(corrected)


@lru_cache(maxsize=4096)
def _nearest(word: str) -> str | None:
    from rapidfuzz.distance import OSA

    known = _words()
    if word in known or word in COMMON_WORDS or word in _OTHER_WORDS:
        return None
    near = sorted(candidate for candidate in known if OSA.distance(word, candidate, score_cutoff=1) <= 1)
    if any(word.rstrip("s") == candidate.rstrip("s") for candidate in near):
        return None  # one or several: nothing is misspelled
    # Between 'diabetes' and 'diabetic' the name of the area wins; between equals nobody guesses.
    named = [candidate for candidate in near if candidate in _area_names()]
    near = named or near
    return near[0] if len({candidate.rstrip("s") for candidate in near}) == 1 else None


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    """Words of the lexicon's areas and terms that are long enough to be recognised when misspelled."""
    words = lexicon()
    phrases = [*words.people, *words.not_covered]
    for area in words.areas.values():
        phrases += [*area.phrases, *area.assumed]
    for term in words.terms.values():
        phrases += term.phrases
    return frozenset(
        part for phrase in phrases for part in re.split(r"[\s-]+", phrase.lower()) if len(part) >= MIN_KNOWN_LETTERS
    )


@lru_cache(maxsize=1)
def _area_names() -> frozenset[str]:
    """Words of the areas' own names: the first phrase of each."""
    first = [area.phrases[0] for area in lexicon().areas.values() if area.phrases]
    return frozenset(word for phrase in first for word in phrase.lower().split())
