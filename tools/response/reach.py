"""How far the evidence reaches: trials that inform a treatment, and questions beyond them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.schemas import Endpoint, TrialArm
from personas.units import attribute_info, attribute_label
from tools.response.assemble import Prepared
from tools.response.overlaps import joined_by_trials
from tools.response.rows import Row
from tools.response.treatments import Treatment

# A horizon beyond this multiple of the longest trial is said to be beyond the evidence.
BEYOND_TIME = 1.5
# Covariates that are shares of people, in words.
SHARES = {
    "female": "share of women",
    "asian": "share of Asian people",
    "diabetes": "share of people with diabetes",
    "insulin_background": "share of people on insulin",
    "open_label": "share of open-label treatment",
    "heart_failure": "share of people with heart failure",
    "hospitalised": "share of people in hospital",
}
# Before this multiple of the first visit in the evidence a prediction is said to be earlier than any trial looked.
BEFORE_TIME = 0.5
# Persons differ less in the first weeks than when trials end, and no trial of this evidence says how much less.
PERSONS_FROM_WEEKS = 4.0


def trials_of(rows: Sequence[Row], treatment: Treatment, *, by_class: bool) -> set[str]:
    """Names of the trials whose rows inform a treatment, or its class; for controls, those with a control arm."""

    def informs(arm: TrialArm | None) -> bool:
        if arm is None:
            return False
        if treatment.drug_class is None:
            return arm.arm_role.is_control
        if arm.arm_role.is_control:
            return False
        return arm.drug_class == treatment.drug_class if by_class else arm.intervention == treatment.name

    return {row.arm.trial for row in rows if informs(row.arm) or informs(row.against)}


def warnings_beyond(prepared: Prepared, treatments: Sequence[Treatment], weeks: float) -> list[str]:
    """Warnings about time beyond the evidence."""
    warnings = []
    for treatment in treatments:
        if treatment.drug_class is None:
            continue
        seen = [
            row.arm.weeks or prepared.typical_weeks
            for row in prepared.selection.rows
            if treatment.drug_class in (row.arm.drug_class, row.against.drug_class if row.against else "")
        ]
        if seen and weeks > BEYOND_TIME * max(seen):
            warnings.append(
                f"{weeks:g} weeks is beyond the evidence: the longest trial of {treatment.drug_class} that reports "
                f"{prepared.endpoint.label} lasts {max(seen):g} weeks."
            )
    return warnings


@dataclass(frozen=True)
class Early:
    """A prediction for a time before trials looked.

    Attributes
    ----------
    first_visit : weeks of the earliest visit in the evidence.
    before : the time is so much before it that nothing speaks about it.
    persons : ranges of persons and shares of responders would rest on a spread seen much later only.
    """

    first_visit: float
    before: bool
    persons: bool


def early(prepared: Prepared, weeks: float) -> Early | None:
    """How early a time is; None where it is not."""
    first = min(row.arm.weeks or prepared.typical_weeks for row in prepared.selection.rows)
    before = weeks < BEFORE_TIME * first
    spread = prepared.layout.starts_at_zero and prepared.selection.individual_sd is not None
    persons = spread and (before or weeks < PERSONS_FROM_WEEKS)
    return Early(first, before, persons) if before or persons else None


def early_warnings(early: Sequence[tuple[Endpoint, Early]], weeks: float) -> tuple[str, ...]:
    """Sentences about endpoints that are predicted for a time before trials looked."""
    sentences = []
    before = dict.fromkeys(
        f"{endpoint.label} from week {item.first_visit:.3g}" for endpoint, item in early if item.before
    )
    if before:
        sentences.append(
            f"{weeks:.3g} weeks is earlier than any trial in this evidence base looked ({'; '.join(before)}): read the "
            "figures as the start of a curve, not as something that was seen."
        )
    persons = dict.fromkeys(endpoint.label for endpoint, item in early if item.persons)
    if persons:
        sentences.append(
            f"Ranges of single persons and shares of responders are left out ({'; '.join(persons)}): nothing in this "
            "evidence base says how much persons differ so early."
        )
    return tuple(sentences)


def areas_of(arms: Sequence[TrialArm], treatment: Treatment) -> dict[str, int]:
    """Number of trials by area, most first: of the drug; of its class where the drug itself has none."""
    for key, wanted in (("intervention", treatment.name), ("drug_class", treatment.drug_class)):
        found: dict[str, set[str]] = defaultdict(set)
        for arm in arms:
            if getattr(arm, key) == wanted and not arm.arm_role.is_control:
                found[arm.area].add(arm.trial)
        if found:
            return {area: len(found[area]) for area in sorted(found, key=lambda area: (-len(found[area]), area))}
    return {}


def unjoined(figures: Sequence[Row], first: Treatment, second: Treatment, label: str) -> tuple[str, str] | None:
    """Why the ratio of two treatments would be a guess, and what to do; None when a chain of trials compares them."""
    if first.drug_class == second.drug_class or joined_by_trials(figures, first.drug_class, second.drug_class):
        return None
    active = first if first.drug_class is not None else second
    partners = {
        other.intervention
        for row in figures
        if row.against is not None
        for other, own in ((row.arm, row.against), (row.against, row.arm))
        if own.intervention == active.name
    }
    hint = f"Trials compare {active.name} with {', '.join(sorted(partners))}: ask about that."
    return (
        f"No chain of trials in this evidence base compares {first.name} with {second.name} on {label}.",
        hint if partners else "Compare other treatments.",
    )


@dataclass(frozen=True)
class UsualTime:
    """The follow-up at which a treatment has been studied most.

    Attributes
    ----------
    weeks : of it.
    trials, of_trials : how many trials end there, and how many tell their end at all.
    """

    weeks: float
    trials: int
    of_trials: int


def usual_time(rows: Sequence[Row], treatment: Treatment) -> UsualTime | None:
    """The last visit that most trials of a treatment have (of its class where it has none); None where none is told.

    Trials that follow people until enough events have come share no visit: then it is the middle one (the lower of two).
    Of visits that equally many trials have, it is the earliest.
    """
    for by_class in (False, True):
        names = trials_of(rows, treatment, by_class=by_class)
        last: dict[str, float] = {}
        for row in rows:
            if row.arm.trial in names and row.arm.weeks:
                last[row.arm.trial] = max(last.get(row.arm.trial, 0.0), row.arm.weeks)
        if last:
            count = Counter(last.values())
            weeks = min(count, key=lambda week: (-count[week], week))
            if count[weeks] == 1:
                weeks = sorted(last.values())[(len(last) - 1) // 2]
            return UsualTime(weeks, count[weeks], len(last))
    return None


@dataclass(frozen=True)
class Outside:
    """A mean of the cohort that lies outside the means of the trials behind a prediction.

    `value`, `low` and `high` are in `unit`; a `share` is one of people, in %.
    """

    attribute: str
    unit: str
    value: float
    low: float
    high: float
    share: bool = False


def outside_trials(prepared: Prepared, covariates: Mapping[str, float | None]) -> tuple[Outside, ...]:
    """Covariates for which the prediction is an extrapolation."""
    found = []
    for name in prepared.scales.outside(covariates):
        scale = next(scale for scale in prepared.scales.scales if scale.name == name)
        value = covariates[name]
        if name in ("year", "log_weeks") or value is None:
            continue
        if name in SHARES:
            found.append(Outside(SHARES[name], "%", 100.0 * value, 100.0 * scale.low, 100.0 * scale.high, True))
            continue
        attribute = prepared.endpoint.baseline if name == "baseline" else name
        info = attribute_info(attribute)
        found.append(Outside(attribute_label(attribute), info.unit if info else "", value, scale.low, scale.high))
    return tuple(found)


def extrapolation_warnings(outside: Sequence[tuple[Endpoint, Outside]]) -> tuple[str, ...]:
    """One sentence for each attribute, naming the endpoints it concerns."""
    attributes = dict.fromkeys(item.attribute for _, item in outside)
    sentences = []
    for attribute in attributes:
        of_it = [(endpoint, item) for endpoint, item in outside if item.attribute == attribute]
        first = of_it[0][1]
        ranges = dict.fromkeys(f"{endpoint.label} {item.low:.3g} to {item.high:.3g}" for endpoint, item in of_it)
        sentences.append(
            f"The cohort's {'' if first.share else 'mean '}{attribute} ({first.value:.3g} {first.unit}".rstrip()
            + f") lies outside the {'shares in' if first.share else 'means of'} the trials behind "
            f"the prediction ({'; '.join(ranges)}): an extrapolation."
        )
    return tuple(sentences)
