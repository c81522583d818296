"""Simulation tools and model functions against published results and closed forms.

A case whose data set is not here is 'not run': it counts for no metric, and its record says what is missing.
"""

from __future__ import annotations

from typing import Any

from evals.case_schemas import TruthsCase
from evals.schemas import Check, Measure, Record, Suite
from evals.subject import Subject
from evals.suites.base import MetricSpec, SuiteRunner, record
from evals.truths import Truth, run_truth
from tools.schemas import ToolResult

NOT_RUN = "not run"
MAX_CHARACTERS = 4000  # of a result that is no tool result, in the trace


def run(case: TruthsCase, subject: Subject) -> Record:
    """Run the tool or function once and judge each figure."""
    context = subject.assistant.context(case.seed, subject.view())
    return record_of_truth(run_truth(case, subject.assistant.registry, context, subject.data_folder))


def record_of_truth(truth: Truth) -> Record:
    """What came of a truth as a record."""
    case = truth.case
    question = f"{case.tool or case.function}: {case.why}"
    trace = {"arguments": case.arguments, "result": _shown(truth.result)}
    if truth.missing:
        found = record(case, checks=(), question=question, headline=truth.missing, status=NOT_RUN, trace=trace)
        return found.model_copy(update={"measures": ()})
    groups = {"tool": case.tool or (case.tags[0] if case.tags else case.function), "verified": ""}
    cluster = case.source
    if truth.error:
        lost = [_measure(0.0, cluster, {**groups, "verified": one.verified.value}) for one in case.figures]
        return record(case, checks=(), measures=lost, question=question, error=truth.error, trace=trace)
    checks = [
        Check(name=f"{one.figure.path or 'result'} as published", passed=one.right, detail=one.detail)
        for one in truth.verdicts
    ]
    measures = [
        _measure(float(one.right), cluster, {**groups, "verified": one.figure.verified.value}) for one in truth.verdicts
    ]
    right = sum(one.right for one in truth.verdicts)
    headline = f"{right} of {len(truth.verdicts)} figures as published"
    return record(case, checks=checks, measures=measures, question=question, headline=headline, trace=trace)


def _measure(value: float, cluster: str, groups: dict[str, str]) -> Measure:
    return Measure(name="figures_right", value=value, cluster=cluster, groups=groups)


def _shown(result: Any) -> Any:
    """The result for the reader of a failure."""
    if isinstance(result, ToolResult):
        return result.model_dump(mode="json", include={"title", "estimates", "warnings", "provenance"})
    return None if result is None else repr(result)[:MAX_CHARACTERS]


RUNNER = SuiteRunner(Suite.TRUTHS, run, (MetricSpec("figures_right", True, headline=True),))
