"""A cohort: an archetype, its restrictions, and the virtual patients drawn for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from knowledge.errors import InvalidInput
from knowledge.schemas import Frozen
from personas.library import PersonaLibrary
from personas.restrictions import YES_NO_LEVELS, definition_of
from personas.sampling import Column, VirtualPatients, draw
from personas.schemas import CohortSpec, Persona
from personas.units import attribute_label
from personas.wording import describe_cohort

DEFAULT_PATIENTS = 4000


class SummaryRow(Frozen):
    """One attribute of the cohort as drawn.

    `mean`, `lower` and `upper` (5th and 95th percentile) are in `unit`; `shares` (0–1) stand instead for levels and
    yes/no. `source_id` and `grade`, or `assumption`, say where the archetype has the attribute from.
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
    locator: str = ""
    grade: str = ""
    assumption: str = ""


@dataclass(frozen=True)
class Cohort:
    """Who is asked about, as virtual patients."""

    spec: CohortSpec
    persona: Persona
    patients: VirtualPatients
    seed: int

    @classmethod
    def build(cls, spec: CohortSpec, library: PersonaLibrary, *, n: int = DEFAULT_PATIENTS, seed: int = 1) -> Cohort:
        """Draw the cohort.

        Raises
        ------
        UnknownPersona, PersonaError : the archetype.
        InvalidInput, EmptyCohort : the restrictions; see `sampling.draw`.
        """
        persona = library.get(spec.persona_id)
        return cls(spec, persona, draw(persona, spec.restrictions, n, seed), seed)

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
        )

    def _row(self, section: str, name: str) -> SummaryRow:
        attribute, column = self.persona.attributes[name], self.patients.columns[name]
        defined = definition_of(name, self.persona.attributes)
        assumption = attribute.assumption or ""
        source = attribute.source
        if defined is not None:
            assumption, source = f"Not drawn: follows from its definition, {defined}.", None
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
            source_id=source.source_id if source else "",
            locator=source.locator if source else "",
            grade=source.grade if source else "",
            assumption=assumption,
        )

    def _shares(self, attribute: str, column: Column) -> dict[str, float]:
        """Share of each level; empty for a measured attribute."""
        names = YES_NO_LEVELS if column.dtype == np.bool_ else self.patients.levels.get(attribute, ())
        if not names:
            return {}
        counts = np.bincount(column.astype(np.int64), minlength=len(names))
        return {name: float(count) / len(column) for name, count in zip(names, counts, strict=True)}
