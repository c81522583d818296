"""The same question across sub-cohorts: are they answered as often, as surely and as rightly as each other?

Shown for each sub-cohort: error and coverage where the evidence has a published figure of it, interval width, and how
often nothing was predicted. The gaps are the largest less the smallest within a case, averaged over cases; 0 is even.
A gap need not be unfair: where trials had few such people, a wider interval or a refusal is the honest answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evals.case_schemas import FairnessCase, SubCohort
from evals.predictions import measures_of, predictions_of
from evals.schemas import Check, Measure, Prediction, Record, Suite
from evals.subject import Asked, Subject
from evals.suites.abstention import refused
from evals.suites.base import MetricSpec, SuiteRunner, record_of
from tools.response.tolerances import tolerance_of

# What a sub-cohort's predictions are scored on, beside width and refusal.
_SCORED = frozenset({"scaled_error", "covered_90", "interval_score"})


def run(case: FairnessCase, subject: Subject) -> Record:
    """Ask for each sub-cohort."""
    answers: list[Asked] = []
    checks: list[Check] = []
    predictions: list[Prediction] = []
    measures: list[Measure] = []
    widths: dict[str, float] = {}
    silent: dict[str, float] = {}
    for group in case.groups:
        asked = subject.ask(group.question, seed=case.seed, view=subject.view(group.exclude))
        answers.append(asked)
        slices = {case.attribute: group.name, "attribute": case.attribute}
        status = asked.answer.status
        checks.append(Check(name=f"{group.name}: status", passed=status in group.status, detail=status.value))
        silent[group.name] = float(refused(asked.answer))
        measures.append(Measure(name="abstained", value=silent[group.name], groups=slices))
        width = _width(case, asked, subject)
        if width is not None:
            widths[group.name] = width
            measures.append(Measure(name="relative_width", value=width, groups=slices))
        found, verdicts = _published(case, group, asked, subject)
        predictions += found
        checks += [check.model_copy(update={"name": f"{group.name}: {check.name}"}) for check in verdicts]
    measures += [
        measure.model_copy(update={"groups": {**measure.groups, "attribute": case.attribute}})
        for prediction in predictions
        for measure in measures_of(prediction)
        if measure.name in _SCORED
    ]
    measures += _gaps(case, widths, silent, predictions)
    questions = " | ".join(group.question for group in case.groups)
    return record_of(case, answers, checks=checks, measures=measures, predictions=predictions, question=questions)


def _width(case: FairnessCase, asked: Asked, subject: Subject) -> float | None:
    """Width of the interval over the endpoint's tolerance (over the point where there is none)."""
    estimate = next((one for one in asked.answer.estimates if one.id == case.estimate_id), None)
    if estimate is None or estimate.lower is None or estimate.upper is None:
        return None
    endpoint = subject.knowledge.vocabulary.endpoints.get(estimate.endpoint)
    right = tolerance_of(endpoint) if endpoint else None
    scale = right.tolerance if right else abs(estimate.point)
    return (estimate.upper - estimate.lower) / scale if scale else None


def _published(
    case: FairnessCase, group: SubCohort, asked: Asked, subject: Subject
) -> tuple[list[Prediction], list[Check]]:
    cluster = group.exclude[0].rstrip("*").strip() if group.exclude else case.id
    return predictions_of(
        group.published,
        asked,
        subject.knowledge,
        cluster=cluster,
        area=case.area,
        attribute=case.attribute,
        subgroup=group.name,
    )


def _gaps(
    case: FairnessCase, widths: dict[str, float], silent: dict[str, float], predictions: Sequence[Prediction]
) -> list[Measure]:
    groups = {"attribute": case.attribute}
    found = [Measure(name="abstention_gap", value=max(silent.values()) - min(silent.values()), groups=groups)]
    if len(widths) > 1 and min(widths.values()) > 0:
        ratio = math.log2(max(widths.values()) / min(widths.values()))
        found.append(Measure(name="width_gap", value=ratio, groups=groups))
    errors: dict[str, list[float]] = {}
    for one in predictions:
        if one.tolerance is not None:
            errors.setdefault(one.subgroup, []).append(abs(one.error) / one.tolerance)
    means = [sum(values) / len(values) for values in errors.values()]
    if len(means) > 1:
        found.append(Measure(name="error_gap", value=max(means) - min(means), groups=groups))
    return found


RUNNER = SuiteRunner(
    Suite.FAIRNESS,
    run,
    (
        MetricSpec("width_gap", False, "doublings", headline=True),
        MetricSpec("abstention_gap", False, headline=True),
        MetricSpec("error_gap", False, "tolerances"),
        MetricSpec("scaled_error", False, "tolerances"),
        MetricSpec("covered_90", None),
        MetricSpec("interval_score", False, "tolerances"),
        MetricSpec("relative_width", None, "tolerances"),
        MetricSpec("abstained", None),
    ),
)
