"""Doses as trials gave them: the one taken when nobody states a dose, and schedules that nobody has studied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from knowledge.errors import ImpossibleDose
from knowledge.schemas import Drug, TrialArm
from tools.response.doses import BEYOND_EVIDENCE, FREQUENCIES, convert_dose
from tools.response.rows import ArmLookup

# Other words for a schedule in a question; a total per day or week is one administration of it.
ALIASES = {
    "per day": "once daily", "a day": "once daily", "daily total": "once daily", "every day": "once daily",
    "qd": "once daily", "od": "once daily", "bid": "twice daily", "tid": "three times daily",
    "per week": "once weekly", "a week": "once weekly", "every week": "once weekly", "qw": "once weekly",
}  # fmt: skip


def read_schedule(frequency: str) -> str:
    """A schedule as asked for, in the words of the vocabulary where they are known."""
    text = " ".join(frequency.casefold().split())
    return ALIASES.get(text, text)


@dataclass(frozen=True)
class StudiedDose:
    """A dose that an arm was given, and one endpoint it reports.

    Attributes
    ----------
    dose : per administration, in the drug's vocabulary unit; frequency : as given.
    amount : the same at the drug's usual frequency.
    area, trial, arm, endpoint : where.
    participants : of the arm; 0 where it is not stated.
    """

    dose: float
    frequency: str
    amount: float
    area: str
    trial: str
    arm: str
    endpoint: str
    participants: int


def studied_doses(arms: Iterable[TrialArm], drug: Drug, lookup: ArmLookup) -> tuple[StudiedDose, ...]:
    """Doses of a drug in a unit and on a schedule that can be compared with its usual ones."""
    found = []
    for arm in arms:
        if arm.intervention != drug.name or arm.dose is None or arm.arm_role.is_control:
            continue
        frequency = arm.frequency or drug.frequency
        given = convert_dose(arm.dose, arm.dose_unit, "", drug)
        amount = convert_dose(arm.dose, arm.dose_unit, frequency, drug)
        # A daily total or a course of doses is not a dose that a question could state.
        if given is None or amount is None or (frequency not in FREQUENCIES and frequency != drug.frequency):
            continue
        participants = lookup.with_size(arm).n or 0
        found.append(StudiedDose(given, frequency, amount, arm.area, arm.trial, arm.arm, arm.endpoint, participants))
    return tuple(found)


def most_studied(doses: Sequence[StudiedDose], area: str, endpoints: Collection[str]) -> StudiedDose | None:
    """The dose with most participants: on these endpoints in this area, else in the area, else on the endpoints."""
    in_area = [one for one in doses if one.area == area]
    pools = (
        [one for one in in_area if one.endpoint in endpoints],
        in_area,
        [one for one in doses if one.endpoint in endpoints],
        list(doses),
    )
    pool = next((pool for pool in pools if pool), [])
    groups: dict[tuple[float, str], dict[tuple[str, str], StudiedDose]] = defaultdict(dict)
    for one in pool:
        arms = groups[one.dose, one.frequency]
        kept = arms.get((one.trial, one.arm))
        if kept is None or kept.participants < one.participants:
            arms[one.trial, one.arm] = one
    if not groups:
        return None
    # Where no trial states its size, the dose of most arms; the highest of several such doses.
    best = max(groups, key=lambda key: (sum(one.participants for one in groups[key].values()), len(groups[key]), *key))
    return next(iter(groups[best].values()))


def check_schedule(drug: Drug, dose: float, unit: str, frequency: str, studied: Sequence[StudiedDose]) -> str:
    """The schedule under which the evidence can speak: the one asked for, or the usual one where nobody studied it.

    Parameters
    ----------
    drug, dose, unit, frequency : as asked; the frequency is the usual one when empty.
    studied : doses of the drug.

    Raises
    ------
    ImpossibleDose : on this very schedule nobody has given two thirds of the dose.
    """
    times, usual = FREQUENCIES.get(frequency), FREQUENCIES.get(drug.frequency)
    if not frequency or frequency == drug.frequency or (times is not None and times == usual):
        return drug.frequency
    same = [one for one in studied if FREQUENCIES.get(one.frequency) == times and times is not None]
    if not same:
        return drug.frequency
    amount = convert_dose(dose, unit, "", drug)
    highest = max(one.dose for one in same)
    if amount is not None and amount > BEYOND_EVIDENCE * highest * (1.0 + 1e-6):
        raise ImpossibleDose(
            f"{drug.name.capitalize()} {dose:g} {unit} {frequency} is more than 1.5 times the highest dose studied on "
            f"that schedule ({highest:g} {drug.dose_unit} {frequency}).",
            f"{schedules_text(studied, drug)} Check the schedule, or ask for a studied dose.",
        )
    return frequency


def schedules_text(studied: Sequence[StudiedDose], drug: Drug) -> str:
    """A sentence: which doses were studied on which schedules; empty without any."""
    spans: dict[str, list[float]] = defaultdict(list)
    for one in studied:
        spans[one.frequency].append(one.dose)
    parts = []
    for frequency, doses in sorted(spans.items(), key=lambda item: (item[0] != drug.frequency, item[0])):
        low, high = min(doses), max(doses)
        span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        parts.append(f"{span} {drug.dose_unit} {frequency}".strip())
    return f"Studied were {', and '.join(parts)}." if parts else ""
