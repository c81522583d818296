"""The citation verifier: every source cited exists in this run, and says what the sentence in front of it says.

A sentence that is nearly a sentence of the source is compared with it word by word; another must share its numbers
(see `grounding`), its drugs and enough of its words, or be near to it in meaning. Sentences without a citation may
name only treatments and people that the question or a tool named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property

from assistant.directions import ways
from assistant.facts import extra_texts, stems
from assistant.grounding import MOST_FAULTS, Untraceable
from assistant.layout import Place, places, sentences
from assistant.names import Names, unknown_treatments
from assistant.numerals import read_numerals
from knowledge.ingest.sentences import split_sentences
from tools.schemas import ToolResult

SAME = 0.72  # share of tokens in common from which a sentence is taken for one of the source's
WORDS = 0.34  # share of a sentence's meaningful words that its source must have
MEANING = 0.45  # or cosine of their embeddings
_MARK = re.compile(r"\[((?:pmid|doi|nct|web)-[a-z0-9.\-]+)\]", re.I)
_MARKUP = re.compile(r"[*_>#`]|\[[^\]\s]*\]|\(assumed\)|^\s*[-•]\s|^\s*\d+[.)]\s")
_LEAD = re.compile(r"^\s*(?:[-•]\s*)?(?:\*\*[^*]+\*\*\s*[–:-]|On [^:]{3,80}:)\s*")
_TRIAL = re.compile(r"\b(?!COVID|HER2|PCSK|SGLT|NCT)[A-Z]{4,}[A-Za-z]*(?:[- ][A-Z]{2,})*[- ]\d{1,3}\b")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|%|[−–-](?=\d)|[+<>≥≤]")
_NEGATION = frozenset({"not", "no", "never", "without", "neither", "nor", "none"})
_ANYONE = stems(
    "cohort cohorts people persons individuals population populations participants patients those group groups years old older aged over "
    "under than above below age"
)
_OPPOSITES = (
    ("more", "less"), ("more", "fewer"), ("most", "least"), ("most", "fewest"), ("higher", "lower"), ("better", "worse"),
    ("often", "seldom"), ("always", "never"), ("before", "after"), ("many", "few"), ("above", "below"), ("over", "under"),
    ("older", "younger"), ("men", "women"), ("longer", "shorter"), ("first", "last"), ("with", "without"), ("all", "none"),
    ("start", "stop"), ("accept", "refuse"), ("improve", "worsen"), ("improved", "worsened"), ("up", "down"),
)  # fmt: skip
Embed = Callable[[Sequence[str]], "Sequence[Sequence[float]]"]
People = Callable[[str], Sequence[tuple[int, int]]]


@dataclass
class Told:
    """What a source, or the run as a whole, has told."""

    text: str = ""
    sentences: list[str] = field(default_factory=list)
    drugs: set[str] = field(default_factory=set)
    words: frozenset[str] = frozenset()
    trials: set[str] = field(default_factory=set)

    def add(self, text: str, names: Names, drugs: Iterable[str] = ()) -> None:
        """Take in another text."""
        self.text = f"{self.text}\n{text}"
        self.sentences += split_sentences(" ".join(text.split()))
        self.drugs |= {span.drug for span in names.treatments(text)} | set(drugs)
        self.about(text)

    def about(self, text: str) -> None:
        """Take in what it is about, without its being said."""
        self.words |= stems(text)
        self.trials |= {re.sub(r"\W+", " ", name).casefold() for name in _TRIAL.findall(text)}


class Citations:
    """The sources of a run and what they say.

    Parameters
    ----------
    results : what the tools returned.
    names : treatments that may be named.
    texts : the question and the arguments of the tools.
    people : finds the words of a text that describe a cohort; without it people are not compared.
    embed : sentence vectors, asked only for sentences whose words do not settle it.
    """

    def __init__(
        self,
        results: Sequence[ToolResult],
        names: Names,
        texts: Iterable[str] = (),
        *,
        people: People | None = None,
        embed: Embed | None = None,
    ) -> None:
        self._names, self._people, self._embed = names, people, embed
        self._sources: dict[str, Told] = {}
        self._run = Told()
        self._carry: set[str] = set()
        self._traits: set[str] = set()
        for text in texts:
            self._run.add(text, names)
        for result in results:
            self._carry.update(result.source_ids)
            self._run.add(result.title, names)
            for hit in result.passages:
                passage, source = hit.passage, hit.source
                self._told(source.source_id).add(passage.text, names, passage.drugs)
                about = f"{passage.trial}. {passage.heading}. {source.title}. {' '.join(passage.tags)}"
                self._told(source.source_id).about(about)
                self._told(source.source_id).drugs |= {span.drug for span in names.treatments(about)}
            for source_id, text in extra_texts(result):
                (self._told(source_id) if source_id else self._run).add(text, names)
            for estimate in result.estimates:
                self._carry.update(estimate.source_ids)
                self._traits.add(estimate.id.partition(".")[0])
                for text in dict.fromkeys((estimate.population, estimate.quantity)):
                    self._run.words |= stems(text)

    @cached_property
    def _known_people(self) -> frozenset[str]:
        """Words for people that somebody used; whoever describes a cohort may speak of its women and men."""
        return self._run.words | (stems("women men woman female male") if "sex" in self._traits else frozenset())

    def _told(self, source_id: str) -> Told:
        return self._sources.setdefault(source_id, Told())

    @property
    def known(self) -> set[str]:
        """Ids that may be cited."""
        return set(self._sources) | self._carry

    def faults(self, text: str) -> list[Untraceable]:
        """What is cited wrongly or says of a source, a treatment or a cohort what nobody said."""
        found: list[Untraceable] = []
        for place, original in places(text):
            if len(found) >= MOST_FAULTS:
                break
            why = self._wrong(place)
            if why:
                found.append(Untraceable(why, original, "citation" if place.sources else "name"))
        return found

    def _wrong(self, place: Place) -> str:
        """The words that are wrong, or nothing."""
        unknown = sorted(place.sources - self.known)
        if unknown:
            return f"[{unknown[0]}]"
        trial = self._unknown_trial(place.sentence)
        if trial:
            return trial
        claim = _plain(place.sentence)
        told = [self._sources[name] for name in place.sources if name in self._sources]
        if place.sources and not told:
            return ""
        if not place.sources:
            return self._unfounded(claim)
        changed = self._changed(claim, told)
        if changed is not None:
            return changed
        drugs = {drug for source in told for drug in source.drugs}
        strange = [s for s in self._names.treatments(claim) if s.drug not in drugs]
        if strange:
            return claim[strange[0].start : strange[0].end]
        return "" if self._supports(claim, told) else claim[:60]

    def _unknown_trial(self, sentence: str) -> str:
        """A trial, named as trials are ('STEP 9'), of which nothing that was returned speaks."""
        for match in _TRIAL.finditer(_MARK.sub(" ", sentence)):
            name = re.sub(r"\W+", " ", match.group()).casefold()
            if not any(name in told.trials for told in (self._run, *self._sources.values())):
                return match.group()
        return ""

    def _unfounded(self, claim: str) -> str:
        """A treatment, or people, that nobody named."""
        everyone = [self._run, *self._sources.values()]
        changed = self._changed(claim, everyone)
        if changed is not None:
            return changed
        strange = unknown_treatments(claim, self._names)
        return strange[0] if strange else self._strangers(claim)

    def _strangers(self, claim: str) -> str:
        if self._people is None:
            return ""
        for start, end in self._people(claim):
            if not stems(claim[start:end]) - _ANYONE <= self._known_people:
                return claim[start:end]
        return ""

    def _changed(self, claim: str, told: Sequence[Told]) -> str | None:
        """What was changed in a sentence that is nearly one of the source's; '' when nothing, None when none is near."""
        tokens = _tokens(claim)
        if len(tokens) < 6:
            return None
        said = claim.rstrip(" .*").casefold()
        if any(said in source.text.casefold() for source in told):
            return ""
        best: tuple[float, list[str]] = (0.0, [])
        mine = frozenset(tokens)
        for source in told:
            for sentence in source.sentences:
                theirs = _tokens(sentence)
                if not theirs or 2 * len(mine & set(theirs)) < SAME * (len(mine) + len(set(theirs))) * 0.8:
                    continue
                ratio = SequenceMatcher(None, tokens, theirs, autojunk=False).ratio()
                best = max(best, (ratio, theirs))
        if best[0] < SAME:
            return None
        return self._difference(tokens, best[1])

    def _difference(self, tokens: list[str], theirs: list[str]) -> str:
        matcher = SequenceMatcher(None, tokens, theirs, autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            mine, other = tokens[a:b], theirs[c:d]
            if kind == "equal":
                continue
            if _NEGATION & set(mine) != _NEGATION & set(other):
                return " ".join(mine or other)
            if kind == "replace" and max(b - a, d - c) <= 4 and self._telling(mine, other):
                return " ".join(mine)
            if kind == "insert" and set(other) & {"−", "–", "-"} and d - c == 1:
                return "a sign"
            if kind == "delete" and set(mine) & {"−", "–", "-", "+"} and b - a == 1:
                return "a sign"
        return ""

    def _telling(self, mine: list[str], other: list[str]) -> bool:
        """Whether what was put in the place of something else changes number, unit, direction, drug or people."""
        ours, others = read_numerals(" ".join(mine) + " of 1"), read_numerals(" ".join(other) + " of 1")
        for numeral in ours[:-1]:
            if not any(abs(abs(numeral.value) - abs(n.value)) <= numeral.tolerance + 1e-9 for n in others[:-1]):
                return True
        told, source = " ".join(mine), " ".join(other)
        if ways(told) != ways(source) and any(ways(told)) and any(ways(source)):
            return True
        if {"%"} & set(mine) != {"%"} & set(other):
            return True
        if any((a in mine and b in other) or (b in mine and a in other) for a, b in _OPPOSITES):
            return True
        drugs = {s.drug for s in self._names.treatments(told)}
        if drugs and drugs != {s.drug for s in self._names.treatments(source)}:
            return True
        return self._people is not None and bool(self._people(told)) and not stems(told) <= stems(source)

    def _supports(self, claim: str, told: Sequence[Told]) -> bool:
        wanted = stems(claim)
        if not wanted:
            return True
        words = frozenset(word for source in told for word in source.words)
        share = len(wanted & words) / len(wanted)
        if share >= WORDS:
            return True
        if self._embed is None:
            return False
        texts = [sentence for source in told for sentence in source.sentences][:24]
        if not texts:
            return False
        vectors = self._embed([claim, *texts])
        return max(sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:]) >= MEANING


def _plain(sentence: str) -> str:
    return " ".join(_MARKUP.sub(" ", _LEAD.sub("", _MARK.sub(" ", sentence))).split())


def _tokens(text: str) -> list[str]:
    return [token.casefold() for token in _TOKEN.findall(text)]


__all__ = ["Citations", "sentences"]
