"""What a description says about a cohort, in terms of areas, restrictions and marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from personas.lexicon import Lexicon, TermWords
from personas.mentions import Kind, Mention
from personas.restrictions import OPPOSITE, Bounds, entails, intersect
from personas.schemas import Restriction

UNDER_AGE = Restriction(attribute="age", operator="<", value=18)
_LISTED = re.compile(r"\b(?:and|or|vs|versus|plus|to|than|compared)\b|[,/&;+]")


@dataclass(frozen=True)
class Said:
    """A restriction and the words that said it.

    `area` is set when it is merely what the area's name means; `ordinary` when any archetype is taken to meet it;
    `instead` holds other restrictions for an archetype without the attribute; `told` is True when they say less, so
    that the reader is told.
    """

    item: Restriction
    words: str
    area: str = ""
    ordinary: bool = False
    instead: tuple[Restriction, ...] = ()
    told: bool = False


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
    assumed : area → words that were read as this area although they say less ("diabetes" as type 2).
    condition : an illness or risk was said.
    youngest : the age from which people were named who are no one range ("children and adults"), in years.
    """

    text: str = ""
    areas: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    assumed: dict[str, str] = field(default_factory=dict)
    condition: bool = False
    youngest: float | None = None

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


def gather(text: str, mentions: Sequence[Mention], words: Lexicon, terms: dict[str, TermWords]) -> Facts:
    """Facts from the mentions of a description; `text` gives the words back as they were written.

    Archetypes said outright are left to the caller. InvalidInput for a value that no person can have.
    """
    facts = Facts(text)
    bound: dict[str, tuple[str, ...]] = {}
    for mention in mentions:
        surface = text[mention.lead if mention.negated else mention.start : mention.end].strip()
        if mention.kind is Kind.AREA:
            _add_area(facts, mention, surface, words)
        elif mention.kind is Kind.TERM:
            _add_term(facts, mention, surface, words, terms)
            if terms[mention.key].only_with and not mention.negated:
                bound[surface] = terms[mention.key].only_with
        elif mention.kind is Kind.UNREAD:
            facts.unplaced.append(surface)
        elif mention.quantity is not None:
            _add_quantity(facts, mention, surface, words)
    _drop_what_needs_another_area(facts, bound)
    _drop_measures_of_adults(facts, {text[m.start : m.end] for m in mentions if _of_adults(m, terms)})
    joined = _joined_people(text, mentions, terms)
    _join_ages(facts, [text[m.start : m.end] for m in mentions if m.kind is Kind.TERM and terms[m.key].people], joined)
    _drop_contrary_words(facts, joined)
    return facts


def _add_area(facts: Facts, mention: Mention, surface: str, words: Lexicon) -> None:
    known = words.areas.get(mention.key)
    means = known.means if known else ()
    if mention.negated:
        if means:
            facts.said += [Said(_opposite(item), surface) for item in means]
            return
        held = tuple(_opposite(item) for item in words.ways_to_hold(mention.key) if item.value in ("yes", "no"))
        first = Restriction(attribute=mention.key, operator="=", value="no")
        facts.said.append(Said(first, surface, instead=held))
        return
    facts.areas.setdefault(mention.key, surface)
    if mention.restrictions:
        facts.said += [Said(item, surface) for item in mention.restrictions]
    else:
        facts.said += [Said(item, surface, area=mention.key) for item in means]
    if mention.assumed:
        facts.assumed.setdefault(mention.key, surface)


def _add_term(facts: Facts, mention: Mention, surface: str, words: Lexicon, terms: dict[str, TermWords]) -> None:
    term = terms[mention.key]
    facts.condition = facts.condition or term.condition
    if mention.negated:
        if not term.negated and not term.must:  # nobody is pregnant in a cohort that is not of pregnant women
            facts.unplaced.append(surface)
        facts.said += [Said(item, surface) for item in term.negated]
        return
    for name in term.includes:
        if name in words.areas:
            facts.areas.setdefault(name, surface)
        else:
            _say(facts, name, terms[name].restrictions, surface, terms[name])
    _say(facts, mention.key, mention.restrictions or term.restrictions, surface, term)


def _say(facts: Facts, name: str, items: tuple[Restriction, ...], surface: str, term: TermWords) -> None:
    if term.exact or term.must or not items:
        facts.marks.setdefault(name, surface)
    known = {(said.item, said.words) for said in facts.said}
    facts.said += [
        Said(item, surface, ordinary=term.ordinary, instead=term.instead, told=bool(term.instead))
        for item in items
        if (item, surface) not in known
    ]


def _opposite(item: Restriction) -> Restriction:
    """What those who do not meet the restriction meet; its value is a number, or yes or no."""
    if item.operator == "=":
        return item.model_copy(update={"value": "no" if item.value == "yes" else "yes"})
    return item.model_copy(update={"operator": OPPOSITE[item.operator]})


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
            items = tuple(_opposite(item) for item in items)
        facts.said += [Said(item, surface) for item in items]
        return
    lasting = [words.areas[area].duration for area in facts.areas if area in words.areas]
    for attribute in [name for name in lasting if name][:1]:
        for operator, value, _ in quantity.comparisons:
            facts.said.append(Said(Restriction(attribute=attribute, operator=operator, value=value), surface))


def _drop_what_needs_another_area(facts: Facts, bound: dict[str, tuple[str, ...]]) -> None:
    """'Poorly controlled' is an HbA1c in diabetes; elsewhere nobody knows what is not controlled."""
    for surface, areas in bound.items():
        if not set(areas) & set(facts.areas):
            facts.said = [said for said in facts.said if said.words != surface]
            facts.unplaced.append(surface)


def _of_adults(mention: Mention, terms: dict[str, TermWords]) -> bool:
    return mention.kind is Kind.TERM and terms[mention.key].adults_only


def _drop_measures_of_adults(facts: Facts, words: set[str]) -> None:
    """'Overweight' is a BMI of 25 in adults; in children it depends on age and sex, and no restriction says it."""
    if not words or not entails(facts.limits, UNDER_AGE):
        return
    facts.unplaced += [said.words for said in facts.said if said.words in words]
    facts.said = [said for said in facts.said if said.words not in words]


def _joined_people(text: str, mentions: Sequence[Mention], terms: dict[str, TermWords]) -> frozenset[str]:
    """Words for people that stand beside each other in a list: both groups are meant, and not who is in both."""
    people = [m for m in mentions if m.kind is Kind.TERM and not m.negated and terms[m.key].people]
    pairs = [pair for pair in pairwise(people) if _LISTED.search(text[pair[0].end : pair[1].start])]
    return frozenset(text[mention.start : mention.end] for pair in pairs for mention in pair)


def _join_ages(facts: Facts, people: list[str], joined: frozenset[str]) -> None:
    """'Adolescents and adults' are all from the youngest of the one to the oldest of the other.

    'Toddlers and pensioners' are no one range: nobody can place them. Groups that are not in a list stay as they are,
    a contradiction when nobody is in both.
    """
    groups = [
        [said for said in facts.said if said.words == words and said.item.attribute == "age"]
        for words in dict.fromkeys(people)
        if words in joined
    ]
    ranges = sorted(((group, _ages_of(group)) for group in groups if group), key=lambda found: found[1].lower)
    apart = any(one.upper <= other.lower for _, one in ranges for _, other in ranges)
    if not apart:
        return
    facts.youngest = max(0.0, ranges[0][1].lower)
    listed = [said for group, _ in ranges for said in group]
    reached = ranges[0][1].upper
    for _, ages in ranges[1:]:
        if ages.lower > reached:
            facts.unplaced += [said.words for said in listed]
            facts.said = [said for said in facts.said if said not in listed]
            return
        reached = max(reached, ages.upper)
    last = max(ranges, key=lambda found: found[1].upper)[1].upper_by
    kept = {item for item in (ranges[0][1].lower_by, last) if item is not None}
    facts.said = [said for said in facts.said if said not in listed or said.item in kept]


def _ages_of(group: list[Said]) -> Bounds:
    left = intersect(said.item for said in group)["age"]
    return left if isinstance(left, Bounds) else Bounds()


def _drop_contrary_words(facts: Facts, joined: frozenset[str]) -> None:
    """'Men and women' is everybody; 'Black and Hispanic' is a cohort that one restriction cannot express.

    'Male women' stays: nobody is both.
    """
    levels: dict[str, set[str]] = {}
    for said in facts.said:
        if isinstance(said.item.value, str) and said.item.operator == "=" and said.item.value not in ("yes", "no"):
            levels.setdefault(said.item.attribute, set()).add(said.item.value)
    contrary = {attribute for attribute, values in levels.items() if len(values) > 1}
    if not any(said.words in joined for said in facts.said if said.item.attribute == "sex"):
        contrary -= {"sex"}
    if not contrary:
        return
    facts.unplaced += [said.words for said in facts.said if said.item.attribute in contrary - {"sex"}]
    facts.said = [said for said in facts.said if said.item.attribute not in contrary]
