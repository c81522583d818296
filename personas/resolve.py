"""From a question to a cohort, by rules.

The words that describe people are read (`description`), and the archetype is chosen that fits them best: one whose
name, synonym or restrictions are all implied by what was said. What it does not imply itself becomes a restriction, and
what nobody can place is named.
"""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from knowledge.errors import CohortNotCovered
from personas.choosing import Choice, all_entailed, covers, fit
from personas.description import Description, describe, leftover_words
from personas.entries import Entry, names_of
from personas.facts import UNDER_AGE, Facts, Said, gather
from personas.lexicon import lexicon
from personas.library import PersonaLibrary
from personas.mentions import Kind, Mention, plain, squeezed
from personas.phrasebook import PhraseBook
from personas.restrictions import entails, intersect, parse_restrictions
from personas.schemas import CohortSpec, Persona
from personas.shares import find_shares, is_joint, mixture_of
from personas.wording import describe_cohort

_GENERAL = "general"
_NEAREST = 3
_REACTING = re.compile(
    r"\b(?:would|will|do|does|did|can|could|might|should)\s+(?P<who>[\w-]+(?:\s+[\w-]+){0,4}?)\s+"
    r"(?:react|respond|tolerate|cope)\b"
)
_POINTING = frozenset(
    ("they", "we", "i", "you", "he", "she", "it", "this", "that", "one", "these", "those", "the", "my", "our")
)


def resolve_cohort(text: str, library: PersonaLibrary) -> CohortSpec | None:
    """The cohort that a question is about, or None when it names none.

    Rules, no model: `personas/resolution.yaml` and the archetypes' own names, synonyms and restrictions.

    Raises
    ------
    CohortNotCovered : people are described for whom there is no archetype; names them and the nearest archetypes.
    EmptyCohort : the description contradicts itself ("over 65 and under 40").
    InvalidInput : a value no person can have ("BMI over 300").
    """
    return _resolver(library).resolve(text)


def cohort_spans(text: str, library: PersonaLibrary) -> tuple[tuple[int, int], ...]:
    """Character spans (start, end) of `text` that were read as the cohort, in order, none overlapping another.

    Every mention and quantity of the description, with the "without" before it; what is aimed at ("reach HbA1c below
    7 %") and words nobody could place are not among them. Never raises: a cohort that is refused has spans as well.
    """
    return _resolver(library).spans(text)


def _resolver(library: PersonaLibrary) -> CohortResolver:
    resolver = _RESOLVERS.get(library)
    if resolver is None:
        resolver = _RESOLVERS[library] = CohortResolver(library)
    return resolver


class CohortResolver:
    """The rules, prepared for one library."""

    def __init__(self, library: PersonaLibrary) -> None:
        personas = list(library)
        self._words = lexicon()
        self._book = PhraseBook(self._words, personas)
        self._meaning = {name for name, words in self._words.areas.items() if words.means}
        self._entries = [self._entry(persona, library) for persona in personas]
        self._by_id = {entry.persona.id: entry for entry in self._entries}
        self._names = [(squeezed(name), name, entry) for entry in self._entries for name in names_of(entry.persona)]
        self._says_it: dict[str, bool] = {}

    def resolve(self, text: str) -> CohortSpec | None:
        """See `resolve_cohort`."""
        mixed = self._mixture(text)
        return self._resolve_one(text) if mixed is None else mixed

    def _mixture(self, text: str) -> CohortSpec | None:
        """The mixture of "60 % … and 40 % …"; None where shares are of something else ("40 % of them respond")."""
        question = plain(text)
        shares = find_shares(question)
        words: list[str] = []
        for share in shares:
            said = question[share.start : share.end]
            spans = describe(said, self._book_for(said)).spans
            if not spans or not is_joint(said[: spans[0][0]]):
                return None
            if share is not shares[-1] and not is_joint(said[spans[-1][1] :]):
                return None
            words.append(text[share.start : share.start + spans[-1][1]])
        parts = [self._resolve_one(said) for said in words]
        told = tuple(part for part in parts if part is not None)
        return mixture_of(shares, told, tuple(words)) if shares and len(told) == len(shares) else None

    def _resolve_one(self, text: str) -> CohortSpec | None:
        question = plain(text)
        described = describe(question, self._book_for(question))
        asked = described.asked(text)
        facts, named = self._read(text, described)
        beyond = [m for m in described.mentions if m.kind is Kind.NOT_COVERED and not m.negated]
        related = self._related(question, described)
        if related is not None:
            last = max(end for _, end in described.spans)
            raise self._not_covered(text[min(related, described.spans[0][0]) : last])
        if any(m.kind is Kind.NEVER_COVERED and not m.negated for m in described.mentions):
            raise self._not_covered(asked)
        known = (
            facts.areas or facts.condition or any(m.kind is Kind.TERM and self._defines(m) for m in described.mentions)
        )
        if (described.unknown or beyond) and not known:
            raise self._not_covered(asked)
        unknown = [text[start:end] for start, end in (*described.modifiers, *described.unknown)]
        unknown += [text[m.start : m.end] for m in beyond]
        if facts.empty and not named:
            if unknown:
                raise self._not_covered(asked)
            self._refuse_strangers(text, question, described)
            return None
        intersect(facts.limits)
        choice = self._labelled(text, described) or self._choose(facts, named)
        if choice is None:
            raise self._not_covered(asked, frozenset(facts.areas))
        self._refuse_bare_conditions(choice, facts, described)
        return _spec(choice, facts, [*unknown, *self._elsewhere(text, question, choice.entry.persona)])

    def _related(self, question: str, described: Description) -> int | None:
        """Where those begin who are named by others ("partners of smokers") and are no cohort of their own."""
        groups = {m.start for m in described.mentions if self._book.names_people(m) or self._book.is_condition(m)}
        found = (match.start() for match in self._words.related.finditer(question) if match.end() in groups)
        return next(found, None)

    def _elsewhere(self, text: str, question: str, persona: Persona) -> list[str]:
        """Places named in the question that the archetype's people are not from: "Germany"."""
        home = persona.geography.partition(";")[0].partition(",")[0]
        at_home = {phrase for name, phrases in self._words.places.items() if name in home for phrase in phrases}
        found = [match for match in self._words.place.finditer(question) if match["place"] not in at_home]
        return [text[match.start("place") : match.end("place")] for match in found]

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """See `cohort_spans`."""
        question = plain(text)
        described = describe(question, self._book_for(question))
        merged: list[tuple[int, int]] = []
        for start, end in sorted((m.lead if m.negated else m.start, m.end) for m in described.mentions):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return tuple(merged)

    def _entry(self, persona: Persona, library: PersonaLibrary) -> Entry:
        inherited = library.get(persona.parent).restrictions if persona.parent else ()
        told: dict[str, Facts] = {}
        outright: set[str] = set()
        for name in names_of(persona):
            mentions = self._book.find(plain(name))
            if leftover_words(plain(name), self._book, mentions):
                outright.add(name)
            told[name] = gather(name, mentions, self._words, self._book.terms)
        return Entry(
            persona=persona,
            own=parse_restrictions(persona.restrictions),
            told=tuple(facts for name, facts in told.items() if name not in outright),
            named=told[persona.name],
            outright=frozenset(outright),
            placed=frozenset(
                name
                for name, term in self._words.terms.items()
                if term.geography and term.geography in persona.geography
            ),
            distinct=bool(set(persona.restrictions) - set(inherited)) and persona.name not in outright,
            depth=len(library.ancestors(persona.id)),
        )

    def _defines(self, mention: Mention) -> bool:
        """Is it an illness or a state, and not merely who they are?"""
        return not mention.negated and self._book.may_happen(mention)

    def _book_for(self, question: str) -> PhraseBook:
        """The phrases with the names in the question that say an archetype as a whole, and not by their parts."""
        squeezed_question = squeezed(question)
        present = [(name, entry) for key, name, entry in self._names if key in squeezed_question]
        return self._book.with_names({name: e.persona.id for name, e in present if self._only_outright(name, e)})

    def _only_outright(self, name: str, entry: Entry) -> bool:
        """Is the name not understood, or would its parts alone lead elsewhere?"""
        if name not in self._says_it:
            facts = next((told for told in entry.told if told.text == name), None)
            choice = None if facts is None else self._choose(facts, frozenset())
            self._says_it[name] = choice is None or choice.entry is not entry
        return self._says_it[name]

    def _read(self, text: str, described: Description) -> tuple[Facts, frozenset[str]]:
        """The facts of a description, and the archetypes it names outright."""
        facts = gather(text, described.mentions, self._words, self._book.terms)
        named = {m.key: text[m.start : m.end] for m in described.mentions if m.kind is Kind.ARCHETYPE and not m.negated}
        for persona_id, words in named.items():
            entry = self._by_id[persona_id]
            if entry.persona.area != _GENERAL:
                facts.areas.setdefault(entry.persona.area, words)
            facts.said += [Said(item, words) for item in entry.own]
            facts.marks.update(dict.fromkeys(entry.named.marks, words))
        return facts, frozenset(named)

    def _choose(self, facts: Facts, named: frozenset[str]) -> Choice | None:
        areas = {
            *facts.areas,
            *(area for area in self._meaning if all_entailed(facts.limits, self._words.areas[area].means)),
        }
        implied = [e for e in self._entries if e.persona.id in named or self._implied(e, facts, areas)]
        choices = [
            choice
            for choice in (fit(entry, facts, self._words, self._book.terms) for entry in implied)
            if choice is not None
        ]
        return min(choices, key=lambda choice: (choice.rank, choice.entry.persona.id)) if choices else None

    def _labelled(self, text: str, described: Description) -> Choice | None:
        """The archetype of a label, "<its name>, limited to …" (see `wording.describe_cohort`), with what follows."""
        if ", limited to" not in plain(text):
            return None
        for entry in sorted(self._entries, key=lambda entry: -len(entry.persona.name)):
            label = rf"(?<![\w-]){re.escape(plain(entry.persona.name))}, limited to(?!\w)"
            match = re.search(label, plain(text))
            if match is None:
                continue
            limiting = [m for m in described.mentions if m.start >= match.end() or m.end <= match.start()]
            return fit(entry, gather(text, limiting, self._words, self._book.terms), self._words, self._book.terms)
        return None

    def _implied(self, entry: Entry, facts: Facts, areas: set[str]) -> bool:
        """Was everything said that this archetype is? `areas` are those said and those that the restrictions imply."""
        limits = facts.limits
        for wanted, marks, restrictions in entry.ways:
            if wanted <= areas and marks <= facts.marks.keys() and all_entailed(limits, restrictions):
                return True
        if entry.persona.area == _GENERAL and facts.areas:
            return False
        if entry.distinct and (entry.persona.area in areas or entry.persona.area == _GENERAL):
            return covers(entry.named, areas, facts) and all_entailed(limits, entry.own)
        return entry.persona.area == _GENERAL and entry.persona.parent is None

    def _refuse_strangers(self, text: str, question: str, described: Description) -> None:
        """CohortNotCovered for "how would Martians react": nobody was understood, but somebody was named."""
        match = _REACTING.search(question)
        if match is None or described.mentions or set(match["who"].split()) & _POINTING:
            return
        raise self._not_covered(text[match.start("who") : match.end("who")])

    def _refuse_bare_conditions(self, choice: Choice, facts: Facts, described: Description) -> None:
        """CohortNotCovered for "adults with heart failure": the healthy many with one box ticked are not those patients."""
        persona = choice.entry.persona
        said = [m for m in described.mentions if m.kind is Kind.TERM and not m.negated and self._book.may_happen(m)]
        if persona.area != _GENERAL:
            self._refuse_mere_likeness(choice, facts, described, said)
            return
        if facts.areas:
            raise self._not_covered(described.asked(facts.text), frozenset(facts.areas))
        if any(facts.text[m.start : m.end] in choice.unplaced for m in said):
            raise self._not_covered(described.asked(facts.text))
        for mention in described.mentions:
            term = self._book.terms.get(mention.key) if mention.kind is Kind.TERM and not mention.negated else None
            items = mention.restrictions or (term.restrictions if term is not None else ())
            if term is None or not term.condition or all(item.attribute in persona.behaviours for item in items):
                continue
            words = facts.text[mention.start : mention.end]
            nearest = self._nearest(described.asked(facts.text), frozenset(), but=persona)
            raise CohortNotCovered(f"There is no archetype for {words} yet.", nearest)

    def _refuse_mere_likeness(self, choice: Choice, facts: Facts, described: Description, said: list[Mention]) -> None:
        """CohortNotCovered for "infants with heart failure": they share no illness with the archetype, only their age."""
        entry = choice.entry
        own = {item.attribute for item in entry.own} - set(entry.persona.demographics)
        shared = (
            any(item.item.attribute in own for item in facts.said)
            or bool(entry.areas & set(facts.areas))
            or bool(entry.marks & set(facts.marks))
            or any(m.kind is Kind.ARCHETYPE for m in described.mentions)
        )
        homeless = [*facts.areas.values(), *(facts.text[m.start : m.end] for m in said)]
        if not shared and any(words in choice.unplaced for words in homeless):
            raise self._not_covered(described.asked(facts.text), frozenset(facts.areas))

    def _not_covered(self, asked: str, areas: frozenset[str] = frozenset()) -> CohortNotCovered:
        return CohortNotCovered(f"No archetype covers '{asked}'.", self._nearest(asked, areas))

    def _nearest(self, asked: str, areas: frozenset[str], but: Persona | None = None) -> str:
        from rapidfuzz import fuzz

        young = entails(gather(asked, self._book.find(plain(asked)), self._words, self._book.terms).limits, UNDER_AGE)

        def likeness(entry: Entry) -> tuple[bool, bool, float]:
            alike = max(fuzz.token_set_ratio(plain(asked), plain(name)) for name in names_of(entry.persona))
            return entry.persona.area in areas, young and entails(entry.held, UNDER_AGE), alike

        others = [entry for entry in self._entries if entry.persona is not but]
        names = "; ".join(entry.persona.name for entry in sorted(others, key=likeness, reverse=True)[:_NEAREST])
        return f"The nearest there are: {names}." if names else ""


def _spec(choice: Choice, facts: Facts, unknown: list[str]) -> CohortSpec:
    label = describe_cohort(choice.entry.persona, choice.kept)
    return CohortSpec(
        persona_id=choice.entry.persona.id,
        restrictions=choice.kept,
        label=label,
        understood="; ".join((label, *choice.notes)),
        not_understood=tuple(dict.fromkeys((*unknown, *choice.unplaced))),
    )


_RESOLVERS: WeakKeyDictionary[PersonaLibrary, CohortResolver] = WeakKeyDictionary()
