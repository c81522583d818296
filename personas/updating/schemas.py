"""The types of learning: observations, beliefs as they are kept, what an update changed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import Attribute, LifeEvent

LONGEST_NAME = 200


class Observation(Frozen):
    """What was seen of one attribute, or of one life event, in one group of people on one day.

    A measured attribute has `n`, `mean` and (from two people on) `sd`, in the archetype's unit; where single values of a
    lognormal attribute were read, `log_mean` and `log_sd` are of their natural logarithms. Yes/no has `n` and `count`,
    levels have `counts`, a life event has `count` and `person_years`.
    """

    name: str
    on: date
    n: int = Field(0, ge=0)
    mean: float | None = None
    sd: float | None = None
    log_mean: float | None = None
    log_sd: float | None = None
    count: int | None = None
    counts: dict[str, int] | None = None
    person_years: float | None = None

    @property
    def is_event(self) -> bool:
        """True for a life event."""
        return self.person_years is not None


class ObservationSet(Frozen):
    """A file of observations.

    `digest` is the SHA-256 of its content, by which a set that was already used is known again.
    """

    name: str = Field(max_length=LONGEST_NAME)
    source: str = Field("", max_length=LONGEST_NAME)
    digest: str
    people: int
    observations: tuple[Observation, ...]


class KeptMean(Frozen):
    """`conjugate.MeanBelief`, on the attribute's scale or on its logarithm."""

    kind: Literal["mean"] = "mean"
    scale: Literal["natural", "log"] = "natural"
    mean: float
    variance: float = Field(gt=0)
    weight: float = Field(gt=0)
    degrees: float = Field(gt=0)


class KeptShare(Frozen):
    """`conjugate.ShareBelief`."""

    kind: Literal["share"] = "share"
    yes: float = Field(ge=0)
    no: float = Field(ge=0)


class KeptLevels(Frozen):
    """`conjugate.LevelsBelief`."""

    kind: Literal["levels"] = "levels"
    counts: dict[str, float]


class KeptRate(Frozen):
    """`conjugate.RateBelief`."""

    kind: Literal["rate"] = "rate"
    events: float = Field(gt=0)
    years: float = Field(gt=0)


Kept = Annotated[KeptMean | KeptShare | KeptLevels | KeptRate, Field(discriminator="kind")]


class Learned(Frozen):
    """One parameter as it stands after learning.

    `prior_weight` is what the archetype's own value is still worth and `data_weight` what all observations are worth,
    both in people (person-years for a life event). `on` is the newest date of the observations; `base` the digest of
    the archetype's own value.
    """

    name: str
    belief: Kept
    prior_weight: float
    data_weight: float
    on: date
    base: str
    attribute: Attribute | None = None
    event: LifeEvent | None = None

    @property
    def data_share(self) -> float:
        """Weight of the observations among all that is believed, 0–1."""
        return self.data_weight / (self.data_weight + self.prior_weight)


class Figure(Frozen):
    """One figure before and after. `lower` and `upper` bound the figure itself, at the level of the product."""

    what: str = Field(description="mean, SD, share, a level's name, or rate")
    unit: str
    before: float
    after: float
    lower: float
    upper: float


class Change(Frozen):
    """What an update did to one attribute or life event."""

    name: str
    label: str
    figures: tuple[Figure, ...]
    n: float = Field(description="people, or person-years, in the observations")
    prior_weight: float
    data_weight: float
    prior_reason: str = ""
    p_values: dict[str, float] = Field(description="of the observations under what was believed, Holm-adjusted")
    drift: bool
    notes: tuple[str, ...] = ()


class Entry(Frozen):
    """One entry of a persona's thread."""

    seq: int = Field(ge=1)
    kind: Literal["update", "rollback"]
    recorded: datetime
    observation_set: str = ""
    source: str = ""
    digest: str = ""
    people: int = 0
    on: date | None = None
    to: int | None = Field(None, description="of a rollback: the entry gone back to, 0 for the archetype as it was")
    half_life_years: float | None = None
    changes: tuple[Change, ...] = ()
    learned: tuple[Learned, ...] = ()

    @property
    def drift(self) -> tuple[str, ...]:
        """Labels of what contradicted the belief."""
        return tuple(change.label for change in self.changes if change.drift)


class UpdateReport(Frozen):
    """What an update did, or would do (`dry_run`)."""

    persona_id: str
    name: str
    entry: Entry
    dry_run: bool
    threshold: float
    skipped: tuple[str, ...] = ()


class Freshness(Frozen):
    """How well an archetype keeps up with what is observed: its twinning rate."""

    entries: int
    sets: int
    last_update: datetime | None = None
    newest_observation: date | None = None
    lag_days: int | None = Field(None, description="days from the newest observation to today")
    days_between_updates: float | None = Field(None, description="mean days between the dates of the observation sets")
    learned: tuple[Learned, ...] = ()
    stale: tuple[str, ...] = Field((), description="attributes whose value in the archetype's file changed since")


class History(Frozen):
    """A persona's thread."""

    persona_id: str
    name: str
    entries: tuple[Entry, ...]
    freshness: Freshness
