"""The types of published knowledge. Owned here, used by every floor above."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """An immutable value; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Design(StrEnum):
    """How a source came to its figures; the order is the evidence grade, best first."""

    META_ANALYSIS = "meta_analysis"
    RCT = "rct"
    POOLED_RCT = "pooled_rct"
    SUBGROUP = "subgroup"
    OBSERVATIONAL = "observational"
    GUIDELINE = "guideline"
    LABEL = "label"
    REGISTRY = "registry"
    REVIEW = "review"
    PRESS = "press"


class Seen(StrEnum):
    """What of the source was actually read."""

    FULL_TEXT = "full_text"
    ABSTRACT = "abstract"
    REGISTRY = "registry"
    LABEL = "label"
    SECONDARY = "secondary"
    PRESS = "press"


class Source(Frozen):
    """A publication."""

    source_id: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")
    title: str = Field(min_length=3)
    authors: str = ""
    journal: str = ""
    published: str = Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", description="YYYY, YYYY-MM or YYYY-MM-DD")
    design: Design
    pmid: str = Field("", pattern=r"^\d*$")
    doi: str = Field("", pattern=r"^(10\..+)?$")
    registry_id: str = ""
    seen: Seen
    retracted: bool = False
    note: str = ""
    area: str = ""

    @property
    def year(self) -> int:
        """Year of publication."""
        return int(self.published[:4])

    @property
    def published_by(self) -> date:
        """Last day the source may have appeared, so that an `as_of` view never sees the future."""
        parts = [int(part) for part in self.published.split("-")]
        if len(parts) == 3:
            return date(*parts)
        if len(parts) == 2:
            year, month = parts
            return date(year + month // 12, month % 12 + 1, 1)
        return date(parts[0], 12, 31)

    @property
    def citation(self) -> str:
        """Short form: authors, journal year, PMID or DOI."""
        where = f"PMID {self.pmid}" if self.pmid else f"doi:{self.doi}" if self.doi else self.registry_id
        head = ", ".join(part for part in (self.authors, self.journal) if part)
        return " ".join(part for part in (head, str(self.year) + ".", where) if part)


class Family(StrEnum):
    """Endpoint family: decides link and likelihood."""

    CONTINUOUS = "continuous"
    PROPORTION = "proportion"
    RATE = "rate"
    TIME_TO_EVENT = "time_to_event"


class Direction(StrEnum):
    """Which way is benefit."""

    LOWER_IS_BETTER = "lower_is_better"
    HIGHER_IS_BETTER = "higher_is_better"
    NEUTRAL = "neutral"


class Endpoint(Frozen):
    """An outcome of the controlled vocabulary."""

    endpoint_id: str
    label: str
    family: Family
    unit: str
    direction: Direction
    synonyms: tuple[str, ...] = ()
    baseline: str = Field("", description="cohort attribute that is this endpoint's baseline value")
    mcid: float | None = Field(None, gt=0, description="minimal clinically important difference")
    mcid_source: str = ""
    mcid_locator: str = ""
    limits: tuple[float, float]


class Drug(Frozen):
    """An intervention of the controlled vocabulary."""

    name: str
    drug_class: str
    route: str = ""
    brands: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    dose_unit: str = ""
    frequency: str = ""
    max_dose: float | None = Field(None, gt=0)
    max_dose_source: str = ""


class ArmRole(StrEnum):
    """What the arm is in its trial."""

    PLACEBO = "placebo"
    NO_TREATMENT = "no_treatment"
    USUAL_CARE = "usual_care"
    ACTIVE = "active"
    ACTIVE_COMPARATOR = "active_comparator"

    @property
    def is_control(self) -> bool:
        """True for arms that give nothing of their own."""
        return self in (ArmRole.PLACEBO, ArmRole.NO_TREATMENT, ArmRole.USUAL_CARE)


class Statistic(StrEnum):
    """What the printed value is."""

    MEAN_CHANGE = "mean_change"
    PERCENT_CHANGE = "percent_change"
    PROPORTION = "proportion"
    RATE = "rate"
    MEAN_DIFFERENCE = "mean_difference"
    HAZARD_RATIO = "hazard_ratio"
    ODDS_RATIO = "odds_ratio"
    RISK_RATIO = "risk_ratio"

    @property
    def is_contrast(self) -> bool:
        """True when the value compares two arms."""
        return self in (
            Statistic.MEAN_DIFFERENCE,
            Statistic.HAZARD_RATIO,
            Statistic.ODDS_RATIO,
            Statistic.RISK_RATIO,
        )


class Baseline(Frozen):
    """Baseline means of an arm (or of its trial). Units in the field descriptions."""

    age: float | None = Field(None, ge=0, le=110, description="years")
    female_pct: float | None = Field(None, ge=0, le=100, description="%")
    bmi: float | None = Field(None, ge=12, le=80, description="kg/m2")
    weight: float | None = Field(None, ge=20, le=250, description="kg")
    hba1c: float | None = Field(None, ge=4, le=15, description="%")
    ldl: float | None = Field(None, ge=20, le=500, description="mg/dL")
    sbp: float | None = Field(None, ge=80, le=220, description="mmHg")
    egfr: float | None = Field(None, ge=3, le=160, description="mL/min/1.73m2")
    duration: float | None = Field(None, ge=0, le=60, description="years of disease")
    asian_pct: float | None = Field(None, ge=0, le=100, description="%")
    black_pct: float | None = Field(None, ge=0, le=100, description="%")
    endpoint: float | None = Field(None, description="baseline of the endpoint itself, its own unit")


class TrialArm(Frozen):
    """One figure: trial x cohort x arm x endpoint x visit."""

    row_id: str = Field(description="file stem and row number, e.g. obesity:17")
    area: str
    trial: str = Field(min_length=2)
    source_id: str
    registry_id: str = ""
    cohort: str = "all"
    restrictions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    arm: str = Field(min_length=1)
    arm_role: ArmRole
    intervention: str
    drug_class: str
    dose: float | None = Field(None, gt=0)
    dose_unit: str = ""
    frequency: str = ""
    background: str = ""
    design: str = ""
    n: int | None = Field(None, ge=1)
    endpoint: str
    statistic: Statistic
    weeks: float | None = Field(None, gt=0)
    value: float
    se: float | None = Field(None, gt=0, description="as printed, or derived; see se_from")
    se_from: str = Field(description="printed | sd | ci | events | missing")
    sd: float | None = Field(None, gt=0)
    events: int | None = Field(None, ge=0)
    comparator_arm: str = ""
    baseline: Baseline = Baseline()
    estimand: str = "unspecified"
    locator: str = Field(min_length=2)
    seen: Seen
    published: str

    @property
    def study_key(self) -> str:
        """Trial and cohort: arms that share a background response."""
        return f"{self.trial}|{self.cohort}"


class Passage(Frozen):
    """A short text about a source, in our own words."""

    passage_id: str = Field(description="source_id and position, e.g. pmid-28110911#2")
    source_id: str
    area: str
    trial: str = ""
    heading: str
    locator: str
    text: str = Field(min_length=20)
    drugs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    published: str


class EvidenceView(Frozen):
    """What may be known: everything published by `as_of`, without the trials in `exclude`.

    `exclude` holds trial names, registry ids, source ids or `*` patterns, compared without case.
    """

    as_of: date | None = None
    exclude: tuple[str, ...] = ()


class RetrievedPassage(Frozen):
    """A passage and why it was found."""

    passage: Passage
    source: Source
    score: float = Field(
        description="cosine similarity plus shares for words and for what is asked about; higher is nearer"
    )
    reason: str = Field(description="e.g. 'words rank 1, meaning rank 3'")


Vocabulary = Mapping[str, Endpoint]
