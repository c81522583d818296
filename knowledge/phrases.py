"""Finding known phrases in free text, tolerant of case, hyphens and typing errors; the longest match wins."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from knowledge.common_words import COMMON_WORDS

MIN_FUZZY_LETTERS = 6  # shorter words are too close to one another to be corrected
MIN_SIMILARITY = 85.0  # Indel similarity in %, rapidfuzz.fuzz.ratio
LONG_WORD = 11  # letters from which two typing errors are forgiven
MIN_FREE_CASE = 4  # shorter surfaces ("Alli" is 4, "ACE" is 3) match only as they are written

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|%")
_GAP = re.compile(r"[\s\-‐-―/+_()®™]*")

# Stems of international nonproprietary names (WHO, The use of stems in the selection of INN, 2018). A word that
# keeps a stem but differs before it is as likely another substance (pitavastatin, pravastatin) as a typing error.
INN_STEMS = (
    "glutide", "enatide", "lintide", "patide", "paratide", "tide", "glipron", "gliflozin", "gliptin", "glitazone",
    "glinide", "glitazar", "gliatin", "mab", "statin", "sartan", "pril", "prilat", "olol", "dipine", "tinib", "rafenib",
    "ciclib", "parib", "lisib", "degib", "zomib", "platin", "taxel", "rubicin", "trexed", "citabine", "fibrate",
    "siran", "nersen", "mersen", "virsen", "carsen", "cetrapib", "imibe", "grelor", "xaban", "gatran", "thiazide",
    "semide", "renone", "vaptan", "terol", "tropium", "lukast", "prazole", "conazole", "nidazole", "cillin", "penem",
    "mycin", "micin", "floxacin", "cycline", "oxacin", "ciclovir", "navir", "buvir", "tegravir", "tidine", "setron",
    "triptan", "gepant", "oxetine", "faxine", "pramine", "triptyline", "peridone", "piprazole", "perone", "apine",
    "azepam", "zolam", "gabalin", "racetam", "stigmine", "orexant", "coxib", "dronate", "dronic", "steride", "losin",
    "zosin", "afil", "relix", "relin", "sulfase", "nercept", "bercept", "tacept", "nacept", "tatercept", "kinra",
    "poetin", "gramostim", "nicline", "ciguat", "camten", "profen", "barbital", "caine",
)  # fmt: skip


@dataclass(frozen=True)
class PhraseMatch:
    """A phrase found at `text[start:end]`; `score` is 100 for an exact match, else the similarity in %."""

    start: int
    end: int
    surface: str
    value: str
    score: float


@dataclass(frozen=True)
class _Token:
    start: int
    end: int
    key: str
    corrected: str
    score: float


def tokens_of(text: str) -> tuple[str, ...]:
    """Words, numbers and percent signs of `text`, casefolded; hyphens and slashes separate."""
    return tuple(match.group().casefold() for match in _TOKEN.finditer(text))


def inn_stem(word: str) -> str:
    """The longest INN stem that `word` (casefolded) ends with, or an empty string."""
    return max((stem for stem in INN_STEMS if word.endswith(stem) and len(word) > len(stem)), key=len, default="")


def is_typing_error(word: str, known: str) -> bool:
    """True when `word` is so near to `known` that it is more likely mistyped than another word.

    One edit (insertion, deletion, substitution, transposition), or two in a word of 11 letters or more whose first
    letter is right and whose errors do not leave a different substance of the same INN stem.
    """
    if len(word) < MIN_FUZZY_LETTERS or len(known) < MIN_FUZZY_LETTERS or word in COMMON_WORDS:
        return False
    distance = OSA.distance(word, known, score_cutoff=2)
    if distance > 2 or fuzz.ratio(word, known) < MIN_SIMILARITY:
        return False
    if distance <= 1:
        return True
    stem = inn_stem(known)
    return len(known) >= LONG_WORD and word[0] == known[0] and not (stem and inn_stem(word) == stem)


class PhraseMatcher:
    """Phrases by token, each standing for one value.

    Parameters
    ----------
    phrases : surface → value. Later surfaces with the same tokens do not replace earlier ones.
    guarded : surfaces which, when they are everyday words or shorter than four letters, match only as written.
    plural : also match words that differ by a final "s".
    """

    def __init__(self, phrases: Mapping[str, str], *, guarded: Collection[str] = (), plural: bool = False) -> None:
        self._plural = plural
        self._guarded = frozenset(surface for surface in guarded if _too_common(tokens_of(surface)))
        self._values: dict[tuple[str, ...], tuple[str, str]] = {}
        for surface, value in phrases.items():
            key = tuple(self._fold(token) for token in tokens_of(surface))
            if key:
                self._values.setdefault(key, (value, surface))
        self._longest: dict[str, int] = {}  # first token → tokens of the longest phrase that begins with it
        for key in self._values:
            self._longest[key[0]] = max(len(key), self._longest.get(key[0], 0))
        words = sorted({token for key in self._values for token in key})
        self._words = frozenset(words)
        self._long_words = [word for word in words if len(word) >= MIN_FUZZY_LETTERS and word.isalpha()]
        self._corrections: dict[str, tuple[str, float]] = {}
        self._seen = lru_cache(maxsize=2048)(self._matches)  # an answer's sentences are read more than once

    def find(self, text: str) -> list[PhraseMatch]:
        """All non-overlapping matches, left to right, the longest first at each place."""
        return list(self._seen(text))

    def _matches(self, text: str) -> list[PhraseMatch]:
        tokens = [self._token(match) for match in _TOKEN.finditer(text)]
        found: list[PhraseMatch] = []
        position = 0
        while position < len(tokens):
            match, used = self._longest_at(text, tokens, position)
            if match is not None:
                found.append(match)
            position += used
        return found

    def _longest_at(self, text: str, tokens: list[_Token], position: int) -> tuple[PhraseMatch | None, int]:
        """The longest match that starts at a token, and how many tokens it takes (1 when there is none)."""
        first = tokens[position]
        longest = max(self._longest.get(first.key, 0), self._longest.get(first.corrected, 0))
        if not longest:
            return None, 1
        reach = 1
        while (
            reach < longest
            and position + reach < len(tokens)
            and _GAP.fullmatch(text, tokens[position + reach - 1].end, tokens[position + reach].start)
        ):
            reach += 1
        for length in range(reach, 0, -1):
            window = tokens[position : position + length]
            start, end = window[0].start, window[-1].end
            for exact in (True, False):
                key = tuple(token.key if exact else token.corrected for token in window)
                if key not in self._values or (not exact and all(token.score == 100.0 for token in window)):
                    continue
                value, written = self._values[key]
                if written in self._guarded and text[start:end] != written:
                    continue
                score = 100.0 if exact else min(token.score for token in window)
                return PhraseMatch(start, end, text[start:end], value, score), length
        return None, 1

    def _token(self, match: re.Match[str]) -> _Token:
        key = self._fold(match.group().casefold())
        corrected, score = self._correct(key)
        return _Token(match.start(), match.end(), key, corrected, score)

    def _fold(self, token: str) -> str:
        if self._plural and len(token) > 3 and token.endswith("s") and not token.endswith(("ss", "us", "is")):
            return token[:-1]
        return token

    def _correct(self, word: str) -> tuple[str, float]:
        """The known word that `word` is a typing error of, with the similarity in %; else the word itself."""
        if word in self._words or len(word) < MIN_FUZZY_LETTERS or word in COMMON_WORDS:
            return word, 100.0
        if word not in self._corrections:
            near = process.extract(word, self._long_words, scorer=fuzz.ratio, score_cutoff=MIN_SIMILARITY, limit=5)
            best = [(-score, known) for known, score, _ in near if is_typing_error(word, known)]
            self._corrections[word] = (min(best)[1], -min(best)[0]) if best else (word, 100.0)
        return self._corrections[word]


def _too_common(key: tuple[str, ...]) -> bool:
    """True for one-word phrases that are also everyday words, or too short to be safe in any case."""
    return len(key) == 1 and (len(key[0]) < MIN_FREE_CASE or key[0] in COMMON_WORDS)
