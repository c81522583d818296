"""The types of cohorts: `Persona` (an archetype) and `CohortSpec` (who is asked about)."""

from __future__ import annotations

import re
from contextlib import suppress
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen

_SHORT_FORM = re.compile(r"\s*(?P<attribute>[a-z0-9_]+)\s*(?P<operator>>=|<=|>|<|=)\s*(?P<value>[\w.+\- ]+?)\s*")


def _is_none(value: object) -> bool:
    """Fields that came later are left out where they say nothing, so that older records compare equal."""
    return value is None


def _is_empty(value: object) -> bool:
    """As `_is_none`, for lists."""
    return not value


class ValueSource(Frozen):
    """Where a value was seen."""

    source_id: str
    locator: str
    grade: str = "observational"


class Provenanced(Frozen):
    """A value with either a source or the reason why it is assumed."""

    source: ValueSource | None = None
    assumption: str | None = Field(None, min_length=5)

    @model_validator(mode="after")
    def _exactly_one(self) -> Provenanced:
        if (self.source is None) == (self.assumption is None):
            raise ValueError("needs exactly one of 'source' and 'assumption'")
        return self


class Distribution(StrEnum):
    """Families of marginal distributions."""

    NORMAL = "normal"
    TRUNCATED_NORMAL = "truncated_normal"
    LOGNORMAL = "lognormal"
    ZERO_INFLATED_LOGNORMAL = "zero_inflated_lognormal"
    BETA = "beta"
    UNIFORM = "uniform"
    BERNOULLI = "bernoulli"
    CATEGORICAL = "categorical"
    ORDINAL = "ordinal"


class Attribute(Provenanced):
    """A marginal distribution with unit and provenance. Which parameters: archetypes/README.md."""

    distribution: Distribution
    unit: str
    mean: float | None = None
    sd: float | None = Field(None, gt=0)
    lower: float | None = None
    upper: float | None = None
    zeros: float | None = Field(None, gt=0, lt=1, exclude_if=_is_none)
    probability: float | None = Field(None, ge=0, le=1)
    levels: dict[str, float] | None = None


class Correlation(Provenanced):
    """Spearman rank correlation between two attributes."""

    between: tuple[str, str]
    spearman: float = Field(gt=-1, lt=1)


class Preference(Provenanced):
    """What the cohort wants, fears or does."""

    topic: str
    statement: str = Field(min_length=10)


class LifeEvent(Provenanced):
    """A hazard, per 100 person-years."""

    event: str
    rate: float = Field(ge=0)


class Persona(Frozen):
    """An archetype of a patient population, inheritance already applied."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str
    parent: str | None = None
    area: str
    summary: str
    care_setting: str = ""
    geography: str = ""
    synonyms: tuple[str, ...] = ()
    restrictions: tuple[str, ...] = ()
    demographics: dict[str, Attribute] = Field(default_factory=dict)
    biomarkers: dict[str, Attribute] = Field(default_factory=dict)
    comorbidities: dict[str, Attribute] = Field(default_factory=dict)
    behaviours: dict[str, Attribute] = Field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()
    preferences: tuple[Preference, ...] = ()
    life_events: tuple[LifeEvent, ...] = ()

    @property
    def attributes(self) -> dict[str, Attribute]:
        """All four sections as one mapping, in a fixed order."""
        return {**self.demographics, **self.biomarkers, **self.comorbidities, **self.behaviours}

    @property
    def values(self) -> dict[str, Provenanced]:
        """Everything that has a source or an assumption, by what it is called in a list."""
        found: dict[str, Provenanced] = dict(self.attributes)
        found |= {f"correlation of {a} and {b}": item for item in self.correlations for a, b in [item.between]}
        found |= {f"preference: {item.statement}": item for item in self.preferences}
        found |= {f"rate of {item.event}": item for item in self.life_events}
        return found

    @property
    def assumed_share(self) -> float:
        """Share (0-1) of its values that have no source but an assumption; 0 when it has no values."""
        values = self.values.values()
        return sum(item.source is None for item in values) / len(values) if values else 0.0


class Restriction(Frozen):
    """One condition on one attribute: `age >= 65`, `sex = female`, `30 <= egfr < 60` is two of them."""

    attribute: str
    operator: Literal[">=", "<=", ">", "<", "="]
    value: float | str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """Accept the short form `age>=65` wherever a restriction is expected."""
        if not isinstance(value, str):
            return value
        match = _SHORT_FORM.fullmatch(value)
        if match is None:
            raise ValueError(f"a restriction reads like 'age>=65' or 'sex=female', not '{value[:60]}'")
        fields: dict[str, Any] = match.groupdict()
        with suppress(ValueError):  # words stay words: 'sex=female'
            fields["value"] = float(fields["value"])
        return fields

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, int | float) else self.value
        return f"{self.attribute}{self.operator}{value}"


class MixturePart(Frozen):
    """One archetype of a mixture.

    `weight` is its size relative to the other parts, before the restrictions on the whole cohort.
    """

    persona_id: str
    weight: float = Field(gt=0, le=1e6, description="size relative to the other parts")


class CohortSpec(Frozen):
    """Who is asked about: an archetype, or a mixture of archetypes, and restrictions on it.

    `understood` is the sentence shown to the user; `not_understood` the words nobody could place.
    """

    persona_id: str = Field("", description="the archetype; leave it out for a mixture")
    mixture: tuple[MixturePart, ...] = Field(
        (), max_length=20, description="two or more archetypes with their relative sizes", exclude_if=_is_empty
    )
    restrictions: tuple[Restriction, ...] = ()
    label: str = ""
    understood: str = ""
    not_understood: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_or_a_mixture(self) -> CohortSpec:
        if bool(self.persona_id) == bool(self.mixture):
            raise ValueError("needs either 'persona_id' or 'mixture'")
        if len(self.mixture) == 1:
            raise ValueError("a mixture needs two archetypes or more; for one give 'persona_id'")
        names = [part.persona_id for part in self.mixture]
        if len(set(names)) < len(names):
            raise ValueError("a mixture names each archetype once")
        return self
