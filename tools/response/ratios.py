"""Which rows of a time-to-event or rate endpoint enter the model, all on the log scale.

Ratios (hazard, rate, and risk or odds ratios turned into hazard ratios) are differences of two log hazards within a
trial. Event counts, risks and rates of single arms are log hazards, events over person-time; they tell the background,
and the effect only where the trial printed no ratio. Nothing enters twice: the figures of a trial form a tree.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from knowledge.schemas import ArmRole, Endpoint, Family, Statistic, TrialArm
from tools.response.covariates import COVARIATES, covariates_of
from tools.response.figures import Row
from tools.response.overlaps import pair

WEEKS_PER_YEAR = 365.25 / 7.0
RATIOS = frozenset({Statistic.HAZARD_RATIO, Statistic.RISK_RATIO, Statistic.ODDS_RATIO})
LEVELS = frozenset({Statistic.PROPORTION, Statistic.RATE})
# Added to the events of an arm without any, and of an arm in which everybody has one (Haldane 1956, Anscombe 1956).
CONTINUITY = 0.5
# Comparators whose arm has no row of its own, but whose label says that they give nothing of their own.
_CONTROL_LABELS = (
    (re.compile(r"^(?:matching )?placebo\b", re.IGNORECASE), ArmRole.PLACEBO, "placebo"),
    (re.compile(r"^(?:usual|standard|supportive|best supportive) (?:of )?care\b", re.IGNORECASE), ArmRole.USUAL_CARE, "usual care"),
    (re.compile(r"^(?:no \w|untreated\b|control$|observation\b)", re.IGNORECASE), ArmRole.NO_TREATMENT, "no treatment"),
)  # fmt: skip
_MODIFIERS = tuple(covariate.name for covariate in COVARIATES if covariate.modifies_effect)

Comparator = Callable[[TrialArm], TrialArm | None]


def log_ratio(arm: TrialArm, family: Family, control_risk: float | None) -> tuple[float, float] | None:
    """Log hazard (or rate) ratio and its SE; None when it cannot be told.

    Parameters
    ----------
    arm : a hazard, rate, risk or odds ratio with its SE on the log scale.
    family : of rates a risk ratio is the ratio of the rates itself.
    control_risk : share of the comparator with the event, 0-1. Risk and odds ratios are turned into hazard ratios with
        it (proportional hazards: both risks come from one cumulative hazard); without it a risk ratio is taken as it
        is, which holds for rare events, and an odds ratio is not used.
    """
    if arm.se is None or arm.value <= 0:
        return None
    log = float(np.log(arm.value))
    if arm.statistic is Statistic.HAZARD_RATIO or family is Family.RATE:
        return log, arm.se
    if control_risk is None or not 0.0 < control_risk < 1.0:
        return (log, arm.se) if arm.statistic is Statistic.RISK_RATIO else None
    if arm.statistic is Statistic.RISK_RATIO:
        risk, slope = arm.value * control_risk, 1.0
    else:
        risk = arm.value * control_risk / (1.0 - control_risk + arm.value * control_risk)
        slope = 1.0 - risk
    if risk >= 1.0:
        return log, arm.se
    cumulative = -np.log1p(-risk)
    # Delta method: d log(-log(1 - p)) = p / ((1 - p) H) d log p.
    stretch = slope * risk / ((1.0 - risk) * cumulative)
    return float(np.log(cumulative / -np.log1p(-control_risk))), float(arm.se * stretch)


def log_hazard(arm: TrialArm, dispersion: float | None) -> tuple[float, float, bool] | None:
    """Log events per 100 person-years of one arm, its SE and whether that was imputed; None when it cannot be told.

    Parameters
    ----------
    arm : a proportion with n and weeks, or a rate per 100 person-years.
    dispersion : variance of the number of events over its mean: 1 for first events, more where events repeat in the
        same persons; None where nothing tells it.
    """
    if arm.statistic is Statistic.PROPORTION:
        found = log_cumulative(arm)
        if found is None or arm.weeks is None:
            return None
        return found[0] + float(np.log(100.0 * WEEKS_PER_YEAR / arm.weeks)), found[1], False
    if arm.value > 0 and arm.events != 0:
        value = float(np.log(arm.value))
        if arm.se is not None:
            return value, arm.se / arm.value, False
        events = float(arm.events) if arm.events else expected_events(arm)
        if events and dispersion is not None:
            return value, float(np.sqrt(dispersion / events)), arm.events is None
        return None
    if arm.n is None or arm.weeks is None or dispersion is None:
        return None
    years = arm.n * arm.weeks / WEEKS_PER_YEAR
    return float(np.log(100.0 * CONTINUITY / years)), float(np.sqrt(dispersion / CONTINUITY)), False


def log_cumulative(arm: TrialArm) -> tuple[float, float] | None:
    """Log cumulative hazard of the share with an event, and its SE; None without size and SE."""
    if arm.n is not None:
        events = float(arm.events) if arm.events is not None else float(np.clip(arm.value, 0.0, 100.0)) / 100.0 * arm.n
        share = events / arm.n
        if share <= 0.0 or share >= 1.0:
            share = (events + CONTINUITY) / (arm.n + 2.0 * CONTINUITY)
        error = float(np.sqrt(share * (1.0 - share) / arm.n))
    elif arm.se is not None and 0.0 < arm.value < 100.0:
        share, error = arm.value / 100.0, arm.se / 100.0
    else:
        return None
    cumulative = float(-np.log1p(-share))
    return float(np.log(cumulative)), error / ((1.0 - share) * cumulative)


def expected_events(arm: TrialArm) -> float | None:
    """Events that a rate, a size and a duration amount to."""
    return None if arm.n is None or arm.weeks is None else arm.value / 100.0 * arm.n * arm.weeks / WEEKS_PER_YEAR


def dispersion_of(levels: Sequence[TrialArm], family: Family) -> float | None:
    """Variance of event counts over their mean: 1 for first events, else the median over arms that tell it."""
    if family is Family.TIME_TO_EVENT:
        return 1.0
    told = [
        (arm.se / arm.value) ** 2 * events
        for arm in levels
        if arm.statistic is Statistic.RATE and arm.se and arm.value > 0 and (events := expected_events(arm))
    ]
    return float(np.median(told)) if told else None


def control_of(arm: TrialArm, comparator: Comparator) -> TrialArm | None:
    """The comparator's row, else one made from its label where that says it gives nothing of its own."""
    found = comparator(arm)
    if found is not None:
        return found
    for pattern, role, name in _CONTROL_LABELS:
        if pattern.search(arm.comparator_arm):
            return arm.model_copy(
                update={"arm": arm.comparator_arm, "arm_role": role, "intervention": name, "drug_class": name, "dose": None, "n": None}
            )  # fmt: skip
    return None


def ratio_rows(
    arms: Sequence[TrialArm], endpoint: Endpoint, comparator: Comparator, skipped: Counter[str]
) -> list[Row]:
    """Figures of one endpoint on the log scale, none said twice.

    Parameters
    ----------
    arms : rows that may be used, in a fixed order, one report of each.
    endpoint : time to event, or rate.
    comparator : the row of the arm that a ratio is against.
    skipped : receives reason -> number of rows.
    """
    arms = _last_look(arms, skipped)
    levels = [arm for arm in arms if arm.statistic in LEVELS]
    dispersion = dispersion_of(levels, endpoint.family)
    risks = {(arm.study_key, arm.arm): arm.value / 100.0 for arm in levels if arm.statistic is Statistic.PROPORTION}
    ratios = []
    for arm in arms:
        if arm.statistic not in RATIOS:
            continue
        against = control_of(arm, comparator)
        if against is None:
            skipped["ratio to an arm whose treatment is not known"] += 1
            continue
        found = log_ratio(arm, endpoint.family, risks.get((arm.study_key, arm.comparator_arm)))
        if found is None:
            why = "ratio without an interval" if arm.se is None else "odds ratio without the comparator's risk"
            skipped[why] += 1
            continue
        ratios.append(Row(arm, against, *found))
    singles = _singles(levels, dispersion, skipped)
    singles += _timeless(
        [arm for arm in levels if arm.statistic is Statistic.PROPORTION and arm.weeks is None], skipped
    )
    return _without_repetition(_trees([*ratios, *singles], skipped), endpoint, skipped)


def _singles(levels: Iterable[TrialArm], dispersion: float | None, skipped: Counter[str]) -> list[Row]:
    """One log hazard for each arm; of a rate and a share with an event, the rate: it knows the person-time."""
    found: dict[tuple[str, str], Row] = {}
    for arm in sorted(levels, key=lambda arm: arm.statistic is Statistic.PROPORTION):
        if arm.statistic is Statistic.PROPORTION and arm.weeks is None:
            continue
        key = (arm.study_key, arm.arm)
        if key in found:
            skipped["another report of the same arm and visit"] += 1
            continue
        hazard = log_hazard(arm, dispersion)
        if hazard is None:
            skipped["neither standard error nor number of events"] += 1
        else:
            found[key] = Row(arm, None, *hazard)
    return list(found.values())


def _timeless(levels: Sequence[TrialArm], skipped: Counter[str]) -> list[Row]:
    """Shares with an event without a duration: ratios to the control arm of the same study, where time cancels."""
    by_study: dict[str, list[TrialArm]] = defaultdict(list)
    for arm in levels:
        by_study[arm.study_key].append(arm)
    found = []
    for group in by_study.values():
        reference = min(group, key=lambda arm: (not arm.arm_role.is_control, arm.arm))
        base = log_cumulative(reference)
        for arm in group:
            own = log_cumulative(arm)
            if arm is reference and len(group) > 1:
                continue
            if base is None or own is None or arm is reference:
                skipped["share with an event without a duration or a size"] += 1
                continue
            found.append(Row(arm, reference, own[0] - base[0], float(np.hypot(own[1], base[1]))))
    return found


def _last_look(arms: Sequence[TrialArm], skipped: Counter[str]) -> list[TrialArm]:
    """The longest follow-up of each arm, statistic and comparator: later looks hold the earlier events."""
    latest: dict[tuple[object, ...], TrialArm] = {}
    for arm in arms:
        key = (arm.study_key, arm.arm, arm.statistic, arm.comparator_arm if arm.statistic.is_contrast else "")
        if key in latest:
            skipped["an earlier look at the same people"] += 1
        if key not in latest or (arm.weeks or 0.0) > (latest[key].weeks or 0.0):
            latest[key] = arm
    return list(latest.values())


def _trees(figures: Sequence[Row], skipped: Counter[str]) -> list[Row]:
    """Of each study a spanning tree: a figure that follows from the others of its trial is left out.

    Ratios come first, printed ones before those of counts, precise ones before others; then, for the background, one arm
    of each group of arms that ratios join, the control where there is one.
    """

    def first(one: Row) -> tuple[object, ...]:
        control = one.arm.arm_role.is_control
        printed = one.arm.statistic in RATIOS
        return (one.against is None, not printed, not control, one.se, one.arm.arm, one.arm.comparator_arm)

    by_study: dict[str, list[Row]] = defaultdict(list)
    for one in figures:
        by_study[one.arm.study_key].append(one)
    kept = []
    for group in by_study.values():
        root: dict[str, str] = {}

        def top(name: str, root: dict[str, str] = root) -> str:
            while root.setdefault(name, name) != name:
                name = root[name]
            return name

        for one in sorted(group, key=first):
            # Person-time is the common root: an arm's own hazard joins it to that.
            left, right = top(one.arm.arm), top("" if one.against is None else one.against.arm)
            if left == right:
                skipped["follows from other figures of the trial"] += 1
                continue
            root[left] = right
            kept.append(one)
    return sorted(kept, key=_order)


def _without_repetition(figures: Sequence[Row], endpoint: Endpoint, skipped: Counter[str]) -> list[Row]:
    """Without subgroups that say nothing the whole trial does not: those that differ in no modifier of the effect."""
    whole = {pair(one): one for one in figures if one.arm.cohort == "all"}
    kept = []
    for one in figures:
        of_trial = whole.get(pair(one))
        if of_trial is not None and one.arm.cohort != "all":
            own, all_of_them = covariates_of(one.arm, endpoint), covariates_of(of_trial.arm, endpoint)
            if not any(own[name] is not None and own[name] != all_of_them[name] for name in _MODIFIERS):
                skipped["subgroup of a trial that is a row itself, alike in all the model knows"] += 1
                continue
        kept.append(one)
    return kept


def _order(one: Row) -> tuple[str, ...]:
    arm = one.arm
    return (arm.trial, arm.cohort, arm.arm, arm.statistic.value, arm.comparator_arm, arm.source_id)
