"""A cohort as the faces show it: what can be restricted, and who is left, attribute by attribute with its distribution."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from knowledge.errors import InvalidInput
from knowledge.schemas import Frozen
from personas.cohort import Cohort, SummaryRow
from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.schemas import CohortSpec, Distribution
from personas.units import attribute_label
from personas.wording import describe_cohort

__all__ = ["Bin", "CohortView", "Controls", "Measure", "Shown", "controls", "view"]

BINS = 16
PATIENTS = 3000
_ENDS = (0.5, 99.5)  # percentiles shown; the few beyond are in the first and last bin


class Measure(Frozen):
    """A measured attribute that can be restricted."""

    name: str
    label: str
    unit: str


class Controls(Frozen):
    """What of an archetype can be restricted. `conditions`: yes/no attributes, name -> label; `sexes`: its levels."""

    measures: tuple[Measure, ...]
    conditions: dict[str, str]
    sexes: tuple[str, ...]


class Bin(Frozen):
    """Share (0-1) of the patients from `low` to `high`."""

    low: float
    high: float
    share: float


class Shown(Frozen):
    """An attribute of a cohort with its distribution; `bins` is empty for levels and yes/no."""

    row: SummaryRow
    bins: tuple[Bin, ...] = ()


class CohortView(Frozen):
    """Who a cohort is. `prevalence`: share (0-1) of the archetype's population that meets the restrictions."""

    spec: CohortSpec
    label: str
    name: str
    summary: str
    prevalence: float
    patients: int
    attributes: tuple[Shown, ...]
    preferences: tuple[tuple[str, str], ...] = ()

    @property
    def one_in(self) -> str:
        """'1 in 38', 'all' or '2 in 3'."""
        if self.prevalence > 0.995:
            return "all"
        if self.prevalence > 0.4:
            return f"{100 * self.prevalence:.0f} in 100"
        return f"1 in {1 / self.prevalence:,.0f}"


def controls(persona_id: str, personas: PersonaLibrary) -> Controls:
    """What of the archetype can be restricted (UnknownPersona)."""
    persona = personas.get(persona_id)
    attributes = persona.attributes
    levelled = (Distribution.BERNOULLI, Distribution.CATEGORICAL, Distribution.ORDINAL)
    return Controls(
        measures=tuple(
            Measure(name=name, label=attribute_label(name), unit=attribute.unit)
            for name, attribute in attributes.items()
            if attribute.distribution not in levelled
        ),
        conditions={
            name: attribute_label(name)
            for name, attribute in persona.comorbidities.items()
            if attribute.distribution is Distribution.BERNOULLI
        },
        sexes=tuple(attributes["sex"].levels or ()) if "sex" in attributes else (),
    )


def view(persona_id: str, restrictions: Iterable[str], personas: PersonaLibrary, *, n: int = PATIENTS) -> CohortView:
    """The archetype under restrictions such as 'age>=65'.

    Raises
    ------
    UnknownPersona
        There is no such archetype.
    InvalidInput, EmptyCohort
        A restriction cannot be read, or nobody meets them all.
    """
    persona = personas.get(persona_id)
    limits = parse_restrictions("; ".join(restrictions))
    unknown = [limit.attribute for limit in limits if limit.attribute not in persona.attributes]
    if unknown:
        raise InvalidInput(
            f"{persona.name} have no attribute '{unknown[0]}'.", f"There are: {', '.join(persona.attributes)}."
        )
    label = describe_cohort(persona, limits)
    cohort = Cohort.build(CohortSpec(persona_id=persona_id, restrictions=limits, label=label), personas, n=n)
    return CohortView(
        spec=cohort.spec,
        label=label,
        name=persona.name,
        summary=persona.summary,
        prevalence=cohort.prevalence,
        patients=cohort.patients.n,
        attributes=tuple(
            Shown(row=row, bins=() if row.shares else _bins(cohort.patients.columns[row.attribute]))
            for row in cohort.summary()
        ),
        preferences=tuple(
            (item.statement, item.source.source_id if item.source else f"assumed: {item.assumption}")
            for item in persona.preferences
        ),
    )


def _bins(column: np.ndarray) -> tuple[Bin, ...]:
    low, high = np.percentile(column, _ENDS)
    if low == high:
        return (Bin(low=float(low), high=float(high), share=1.0),)
    edges = np.linspace(low, high, BINS + 1)
    counts, _ = np.histogram(np.clip(column, low, high), bins=edges)
    return tuple(
        Bin(low=float(edges[i]), high=float(edges[i + 1]), share=float(count) / len(column))
        for i, count in enumerate(counts)
    )
