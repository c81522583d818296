"""An archetype with everything that choosing it needs: what its names say, what holds of all of its members."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from personas.facts import Facts
from personas.margins import DISCRETE, level_shares, support
from personas.restrictions import YES_NO_LEVELS, definition_of
from personas.schemas import Distribution, Persona, Restriction


@dataclass(frozen=True)
class Entry:
    """An archetype with everything that choosing needs.

    `told` is what each understood name or synonym says, `named` its name alone; `outright` are the names that are not
    understood and say the archetype only as a whole; `placed` are the marks that its geography gives it; `distinct` is
    True when it restricts more than its parent does.
    """

    persona: Persona
    own: tuple[Restriction, ...]
    told: tuple[Facts, ...]
    named: Facts
    outright: frozenset[str]
    placed: frozenset[str]
    distinct: bool
    depth: int

    @cached_property
    def held(self) -> tuple[Restriction, ...]:
        """The restrictions that all of its members meet, by `own` or because its margins go no further."""
        return (*self.own, *limits_of_margins(self.persona))

    @cached_property
    def areas(self) -> frozenset[str]:
        """The areas it belongs to by its file or by one of its names."""
        return frozenset({self.persona.area, *(area for told in self.told for area in told.areas)})

    @cached_property
    def marks(self) -> frozenset[str]:
        """The marks it bears."""
        return self.placed | {mark for told in self.told for mark in told.marks}

    @cached_property
    def said_by_names(self) -> frozenset[Restriction]:
        """What its names say of its members, whether or not it has an attribute for it."""
        return frozenset(said.item for told in self.told for said in told.said)

    @cached_property
    def ways(self) -> frozenset[tuple[frozenset[str], frozenset[str], tuple[Restriction, ...]]]:
        """What each understood name wants said: areas, marks and restrictions."""
        wanted = (told for told in self.told if not told.empty and not told.unplaced)
        return frozenset((frozenset(t.areas), frozenset(t.marks), t.distinctive) for t in wanted)


def names_of(persona: Persona) -> tuple[str, ...]:
    """Its name and its synonyms."""
    return (persona.name, *persona.synonyms)


def limits_of_margins(persona: Persona) -> tuple[Restriction, ...]:
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


def first_with_place(persona: Persona, items: Iterable[Restriction]) -> Restriction | None:
    """The first restriction on something that the archetype has; None when it has none of it."""
    return next((item for item in items if has_place(persona, item)), None)


def has_place(persona: Persona, item: Restriction) -> bool:
    """Has the archetype the attribute, and the level, that the restriction is about?"""
    attributes = persona.attributes
    if item.attribute not in attributes:
        return definition_of(item.attribute, attributes) is not None
    attribute = attributes[item.attribute]
    if attribute.distribution in (Distribution.CATEGORICAL, Distribution.ORDINAL):
        return item.value in (attribute.levels or {})
    return True
