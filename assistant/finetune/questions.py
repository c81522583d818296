"""Questions for a training set, drawn from the archetypes and the evidence of one area.

Templates and cohorts are split before anything is drawn: a validation question has a template and a cohort that no
training question has.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from assistant.finetune.schemas import Split
from knowledge.base import KnowledgeBase
from knowledge.errors import DataError, InvalidInput, NoEvidence
from knowledge.schemas import TrialArm
from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.schemas import Persona

TEMPLATES = Path(__file__).parent / "questions.yaml"
VALIDATION_SHARE = 4  # one template of a kind and one cohort in so many are held out, at least one
BRAND_SHARE = 0.2  # how often a drug is called by a brand
ADVICE = "individual_advice"


@dataclass(frozen=True)
class Drawn:
    """A question and what it was made from."""

    text: str
    intent: str
    template: str
    persona_id: str
    cohort: str
    split: Split


@dataclass(frozen=True)
class _Kind:
    weight: int
    templates: dict[Split, tuple[str, ...]]


@dataclass(frozen=True)
class _Cohort:
    persona_id: str
    restriction: str


class QuestionSource:
    """Draws questions about one area.

    Parameters
    ----------
    seed : decides the split; the draws have their own generator.

    Raises
    ------
    InvalidInput
        There is no such area.
    NoEvidence
        The area has no archetype, or no trial arm of a known drug.
    """

    def __init__(self, area: str, knowledge: KnowledgeBase, personas: PersonaLibrary, seed: int) -> None:
        self.area = area
        self._knowledge = knowledge
        self._people = {persona.id: persona for persona in personas if persona.area == area}
        self._arms = [
            arm
            for arm in knowledge.arms.arms
            if arm.area == area and not arm.arm_role.is_control and arm.intervention in knowledge.vocabulary.drugs
        ]
        _check_area(area, self._people, self._arms, knowledge, personas)
        draw = random.Random(f"split {area} {seed}")
        kinds, restrictions = _read()
        self._kinds = {name: _Kind(weight, _split_templates(lines, draw)) for name, (weight, lines) in kinds.items()}
        self._cohorts = self._split_cohorts(restrictions, draw)

    @property
    def wheel(self) -> tuple[str, ...]:
        """Kinds in the order in which they come up; taken round and round."""
        most = max(kind.weight for kind in self._kinds.values())
        return tuple(name for turn in range(most) for name, kind in self._kinds.items() if turn < kind.weight)

    def held_out(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Templates and cohorts of the validation questions."""
        templates = sorted(line for kind in self._kinds.values() for line in kind.templates["validation"])
        cohorts = sorted({self._cohort_key(cohort) for cohort in self._cohorts["validation"]})
        return tuple(templates), tuple(cohorts)

    def draw(self, intent: str, split: Split, generator: random.Random) -> Drawn:
        """A question of a kind."""
        cohort = generator.choice(self._cohorts[split])
        template = generator.choice(self._kinds[intent].templates[split])
        persona = self._people[cohort.persona_id]
        who = generator.choice((persona.name[:1].lower() + persona.name[1:], *persona.synonyms)) + cohort.restriction
        arm = generator.choice(self._arms)
        others = [other for other in self._arms if other.intervention != arm.intervention] or [arm]
        weeks = sorted({a.weeks for a in self._arms if a.intervention == arm.intervention and a.weeks}) or [26.0]
        endpoint = self._knowledge.vocabulary.endpoint(arm.endpoint)
        text = template.format(
            cohort=who,
            treatment=self._treatment(arm, generator),
            other=self._treatment(generator.choice(others), generator),
            drug=arm.intervention,
            outcome=generator.choice((endpoint.label, *endpoint.synonyms)),
            weeks=f"{generator.choice(weeks):g}",
        )
        about_cohort = "{cohort}" in template
        return Drawn(
            text=text[:1].upper() + text[1:],
            intent=intent,
            template=template,
            persona_id=cohort.persona_id if about_cohort else "",
            cohort=self._cohort_key(cohort) if about_cohort else "",
            split=split,
        )

    def _treatment(self, arm: TrialArm, generator: random.Random) -> str:
        """A drug with a dose that a trial gave, now and then by its brand."""
        drug = self._knowledge.vocabulary.drugs[arm.intervention]
        name = drug.name
        if drug.brands and generator.random() < BRAND_SHARE:
            name = generator.choice(drug.brands)
        dose = f" {arm.dose:g} {arm.dose_unit}" if arm.dose is not None else ""
        return f"{name}{dose}{f' {arm.frequency}' if dose and arm.frequency else ''}"

    def _cohort_key(self, cohort: _Cohort) -> str:
        return cohort.persona_id if len(self._people) > 1 else f"{cohort.persona_id}{cohort.restriction}"

    def _split_cohorts(self, restrictions: dict[str, str], draw: random.Random) -> dict[Split, tuple[_Cohort, ...]]:
        """Archetypes are held out whole; where the area has one only, restrictions of it are."""
        every = [
            _Cohort(persona.id, words)
            for persona in self._people.values()
            for words, attribute in restrictions.items()
            if not attribute or (attribute in persona.attributes and attribute not in _restricted(persona))
        ]
        if len(self._people) > 1:
            # The root of a family stands for most of its people: it is better trained on than held out.
            heirs = [persona.id for persona in self._people.values() if persona.parent in self._people]
            names = sorted(heirs or self._people)
        else:
            names = sorted(self._cohort_key(cohort) for cohort in every if cohort.restriction)
        size = len(self._people) if len(self._people) > 1 else len(every)
        held = set(draw.sample(names, min(len(names), max(1, size // VALIDATION_SHARE))))
        return {
            "train": tuple(cohort for cohort in every if self._cohort_key(cohort) not in held),
            "validation": tuple(cohort for cohort in every if self._cohort_key(cohort) in held),
        }


def _check_area(
    area: str,
    people: dict[str, Persona],
    arms: list[TrialArm],
    knowledge: KnowledgeBase,
    personas: PersonaLibrary,
) -> None:
    if people and arms:
        return
    full = sorted({arm.area for arm in knowledge.arms.arms} & {persona.area for persona in personas})
    hint = f"Areas with both archetypes and trials: {', '.join(full)}."
    if not people and not any(arm.area == area for arm in knowledge.arms.arms):
        raise InvalidInput(f"There is no therapeutic area '{area}'.", hint)
    missing = "no trial arm of a known drug" if people else "no archetype"
    raise NoEvidence(f"The area '{area}' has {missing}, so there is nothing to learn from.", hint)


def _restricted(persona: Persona) -> set[str]:
    return {restriction.attribute for restriction in parse_restrictions(persona.restrictions)}


def _split_templates(lines: tuple[str, ...], draw: random.Random) -> dict[Split, tuple[str, ...]]:
    held = set(draw.sample(lines, max(1, len(lines) // VALIDATION_SHARE)))
    return {
        "train": tuple(line for line in lines if line not in held),
        "validation": tuple(line for line in lines if line in held),
    }


@lru_cache(maxsize=1)
def _read() -> tuple[dict[str, tuple[int, tuple[str, ...]]], dict[str, str]]:
    content: dict[str, Any] = yaml.safe_load(TEMPLATES.read_text(encoding="utf-8"))
    restrictions = content.pop("restrictions")
    kinds = {name: (int(kind["weight"]), tuple(kind["templates"].splitlines())) for name, kind in content.items()}
    short = [name for name, (_, lines) in kinds.items() if len(lines) < 2]
    if short:
        raise DataError(f"{TEMPLATES.name}: '{short[0]}' needs two templates, one to train on and one to hold out.")
    return kinds, dict(restrictions)
