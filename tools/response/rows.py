"""Which published rows of an endpoint enter the model, and with what standard error."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.schemas import Design, Endpoint, Family, Seen, Source, Statistic, TrialArm
from tools.response.figures import Row as Row
from tools.response.ratios import LEVELS, RATIOS, ratio_rows

# Figures that pool several trials stay out: those trials are rows already, and must not come back through a pooled
# Randomised withdrawal, and trials after a lead-in that had already changed the outcome.
NOT_FROM_START = frozenset({"withdrawal", "after_lead_in"})
# figure when they are held out. Reviews and meta-analyses stay in where they report a single trial.
POOLED_NAME = re.compile(r"\bpool(?:s|ed|ing)?\b|\btrials\b|\bmeta-?analys", re.IGNORECASE)
# Statistics of one arm, by endpoint family.
MEANS = {
    Family.CONTINUOUS: frozenset({Statistic.MEAN_CHANGE, Statistic.PERCENT_CHANGE}),
    Family.PROPORTION: frozenset({Statistic.PROPORTION}),
}
# Families whose figures are taken on the log scale (`tools.response.ratios`).
ON_LOG_SCALE = frozenset({Family.TIME_TO_EVENT, Family.RATE})
# Of several figures of one arm, endpoint and visit, the first of these is kept.
ESTIMANDS = ("treatment_policy", "itt_mmrm", "itt_locf", "unspecified", "on_treatment")
SEEN = (Seen.FULL_TEXT, Seen.REGISTRY, Seen.LABEL, Seen.ABSTRACT, Seen.SECONDARY, Seen.PRESS)
# Added to events and to non-events, so that nobody and everybody have finite logits (Haldane 1956, Anscombe 1956).
CONTINUITY = 0.5


@dataclass(frozen=True)
class Selection:
    """Rows in use and why others are not.

    Attributes
    ----------
    rows : in a fixed order that does not depend on the order of the files.
    skipped : reason -> number of rows.
    individual_sd : typical person-to-person SD in the endpoint's unit; None where nothing tells it.
    individual_sd_from : how many arms told it.
    """

    rows: tuple[Row, ...]
    skipped: Mapping[str, int]
    individual_sd: float | None
    individual_sd_from: int

    @property
    def imputed(self) -> int:
        """Rows whose SE was imputed."""
        return sum(row.imputed for row in self.rows)


@dataclass(frozen=True)
class ArmLookup:
    """What the rows of a view say about arms, whatever their endpoint.

    Attributes
    ----------
    by_label : (trial, cohort, arm label) -> a row of that arm, also under cohort `all`.
    sizes : (study key, arm label) -> participants, the fewest where rows differ (the cautious one).
    """

    by_label: Mapping[tuple[str, str, str], TrialArm]
    sizes: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, everything: Sequence[TrialArm]) -> ArmLookup:
        """Look-ups over all rows of a view; which row stands for an arm does not depend on their order."""
        by_label: dict[tuple[str, str, str], TrialArm] = {}
        sizes: dict[tuple[str, str], int] = {}
        for arm in sorted(everything, key=_order):
            by_label.setdefault((arm.trial, arm.cohort, arm.arm), arm)
            by_label.setdefault((arm.trial, "all", arm.arm), arm)
            if arm.n is not None:
                key = (arm.study_key, arm.arm)
                sizes[key] = min(arm.n, sizes.get(key, arm.n))
        return cls(by_label, sizes)

    def comparator(self, arm: TrialArm) -> TrialArm | None:
        """A row of the arm that a difference is against, with its size; None when no row tells its treatment."""
        label = arm.comparator_arm
        found = self.by_label.get((arm.trial, arm.cohort, label)) or self.by_label.get((arm.trial, "all", label))
        return None if found is None else self.with_size(found)

    def with_size(self, arm: TrialArm) -> TrialArm:
        """The row with the participants that another row of the same arm states, where it states none itself."""
        n = self.sizes.get((arm.study_key, arm.arm)) if arm.n is None else None
        return arm if n is None else arm.model_copy(update={"n": n})


def select_rows(
    arms: Sequence[TrialArm], lookup: ArmLookup, endpoint: Endpoint, sources: Mapping[str, Source]
) -> Selection:
    """Choose the rows of one endpoint.

    Parameters
    ----------
    arms : rows of the endpoint in the view.
    lookup : what all rows of the view say about arms.
    endpoint : its family decides the scale.
    sources : by source id.
    """
    skipped: Counter[str] = Counter()
    means, contrasts, logged = [], [], []
    for arm in sorted(arms, key=_order):
        source = sources.get(arm.source_id)
        pooled = source is not None and source.design is Design.POOLED_RCT
        if pooled or POOLED_NAME.search(arm.trial):
            skipped["pools several trials"] += 1
        elif arm.design in NOT_FROM_START:
            skipped["change not counted from an untreated start"] += 1
        elif endpoint.family in ON_LOG_SCALE and arm.statistic in LEVELS | RATIOS:
            logged.append(arm)
        elif arm.statistic in MEANS.get(endpoint.family, ()):
            means.append(arm)
        elif endpoint.family is Family.CONTINUOUS and arm.statistic is Statistic.MEAN_DIFFERENCE:
            contrasts.append(arm)
        else:
            skipped[f"statistic {arm.statistic.value} is not modelled"] += 1
    if endpoint.family in ON_LOG_SCALE:
        logged = [lookup.with_size(arm) for arm in _one_per_visit(logged, skipped)]
        found = ratio_rows(logged, endpoint, lookup.comparator, skipped)
        return Selection(tuple(found), dict(skipped), None, 0)
    means = _one_per_visit(means, skipped)
    contrasts = _one_per_visit(contrasts, skipped)
    means = [lookup.with_size(arm) for arm in means]
    contrasts = [lookup.with_size(arm) for arm in contrasts]
    typical, told = typical_sd(means, contrasts, lookup.sizes) if endpoint.family is Family.CONTINUOUS else (None, 0)
    rows = []
    for arm in means:
        row = _proportion_row(arm) if endpoint.family is Family.PROPORTION else _mean_row(arm, typical)
        if row is None:
            skipped["neither standard error nor number of participants"] += 1
        else:
            rows.append(row)
    known = {(row.arm.study_key, row.arm.arm, row.arm.weeks) for row in rows}
    for arm in contrasts:
        against = lookup.comparator(arm)
        both = {(arm.study_key, arm.arm, arm.weeks), (arm.study_key, arm.comparator_arm, arm.weeks)}
        if both <= known:
            skipped["difference of two arms that are rows themselves"] += 1
        elif against is None:
            skipped["difference from an arm whose treatment is not known"] += 1
        else:
            row = _contrast_row(arm, against, typical)
            if row is None:
                skipped["neither standard error nor number of participants"] += 1
            else:
                rows.append(row)
    return Selection(tuple(rows), dict(skipped), typical, told)


def typical_sd(
    means: Sequence[TrialArm], contrasts: Sequence[TrialArm], sizes: Mapping[tuple[str, str], int]
) -> tuple[float | None, int]:
    """Typical person-to-person SD: the median over arms, weighted by participants, and how many told it.

    From a printed SD, else SE x sqrt(n), else (differences between arms of known size) the SE of the difference.
    """
    values, weights = [], []
    for arm in means:
        sd = arm.sd or (arm.se * float(np.sqrt(arm.n)) if arm.se and arm.n else None)
        if sd:
            values.append(sd)
            weights.append(float(arm.n or 1))
    for arm in contrasts:
        second = sizes.get((arm.study_key, arm.comparator_arm))
        if arm.se and arm.n and second:
            values.append(arm.se / float(np.sqrt(1.0 / arm.n + 1.0 / second)))
            weights.append(float(min(arm.n, second)))
    if not values:
        return None, 0
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][int(np.searchsorted(cumulative, 0.5 * cumulative[-1]))]), len(values)


def _order(arm: TrialArm) -> tuple[str, ...]:
    weeks = f"{arm.weeks or 0:010.3f}"
    return (arm.trial, arm.cohort, weeks, arm.arm, arm.statistic.value, arm.comparator_arm, arm.source_id)


def _one_per_visit(arms: Sequence[TrialArm], skipped: Counter[str]) -> list[TrialArm]:
    """One figure for each arm and visit: two reports of it, or two estimands, are not two pieces of evidence."""

    def preference(arm: TrialArm) -> tuple[object, ...]:
        estimand = ESTIMANDS.index(arm.estimand) if arm.estimand in ESTIMANDS else len(ESTIMANDS)
        return (estimand, arm.se is None, arm.n is None, SEEN.index(arm.seen), arm.source_id)

    groups: dict[tuple[object, ...], list[TrialArm]] = defaultdict(list)
    for arm in arms:
        comparator = arm.comparator_arm if arm.statistic.is_contrast else ""
        # A share and a rate of one arm say the same in two ways; which to take is decided where both are known.
        statistic = arm.statistic if arm.statistic in (Statistic.PROPORTION, Statistic.RATE, *RATIOS) else None
        groups[arm.study_key, arm.arm, arm.weeks, comparator, statistic].append(arm)
    kept = []
    for group in groups.values():
        kept.append(min(group, key=preference))
        if len(group) > 1:
            skipped["another report of the same arm and visit"] += len(group) - 1
    return kept


def _mean_row(arm: TrialArm, typical: float | None) -> Row | None:
    if arm.se is not None:
        return Row(arm, None, arm.value, arm.se, False)
    if arm.n is None or typical is None:
        return None
    return Row(arm, None, arm.value, typical / float(np.sqrt(arm.n)), True)


def _proportion_row(arm: TrialArm) -> Row | None:
    if arm.n is None:
        return None
    events = float(arm.events) if arm.events is not None else np.clip(arm.value, 0.0, 100.0) / 100.0 * arm.n
    yes, no = float(events) + CONTINUITY, arm.n - float(events) + CONTINUITY
    return Row(arm, None, float(np.log(yes / no)), float(np.sqrt(1.0 / yes + 1.0 / no)), False)


def _contrast_row(arm: TrialArm, against: TrialArm, typical: float | None) -> Row | None:
    if arm.se is not None:
        return Row(arm, against, arm.value, arm.se, False)
    other = against.n or arm.n
    if arm.n is None or other is None or typical is None:
        return None
    return Row(arm, against, arm.value, typical * float(np.sqrt(1.0 / arm.n + 1.0 / other)), True)
