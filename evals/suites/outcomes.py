"""Published results predicted with their trial left out of the evidence and of every text.

`predicted` is the share of published figures that got a prediction at all; `leaked` the share of answers that name the
trial they should not know. Errors are in tolerances: 1 is the minimal important difference, or the stated choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals.case_schemas import OutcomesCase
from evals.checks import judge, leaked
from evals.predictions import measures_of, predictions_of
from evals.schemas import Measure, Record, Suite
from evals.scorers import aurc, auroc
from evals.subject import Subject
from evals.suites.base import CurveSpec, MetricSpec, Rows, SuiteRunner, ask, record_of

ERRORS = (
    MetricSpec("scaled_error", False, "tolerances", headline=True),
    MetricSpec("covered_90", None, headline=True),
    MetricSpec("interval_score", False, "tolerances", headline=True),
    MetricSpec("crps", False, "tolerances"),
    MetricSpec("within_tolerance", True),
    MetricSpec("brier", False, ""),
    MetricSpec("relative_width", None, "tolerances"),
    MetricSpec("absolute_error", False, ""),
)


def run(case: OutcomesCase, subject: Subject) -> Record:
    """Ask, judge, and hold the estimates against what was published."""
    asked = ask(case, subject)
    cluster = case.published[0].trial or case.exclude[0].rstrip("*").strip()
    predictions, found = predictions_of(case.published, asked, subject.knowledge, cluster=cluster, area=case.area)
    groups = {"area": case.area} if case.area else {}
    measures = [measure for prediction in predictions for measure in measures_of(prediction)]
    measures += [
        Measure(name="predicted", value=float(check.passed), cluster=cluster, groups=groups) for check in found
    ]
    measures.append(Measure(name="leaked", value=float(bool(leaked(case.exclude, asked.answer))), cluster=cluster))
    checks = [*judge(case.expect, asked.answer, case.exclude), *found]
    return record_of(case, [asked], checks=checks, measures=measures, predictions=predictions)


def confidences(records: Sequence[Record]) -> Rows:
    """(confidence, hit, loss in tolerances) of every prediction with a confidence, clustered by trial."""
    rows = [
        (one.probability, float(abs(one.error) <= one.tolerance), abs(one.error) / one.tolerance)
        for record in records
        for one in record.predictions
        if one.probability is not None and one.tolerance is not None
    ]
    clusters = [
        one.cluster
        for record in records
        for one in record.predictions
        if one.probability is not None and one.tolerance is not None
    ]
    return np.array(rows, dtype=float).reshape(-1, 3), clusters


CURVES = (
    CurveSpec(MetricSpec("auroc", True, ""), confidences, lambda rows: auroc(rows[:, 0], rows[:, 1])),
    CurveSpec(MetricSpec("aurc", False, "tolerances"), confidences, lambda rows: aurc(rows[:, 0], rows[:, 2])),
)

RUNNER = SuiteRunner(Suite.OUTCOMES, run, (*ERRORS, MetricSpec("predicted", True), MetricSpec("leaked", False)), CURVES)
