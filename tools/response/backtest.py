"""Leave one trial out: predict each published arm from its design alone, everything refitted without its trial.

Without the held-out trial: rows, covariate scales, reference doses, typical SDs, the response's scale, hyperparameters.
The optimiser starts from the priors each time, so that nothing carries over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from knowledge.base import KnowledgeBase
from knowledge.schemas import EvidenceView, TrialArm
from tools.response.assemble import Prepared
from tools.response.designs import design_of, to_arms
from tools.response.engine import prepare_endpoint
from tools.response.features import FloatArray
from tools.response.fit import fit_prepared
from tools.response.heldout import LEVELS, METHODS, Forecast, predict_held_out
from tools.response.mixture import Prediction
from tools.response.rows import Row
from tools.response.threads import one_thread

__all__ = ["LEVELS", "METHODS", "Backtest", "BacktestRow", "Forecast", "Score", "leave_one_trial_out", "score"]


@dataclass(frozen=True)
class BacktestRow:
    """One held-out figure: an arm's mean, or its difference from the control arm of its trial.

    Attributes
    ----------
    forecasts : method -> forecast; sampling error of the figure is part of each interval.
    n_trials_drug : trials of the drug that the prediction could learn from (0 borrows from the class).
    """

    trial: str
    cohort: str
    arm: str
    source_id: str
    intervention: str
    weeks: float
    contrast: bool
    observed: float
    se: float
    forecasts: Mapping[str, Forecast]
    n_trials_drug: int


@dataclass(frozen=True)
class Score:
    """How a method did over the rows.

    Attributes
    ----------
    mean_absolute_error : in the endpoint's unit.
    coverage : level -> share of rows inside the interval.
    interval_score : level -> mean interval score (Gneiting and Raftery 2007), lower is better.
    """

    rows: int
    trials: int
    mean_absolute_error: float
    coverage: Mapping[float, float]
    interval_score: Mapping[float, float]


@dataclass(frozen=True)
class Backtest:
    """A finished backtest; `not_predicted` counts held-out figures whose class no other trial has studied."""

    endpoint: str
    rows: tuple[BacktestRow, ...]
    not_predicted: int

    def scores(self, *, contrast: bool) -> dict[str, Score]:
        """Scores of each method over the arms, or over the differences."""
        rows = [row for row in self.rows if row.contrast == contrast]
        return {method: score(rows, method) for method in METHODS} if rows else {}


def score(rows: Sequence[BacktestRow], method: str) -> Score:
    """Error, coverage and interval score of one method over at least one row."""
    observed = np.array([row.observed for row in rows])
    points = np.array([row.forecasts[method].point for row in rows])
    coverage, interval_score = {}, {}
    for level in LEVELS:
        lower, upper = np.array([row.forecasts[method].intervals[level] for row in rows]).T
        coverage[level] = float(np.mean((lower <= observed) & (observed <= upper)))
        missed = np.maximum(lower - observed, 0.0) + np.maximum(observed - upper, 0.0)
        interval_score[level] = float(np.mean(upper - lower + 2.0 / (1.0 - level) * missed))
    return Score(
        rows=len(rows),
        trials=len({row.trial for row in rows}),
        mean_absolute_error=float(np.mean(np.abs(points - observed))),
        coverage=coverage,
        interval_score=interval_score,
    )


@one_thread()
def leave_one_trial_out(
    knowledge: KnowledgeBase,
    endpoint: str,
    *,
    view: EvidenceView | None = None,
    trials: Sequence[str] | None = None,
    progress: Callable[[float, str], None] = lambda _share, _text: None,
) -> Backtest:
    """Hold out each trial in turn and predict its figures.

    Parameters
    ----------
    knowledge : evidence and vocabulary.
    endpoint : endpoint id.
    view : what may be known at all; held-out trials come on top of its exclusions.
    trials : which trials to hold out; all with a usable row by default.
    progress : called with the share done (0-1) and the trial's name.

    Raises
    ------
    UnknownEndpoint, NoEvidence : the endpoint.
    """
    view = view or EvidenceView()
    whole = prepare_endpoint(knowledge, view, endpoint)
    by_trial: dict[str, list[Row]] = {}
    for row in whole.selection.rows:
        by_trial.setdefault(row.arm.trial, []).append(row)
    chosen = sorted(by_trial) if trials is None else [trial for trial in trials if trial in by_trial]
    rows: list[BacktestRow] = []
    not_predicted = 0
    for done, trial in enumerate(chosen):
        progress(done / len(chosen), trial)
        held_out = by_trial[trial]
        # The registry id hides the trial under any other name it may have.
        names = {trial, *(row.arm.registry_id for row in held_out if row.arm.registry_id)}
        without = EvidenceView(as_of=view.as_of, exclude=(*view.exclude, *sorted(names)))
        if not knowledge.arms.view(without).select(endpoint):
            not_predicted += len(held_out)
            continue
        prepared = prepare_endpoint(knowledge, without, endpoint)
        known = [row for row in held_out if _predictable(row, prepared)]
        not_predicted += len(held_out) - len(known)
        if known:
            rows += _predict_trial(known, prepared, knowledge)
    return Backtest(endpoint, tuple(rows), not_predicted)


def _predictable(row: Row, prepared: Prepared) -> bool:
    sides = [row.arm] if row.against is None else [row.arm, row.against]
    return all(arm.arm_role.is_control or arm.drug_class in prepared.classes for arm in sides)


def _predict_trial(rows: Sequence[Row], prepared: Prepared, knowledge: KnowledgeBase) -> list[BacktestRow]:
    posterior = fit_prepared(prepared)
    drugs = knowledge.vocabulary.drugs
    found: list[BacktestRow] = []
    singles = [row for row in rows if row.against is None]
    if singles:
        arms = to_arms([design_of(row.arm, prepared, drugs) for row in singles], prepared)
        held_out = predict_held_out(
            posterior, prepared, arms, _sizes([row.arm for row in singles]), [row.se for row in singles]
        )
        for index, row in enumerate(singles):
            found.append(_row(row.arm, row.se, row.arm.value, held_out.arm(index), prepared, contrast=False))
        for first, second in _pairs(singles):
            observed = singles[first].arm.value - singles[second].arm.value
            se = _difference_se(singles[first], singles[second], held_out.prediction)
            forecasts = held_out.difference(first, second)
            found.append(_row(singles[first].arm, se, observed, forecasts, prepared, contrast=True))
    for row in rows:
        if row.against is None:
            continue
        one, other = design_of(row.arm, prepared, drugs), design_of(row.against, prepared, drugs)
        # The comparator's row may be of another visit or endpoint; the difference is of this one.
        other = replace(other, weeks=one.weeks, covariates=one.covariates)
        sizes = _sizes([row.arm, row.against])
        half = row.se * 0.5**0.5
        held_out = predict_held_out(posterior, prepared, to_arms([one, other], prepared), sizes, [half, half])
        found.append(_row(row.arm, row.se, row.value, held_out.difference(0, 1), prepared, contrast=True))
    return found


def _sizes(arms: Sequence[TrialArm]) -> FloatArray:
    return np.array([float(arm.n) if arm.n else np.nan for arm in arms])


def _pairs(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """(active, control) positions of the same cohort and visit."""
    controls = {
        (row.arm.study_key, row.arm.weeks): index for index, row in enumerate(rows) if row.arm.arm_role.is_control
    }
    return [
        (index, controls[row.arm.study_key, row.arm.weeks])
        for index, row in enumerate(rows)
        if not row.arm.arm_role.is_control and (row.arm.study_key, row.arm.weeks) in controls
    ]


def _difference_se(first: Row, second: Row, prediction: Prediction) -> float:
    if not prediction.proportion:
        return float(np.hypot(first.se, second.se))
    shares = np.clip(np.array([first.arm.value, second.arm.value]) / 100.0, 0.01, 0.99)
    return 100.0 * float(np.sqrt(np.sum((shares * (1 - shares) * np.array([first.se, second.se])) ** 2)))


def _row(
    arm: TrialArm,
    se: float,
    observed: float,
    forecasts: Mapping[str, Forecast],
    prepared: Prepared,
    *,
    contrast: bool,
) -> BacktestRow:
    trials = {row.arm.trial for row in prepared.selection.rows if row.arm.intervention == arm.intervention}
    return BacktestRow(
        trial=arm.trial,
        cohort=arm.cohort,
        arm=arm.arm,
        source_id=arm.source_id,
        intervention=arm.intervention,
        weeks=arm.weeks or prepared.typical_weeks,
        contrast=contrast,
        observed=observed,
        se=se,
        forecasts=forecasts,
        n_trials_drug=0 if arm.arm_role.is_control else len(trials),
    )
