"""What a suite is: how a case of it is run, and which metrics come of its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.case_schemas import Asked as AskedCase
from evals.case_schemas import CaseBase
from evals.schemas import Check, Measure, Prediction, Record, Suite
from evals.subject import Asked, Subject, trace_of

Rows = tuple[NDArray[np.float64], Sequence[str]]


@dataclass(frozen=True)
class MetricSpec:
    """A metric that is a weighted mean of the measures of its name.

    Attributes
    ----------
    higher_is_better : None for what is shown but never called better or worse.
    unit : 'share', 's', 'tokens', 'tolerances', 'ratio', or '' for what its group says.
    headline : named first, and a regression when it gets worse beyond noise.
    wall_clock : differs from run to run.
    """

    name: str
    higher_is_better: bool | None
    unit: str = "share"
    headline: bool = False
    wall_clock: bool = False


@dataclass(frozen=True)
class CurveSpec:
    """A metric that is no mean: a statistic of rows (n, k) with a cluster each, drawn from the records of the suite."""

    metric: MetricSpec
    rows: Callable[[Sequence[Record]], Rows]
    statistic: Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class SuiteRunner:
    """A suite. `run` may raise CohortTwinError; the record is then made for it, with the error."""

    suite: Suite
    run: Callable[[Any, Subject], Record]
    metrics: tuple[MetricSpec, ...]
    curves: tuple[CurveSpec, ...] = ()


# What every suite has besides its own.
COMMON = (
    MetricSpec("passed", True),
    MetricSpec("seconds", False, "s", wall_clock=True),
    MetricSpec("tokens", False, "tokens"),
    MetricSpec("cost", False, ""),
)


def ask(case: AskedCase, subject: Subject) -> Asked:
    """Ask the question of a case under its view, after the questions that go before it."""
    view = subject.view(case.exclude, case.as_of)
    if not case.after:
        return subject.ask(case.question, seed=case.seed, view=view)
    name = subject.conversation(case.id)
    for earlier in case.after:
        subject.ask(earlier, seed=case.seed, view=view, conversation=name)
    return subject.ask(case.question, seed=case.seed, view=view, conversation=name)


def record_of(
    case: CaseBase,
    asked: Sequence[Asked],
    *,
    checks: Sequence[Check],
    measures: Sequence[Measure] = (),
    predictions: Sequence[Prediction] = (),
    question: str = "",
) -> Record:
    """The record of a case that one or more answers were given to; the last one is shown, the others stand in `also`.

    The measures 'passed', 'tokens' and 'cost' are added here; 'seconds' is read from the record itself.
    """
    last = asked[-1].answer
    tokens = [one.tokens for one in asked]
    costs = [one.cost for one in asked]
    known_tokens = sum(one for one in tokens if one is not None) if None not in tokens else None
    known_cost = sum(one for one in costs if one is not None) if None not in costs else None
    trace: dict[str, Any] = {
        "question": question or last.question,
        "answer": trace_of(asked[-1], case.id),
        "also": [trace_of(one, case.id) for one in asked[:-1]],
    }
    return record(
        case,
        checks=checks,
        measures=measures,
        predictions=predictions,
        question=question or last.question,
        headline=last.headline,
        status=last.status.value,
        trace=trace,
        tokens=known_tokens,
        cost=known_cost,
        currency=next((one.currency for one in asked if one.currency), ""),
    )


def record(
    case: CaseBase,
    *,
    checks: Sequence[Check],
    measures: Sequence[Measure] = (),
    predictions: Sequence[Prediction] = (),
    question: str = "",
    headline: str = "",
    status: str = "",
    trace: Mapping[str, Any] | None = None,
    tokens: int | None = 0,
    cost: float | None = 0.0,
    currency: str = "",
    error: str = "",
) -> Record:
    """A record with what every record measures; model and key are stamped by the runner."""
    passed = not error and all(check.passed for check in checks)
    groups = {"area": case.area} if case.area else {}
    added = [Measure(name="passed", value=float(passed), groups=groups)]
    if tokens is not None:
        added.append(Measure(name="tokens", value=float(tokens)))
    if cost is not None:
        added.append(Measure(name="cost", value=cost))
    return Record(
        case_id=case.id,
        suite=case.suite,
        model="",
        key="",
        seed=case.seed,
        area=case.area,
        tags=case.tags,
        question=question,
        headline=headline,
        status=status,
        checks=tuple(checks),
        predictions=tuple(predictions),
        measures=(*measures, *added),
        trace=trace or {},
        tokens=tokens,
        cost=cost,
        currency=currency,
        error=error,
    )
