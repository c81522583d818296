"""The word index: BM25 over passages, built in memory in a fraction of a second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import cached_property, lru_cache
from typing import Any, Final

from knowledge.phrases import MIN_FUZZY_LETTERS

_WORD: Final = re.compile(r"[^\W_]+(?:\.\d+)?")
_SHORTEST_NAME: Final = 3  # letters of a trial's name in capitals (GLP in GLP-1 counts too)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")

# Words of the question itself, not of what it is about: rare in passages, so BM25 would weigh them heavily.
_ASKING: Final = frozenset(
    (
        "adult", "adults", "anyone", "cohort", "compare", "expect", "expected", "forecast", "happen", "happens", "many",
        "much", "patient", "patients", "people", "person", "persons", "predict", "react", "reacts", "reaction",
        "respond", "responds", "response", "simulate", "someone", "take", "taking", "tell", "think", "treated", "would",
    )
)  # fmt: skip

# What people write → the words passages and their tags use.
_EXPANSIONS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"\b(?:over|above|older than|aged?|at least)\s*(?:6[05]|7\d|8\d)\b|\belderly\b|\bseniors?\b", "older elderly"),
        (r"\bckd\b|\brenal\b|\bkidneys?\b|\begfr\b", "chronic kidney disease renal ckd egfr"),
        (r"\bt2dm?\b|\btype 2\b", "type 2 diabetes t2d"),
        (r"\bnash\b|\bmash\b|\bfatty liver\b", "steatohepatitis liver"),
        (r"\bhfpef\b|\bhfref\b|\bheart failure\b", "heart failure ejection fraction"),
        (r"\bteen(?:s|ager|agers)?\b|\badolescents?\b", "adolescent"),
        (r"\bascvd\b|\bheart attacks?\b|\bcvd\b", "cardiovascular disease myocardial infarction"),
        (r"\bcopd\b", "chronic obstructive pulmonary disease"),
        (
            r"\bstop(?:s|ped|ping)?\b|\bdrop(?:s|ped|ping)? ?outs?\b|\bquit\b(?!\s+(?:smoking|cigarettes|tobacco))",
            "discontinuation persistence",
        ),
        (r"\bskip(?:s|ped|ping)?\b|\bmiss(?:es|ed|ing)? doses?\b|\bcomplian(?:ce|t)\b", "adherence"),
        (r"\bafford\w*\b|\bexpensive\b|\bprices?\b|\bcopay\w*\b", "cost access"),
        (r"\bhypertensi\w+\b|\bhigh blood pressure\b", "hypertension blood pressure"),
    )
)


def expand(query: str) -> str:
    """The query with the words that passages use for what it says in everyday or abbreviated words."""
    added = (words for pattern, words in _EXPANSIONS if pattern.search(query))
    return " ".join((query, *added))


class WordIndex:
    """BM25 (Robertson and Zaragoza 2009; Lucene's variant, k1 1.5, b 0.75) by the bm25s library.

    Parameters
    ----------
    texts : passage id → text.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._ids = sorted(texts)
        self._texts = [texts[passage_id] for passage_id in self._ids]

    def ranking(self, query: str, allowed: Set[str], depth: int) -> list[str]:
        """Ids among `allowed` that share a word with `query`, best first, ties by id; at most `depth`."""
        words = [word for word in self._query_words(query) if word in self._known]
        if not words:
            return []
        scores = self._bm25.get_scores(words)
        hits = [
            (-float(score), passage_id)
            for passage_id, score in zip(self._ids, scores, strict=True)
            if score > 0 and passage_id in allowed
        ]
        return [passage_id for _, passage_id in sorted(hits)[:depth]]

    def _query_words(self, query: str) -> list[str]:
        """Words to look for, each once. A number counts only in a name (`SUSTAIN 6`), not as an age or a dose."""
        found: dict[str, None] = {}
        before = ""
        for match in _WORD.finditer(query):
            word = match.group()
            named = before.isupper() and len(before) >= _SHORTEST_NAME
            if word.casefold() not in _ASKING and (named or not _NUMBER.fullmatch(word)):
                found.update(dict.fromkeys(self._split(word)))
            before = word
        return list(found)

    @cached_property
    def _bm25(self) -> Any:
        import bm25s

        index = bm25s.BM25()
        index.index([self._split(text) for text in self._texts], show_progress=False)
        return index

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._bm25.vocab_dict)

    @cached_property
    def _stopwords(self) -> frozenset[str]:
        from bm25s.stopwords import STOPWORDS_EN

        return frozenset(STOPWORDS_EN)

    def _split(self, text: str) -> list[str]:
        """Casefolded words without stop words; plurals of long words lose their "s"."""
        stopwords = self._stopwords
        return [_singular(word) for word in _WORD.findall(text.casefold()) if word not in stopwords]


@lru_cache(maxsize=65_536)
def _singular(word: str) -> str:
    if len(word) >= MIN_FUZZY_LETTERS - 1 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
