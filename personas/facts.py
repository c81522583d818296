"""What a description says about a cohort, in terms of areas, restrictions and marks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from personas.lexicon import Lexicon, TermWords
from personas.mentions import Kind, Mention
from personas.restrictions import OPPOSITE
from personas.schemas import Restriction


@dataclass(frozen=True)
class Said:
    """A restriction and the words that said it.

    `area` is set when it is merely what the area's name means; `ordinary` when any archetype is taken to meet it.
    """

    item: Restriction
    words: str
    area: str = ""
    ordinary: bool = False


@dataclass
class Facts:
    """What was said.

    Attributes
    ----------
    text : the words that were read.
    areas : area → the words that said it.
    said : restrictions.
    marks : terms that only an archetype can fully be (rural, East Asian) → the words.
    unplaced : words that were understood and cannot be expressed ("without diabetes").
    notes : how words were read where they say less than was taken.
    """

    text: str = ""
    areas: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    condition: bool = False

    @property
    def limits(self) -> tuple[Restriction, ...]:
        """The restrictions alone."""
        return tuple(said.item for said in self.said)

    @property
    def distinctive(self) -> tuple[Restriction, ...]:
        """The restrictions that tell one archetype from another."""
        return tuple(said.item for said in self.said if not said.ordinary)

    @property
    def empty(self) -> bool:
        """True when nothing was said that describes a cohort."""
        return not (self.areas or self.said or self.marks)


def gather(text: str, mentions: Iterable[Mention], words: Lexicon, terms: dict[str, TermWords]) -> Facts:
    """Facts from the mentions of a description; `text` gives the words back as they were written.

    Archetypes said outright are left to the caller. InvalidInput for a value that no person can have.
    """
    facts = Facts(text)
    for mention in mentions:
        surface = text[mention.lead if mention.negated else mention.start : mention.end].strip()
        if mention.kind is Kind.AREA:
            _add_area(facts, mention, surface, words)
        elif mention.kind is Kind.TERM:
            _add_term(facts, mention, surface, words, terms[mention.key])
        elif mention.kind is Kind.UNREAD:
            facts.unplaced.append(surface)
        elif mention.quantity is not None:
            _add_quantity(facts, mention, surface, words)
    _drop_contrary_words(facts)
    return facts


def _add_area(facts: Facts, mention: Mention, surface: str, words: Lexicon) -> None:
    known = words.areas.get(mention.key)
    means = known.means if known else ()
    if mention.negated:
        if not means:
            facts.said.append(Said(Restriction(attribute=mention.key, operator="=", value="no"), surface))
        for item in means:
            opposite = item.model_copy(update={"operator": OPPOSITE[item.operator]})
            facts.said.append(Said(opposite, surface))
        return
    facts.areas.setdefault(mention.key, surface)
    if mention.restrictions:
        facts.said += [Said(item, surface) for item in mention.restrictions]
    else:
        facts.said += [Said(item, surface, area=mention.key) for item in means]
    if mention.assumed:
        note = f"'{surface}' read as {mention.key.replace('_', ' ')}"
        if note not in facts.notes:
            facts.notes.append(note)


def _add_term(facts: Facts, mention: Mention, surface: str, words: Lexicon, term: TermWords) -> None:
    facts.condition = facts.condition or term.condition
    if mention.negated:
        if not term.negated:
            facts.unplaced.append(surface)
        facts.said += [Said(item, surface) for item in term.negated]
        return
    for name in term.includes:
        if name in words.areas:
            facts.areas.setdefault(name, surface)
    restrictions = mention.restrictions or term.restrictions
    if term.exact or not restrictions:
        facts.marks.setdefault(mention.key, surface)
    facts.said += [Said(item, surface, ordinary=term.ordinary) for item in restrictions]


def _add_quantity(facts: Facts, mention: Mention, surface: str, words: Lexicon) -> None:
    quantity = mention.quantity
    if quantity is None:
        return
    if mention.negated and (len(quantity.comparisons) != 1 or mention.key == "duration"):
        facts.unplaced.append(surface)
        return
    if not quantity.comparisons:
        facts.unplaced.append(surface)
        return
    if mention.key != "duration":
        items = quantity.restrictions()
        if mention.negated:
            items = tuple(item.model_copy(update={"operator": OPPOSITE[item.operator]}) for item in items)
        facts.said += [Said(item, surface) for item in items]
        return
    lasting = [words.areas[area].duration for area in facts.areas if area in words.areas]
    for attribute in [name for name in lasting if name][:1]:
        for operator, value, _ in quantity.comparisons:
            facts.said.append(Said(Restriction(attribute=attribute, operator=operator, value=value), surface))


def _drop_contrary_words(facts: Facts) -> None:
    """'Men and women' is everybody; 'Black and Hispanic' is a cohort that one restriction cannot express."""
    levels: dict[str, set[str]] = {}
    for said in facts.said:
        if isinstance(said.item.value, str) and said.item.value not in ("yes", "no"):
            levels.setdefault(said.item.attribute, set()).add(said.item.value)
    contrary = {attribute for attribute, values in levels.items() if len(values) > 1}
    if not contrary:
        return
    facts.unplaced += [said.words for said in facts.said if said.item.attribute in contrary - {"sex"}]
    facts.said = [said for said in facts.said if said.item.attribute not in contrary]
