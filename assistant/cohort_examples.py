"""Cohorts to name as examples: those in whom the drugs asked about were studied, the widest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary

MOST = 5
COMMON = ("t2d_adults", "obesity_adults", "hypertension_adults", "copd_adults", "mdd_adults")


def cohort_examples(drugs: Collection[str], knowledge: KnowledgeBase, personas: PersonaLibrary) -> list[str]:
    """Names of up to five archetypes; of common ones when no drug is named or none was studied where there are any."""
    trials = {(arm.area, arm.trial) for arm in knowledge.arms.arms if arm.intervention in drugs}
    areas = Counter(area for area, _ in trials)
    archetypes = [personas.get(name) for name in personas.ids()]
    fitting = sorted(
        (persona for persona in archetypes if areas[persona.area]),
        key=lambda persona: (len(personas.ancestors(persona.id)), -len(personas.children(persona.id)), persona.id),
    )
    # The widest cohort of each area before a second one of any.
    place = {persona.id: at for at, persona in enumerate(fitting)}
    turn = {p.id: sum(place[other.id] < place[p.id] for other in fitting if other.area == p.area) for p in fitting}
    fitting.sort(key=lambda persona: (turn[persona.id], -areas[persona.area], place[persona.id]))
    found = fitting or [personas.get(name) for name in COMMON if name in personas]
    return [persona.name for persona in found[:MOST]]
