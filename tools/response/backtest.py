"""Leave one trial out: predict each published arm from its design alone, everything refitted without its trial.

Without the held-out trial: rows, covariate scales, reference doses, typical SDs, the response's scale, hyperparameters.
The optimiser starts from the priors each time, so that nothing carries over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri

from knowledge.base import KnowledgeBase
from knowledge.schemas import EvidenceView, TrialArm
from tools.response.assemble import Prepared
from tools.response.baselines import Baseline, class_mean, grand_mean, ridge
from tools.response.designs import Design, design_of, to_arms
from tools.response.engine import prepare_endpoint
from tools.response.features import FloatArray
from tools.response.fit import fit_prepared
from tools.response.mixture import Prediction
from tools.response.rows import Row

LEVELS = (0.5, 0.8, 0.9)
METHODS = ("response_engine", "grand_mean", "class_mean", "ridge")
# Joint draws for differences of proportions.
DRAWS = 4000


@dataclass(frozen=True)
class Forecast:
    """A point and central intervals, level -> (lower, upper), in the endpoint's unit."""

    point: float
    intervals: Mapping[float, tuple[float, float]]


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
        designs = [design_of(row.arm, prepared, drugs) for row in singles]
        arms = to_arms(designs, prepared)
        sizes = np.array([float(row.arm.n) if row.arm.n else np.nan for row in singles])
        variance = _variance_by_design(posterior.predict(arms), sizes, [row.se for row in singles], prepared)
        prediction = posterior.predict(arms, sampling_variance=variance)
        others = _baselines(prepared, designs)
        engine = _forecasts(prediction)
        for index, row in enumerate(singles):
            forecasts = {"response_engine": engine[index]}
            for name, baseline in others.items():
                forecasts[name] = _normal(baseline.means[index], baseline.sds[index], prediction)
            found.append(_row(row.arm, row.se, row.arm.value, forecasts, prepared, contrast=False))
        for first, second in _pairs(singles):
            forecasts = _difference_forecasts(first, second, prediction, others)
            observed = singles[first].arm.value - singles[second].arm.value
            se = _difference_se(singles[first], singles[second], prediction)
            found.append(_row(singles[first].arm, se, observed, forecasts, prepared, contrast=True))
    for row in (row for row in rows if row.against is not None):
        assert row.against is not None
        weeks, known = row.arm.weeks or prepared.typical_weeks, design_of(row.arm, prepared, drugs)
        other = design_of(row.against, prepared, drugs)
        designs = [known, Design(other.intervention, other.drug_class, other.dose_ratio, weeks, known.covariates)]
        arms = to_arms(designs, prepared)
        sizes = np.array([float(arm.n) if arm.n else np.nan for arm in (row.arm, row.against)])
        variance = _variance_by_design(posterior.predict(arms), sizes, [row.se * 0.5**0.5] * 2, prepared)
        prediction = posterior.predict(arms, sampling_variance=variance)
        forecasts = _difference_forecasts(0, 1, prediction, _baselines(prepared, designs))
        found.append(_row(row.arm, row.se, row.value, forecasts, prepared, contrast=True))
    return found


def _variance_by_design(
    prediction: Prediction, sizes: FloatArray, printed: Sequence[float], prepared: Prepared
) -> FloatArray:
    """Sampling variance of the held-out figures, model scale, from their sizes: results stay out of it.

    Where no size was published the printed standard error has to do; it is no result, but it was published with it.
    """
    known = prediction.sampling_variance(np.where(np.isnan(sizes), 100.0, sizes), prepared.data.individual_sd)
    if prediction.proportion or prepared.selection.individual_sd is not None:
        return np.where(np.isnan(sizes), np.square(printed) / prepared.data.scale**2, known)
    return np.square(printed) / prepared.data.scale**2


def _baselines(prepared: Prepared, designs: Sequence[Design]) -> dict[str, Baseline]:
    arms = to_arms(designs, prepared)
    if prepared.data.contrast.all():
        nothing = Baseline(np.zeros(len(arms)), np.ones(len(arms)))
        return {"grand_mean": nothing, "class_mean": nothing, "ridge": nothing}
    return {
        "grand_mean": grand_mean(prepared.data, arms),
        "class_mean": class_mean(prepared.data, arms),
        "ridge": ridge(prepared.data, prepared.layout, arms),
    }


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


def _quantile_probabilities() -> FloatArray:
    return np.array([0.5, *(0.5 + side * level / 2 for level in LEVELS for side in (-1, 1))])


def _forecasts(prediction: Prediction) -> list[Forecast]:
    quantiles = prediction.quantiles(_quantile_probabilities())
    return [_forecast(float(column[0]), column) for column in quantiles.T]


def _forecast(point: float, quantiles: FloatArray) -> Forecast:
    bounds = quantiles[1:].reshape(len(LEVELS), 2)
    return Forecast(
        float(point), {level: (float(low), float(high)) for level, (low, high) in zip(LEVELS, bounds, strict=True)}
    )


def _normal(mean: float, sd: float, prediction: Prediction) -> Forecast:
    """A baseline's normal on the model's scale, in the endpoint's unit."""
    values = prediction.to_endpoint(mean + sd * ndtri(_quantile_probabilities()))
    return _forecast(float(prediction.to_endpoint(np.array(mean))), values)


def _difference_forecasts(
    first: int, second: int, prediction: Prediction, others: Mapping[str, Baseline]
) -> dict[str, Forecast]:
    forecasts = {}
    if prediction.proportion:
        draws = prediction.draws(DRAWS)
        gap = draws[:, first] - draws[:, second]
        forecasts["response_engine"] = _forecast(float(np.median(gap)), np.quantile(gap, _quantile_probabilities()))
    else:
        forecasts["response_engine"] = _forecasts(prediction.difference(first, second))[0]
    for name, baseline in others.items():
        # Baselines know no shared background: the residuals of the two arms are taken as independent.
        means, sds = baseline.means[[first, second]], baseline.sds[[first, second]]
        if prediction.proportion:
            share = expit(means)
            mean = 100.0 * float(share[0] - share[1])
            sd = 100.0 * float(np.sqrt(np.sum((share * (1 - share) * sds) ** 2)))
        else:
            mean = prediction.scale * float(means[0] - means[1])
            sd = prediction.scale * float(np.sqrt(np.sum(sds**2)))
        forecasts[name] = _forecast(mean, mean + sd * ndtri(_quantile_probabilities()))
    return forecasts


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
