"""Who and what a sentence speaks of: treatments with their doses, arms, endpoints and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.facts import Fact, Part, stems
from assistant.numerals import Numeral, read_numerals
from knowledge.vocabulary import Vocabulary

_DOSE = re.compile(
    r"\s*\(?(?P<value>\d+(?:\.\d+)?)\s?(?P<unit>mg|milligrams?|µg|μg|ug|mcg|g|U|units?|IU)\b\)?"
    r"(?:,?\s*every (?:\d+|two|three|four|six|eight|other) (?:days?|weeks?|months?)"
    r"|,?\s*(?:once|twice|three times|one|two)[- ](?:weekly|daily|monthly|a (?:week|day|month)))?",
    re.I,
)
BESIDE = 12  # characters from the start of one word to that of the next, for a name of several words
_CONTROL = re.compile(r"\b(?:placebo|no treatment|usual care|controls?|comparators?|sham)\b", re.I)
_WORD = re.compile(r"(?=\d*[^\W\d_])[^\W_]{3,}")
# Stems of words that say the same.
_ALSO = {
    "old": "age", "aged": "age", "women": "femal", "woman": "femal", "men": "male", "man": "male", "die": "death",
    "dies": "death", "died": "death", "dying": "death", "morta": "death", "survi": "death", "lose": "weigh", "pound": "weigh",
    "mass": "bmi",
}  # fmt: skip
# What people do and what becomes of them, whether or not the run has a figure for it.
_HAPPENS = re.compile(
    r"\b(?:stop(?:s|ped|ping)?|quit\w*|discontinu\w+|withdr[ae]w\w*|drop(?:s|ped|ping)? out|g[ia]ve(?:s)? up|persist\w*|adher\w+"
    r"|stay(?:s|ed)? on|die[sd]?|dying|deaths?|surviv\w+|vomit\w*|relaps\w+|recover\w*|hospitali[sz]\w+)\b",
    re.I,
)
_AGAINST = re.compile(
    r"\b(?:than|versus|vs\.?|against|minus|compared with|relative to|over|on)\s+(?:on |with |in |under |the )*$", re.I
)


@dataclass(frozen=True)
class Span:
    """A treatment named at `text[start:end]`, with the dose written behind it."""

    start: int
    end: int
    drug: str
    dose: float | None = None

    @property
    def dosed(self) -> bool:
        """True when a dose is part of the name."""
        return self.dose is not None


class Names:
    """Reads who and what is spoken of, given what the facts are about.

    Parameters
    ----------
    facts : their subjects and arms are the words that are looked for.
    vocabulary : drugs and what they are called; without it only the control arms are told apart.
    texts : the question, tool arguments and results: what may be named.
    titles : names of trials and of quantities, whose own numbers say nothing.
    """

    def __init__(
        self,
        facts: Sequence[Fact],
        vocabulary: Vocabulary | None = None,
        texts: Iterable[str] = (),
        titles: Iterable[str] = (),
    ) -> None:
        self._vocabulary = vocabulary
        self.titles = sorted((title for title in titles if read_numerals(title)), key=lambda title: -len(title))
        self._read: dict[str, list[Span]] = {}
        self._meant: dict[str, set[str]] = {}
        for fact in facts:
            for stem in fact.subject:
                self._meant.setdefault(stem, set()).add(fact.endpoint)
        labels = self._endpoints = {fact.endpoint for fact in facts if fact.endpoint and fact.predicted}
        known = vocabulary.endpoints if vocabulary is not None else {}
        spoken: dict[str, set[str]] = {}
        for name in labels:
            if name in known:
                spoken.setdefault(known[name].label.casefold().removesuffix(" change"), set()).add(name)
        for fact in facts:
            for label in fact.labels:
                spoken.setdefault(label, set()).add(fact.endpoint)
        self._labels = sorted(spoken.items(), key=lambda pair: (-len(pair[0]), pair[0]))
        self._told_of: dict[str, list[tuple[int, set[str]]]] = {}
        several = len({fact.endpoint for fact in facts if fact.endpoint})
        self._meant = {stem: ends for stem, ends in self._meant.items() if len(ends) < max(2, several / 2)}
        arms = {fact.arm for fact in facts if fact.arm}
        self._order = {arm: tuple(span.drug for span in self.treatments(arm)) for arm in arms}
        self._doses = {arm: {(s.drug, s.dose) for s in self.treatments(arm)} for arm in arms}
        self.known: set[tuple[str, float | None]] = set()
        for text in (*texts, *arms):
            self.known |= {(span.drug, span.dose) for span in self.treatments(text)}
        self.drugs = {drug for drug, _ in self.known}

    def treatments(self, text: str) -> list[Span]:
        """Drugs named in a text, each with its dose."""
        if self._vocabulary is None:
            return []
        if text in self._read:
            return self._read[text]
        spans = self._read[text] = []
        for mention in self._vocabulary.find_drugs(text):
            if _CONTROL.search(mention.drug):
                continue
            match = _DOSE.match(text, mention.end)
            dose = float(match["value"]) if match else None
            spans.append(Span(mention.start, match.end() if match else mention.end, mention.drug, dose))
        return spans

    def subject_fits(self, fact: Fact, numeral: Numeral, sentence: str, before: str, *, cell: bool = False) -> bool:
        """Whether what stands nearest to the numeral is what the fact measures, or nothing says what it is."""
        if not fact.subject:
            return True
        mentions = self._mentions(sentence)
        places = [start for start, _ in mentions if start < numeral.start]
        # The whole label of a row tells what its numbers are; so do words beside each other ('body mass-index').
        since = 0 if cell else max(places, default=0) - BESIDE
        ahead = [set().union(*(ends for start, ends in mentions if since <= start < numeral.start))] if places else []
        behind = [ends for start, ends in mentions if start >= numeral.end]
        near = (ahead[-1] if ahead else set()) | (behind[0] if behind else set())
        if near:
            return fact.endpoint in near
        if self._speaks_of_another(fact, sentence):
            return False
        earlier = [ends for _, ends in self._mentions(before)]
        if not earlier:  # what is predicted may be told without its name, what describes the cohort not
            share = fact.unit == "percent" and not fact.change and not fact.labels  # of people: of those who do what?
            return fact.predicted and not share and (bool(numeral.unit) or not fact.unit)
        return fact.endpoint in earlier[-1]

    def _speaks_of_another(self, fact: Fact, sentence: str) -> bool:
        """Whether a sentence without a word of what was computed tells of something else that happens to people."""
        if not fact.predicted:
            return False
        named = self._vocabulary.find_endpoints(sentence) if self._vocabulary is not None else []
        return bool(named and fact.endpoint not in named) or _HAPPENS.search(sentence) is not None

    def _mentions(self, text: str) -> list[tuple[int, set[str]]]:
        """(position, endpoints meant) of labels, and of single words outside of them."""
        if text in self._told_of:
            return self._told_of[text]
        found: list[tuple[int, set[str]]] = []
        rest = text.casefold()
        if len(rest) == len(text):
            for span in self.treatments(text):  # an e-cigarette is no number of cigarettes
                rest = rest[: span.start] + " " * (span.end - span.start) + rest[span.end :]
        for label, endpoints in self._labels:
            while label and (at := rest.find(label)) >= 0:
                # 'HbA1c to fall from 7.0 %' speaks of the cohort's own HbA1c too.
                traits = {
                    name for word in _WORD.findall(label) for name in self._ends(word) if name not in self._endpoints
                }
                found.append((at, endpoints | traits))
                rest = rest[:at] + " " * len(label) + rest[at + len(label) :]
        found += [(m.start(), ends) for m in _WORD.finditer(rest) if (ends := self._ends(m.group()))]
        self._told_of[text] = sorted(found, key=lambda mention: mention[0])
        return self._told_of[text]

    def _ends(self, word: str) -> set[str]:
        stem = word.casefold()[:5]
        return self._meant.get(stem, set()) | self._meant.get(_ALSO.get(stem, ""), set())

    def arm_fits(
        self, fact: Fact, numeral: Numeral, sentence: str, column: str, *, contrast: bool, cell: bool = False
    ) -> bool:
        """Whether the arm that the sentence names for the numeral is the fact's."""
        if fact.labels:
            return True  # its label names the strategy
        if not fact.arm:
            return not contrast or not fact.change
        if fact.contrast:
            return contrast and self._in_order(fact, sentence)
        control = _CONTROL.search(fact.arm) is not None and not self._order.get(fact.arm, ())
        if column and _CONTROL.search(column):
            return control
        if cell and contrast:
            return False
        bound = (self._labelled(sentence) if cell else "") or self._bound(numeral, sentence)
        if bound == "control":
            return control
        if bound:
            return not control and any(drug == bound for drug, _ in self._doses.get(fact.arm, ()))
        return not control

    def _in_order(self, fact: Fact, sentence: str) -> bool:
        """'A does better than B': the drugs of a difference are named in its order."""
        order = self._order.get(fact.arm, ())
        named = [span.drug for span in self.treatments(sentence) if span.drug in order]
        distinct = list(dict.fromkeys(named))
        if len(order) < 2 or len(set(order)) < 2:
            return True
        return distinct == list(dict.fromkeys(order)) if len(distinct) > 1 else len(set(named)) == len(named)

    def _labelled(self, row: str) -> str:
        """The arm that the label of a row names last."""
        label = row.partition(": ")[0]
        marks = [(m.start(), "control") for m in _CONTROL.finditer(label)]
        marks += [(span.start, span.drug) for span in self.treatments(label)]
        return max(marks)[1] if marks else ""

    def _bound(self, numeral: Numeral, sentence: str) -> str:
        """The arm written for a numeral: right behind it ('6 on placebo'), or at the start of its clause."""
        marks = [(m.start(), m.end(), "control") for m in _CONTROL.finditer(sentence)]
        marks += [(span.start, span.end, span.drug) for span in self.treatments(sentence)]
        inside = [(start, end) for start, end, _ in marks]
        for start, _, who in sorted(marks):
            between = sentence[numeral.end : start]
            if start < numeral.end or re.search(r"[,;(]|\d", between) or len(between) > 60:
                continue
            if re.search(r"\b(?:than|versus|vs\.?|minus|against|compared with|relative to)\b", between, re.I):
                return ""
            if re.search(r"\b(?:on|with|under|taking|given|for|in)\b", between, re.I):
                return who
            break
        last = max((mark for mark in marks if mark[1] <= numeral.start), default=None)
        if last is None or any(last[1] <= start < numeral.start for start, _ in inside):
            return ""
        between = sentence[last[1] : numeral.start]
        if re.search(r"\d|[();]", between) or (
            _AGAINST.search(sentence[: last[0]]) is not None and "than" in sentence[: last[0]][-14:]
        ):
            return ""
        return last[2]


def unknown_treatments(text: str, names: Names, allowed: Iterable[tuple[str, float | None]] = ()) -> list[str]:
    """Drugs or doses of a text that nobody asked about and no tool was given; '' entries never."""
    permitted = names.known | set(allowed)
    drugs = {drug for drug, _ in permitted}
    return [
        text[span.start : span.end]
        for span in names.treatments(text)
        if span.drug not in drugs or (span.dosed and (span.drug, span.dose) not in permitted)
    ]


__all__ = ["Names", "Part", "Span", "stems", "unknown_treatments"]
