"""From a question to a cohort, by rules.

The words that describe people are read (`description`), and the archetype is chosen that fits them best: one whose
name, synonym or restrictions are all implied by what was said. What it does not imply itself becomes a restriction, and
what nobody can place is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from knowledge.errors import CohortNotCovered, EmptyCohort
from personas.description import Description, describe, leftover_words
from personas.facts import Facts, Said, gather
from personas.lexicon import lexicon
from personas.library import PersonaLibrary
from personas.margins import DISCRETE, level_shares, support
from personas.mentions import Kind, PhraseBook, plain
from personas.restrictions import YES_NO_LEVELS, Bounds, definition_of, entails, intersect, parse_restrictions
from personas.schemas import CohortSpec, Distribution, Persona, Restriction
from personas.wording import describe_cohort, describe_restrictions

_GENERAL = "general"
_NEAREST = 3
_REACTING = re.compile(
    r"\b(?:would|will|do|does|did|can|could|might|should)\s+(?P<who>[\w-]+(?:\s+[\w-]+){0,4}?)\s+"
    r"(?:react|respond|tolerate|cope)\b"
)
_POINTING = frozenset(
    ("they", "we", "i", "you", "he", "she", "it", "this", "that", "one", "these", "those", "the", "my", "our")
)


@dataclass(frozen=True)
class _Entry:
    """An archetype with everything that choosing needs.

    `told` is what each understood name or synonym says, `named` its name alone; `held` the restrictions that all of its members meet, by
    `own` or because its margins go no further; `distinct` is True when it restricts more than its parent does.
    """

    persona: Persona
    own: tuple[Restriction, ...]
    held: tuple[Restriction, ...]
    told: tuple[Facts, ...]
    named: Facts
    distinct: bool
    depth: int

    @property
    def areas(self) -> frozenset[str]:
        """The areas it belongs to by its file or by one of its names."""
        return frozenset({self.persona.area, *(area for told in self.told for area in told.areas)})

    @property
    def marks(self) -> frozenset[str]:
        """The marks it bears."""
        return frozenset(mark for told in self.told for mark in told.marks)


@dataclass(frozen=True)
class _Choice:
    """An archetype for what was said.

    `kept` are the restrictions it does not imply itself, `unplaced` the words it has no place for, `notes` what the
    reader should know; the lowest `rank` fits best.
    """

    entry: _Entry
    kept: tuple[Restriction, ...]
    unplaced: tuple[str, ...]
    notes: tuple[str, ...]
    rank: tuple[int, int, int, int, str]


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
        outright = {
            persona.id: [name for name in _names(persona) if leftover_words(plain(name), self._book)]
            for persona in personas
        }
        self._entries = [self._entry(persona, outright[persona.id], library) for persona in personas]
        self._by_id = {entry.persona.id: entry for entry in self._entries}
        for entry in self._entries:
            self._book.add_archetype(entry.persona, (*outright[entry.persona.id], *self._only_outright(entry)))

    def resolve(self, text: str) -> CohortSpec | None:
        """See `resolve_cohort`."""
        question = plain(text)
        described = describe(question, self._book)
        asked = described.asked(text)
        facts, named = self._read(text, described)
        beyond = [m for m in described.mentions if m.kind is Kind.NOT_COVERED and not m.negated]
        if any(m.kind is Kind.NEVER_COVERED and not m.negated for m in described.mentions):
            raise self._not_covered(asked)
        if (described.unknown or beyond) and not (facts.areas or facts.condition):
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
        return _spec(choice, facts, unknown)

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """See `cohort_spans`."""
        described = describe(plain(text), self._book)
        merged: list[tuple[int, int]] = []
        for start, end in sorted((m.lead if m.negated else m.start, m.end) for m in described.mentions):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return tuple(merged)

    def _entry(self, persona: Persona, outright: list[str], library: PersonaLibrary) -> _Entry:
        own = parse_restrictions(persona.restrictions)
        inherited = library.get(persona.parent).restrictions if persona.parent else ()
        understood = [name for name in _names(persona) if name not in outright]
        return _Entry(
            persona=persona,
            own=own,
            held=(*own, *_limits_of_margins(persona)),
            told=tuple(self._facts_of(name) for name in understood),
            named=self._facts_of(persona.name),
            distinct=bool(set(persona.restrictions) - set(inherited)) and persona.name in understood,
            depth=len(library.ancestors(persona.id)),
        )

    def _only_outright(self, entry: _Entry) -> list[str]:
        """Names that are understood, but whose parts alone would lead elsewhere."""
        names = []
        for told in entry.told:
            choice = self._choose(told, frozenset())
            if choice is None or choice.entry is not entry:
                names.append(told.text)
        return names

    def _facts_of(self, name: str) -> Facts:
        return gather(name, self._book.find(plain(name)), self._words, self._book.terms)

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

    def _choose(self, facts: Facts, named: frozenset[str]) -> _Choice | None:
        implied = [entry for entry in self._entries if entry.persona.id in named or self._implied(entry, facts)]
        choices = [choice for choice in (self._fit(entry, facts) for entry in implied) if choice is not None]
        return min(choices, key=lambda choice: choice.rank) if choices else None

    def _labelled(self, text: str, described: Description) -> _Choice | None:
        """The archetype of a label, "<its name>, limited to …" (see `wording.describe_cohort`), with what follows."""
        for entry in sorted(self._entries, key=lambda entry: -len(entry.persona.name)):
            label = rf"(?<![\w-]){re.escape(plain(entry.persona.name))}, limited to(?!\w)"
            match = re.search(label, plain(text))
            if match is None:
                continue
            limiting = [m for m in described.mentions if m.start >= match.end() or m.end <= match.start()]
            return self._fit(entry, gather(text, limiting, self._words, self._book.terms))
        return None

    def _implied(self, entry: _Entry, facts: Facts) -> bool:
        """Was everything said that this archetype is?"""
        limits = facts.limits
        discussed = {said.item.attribute for said in facts.said if not said.ordinary}
        if any(item.attribute in discussed and not entails(limits, item) for item in entry.own):
            return False
        areas = set(facts.areas)
        areas |= {name for name, words in self._words.areas.items() if words.means and _all(limits, words.means)}
        for told in entry.told:
            if told.empty or told.unplaced:
                continue
            if _covers(told, areas, facts) and _all(limits, told.distinctive):
                return True
        if entry.persona.area == _GENERAL and facts.areas:
            return False
        if entry.distinct and (entry.persona.area in areas or entry.persona.area == _GENERAL):
            return _covers(entry.named, areas, facts) and _all(limits, entry.own)
        return entry.persona.area == _GENERAL and entry.persona.parent is None

    def _fit(self, entry: _Entry, facts: Facts) -> _Choice | None:
        """The archetype with what it does not imply itself; None when nobody in it is meant."""
        persona = entry.persona
        if any(said.item.attribute in entry.areas and said.item.value == "no" for said in facts.said):
            return None
        kept: list[Restriction] = []
        unplaced, notes = list(facts.unplaced), list(facts.notes)
        for said in facts.said:
            if said.area in entry.areas or (said.ordinary and entails(entry.held, said.item)):
                continue
            if _has_place(persona, said.item):
                kept.append(said.item)
            elif not any(facts.marks.get(mark) == said.words for mark in entry.marks):
                unplaced.append(said.words)
        kept = _not_implied(kept, entry.held)
        try:
            intersect((*entry.held, *kept))
        except EmptyCohort:
            return None
        for area, words in facts.areas.items():
            means = self._words.areas[area].means if area in self._words.areas else ()
            if area not in entry.areas and not (means and all(_has_place(persona, item) for item in means)):
                unplaced.append(words)
        approximated = 0
        for mark, words in facts.marks.items():
            if mark in entry.marks:
                continue
            stand_ins = [said.item for said in facts.said if said.words == words and _has_place(persona, said.item)]
            if stand_ins:
                approximated += 1
                notes.append(f"'{words}' only as {describe_restrictions(stand_ins)}")
            else:
                unplaced.append(words)
        notes += _younger_than_archetype(persona, facts)
        met = len(set(entry.own)) + len(entry.areas & set(facts.areas)) + len(entry.marks & set(facts.marks))
        order = list(self._words.areas)
        priority = order.index(persona.area) if persona.area in order else len(order)
        unplaced = list(dict.fromkeys(unplaced))
        rank = (len(unplaced) + approximated, -met, priority, -entry.depth, persona.id)
        return _Choice(entry, tuple(kept), tuple(unplaced), tuple(dict.fromkeys(notes)), rank)

    def _refuse_strangers(self, text: str, question: str, described: Description) -> None:
        """CohortNotCovered for "how would Martians react": nobody was understood, but somebody was named."""
        match = _REACTING.search(question)
        if match is None or described.mentions or set(match["who"].split()) & _POINTING:
            return
        raise self._not_covered(text[match.start("who") : match.end("who")])

    def _refuse_bare_conditions(self, choice: _Choice, facts: Facts, described: Description) -> None:
        """CohortNotCovered for "adults with heart failure": the healthy many with one box ticked are not those patients."""
        persona = choice.entry.persona
        if persona.area != _GENERAL or facts.areas:
            return
        for mention in described.mentions:
            term = self._book.terms.get(mention.key) if mention.kind is Kind.TERM and not mention.negated else None
            items = mention.restrictions or (term.restrictions if term is not None else ())
            if term is None or not term.condition or all(item.attribute in persona.behaviours for item in items):
                continue
            words = facts.text[mention.start : mention.end]
            nearest = self._nearest(described.asked(facts.text), frozenset(), but=persona)
            raise CohortNotCovered(f"There is no archetype for {words} yet.", nearest)

    def _not_covered(self, asked: str, areas: frozenset[str] = frozenset()) -> CohortNotCovered:
        return CohortNotCovered(f"No archetype covers '{asked}'.", self._nearest(asked, areas))

    def _nearest(self, asked: str, areas: frozenset[str], but: Persona | None = None) -> str:
        from rapidfuzz import fuzz

        def likeness(persona: Persona) -> tuple[bool, float]:
            alike = max(fuzz.token_set_ratio(plain(asked), plain(name)) for name in _names(persona))
            return persona.area in areas, alike

        others = [entry.persona for entry in self._entries if entry.persona is not but]
        names = "; ".join(persona.name for persona in sorted(others, key=likeness, reverse=True)[:_NEAREST])
        return f"The nearest there are: {names}." if names else ""


def _spec(choice: _Choice, facts: Facts, unknown: list[str]) -> CohortSpec:
    label = describe_cohort(choice.entry.persona, choice.kept)
    return CohortSpec(
        persona_id=choice.entry.persona.id,
        restrictions=choice.kept,
        label=label,
        understood="; ".join((label, *choice.notes)),
        not_understood=tuple(dict.fromkeys((*unknown, *choice.unplaced))),
    )


def _names(persona: Persona) -> tuple[str, ...]:
    return (persona.name, *persona.synonyms)


def _covers(told: Facts, areas: set[str], facts: Facts) -> bool:
    """Was every area and mark of a name said?"""
    return set(told.areas) <= areas and set(told.marks) <= set(facts.marks)


def _all(limits: tuple[Restriction, ...], wanted: tuple[Restriction, ...]) -> bool:
    return all(entails(limits, item) for item in wanted)


def _has_place(persona: Persona, item: Restriction) -> bool:
    """Has the archetype the attribute, and the level, that the restriction is about?"""
    attributes = persona.attributes
    if item.attribute not in attributes:
        return definition_of(item.attribute, attributes) is not None
    attribute = attributes[item.attribute]
    if attribute.distribution in (Distribution.CATEGORICAL, Distribution.ORDINAL):
        return item.value in (attribute.levels or {})
    return True


def _not_implied(said: list[Restriction], held: tuple[Restriction, ...]) -> list[Restriction]:
    """The tightest of `said`, without the attributes on which the archetype is as tight already."""
    needed = {item.attribute for item in said if not entails(held, item)}
    tightest: list[Restriction] = []
    for attribute, left in intersect(item for item in said if item.attribute in needed).items():
        if isinstance(left, Bounds):
            tightest += [item for item in (left.lower_by, left.upper_by) if item is not None]
        else:
            tightest.append(next(item for item in said if item.attribute == attribute))
    return list(dict.fromkeys(tightest))


def _limits_of_margins(persona: Persona) -> tuple[Restriction, ...]:
    """Restrictions that hold of everybody because the margins go no further."""
    found: list[Restriction] = []
    for name, attribute in persona.attributes.items():
        if attribute.distribution in DISCRETE:
            bernoulli = attribute.distribution is Distribution.BERNOULLI
            levels = YES_NO_LEVELS if bernoulli else tuple(attribute.levels or ())
            present = [level for level, share in zip(levels, level_shares(attribute), strict=True) if share > 0]
            found += [Restriction(attribute=name, operator="=", value=present[0])] if len(present) == 1 else []
        elif attribute.distribution in (Distribution.TRUNCATED_NORMAL, Distribution.UNIFORM):
            lower, upper = support(attribute)
            found.append(Restriction(attribute=name, operator=">=", value=lower))
            found.append(Restriction(attribute=name, operator="<=", value=upper))
    return tuple(found)


def _younger_than_archetype(persona: Persona, facts: Facts) -> list[str]:
    """A note when ages were asked for that the archetype does not have."""
    asked = intersect(said.item for said in facts.said if said.item.attribute == "age" and not said.ordinary).get("age")
    held = intersect(item for item in _limits_of_margins(persona) if item.attribute == "age").get("age")
    if not isinstance(asked, Bounds) or not isinstance(held, Bounds) or asked.lower_by is None:
        return []
    return [f"the archetype begins at age {held.lower:g}"] if asked.lower < held.lower else []


_RESOLVERS: WeakKeyDictionary[PersonaLibrary, CohortResolver] = WeakKeyDictionary()
