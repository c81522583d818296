"""Rows of one endpoint → the arrays of the model, with the names that belong to the indices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from knowledge.schemas import Drug, Endpoint, Family, TrialArm
from tools.response.covariates import CovariateScales, covariates_of, scales_of, stacked, typical_weeks
from tools.response.doses import DoseRange, convert_dose
from tools.response.features import CONTROL, Arms, FloatArray, IntArray, Layout, ResponseData
from tools.response.overlaps import Overlaps
from tools.response.rows import ON_LOG_SCALE, Row, Selection

A = TypeVar("A")
B = TypeVar("B")

# Correlation of the sampling errors of two visits of one arm whose times differ by a factor of e.
VISIT_CORRELATION = 0.4
# No two figures are taken to be more alike than this, nor the sampling covariance to be nearer to singular.
MAX_CORRELATION = 0.95


@dataclass(frozen=True)
class Prepared:
    """Everything the model needs for one endpoint, and what its indices mean.

    Attributes
    ----------
    endpoint : the endpoint; selection : rows in use, aligned with `data`.
    classes, drugs : names by index; class_of : drug name -> class name.
    scales : covariates; doses : studied doses by drug.
    weeks : time used for rows that state none, and the longest time in the evidence.
    evidence_hash : changes when a row in use changes.
    """

    endpoint: Endpoint
    selection: Selection
    data: ResponseData
    layout: Layout
    classes: tuple[str, ...]
    drugs: tuple[str, ...]
    class_of: Mapping[str, str]
    scales: CovariateScales
    doses: Mapping[str, DoseRange]
    typical_weeks: float
    longest_weeks: float
    latest_year: float
    evidence_hash: str


def prepare(
    endpoint: Endpoint, selection: Selection, drugs: Mapping[str, Drug], doses: Mapping[str, DoseRange]
) -> Prepared:
    """Arrays for the rows of one endpoint (at least one row).

    Parameters
    ----------
    endpoint, selection : the rows.
    drugs : vocabulary, for dose units and classes.
    doses : studied doses by drug over all endpoints.
    """
    rows = selection.rows
    proportion = endpoint.family is Family.PROPORTION
    logged = endpoint.family in ON_LOG_SCALE
    weeks = typical_weeks([row.arm for row in rows])
    plus = [row.arm for row in rows]
    minus = [row.against or row.arm for row in rows]
    contrast = np.array([row.against is not None for row in rows])
    class_of = {
        arm.intervention: arm.drug_class
        for row in rows
        for arm in (row.arm, row.against)
        if arm is not None and not arm.arm_role.is_control
    }
    drug_names = tuple(sorted(class_of))
    class_names = tuple(sorted(set(class_of.values())))
    values = [covariates_of(arm, endpoint) for arm in plus]
    scales = scales_of(values, [arm.study_key for arm in plus], endpoint)
    # Arms of a difference share the covariates of their trial: those of the row that reports it.
    background, modifiers = scales.columns(stacked(values), len(values))

    def arms(sides: Sequence[TrialArm]) -> Arms:
        active = [not arm.arm_role.is_control for arm in sides]
        return Arms(
            drug_class=_index([class_of[a.intervention] if on else None for a, on in _zip(sides, active)], class_names),
            drug=_index([a.intervention if on else None for a, on in _zip(sides, active)], drug_names),
            dose_ratio=np.array([_ratio(a, drugs, doses) if on else 1.0 for a, on in _zip(sides, active)]),
            weeks=np.array([arm.weeks or weeks for arm in plus]),
            background=background,
            modifiers=modifiers,
        )

    first, second = arms(plus), arms(minus)
    knots = []
    for index in range(len(drug_names)):
        ratios = np.concatenate([first.dose_ratio[first.drug == index], second.dose_ratio[second.drug == index]])
        logs = np.unique(np.round(np.log(ratios), 6))
        knots.append(logs[np.abs(logs) > 1e-6])
    se = np.array([row.se for row in rows])
    y = np.array([row.value for row in rows])
    scale, individual = 1.0, 1.0
    if logged:
        # Log hazards are counted from their middle, so that the prior of the background is weak in any unit of time;
        # back on the scale of hazards that middle is a factor, the `scale`.
        middle = float(np.median(y[~contrast])) if np.any(~contrast) else 0.0
        standard, scale, sampling = y - np.where(contrast, 0.0, middle), float(np.exp(middle)), _log_covariance(rows)
    elif proportion:
        standard, sampling = y, sampling_covariance(rows)
    else:
        scale = _spread(y[~contrast], y[contrast], se)
        # No SD anywhere: persons vary about twice as much as arm means do.
        individual = 2.0 if selection.individual_sd is None else selection.individual_sd / scale
        standard, sampling = y / scale, sampling_covariance(rows) / scale**2
    layout = Layout(
        n_classes=len(class_names),
        n_drugs=len(drug_names),
        n_background=scales.n_background,
        n_modifiers=len(scales.modifiers),
        knots=tuple(knots),
        class_modifiers=scales.class_modifiers,
        starts_at_zero=endpoint.family is Family.CONTINUOUS,
        baseline=scales.baseline,
        immediate=logged,
    )
    data = ResponseData(
        y=standard,
        sampling=sampling,
        plus=first,
        minus=second,
        contrast=contrast,
        trial=_codes([row.arm.trial for row in rows]),
        study=_codes([row.arm.study_key for row in rows]),
        **_levels(rows, weeks, by_trial=logged),
        scale=scale,
        individual_sd=individual,
    )
    return Prepared(
        endpoint=endpoint,
        selection=selection,
        data=data,
        layout=layout,
        classes=class_names,
        drugs=drug_names,
        class_of=class_of,
        scales=scales,
        doses=doses,
        typical_weeks=weeks,
        longest_weeks=max(arm.weeks or weeks for arm in plus),
        latest_year=max(float(arm.published[:4]) for arm in plus),
        evidence_hash=_hash(rows, endpoint, doses, drug_names),
    )


def _log_covariance(rows: Sequence[Row]) -> FloatArray:
    return sampling_covariance(rows, Overlaps(rows))


def sampling_covariance(rows: Sequence[Row], shared: Callable[[Row, Row], float] | None = None) -> FloatArray:
    """Known sampling covariance (N, N) of the figures, positive definite.

    * Visits of one arm: correlation falls with the ratio of their times.
    * An arm of the whole trial and the same arm of one of its subgroups: the covariance is the variance of the whole,
      because the subgroup is part of it.
    * A difference and one of its arms: plus or minus that arm's variance. Two differences from the same comparator:
      half of the smaller variance.

    With `shared` the covariance of two figures of one trial is what that says (`overlaps.Overlaps` on the log scale).
    """
    shared = shared or _shared
    se = np.array([row.se for row in rows])
    covariance = np.diag(se**2)
    by_trial: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_trial.setdefault(row.arm.trial, []).append(index)
    for members in by_trial.values():
        for position, i in enumerate(members):
            for j in members[position + 1 :]:
                limit = MAX_CORRELATION * se[i] * se[j]
                covariance[i, j] = covariance[j, i] = np.clip(shared(rows[i], rows[j]), -limit, limit)
    shrink = 1.0
    diagonal = np.diag(np.diag(covariance))
    while shrink > 0.01:
        candidate = diagonal + shrink * (covariance - diagonal)
        if np.linalg.eigvalsh(candidate / np.outer(se, se))[0] > 1e-3:
            return np.asarray(candidate)
        shrink *= 0.8
    return np.asarray(diagonal)


def _shared(first: Row, second: Row) -> float:
    """Sampling covariance of two figures of one trial."""
    a, b = first.arm, second.arm
    if first.against is not None and second.against is not None:
        if a.study_key == b.study_key and a.weeks == b.weeks:
            same = a.arm == b.arm or first.against.arm == second.against.arm
            return 0.5 * min(first.se, second.se) ** 2 if same else 0.0
        return 0.0
    if first.against is None and second.against is None:
        if a.study_key == b.study_key and a.arm == b.arm:
            ratio = abs(np.log((a.weeks or 1.0) / (b.weeks or 1.0)))
            return float(first.se * second.se * VISIT_CORRELATION**ratio)
        alike = (a.intervention, a.dose, a.weeks) == (b.intervention, b.dose, b.weeks)
        if alike and "all" in (a.cohort, b.cohort) and a.cohort != b.cohort:
            return min(first.se, second.se) ** 2
        return 0.0
    contrast, single = (first, second) if first.against is not None else (second, first)
    if contrast.arm.study_key != single.arm.study_key or contrast.arm.weeks != single.arm.weeks:
        return 0.0
    if contrast.arm.arm == single.arm.arm:
        return single.se**2
    assert contrast.against is not None
    return -(single.se**2) if contrast.against.arm == single.arm.arm else 0.0


def _levels(rows: Sequence[Row], weeks: float, by_trial: bool) -> dict[str, IntArray]:
    """Indices of arm, arm x visit and study x drug on both sides of each figure.

    `by_trial` makes it trial x drug: subgroups by different attributes are the same people over again.
    """

    def arm_of(row: Row, arm: TrialArm) -> tuple[str, str]:
        return (row.arm.study_key, arm.arm)

    arms = [arm_of(row, row.arm) for row in rows] + [arm_of(row, row.against or row.arm) for row in rows]
    visits = [(*arm, row.arm.weeks or weeks) for arm, row in _zip(arms, [*rows, *rows])]
    sides = [(row, row.arm) for row in rows] + [(row, row.against or row.arm) for row in rows]
    drugs = [
        None if arm.arm_role.is_control else (row.arm.trial if by_trial else row.arm.study_key, arm.intervention)
        for row, arm in sides
    ]
    count = len(rows)
    arm_codes, visit_codes, drug_codes = _codes(arms), _codes(visits), _codes(drugs)
    return {
        "arm_plus": arm_codes[:count],
        "arm_minus": arm_codes[count:],
        "visit_plus": visit_codes[:count],
        "visit_minus": visit_codes[count:],
        "study_drug_plus": drug_codes[:count],
        "study_drug_minus": drug_codes[count:],
    }


def _codes(keys: Sequence[object]) -> IntArray:
    """Index of each key by first appearance; -1 for None."""
    seen: dict[object, int] = {}
    return np.array([CONTROL if key is None else seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def _index(names: Sequence[str | None], vocabulary: Sequence[str]) -> IntArray:
    where = {name: index for index, name in enumerate(vocabulary)}
    return np.array([CONTROL if name is None else where[name] for name in names], dtype=np.int64)


def _ratio(arm: TrialArm, drugs: Mapping[str, Drug], doses: Mapping[str, DoseRange]) -> float:
    """Dose over the drug's reference dose; 1 when not stated or not comparable."""
    drug, studied = drugs.get(arm.intervention), doses.get(arm.intervention)
    if drug is None or studied is None or arm.dose is None:
        return 1.0
    dose = convert_dose(arm.dose, arm.dose_unit, arm.frequency, drug)
    return 1.0 if dose is None else dose / studied.reference


def _spread(means: FloatArray, contrasts: FloatArray, se: FloatArray) -> float:
    """Typical spread of the response: SD over arms, and not less than what sampling error alone would give."""
    values = means if len(means) else contrasts
    spread = float(values.std()) if len(values) > 1 else 0.0
    return max(spread, 0.5 * float(np.median(np.abs(values))), float(np.median(se)), 1e-9)


def _hash(rows: Sequence[Row], endpoint: Endpoint, doses: Mapping[str, DoseRange], drugs: Sequence[str]) -> str:
    """16 hex digits over what the numbers of the fit depend on."""
    total = hashlib.sha256(repr((endpoint.endpoint_id, endpoint.family.value, endpoint.baseline)).encode())
    for row in rows:
        content = row.arm.model_dump_json(exclude={"row_id", "locator", "seen", "source_id"})
        against = row.against.intervention if row.against is not None else ""
        total.update(f"{content}|{against}|{row.se!r}\n".encode("utf-8", "surrogatepass"))
    total.update(repr([(name, doses.get(name)) for name in drugs]).encode())
    return total.hexdigest()[:16]


def _zip(first: Sequence[A], second: Sequence[B]) -> list[tuple[A, B]]:
    return list(zip(first, second, strict=True))
