"""The word index: BM25 over passages, built in memory in a fraction of a second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import cached_property
from typing import Any, Final

# Found on the development half of the questions in evals/retrieval/RESULTS.md: a word that comes often, and a long
# passage, weigh less than with the usual 1.5 and 0.75, as passages are short and much of one length.
K1: Final = 0.9
B: Final = 0.4
ADDED: Final = 0.25  # of a word that the query did not use: several are added for one, and must not outvote the rest
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
    """BM25 (Robertson and Zaragoza 2009; Lucene's variant) over word stems, by the bm25s library.

    Stems are those of Snowball's English algorithm: "adherent" finds "adherence".

    Parameters
    ----------
    texts : passage id → text.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._ids = sorted(texts)
        self._texts = [texts[passage_id] for passage_id in self._ids]

    def ranking(self, query: str, allowed: Set[str], depth: int) -> list[str]:
        """Ids among `allowed` that share a word with `query`, best first, ties by id; at most `depth`."""
        return best_first(self.scores(query, allowed), depth)

    def scores(self, query: str, allowed: Set[str], also: str = "") -> dict[str, float]:
        """Id → BM25 score, above 0, of those among `allowed` that share a word with `query` or `also`.

        Parameters
        ----------
        query : what was asked.
        allowed : ids that may be found.
        also : further words; those that are not in `query` weigh `ADDED` each.
        """
        asked = [word for word in self._query_words(query) if word in self._known]
        added = [word for word in self._query_words(also) if word in self._known and word not in asked]
        if not asked and not added:
            return {}
        parts = [weight * self._bm25.get_scores(words) for weight, words in ((1.0, asked), (ADDED, added)) if words]
        scores = sum(parts[1:], start=parts[0])
        found = ((self._ids[row], float(scores[row])) for row in scores.nonzero()[0])
        return {passage_id: score for passage_id, score in found if passage_id in allowed}

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

        index = bm25s.BM25(k1=K1, b=B)
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
        """Stems of the casefolded words without stop words."""
        import Stemmer

        stopwords = self._stopwords
        words = [word for word in _WORD.findall(text.casefold()) if word not in stopwords]
        # One a call, made in two microseconds: a stemmer must not be shared between threads.
        stems: list[str] = Stemmer.Stemmer("english").stemWords(words)
        return stems


def best_first(scores: Mapping[str, float], depth: int) -> list[str]:
    """Ids by falling score, ties by id; at most `depth`."""
    return sorted(scores, key=lambda passage_id: (-scores[passage_id], passage_id))[:depth]
