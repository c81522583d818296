"""Leave one trial out of the shipped evidence: every published arm predicted from the others, beside simpler methods.

The cases are the trials themselves, an endpoint at a time in shards. Errors are in tolerances (minimal important
difference, or the stated choice), so that they can be averaged over endpoints. `error_ratio` and `score_ratio` are the
engine's mean error and interval score over those of another method on the same figures: below 1 the engine is better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from evals.case_schemas import CaseBase
from evals.predictions import measures_of, penalty
from evals.schemas import Measure, Prediction, Record, Rival, Suite
from evals.scorers import aurc, auroc, calibration_error, crps_quantiles, uniform_distance
from evals.subject import Subject
from evals.suites.base import CurveSpec, MetricSpec, Rows, SuiteRunner, record
from evals.suites.outcomes import ERRORS, confidences
from knowledge.base import KnowledgeBase
from knowledge.errors import NoEvidence
from knowledge.schemas import Family
from tools.response.backtest import leave_out
from tools.response.tables.forecasts import ENGINE, Forecasts
from tools.response.tables.rivals import RIVALS
from tools.response.tables.scoring import MEDIAN, PROBABILITIES, interval, pit
from tools.response.tables.within import probability_within

FEWEST_TRIALS = 8  # of an endpoint; as `cohort backtest` has it
SHARD = 20  # trials; about ten seconds of work
LEVEL = 0.9
INNER = (0.5, 0.8)
_FAMILIES = (Family.CONTINUOUS, Family.PROPORTION)


class HoldoutCase(CaseBase):
    """Some trials of an endpoint, each left out in turn."""

    suite: Literal[Suite.HOLDOUT] = Suite.HOLDOUT
    endpoint: str
    trials: tuple[str, ...]


def holdout_cases(knowledge: KnowledgeBase) -> list[HoldoutCase]:
    """All endpoints whose figures the engine models, with enough trials, cut into shards."""
    cases = []
    for name, endpoint in sorted(knowledge.vocabulary.endpoints.items()):
        trials = sorted({arm.trial for arm in knowledge.arms.select(name)})
        if endpoint.family not in _FAMILIES or len(trials) < FEWEST_TRIALS:
            continue
        shards = math.ceil(len(trials) / SHARD)
        for number in range(shards):
            cases.append(
                HoldoutCase(
                    id=f"holdout-{name.replace('_', '-')}-{number + 1}-of-{shards}",
                    source="the trial arms of the shipped evidence",
                    why="Each trial predicted without having been read says how often predictions are right.",
                    endpoint=name,
                    trials=tuple(trials[number::shards]),
                )
            )
    return cases


def run(case: HoldoutCase, subject: Subject) -> Record:
    """Leave each trial out, and score engine and rivals on its arms."""
    knowledge = subject.knowledge
    areas = {arm.trial: arm.area for arm in knowledge.arms.arms}
    question = f"{case.endpoint}: {len(case.trials)} trials, each predicted from the others"
    try:
        found = leave_out(knowledge, case.endpoint, trials=case.trials, view=subject.view())
    except NoEvidence as error:
        return record(case, checks=(), question=question, headline=error.message)
    predictions = predictions_from(found.arms, case.endpoint, found.unit, found.tolerance, areas, knowledge)
    measures = [measure for one in predictions for measure in scored(one)]
    headline = f"{len(predictions)} arms predicted, {found.not_predicted} not"
    trace: dict[str, Any] = {"trials": list(case.trials), "not_predicted": found.not_predicted}
    return record(
        case, checks=(), predictions=predictions, measures=measures, question=question, headline=headline, trace=trace
    )


def predictions_from(
    arms: Forecasts,
    endpoint: str,
    unit: str,
    tolerance: float | None,
    areas: Mapping[str, str],
    knowledge: KnowledgeBase,
) -> list[Prediction]:
    """Each held-out arm as a prediction, with what the rivals forecast for it."""
    if not len(arms):
        return []
    quantiles = arms.quantiles[ENGINE]
    lower, upper = interval(quantiles, LEVEL)
    said = probability_within(quantiles, tolerance) if tolerance is not None else None
    places = pit(quantiles, arms.observed)
    sources = {(arm.trial, arm.arm): (arm.source_id, arm.locator) for arm in knowledge.arms.select(endpoint)}
    found = []
    for i, published in enumerate(arms.observed):
        trial, arm = str(arms.study[i]), str(arms.arm[i])
        source, locator = sources.get((trial, arm), ("", ""))
        found.append(
            Prediction(
                estimate_id=f"{endpoint}.mean",
                endpoint=endpoint,
                unit=unit,
                published=_short(published),
                point=_short(quantiles[MEDIAN, i]),
                lower=_short(lower[i]),
                upper=_short(upper[i]),
                level=LEVEL,
                quantiles=tuple(
                    (probability, _short(value))
                    for level in INNER
                    for probability, value in _ends(quantiles[:, i : i + 1], level)
                ),
                pit=_short(places[i]),
                crps=_short(crps_quantiles(PROBABILITIES, quantiles[:, i], float(published))),
                cluster=trial,
                area=areas.get(trial, ""),
                arm=arm,
                source=source,
                locator=locator,
                tolerance=tolerance,
                probability=None if said is None else _short(min(max(float(said[i]), 0.0), 1.0)),
                rivals={name: rival for name in RIVALS if (rival := _rival(arms, name, i)) is not None},
            )
        )
    return found


def _short(value: float) -> float:
    """Six digits: enough for every score, and the same on every machine."""
    return float(f"{float(value):.6g}")


def _ends(quantiles: Any, level: float) -> list[tuple[float, float]]:
    lower, upper = interval(quantiles, level)
    return [((1 - level) / 2, float(lower[0])), ((1 + level) / 2, float(upper[0]))]


def _rival(arms: Forecasts, name: str, i: int) -> Rival | None:
    quantiles = arms.quantiles[name][:, i : i + 1]
    if not np.isfinite(quantiles).all():
        return None
    lower, upper = interval(quantiles, LEVEL)
    return Rival(
        point=_short(quantiles[MEDIAN, 0]),
        lower=_short(lower[0]),
        upper=_short(upper[0]),
        crps=_short(crps_quantiles(PROBABILITIES, quantiles[:, 0], float(arms.observed[i]))),
    )


def scored(one: Prediction) -> list[Measure]:
    """The measures of an arm: the engine's own, those of its rivals under 'method', and the engine over each rival."""
    measures = list(measures_of(one))
    groups = {"area": one.area, "endpoint": one.endpoint}
    for level in INNER:
        inside = dict(one.quantiles)
        low, high = inside[(1 - level) / 2], inside[(1 + level) / 2]
        measures.append(
            Measure(
                name=f"covered_{round(100 * level)}",
                value=float(low <= one.published <= high),
                cluster=one.cluster,
                groups=groups,
            )
        )
    for name, rival in one.rivals.items():
        theirs = one.model_copy(
            update={"point": rival.point, "lower": rival.lower, "upper": rival.upper, "crps": rival.crps}
            | {"probability": None, "rivals": {}}
        )
        label = name.replace("_", " ")
        slices = {"method": label, f"area={one.area}|method": label}
        measures += [
            measure.model_copy(update={"groups": slices, "pooled": False})
            for measure in measures_of(theirs)
            if measure.name != "absolute_error"
        ]
        if one.tolerance is not None:
            pairs = (
                ("error_ratio", abs(one.error), abs(theirs.error)),
                ("score_ratio", penalty(one), penalty(theirs)),
            )
            against = {"against": label, f"area={one.area}|against": label}
            measures += [
                Measure(
                    name=metric,
                    value=own / other if other else 1.0,
                    weight=other / one.tolerance,
                    cluster=one.cluster,
                    groups=against,
                    pooled=False,
                )
                for metric, own, other in pairs
                if other
            ]
    return measures


def _pits(records: Sequence[Record]) -> Rows:
    rows = [(one.pit, one.cluster) for record in records for one in record.predictions if one.pit is not None]
    return np.array([[value] for value, _ in rows], dtype=float).reshape(-1, 1), [cluster for _, cluster in rows]


CURVES = (
    CurveSpec(MetricSpec("auroc", True, ""), confidences, lambda rows: auroc(rows[:, 0], rows[:, 1])),
    CurveSpec(MetricSpec("aurc", False, "tolerances"), confidences, lambda rows: aurc(rows[:, 0], rows[:, 2])),
    CurveSpec(
        MetricSpec("calibration_error", False), confidences, lambda rows: calibration_error(rows[:, 0], rows[:, 1])
    ),
    CurveSpec(MetricSpec("pit_distance", False, ""), _pits, lambda rows: uniform_distance(rows[:, 0])),
)

RUNNER = SuiteRunner(
    Suite.HOLDOUT,
    run,
    (
        *(spec if spec.name != "brier" else replace(spec, headline=True) for spec in ERRORS),
        MetricSpec("covered_50", None),
        MetricSpec("covered_80", None),
        MetricSpec("error_ratio", False, "ratio"),
        MetricSpec("score_ratio", False, "ratio"),
    ),
    CURVES,
)
