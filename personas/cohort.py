"""A cohort: an archetype or a mixture of several, its restrictions, and the virtual patients drawn for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from knowledge.errors import InvalidInput
from knowledge.schemas import Frozen
from personas.library import PersonaLibrary
from personas.mixture import MixtureSampler, mixed_persona
from personas.restrictions import YES_NO_LEVELS, definition_of, parse_restrictions
from personas.sampling import Column, PersonaSampler, Sampler, VirtualPatients, draw_from
from personas.schemas import CohortSpec, MixturePart, Persona, Provenanced
from personas.units import attribute_label
from personas.wording import describe_cohort

DEFAULT_PATIENTS = 4000
_SHARE = re.compile(r"\d{1,6}(?:\.\d{1,9})?")


class SummaryRow(Frozen):
    """One attribute of the cohort as drawn.

    `mean`, `lower` and `upper` (5th and 95th percentile) are in `unit`; `shares` (0–1) stand instead for levels and
    yes/no. `source_id` and `grade`, or `assumption`, say where the archetype has the attribute from; of a mixture,
    `source_ids` has all sources, and an assumption names the archetypes that make it.
    """

    attribute: str
    label: str
    section: str
    unit: str
    mean: float | None = None
    shares: dict[str, float] = Field(default_factory=dict)
    lower: float | None = None
    upper: float | None = None
    source_id: str = ""
    source_ids: tuple[str, ...] = ()
    locator: str = ""
    grade: str = ""
    assumption: str = ""


def sampler_of(spec: CohortSpec, library: PersonaLibrary) -> Sampler:
    """The cohort ready to be drawn. Errors as `Cohort.build`."""
    if not spec.mixture:
        return PersonaSampler.of(library.get(spec.persona_id), spec.restrictions)
    return MixtureSampler.of([(library.get(part.persona_id), part.weight) for part in spec.mixture], spec.restrictions)


def persona_of(spec: CohortSpec, library: PersonaLibrary) -> Persona:
    """The archetype; of a mixture, one that stands for it (see `mixture.mixed_persona`)."""
    if not spec.mixture:
        return library.get(spec.persona_id)
    return mixed_persona([(library.get(part.persona_id), part.weight) for part in spec.mixture], library)


@dataclass(frozen=True)
class Cohort:
    """Who is asked about, as virtual patients.

    Attributes
    ----------
    spec : what was asked for.
    persona : the archetype; of a mixture, one that stands for it.
    patients : the rows; `seed` made them.
    parts : the archetypes of a mixture, empty without one.
    left_out : attributes that only some archetypes of a mixture have.
    """

    spec: CohortSpec
    persona: Persona
    patients: VirtualPatients
    seed: int
    parts: tuple[Persona, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def build(cls, spec: CohortSpec, library: PersonaLibrary, *, n: int = DEFAULT_PATIENTS, seed: int = 1) -> Cohort:
        """Draw the cohort.

        Raises
        ------
        UnknownPersona, PersonaError : the archetype.
        InvalidInput, EmptyCohort : the restrictions; see `sampling.draw` and `MixtureSampler.of`.
        """
        sampler, persona = sampler_of(spec, library), persona_of(spec, library)
        patients = draw_from(sampler, n, seed)
        if not isinstance(sampler, MixtureSampler):
            return cls(spec, persona, patients, seed)
        parts = tuple(library.get(part.persona_id) for part in spec.mixture)
        return cls(spec, persona, patients, seed, parts, sampler.left_out)

    @property
    def label(self) -> str:
        """The cohort in words."""
        return self.spec.label or describe_cohort(self.persona, self.spec.restrictions)

    @property
    def prevalence(self) -> float:
        """Share of the archetype's population that meets the restrictions on top of it, 0–1."""
        return self.patients.prevalence

    @property
    def effective_sample_size(self) -> float:
        """Independent rows the virtual patients are worth."""
        return self.patients.effective_sample_size

    def mean(self, attribute: str) -> float | None:
        """Mean of a measured attribute in its unit, share (0–1) of a yes/no one; None for levels or if it is absent."""
        column = self.patients.columns.get(attribute)
        if column is None or attribute in self.patients.levels:
            return None
        return float(column.mean())

    def share(self, attribute: str, level: str) -> float | None:
        """Share (0–1) of the patients at a level; None if the attribute is absent.

        InvalidInput when the attribute has no such level, or is a measured one.
        """
        column = self.patients.columns.get(attribute)
        if column is None:
            return None
        shares = self._shares(attribute, column)
        if level not in shares:
            known = f"There are: {', '.join(shares)}." if shares else "It is a number; use its mean."
            raise InvalidInput(f"{attribute_label(attribute)} has no level '{level}'.", known)
        return shares[level]

    def summary(self) -> tuple[SummaryRow, ...]:
        """One row an attribute, in the archetype's order."""
        return tuple(
            self._row(section, name)
            for section in ("demographics", "biomarkers", "comorbidities", "behaviours")
            for name in getattr(self.persona, section)
            if name in self.patients.columns
        )

    def _row(self, section: str, name: str) -> SummaryRow:
        attribute, column = self.persona.attributes[name], self.patients.columns[name]
        shares = self._shares(name, column)
        measured = not shares
        lower, upper = (float(q) for q in np.percentile(column, (5, 95))) if measured else (None, None)
        return SummaryRow(
            attribute=name,
            label=attribute_label(name),
            section=section,
            unit=attribute.unit,
            mean=self.mean(name) if measured else None,
            shares=shares,
            lower=lower,
            upper=upper,
            **self._provenance(name),
        )

    def _provenance(self, name: str) -> dict[str, Any]:
        """Where the attribute is from, in the fields of `SummaryRow`."""
        personas = self.parts or (self.persona,)
        held = [_origin(persona, name) for persona in personas]
        sources = [(persona, item.source) for persona, item in zip(personas, held, strict=True) if item.source]
        assumed = [(persona, item.assumption) for persona, item in zip(personas, held, strict=True) if item.assumption]
        alike = len({item.model_dump_json(include={"source", "assumption"}) for item in held}) == 1
        ids = tuple(dict.fromkeys(source.source_id for _, source in sources))
        return {
            "source_id": ids[0] if ids else "",
            "source_ids": ids,
            "locator": _joined([(persona, source.locator) for persona, source in sources], alike),
            "grade": ", ".join(dict.fromkeys(source.grade for _, source in sources)),
            "assumption": _joined(assumed, alike),
        }

    def _shares(self, attribute: str, column: Column) -> dict[str, float]:
        """Share of each level; empty for a measured attribute."""
        names = YES_NO_LEVELS if column.dtype == np.bool_ else self.patients.levels.get(attribute, ())
        if not names:
            return {}
        counts = np.bincount(column.astype(np.int64), minlength=len(names))
        return {name: float(count) / len(column) for name, count in zip(names, counts, strict=True)}


def _origin(persona: Persona, name: str) -> Provenanced:
    """Source or assumption of an attribute; one that follows from another has its definition for an assumption."""
    defined = definition_of(name, persona.attributes)
    if defined is None:
        return persona.attributes[name]
    return Provenanced(assumption=f"Not drawn: follows from its definition, {defined}.")


def _joined(texts: list[tuple[Persona, str]], alike: bool) -> str:
    """What several archetypes say, each under its name unless all say the same."""
    if alike:
        return texts[0][1] if texts else ""
    return "; ".join(f"{persona.name}: {text}" for persona, text in texts)


def parse_cohort(personas: Sequence[str], restrictions: Sequence[str]) -> CohortSpec:
    """A cohort as written on a command line: one `ID`, or several `ID=SHARE`, and restrictions such as `age>=65`.

    InvalidInput when a share is missing or no number; EmptyCohort when restrictions exclude each other.
    """
    limits = parse_restrictions("; ".join(restrictions))
    if not all(text.partition("=")[0].strip() for text in personas):
        raise InvalidInput("An archetype has no name.", "Write it like 't2d_adults'.")
    if len(personas) == 1 and "=" not in personas[0]:
        return CohortSpec(persona_id=personas[0], restrictions=limits)
    parts = []
    try:
        for text in personas:
            name, _, weight = text.partition("=")
            if _SHARE.fullmatch(weight.strip()) is None or not float(weight) > 0:
                raise InvalidInput(f"'{text}' names no share of the mixture.", f"Write it like '{name}=0.3'.")
            parts.append(MixturePart(persona_id=name.strip(), weight=float(weight)))
        return CohortSpec(mixture=tuple(parts), restrictions=limits)
    except ValidationError as error:
        fault = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
        raise InvalidInput(f"This is no mixture: {fault}.", "Write it like 't2d_adults=0.7 t2d_ckd=0.3'.") from error
