"""From a run to what the report says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

from evals.report.contents import Contents, Failure, Miss, Panel, SuiteResult
from evals.report.curves import judged, pit_band, pit_histogram, reliability, risk_coverage
from evals.schemas import Comparison, EvalRun, Prediction, Record, Suite

MOST_WORST = 24
CHARTED = (Suite.HOLDOUT, Suite.OUTCOMES)


def gather(run: EvalRun, comparison: Comparison | None = None) -> Contents:
    """All that the report says of a run, and of how it compares."""
    tokens = [record.tokens for record in run.records if record.tokens is not None]
    costs = [record.cost for record in run.records if record.cost is not None]
    predictions = list(_predictions(run.records))
    return Contents(
        created=run.created,
        product=_product(),
        seconds=run.seconds,
        settings=run.settings,
        evidence_hash=run.evidence_hash,
        code_hash=run.code_hash,
        suites=run.suites,
        results=tuple(_results(run)),
        summaries=run.summaries,
        panels=tuple(_panels(run)),
        worst=worst(run.records),
        without_tolerance=sum(one.tolerance is None for _, one in predictions),
        failures=tuple(_failure(record) for record in run.records if not record.passed),
        left_out=len(run.left_out),
        tokens=sum(tokens) if tokens else None,
        cost=sum(costs) if costs else None,
        currency=next((record.currency for record in run.records if record.currency), ""),
        agreements=run.agreements,
        comparison=comparison,
    )


def worst(records: Iterable[Record], most: int = MOST_WORST) -> tuple[Miss, ...]:
    """The figure of each trial that was missed most, in tolerances; the farthest first."""
    found: dict[tuple[Suite, str, str], Miss] = {}
    for record, one in _predictions(records):
        if not one.tolerance:
            continue
        miss = _miss(record, one, one.tolerance)
        key = (record.suite, record.model, miss.trial)
        if key not in found or miss.off > found[key].off:
            found[key] = miss
    ordered = sorted(found.values(), key=lambda miss: (-miss.off, miss.trial, miss.suite, miss.model, miss.quantity))
    return tuple(ordered[:most])


def _miss(record: Record, one: Prediction, tolerance: float) -> Miss:
    return Miss(
        suite=record.suite, model=record.model, case_id=record.case_id, trial=one.cluster, arm=one.arm,
        quantity=one.endpoint or one.estimate_id, unit=one.unit, published=one.published, point=one.point,
        lower=one.lower, upper=one.upper, level=one.level, tolerance=tolerance, off=abs(one.error) / tolerance,
        inside=one.inside, source=one.source, locator=one.locator,
    )  # fmt: skip


def _results(run: EvalRun) -> Iterator[SuiteResult]:
    for model in run.summaries:
        for info in run.suites:
            records = [record for record in run.records if record.suite is info.suite and record.model == model]
            if records:
                yield SuiteResult(
                    suite=info.suite,
                    model=model,
                    cases=len(records),
                    passed=sum(record.passed for record in records),
                    seconds=sum(record.seconds for record in records),
                )


def _panels(run: EvalRun) -> Iterator[Panel]:
    for suite in CHARTED:
        for model in run.summaries:
            chosen = [record for record in run.records if record.suite is suite and record.model == model]
            predictions = [one for record in chosen for one in record.predictions]
            if not predictions:
                continue
            histogram = pit_histogram(predictions)
            yield Panel(
                suite=suite,
                model=model,
                n=len(predictions),
                clusters=len({one.cluster for one in predictions}),
                judged=len(judged(predictions)[0]),
                reliability=reliability(predictions),
                pit=histogram,
                pit_band=pit_band(sum(one.n for one in histogram)) if histogram else None,
                risk=risk_coverage(predictions),
            )


def _failure(record: Record) -> Failure:
    return Failure(
        case_id=record.case_id,
        suite=record.suite,
        model=record.model,
        question=record.question,
        status=record.status,
        failed=record.failed,
        seed=record.seed,
        trace=record.trace,
    )


def _predictions(records: Iterable[Record]) -> Iterator[tuple[Record, Prediction]]:
    return ((record, one) for record in records for one in record.predictions)


def _product() -> str:
    try:
        return version("cohort-twin")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return ""
