"""From records to metrics, each with its interval by resampling clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evals.schemas import Measure, Metric, Record, Suite
from evals.scorers import wilson
from evals.statistics import Interval, ratio_interval, statistic_interval
from evals.suites import runners
from evals.suites.base import COMMON, CurveSpec, MetricSpec, SuiteRunner

SECONDS = "seconds"


@dataclass
class Gathered:
    """Contributions to one metric of one group."""

    totals: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)

    def add(self, measure: Measure, case_id: str) -> None:
        """Add one contribution; without a cluster it is the case's own."""
        self.totals.append(measure.weight * measure.value)
        self.weights.append(measure.weight)
        self.clusters.append(measure.cluster or case_id)


def summarise(records: Sequence[Record]) -> tuple[Metric, ...]:
    """The metrics of all suites that have records, of one model; headline metrics of a suite first.

    Metrics of a suite without any contribution are left out.
    """
    found: list[Metric] = []
    for suite, runner in runners().items():
        own = [record for record in records if record.suite is suite]
        if own:
            found += _suite(suite, runner, own)
    return tuple(found)


def specs_of(runner: SuiteRunner) -> tuple[MetricSpec, ...]:
    """The metrics of a suite that are means: its own, then those that every suite has; headline first."""
    named = {spec.name for spec in runner.metrics}
    every = (*runner.metrics, *(spec for spec in COMMON if spec.name not in named))
    return tuple(sorted(every, key=lambda spec: not spec.headline))


def measures_with_seconds(record: Record) -> Iterable[Measure]:
    """The measures of a record, and its own seconds."""
    yield from record.measures
    yield Measure(name=SECONDS, value=record.seconds)


def _suite(suite: Suite, runner: SuiteRunner, records: Sequence[Record]) -> list[Metric]:
    gathered: dict[str, dict[str, Gathered]] = {}
    for record in records:
        for measure in measures_with_seconds(record):
            groups = [f"{name}={value}" for name, value in measure.groups.items() if value]
            for group in ([""] if measure.pooled else []) + groups:
                gathered.setdefault(measure.name, {}).setdefault(group, Gathered()).add(measure, record.case_id)
    found: list[Metric] = []
    for spec in specs_of(runner):
        for group, own in sorted(gathered.get(spec.name, {}).items()):
            if sum(own.weights) > 0:
                found.append(_mean(suite, spec, group, own))
    return found + [metric for curve in runner.curves if (metric := _curve(suite, curve, records)) is not None]


def interval_of(unit: str, own: Gathered) -> Interval:
    """The weighted mean of contributions with its interval; `unit` is the metric's."""
    found = ratio_interval(own.totals, own.weights, own.clusters)
    if unit == "share" and found.value in (0.0, 1.0):
        # All clusters agree, and so does every resample: what nine of nine say is Wilson's to tell.
        lower, upper = wilson(round(found.value * found.clusters), found.clusters)
        return Interval(found.value, lower, upper, found.clusters)
    return found


def _mean(suite: Suite, spec: MetricSpec, group: str, own: Gathered) -> Metric:
    interval = interval_of(spec.unit, own)
    return Metric(
        suite=suite,
        name=spec.name,
        group=group,
        value=interval.value,
        lower=interval.lower,
        upper=interval.upper,
        n=len(own.totals),
        clusters=interval.clusters,
        higher_is_better=spec.higher_is_better,
        unit=spec.unit,
        headline=spec.headline and not group,
        wall_clock=spec.wall_clock,
    )


def _curve(suite: Suite, curve: CurveSpec, records: Sequence[Record]) -> Metric | None:
    rows, clusters = curve.rows(records)
    if not len(rows):
        return None
    interval = statistic_interval(rows, clusters, curve.statistic)
    spec = curve.metric
    undefined = interval.value != interval.value
    return Metric(
        suite=suite,
        name=spec.name,
        value=None if undefined else interval.value,
        lower=interval.lower,
        upper=interval.upper,
        n=len(rows),
        clusters=interval.clusters,
        higher_is_better=spec.higher_is_better,
        unit=spec.unit,
        headline=spec.headline,
    )
