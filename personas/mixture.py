"""Mixtures: a population made of several archetypes, each with its share.

Restrictions put on a mixture change the shares: of adults 75 and over, more come from the older archetype. By Bayes'
rule each part counts with its weight times the share of it that meets the restrictions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import EmptyCohort, InvalidInput
from personas.drawing import Column, column_kind
from personas.library import PersonaLibrary
from personas.restrictions import LEVELLED, bounds_of, check_consistent, parse_restrictions
from personas.sampling import PersonaSampler, prevalence_of, refuse_nearly_empty
from personas.schemas import Attribute, Distribution, Persona, Restriction

SECTIONS = ("demographics", "biomarkers", "comorbidities", "behaviours")
MIXED_AREA = "mixed"
# A part that is less of the restricted mixture than this is left out of the draws.
_NEGLIGIBLE = 1e-9

Weighted = tuple[Persona, float]


@dataclass(frozen=True)
class MixtureSampler:
    """Several archetypes under the same restrictions.

    Attributes
    ----------
    parts : a sampler for each archetype that has members left.
    shares : their shares of the restricted mixture, summing to 1.
    persona_ids : their names.
    common : the attributes all archetypes have, with the union of their levels.
    left_out : attributes that some have and others have not; they are not drawn.
    prevalence : share (0–1) of the unrestricted mixture that meets the restrictions.
    """

    parts: tuple[PersonaSampler, ...]
    shares: tuple[float, ...]
    persona_ids: tuple[str, ...]
    common: Mapping[str, Attribute]
    left_out: tuple[str, ...]
    prevalence: float

    @staticmethod
    def of(parts: Sequence[Weighted], restrictions: Sequence[Restriction]) -> MixtureSampler:
        """Prepare a mixture of archetypes with weights above 0; the weights are divided by their sum.

        Raises
        ------
        InvalidInput : archetypes that hold an attribute in different ways; a restriction on what one of them has not.
        EmptyCohort : restrictions that exclude each other, or that fewer than 1 in 100,000 of the mixture meet.
        """
        common, left_out = common_attributes([persona for persona, _ in parts])
        _refuse_uncommon(restrictions, common, left_out)
        check_consistent(restrictions)
        total = sum(weight for _, weight in parts)
        weights = [weight / total for _, weight in parts]

        def joint(wanted: Sequence[Restriction]) -> list[float]:
            return [weight * _share(persona, wanted) for (persona, _), weight in zip(parts, weights, strict=True)]

        joints = joint(restrictions)
        prevalence = min(1.0, sum(joints))
        name = " and ".join(persona.name for persona, _ in parts)
        if not prevalence:
            _refuse_contradiction(parts, restrictions)
        refuse_nearly_empty(prevalence, name, restrictions, lambda wanted: sum(joint(wanted)))
        kept = [index for index, share in enumerate(joints) if share > _NEGLIGIBLE * prevalence]
        held = sum(joints[index] for index in kept)
        return MixtureSampler(
            parts=tuple(PersonaSampler.of(parts[index][0], restrictions, rare=True) for index in kept),
            shares=tuple(joints[index] / held for index in kept),
            persona_ids=tuple(parts[index][0].id for index in kept),
            common=common,
            left_out=left_out,
            prevalence=prevalence,
        )

    @property
    def kinds(self) -> Mapping[str, type[np.generic]]:
        """See `sampling.Sampler`."""
        return {name: column_kind(attribute) for name, attribute in self.common.items()}

    @property
    def units(self) -> Mapping[str, str]:
        """See `sampling.Sampler`."""
        return {name: attribute.unit for name, attribute in self.common.items()}

    @property
    def levels(self) -> Mapping[str, tuple[str, ...]]:
        """See `sampling.Sampler`."""
        return {name: tuple(a.levels or ()) for name, a in self.common.items() if a.distribution in LEVELLED}

    def rows(self, size: int, rng: np.random.Generator) -> Mapping[str, Column]:
        """See `sampling.Sampler`. Each row comes from a part drawn with the parts' shares."""
        chosen = np.searchsorted(np.cumsum(self.shares)[:-1], rng.random(size), side="right")
        columns: dict[str, Column] = {name: np.empty(size, dtype=kind) for name, kind in self.kinds.items()}
        levels = self.levels
        for index, part in enumerate(self.parts):
            place = np.flatnonzero(chosen == index)
            if not len(place):
                continue
            drawn, own = part.rows(len(place), rng), part.levels
            for name, column in columns.items():
                values = drawn[name]
                if name in levels:
                    values = np.array([levels[name].index(level) for level in own[name]])[values.astype(np.int64)]
                column[place] = values
        return columns


def common_attributes(personas: Sequence[Persona]) -> tuple[dict[str, Attribute], tuple[str, ...]]:
    """The attributes that all archetypes have, and the names of those that only some have.

    An attribute is the first archetype's, with the levels of all. InvalidInput when two hold it in different ways: as a
    number and as levels, in two units, or as ordered levels that are not the same.
    """
    counts = Counter(name for persona in personas for name in persona.attributes)
    common = {name: _merged(name, personas) for name in personas[0].attributes if counts[name] == len(personas)}
    return common, tuple(name for name in counts if name not in common)


def mixed_persona(parts: Sequence[Weighted], library: PersonaLibrary) -> Persona:
    """An archetype that stands for a mixture: its name, area, preferences and which attributes it has.

    The attributes are those all parts have, as the first part states them; what the mixture has is in its patients.
    The area is that of all parts, or else of their nearest common ancestor, or "mixed".
    """
    personas = [persona for persona, _ in parts]
    common, _ = common_attributes(personas)
    first = personas[0]
    sections = {
        section: {name: common[name] for name in getattr(first, section) if name in common} for section in SECTIONS
    }
    total = sum(weight for _, weight in parts)
    named = [f"{100 * weight / total:.3g} % {persona.name}" for persona, weight in parts]
    return Persona(
        id="mixture",
        name=" and ".join(named),
        area=_area(personas, library),
        summary=" ".join(
            dict.fromkeys(f"{name}: {persona.summary}" for name, persona in zip(named, personas, strict=True))
        ),
        preferences=tuple(dict.fromkeys(item for persona in personas for item in persona.preferences)),
        **sections,
    )


def _area(personas: Sequence[Persona], library: PersonaLibrary) -> str:
    areas = {persona.area for persona in personas}
    if len(areas) == 1:
        return areas.pop()
    lines = [(persona.id, *library.ancestors(persona.id)) for persona in personas]
    shared = [persona_id for persona_id in lines[0] if all(persona_id in line for line in lines)]
    return library.get(shared[0]).area if shared else MIXED_AREA


def _merged(name: str, personas: Sequence[Persona]) -> Attribute:
    attributes = [persona.attributes[name] for persona in personas]
    first = attributes[0]
    for persona, other in zip(personas[1:], attributes[1:], strict=True):
        same_levels = first.distribution is not Distribution.ORDINAL or list(first.levels or ()) == list(
            other.levels or ()
        )
        alike = column_kind(first) is column_kind(other) and first.unit == other.unit and same_levels
        if not alike or (first.distribution is Distribution.ORDINAL) != (other.distribution is Distribution.ORDINAL):
            raise InvalidInput(
                f"'{personas[0].name}' and '{persona.name}' hold {name} in different ways and cannot be mixed.",
                "Ask about one of them at a time.",
            )
    if first.levels is None:
        return first
    levels: dict[str, float] = {}
    for attribute in attributes:
        levels |= {level: share for level, share in (attribute.levels or {}).items() if level not in levels}
    return first.model_copy(update={"levels": levels})


def _refuse_uncommon(
    restrictions: Sequence[Restriction], common: Mapping[str, Attribute], left_out: Sequence[str]
) -> None:
    for item in restrictions:
        if item.attribute in left_out:
            raise InvalidInput(
                f"Not every part of the mixture has the attribute '{item.attribute}'.",
                f"All have: {', '.join(sorted(common))}.",
            )


def _share(persona: Persona, restrictions: Sequence[Restriction]) -> float:
    """Share of an archetype that meets restrictions; 0 where they contradict its own or name a level it has not."""
    for item in restrictions:
        levels = persona.attributes[item.attribute].levels if item.attribute in persona.attributes else None
        if levels is not None and isinstance(item.value, str) and item.value.lower() not in map(str.lower, levels):
            return 0.0
    try:
        return prevalence_of(persona, restrictions, rare=True)
    except EmptyCohort:
        return 0.0


def _refuse_contradiction(parts: Sequence[Weighted], restrictions: Sequence[Restriction]) -> None:
    """EmptyCohort or InvalidInput of the heaviest part, when no part can have members."""
    persona, _ = max(parts, key=lambda part: part[1])
    bounds_of(persona, (*parse_restrictions(persona.restrictions), *restrictions))
