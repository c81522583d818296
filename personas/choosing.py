"""How well an archetype fits what was said: what it implies, what becomes a restriction, what has no place in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from knowledge.errors import EmptyCohort
from personas.entries import Entry, first_with_place, has_place, limits_of_margins
from personas.facts import Facts
from personas.lexicon import Lexicon, TermWords
from personas.restrictions import Bounds, entails, intersect
from personas.schemas import Restriction
from personas.wording import describe_restrictions

_OF_AGE = 18.0  # years
_ADULT = Restriction(attribute="age", operator=">=", value=_OF_AGE)


@dataclass(frozen=True)
class Choice:
    """An archetype for what was said.

    `kept` are the restrictions it does not imply itself, `unplaced` the words it has no place for, `notes` what the
    reader should know; the lowest `rank` fits best.
    """

    entry: Entry
    kept: tuple[Restriction, ...]
    unplaced: tuple[str, ...]
    notes: tuple[str, ...]
    rank: tuple[float, ...]


def fit(entry: Entry, facts: Facts, words: Lexicon, terms: dict[str, TermWords]) -> Choice | None:
    """The archetype with what it does not imply itself; None when nobody, or the lesser part of them, is meant."""
    if any(said.item.attribute in entry.areas and said.item.value == "no" for said in facts.said):
        return None
    if any(terms[mark].must for mark in facts.marks if mark not in entry.marks):
        return None
    if _mostly_other_ages(entry, facts):
        return None
    kept, unplaced, notes = _restrictions(entry, facts)
    notes += [_assumption(words, area, said) for area, said in facts.assumed.items() if area in entry.areas]
    of_areas, homeless, remarks = _other_areas(entry, facts, words)
    kept, unplaced, notes = [*kept, *of_areas], [*facts.unplaced, *unplaced, *homeless], [*notes, *remarks]
    kept = _not_implied(kept, entry.held)
    try:
        intersect((*entry.held, *kept))
    except EmptyCohort:
        return None
    approximated = 0
    for mark, surface in facts.marks.items():
        if mark in entry.marks:
            continue
        said_so = [said.item for said in facts.said if said.words == surface]
        stand_ins = [item for item in said_so if has_place(entry.persona, item)]
        if stand_ins:
            approximated += 1
            notes.append(f"'{surface}' only as {describe_restrictions(stand_ins)}")
        else:
            unplaced.append(surface)
    notes += _younger_than_archetype(entry, facts)
    narrower = _narrower(entry, facts)
    if narrower:
        approximated += 1
        notes.append(f"the archetype is limited to {describe_restrictions(narrower)}")
    unplaced = list(dict.fromkeys(unplaced))
    misfits = float(len(unplaced) + approximated)
    return Choice(
        entry, tuple(kept), tuple(unplaced), tuple(dict.fromkeys(notes)), (misfits, *_merits(entry, facts, words))
    )


def covers(told: Facts, areas: set[str], facts: Facts) -> bool:
    """Was every area and mark of a name said?"""
    return set(told.areas) <= areas and set(told.marks) <= set(facts.marks)


def all_entailed(limits: tuple[Restriction, ...], wanted: tuple[Restriction, ...]) -> bool:
    """Does everybody who meets `limits` meet all of `wanted`?"""
    return all(entails(limits, item) for item in wanted)


def _restrictions(entry: Entry, facts: Facts) -> tuple[list[Restriction], list[str], list[str]]:
    """What was said that the archetype has a place for, the words of the rest, and notes."""
    kept: list[Restriction] = []
    unplaced: list[str] = []
    notes: list[str] = []
    for said in facts.said:
        if said.area in entry.areas or (said.ordinary and entails(entry.held, said.item)):
            continue
        placed = first_with_place(entry.persona, (said.item, *said.instead))
        if placed is not None:
            kept.append(placed)
            if placed != said.item and said.told:
                notes.append(f"'{said.words}' only as {describe_restrictions([placed])}")
        elif said.item in entry.said_by_names:
            continue
        elif not any(facts.marks.get(mark) == said.words for mark in entry.marks):
            unplaced.append(said.words)
    return kept, unplaced, notes


def _other_areas(entry: Entry, facts: Facts, words: Lexicon) -> tuple[list[Restriction], list[str], list[str]]:
    """The areas it does not belong to: as what it holds of them, the words of those it holds nothing of, and notes."""
    kept: list[Restriction] = []
    unplaced: list[str] = []
    notes: list[str] = []
    for area, surface in facts.areas.items():
        if area in entry.areas:
            continue
        ways = words.ways_to_hold(area)
        placed = first_with_place(entry.persona, ways)
        if placed is None:
            unplaced.append(surface)
            continue
        kept.append(placed)
        if placed != ways[0] and area not in facts.assumed:
            notes.append(f"'{surface}' only as {describe_restrictions([placed])}")
        elif placed == ways[0] and area in facts.assumed:
            notes.append(_assumption(words, area, facts.assumed[area]))
    return kept, unplaced, notes


def _merits(entry: Entry, facts: Facts, words: Lexicon) -> tuple[float, ...]:
    """What decides between archetypes that fit equally well; lower is better."""
    met = len(set(entry.own)) + len(entry.areas & set(facts.areas)) + len(entry.marks & set(facts.marks))
    order = list(words.areas)
    area = entry.persona.area
    priority = order.index(area) if area in order else len(order)
    return _headline(entry, facts), -met, priority, -entry.depth


def _mostly_other_ages(entry: Entry, facts: Facts) -> bool:
    """Are most of the years of age that were said years nobody in the archetype has?

    Of children with obesity, most are younger than the adolescents there are.
    """
    asked = intersect(item for item in (*facts.limits, *_adult(facts)) if item.attribute == "age").get("age")
    held = intersect(item for item in entry.held if item.attribute == "age").get("age")
    if not isinstance(asked, Bounds) or not isinstance(held, Bounds) or asked.upper == math.inf:
        return False
    if {asked.lower_by, asked.upper_by} <= entry.said_by_names:
        return False  # "young adults who vape" are whom its own name means
    youngest = max(asked.lower, 0.0)
    shared = min(asked.upper, held.upper) - max(youngest, held.lower)
    return shared < (asked.upper - youngest) / 2


def _narrower(entry: Entry, facts: Facts) -> list[Restriction]:
    """What the archetype is limited to where something else was said of the same attribute."""
    discussed = {said.item.attribute for said in facts.said if not said.ordinary}
    return [i for i in entry.own if i.attribute in discussed and not entails((*facts.limits, *_adult(facts)), i)]


def _adult(facts: Facts) -> tuple[Restriction, ...]:
    """People are adults where no age says otherwise, or only an upper one that adults can meet."""
    left = intersect(item for item in facts.limits if item.attribute == "age").get("age", Bounds())
    return (_ADULT,) if isinstance(left, Bounds) and left.upper > _OF_AGE and left.lower_by is None else ()


def _assumption(words: Lexicon, area: str, said: str) -> str:
    return f"'{said}' read as {words.name_of_area(area)}"


def _headline(entry: Entry, facts: Facts) -> float:
    """Where in the text the first word stands that makes people members: who is named first is who they are."""
    own = {item.attribute for item in entry.own} - set(entry.persona.demographics)
    words = [said for area, said in facts.areas.items() if area in entry.areas]
    words += [said for mark, said in facts.marks.items() if mark in entry.marks]
    words += [said.words for said in facts.said if said.item.attribute in own]
    return min((float(facts.text.find(said)) for said in words), default=float("inf"))


def _not_implied(said: list[Restriction], held: tuple[Restriction, ...]) -> list[Restriction]:
    """The tightest of `said`, without the attributes on which the archetype is as tight already."""
    needed = {item.attribute for item in said if not entails(held, _in_completed_years(item))}
    tightest = [item for item in said if isinstance(item.value, str) and item.operator != "=" and item not in held]
    for attribute, left in intersect(item for item in said if item.attribute in needed).items():
        if isinstance(left, Bounds):
            tightest += [item for item in (left.lower_by, left.upper_by) if item is not None]
        else:
            tightest.append(next(item for item in said if item.attribute == attribute))
    return list(dict.fromkeys(tightest))


def _in_completed_years(item: Restriction) -> Restriction:
    """'Aged 5 to 17' goes on until the eighteenth birthday."""
    if item.attribute == "age" and item.operator == "<=" and isinstance(item.value, float) and item.value.is_integer():
        return item.model_copy(update={"operator": "<", "value": item.value + 1})
    return item


def _younger_than_archetype(entry: Entry, facts: Facts) -> list[str]:
    """A note when ages were asked for that the archetype does not have."""
    asked = intersect(said.item for said in facts.said if said.item.attribute == "age" and not said.ordinary).get("age")
    held = intersect(item for item in limits_of_margins(entry.persona) if item.attribute == "age").get("age")
    said = asked.lower if isinstance(asked, Bounds) and asked.lower_by is not None else facts.youngest
    if not isinstance(held, Bounds) or said is None:
        return []
    return [f"the archetype begins at age {held.lower:g}"] if said < held.lower else []
