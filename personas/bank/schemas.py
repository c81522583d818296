"""The types of the bank: what a list, a search, a comparison and a match with trials show."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from knowledge.schemas import Frozen


class Listed(Frozen):
    """A row of the list of archetypes."""

    id: str
    name: str
    area: str
    parent: str | None = None
    origin: Literal["shipped", "imported"]
    attributes: int
    sourced_share: float = Field(description="of all stated values, 0-1")
    learned: int = Field(description="attributes and events whose value was learned from observations")


class Found(Frozen):
    """An archetype that a search found."""

    id: str
    name: str
    score: float = Field(description="cosine similarity by meaning, or one over the rank by words")
    by: Literal["meaning", "words"]
    matched: str = Field(description="which of its texts is nearest: its name, a synonym or its summary")


class AttributeContrast(Frozen):
    """One attribute of two archetypes.

    Measured attributes have means and SDs in `unit`, the others shares (0-1) by level. `difference` is in SDs (second
    minus first); of levels without a sign, and None where one of the two archetypes has no spread at all. `overlap` is
    the shared area of the two distributions, 0-1; `wasserstein` the mean distance that people would have to move from
    one distribution to the other, in SDs, of measured attributes only.
    """

    attribute: str
    label: str
    section: str
    unit: str
    first_mean: float | None = None
    first_sd: float | None = None
    second_mean: float | None = None
    second_sd: float | None = None
    first_shares: dict[str, float] = Field(default_factory=dict)
    second_shares: dict[str, float] = Field(default_factory=dict)
    difference: float | None = None
    overlap: float
    wasserstein: float | None = None


class Comparison(Frozen):
    """Two archetypes side by side.

    `distance` is the mean over the shared attributes of one minus the overlap: 0 for the same distributions, 1 for
    distributions without a common value.
    """

    first: str
    second: str
    first_name: str
    second_name: str
    rows: tuple[AttributeContrast, ...]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    distance: float


class Similar(Frozen):
    """How far another archetype is."""

    id: str
    name: str
    distance: float
    shared: int = Field(description="attributes compared")
    farthest_attribute: str = Field(description="label of the attribute that differs most")


class FieldDistance(Frozen):
    """One baseline figure of a trial against an archetype; `distance` in SDs of the archetype's people."""

    field: str
    label: str
    unit: str
    trial: float
    persona: float
    distance: float


class TrialMatch(Frozen):
    """How far the population of a trial is from an archetype: root mean square of its fields' distances, in SDs."""

    trial: str
    cohort: str
    area: str
    source_id: str
    citation: str
    n: int | None
    distance: float
    fields: tuple[FieldDistance, ...]


class TrialMatches(Frozen):
    """Trials by distance, nearest first; `farthest` is the last of all that could be compared."""

    persona_id: str
    name: str
    areas: tuple[str, ...]
    at_least: int = Field(description="baseline figures a trial must print to be compared")
    compared: int
    too_few: int = Field(description="trial populations left out because they print fewer figures")
    nearest: tuple[TrialMatch, ...]
    farthest: TrialMatch | None = None
