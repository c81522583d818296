"""What a run says in a few sentences; the terminal, the report and the README all use these."""

from __future__ import annotations

from evals.report.contents import Contents
from evals.report.numbers import count, interval, listed, measure, percent, seconds
from evals.report.words import metric_words, suite_name
from evals.schemas import Metric, Suite


def sentences(contents: Contents) -> list[str]:
    """The headline: cases passed, held-out figures covered, what fails, and how it compares; each sentence stands alone."""
    found = [_passed(contents, model) for model in contents.models]
    for suite in (Suite.HOLDOUT, Suite.OUTCOMES):
        found += _predicted(contents, suite)
    found += _compared(contents)
    if contents.left_out:
        found.append(f"A budget left {count(contents.left_out, 'case')} without a turn.")
    return found


def with_interval(metric: Metric) -> str:
    """'91 % (95 % interval 88 to 94 %)', or the value alone where there are too few clusters for an interval."""
    value = measure(metric.value, metric.unit)
    if metric.lower is None or metric.upper is None:
        return value
    return f"{value} ({percent(metric.level)} interval {interval(metric.lower, metric.upper, metric.unit)})"


def level_of(metric: Metric) -> float | None:
    """Probability of the interval that a coverage metric is about: 0.9 for covered_90, None for others."""
    stem, _, rest = metric.name.rpartition("_")
    return int(rest) / 100 if stem == "covered" and rest.isdigit() else None


def _passed(contents: Contents, model: str) -> str:
    results = [one for one in contents.results if one.model == model]
    cases, passed = sum(one.cases for one in results), sum(one.passed for one in results)
    short = [suite_name(one.suite) for one in results if one.passed < one.cases]
    where = f" All failures are in: {listed(short)}." if short and len(short) < len(results) else ""
    return f"{_name(model)} passes {passed:,} of {count(cases, 'case')} in {count(len(results), 'suite')}.{where}"


def _predicted(contents: Contents, suite: Suite) -> list[str]:
    covered = next(
        (m for m in contents.of(suite) if m.headline and not m.group and level_of(m) and m.value is not None), None
    )
    if covered is None or covered.value is None:
        return []
    how = (
        "predicted by the response engine from the other trials"
        if suite is Suite.HOLDOUT
        else "predicted by whole answers with the trial left out of evidence and texts"
    )
    error = contents.metric(suite, "scaled_error")
    far = f"; the mean error is {with_interval(error)}" if error is not None and error.value is not None else ""
    return [
        f"Of {count(covered.n, 'published figure')} of {count(covered.clusters, 'trial')}, {how}, {with_interval(covered)} "
        f"lie inside the {percent(level_of(covered))} interval{far}."
    ]


def _compared(contents: Contents) -> list[str]:
    comparison = contents.comparison
    if comparison is None:
        return ["There is no baseline to compare with."]
    worse = comparison.regressions
    if worse:
        names = listed([f"{metric_words(one.name).name.lower()} ({suite_name(one.suite).lower()})" for one in worse])
        return [f"Worse than the baseline beyond noise: {names}."]
    changed = [one for one in comparison.changes if one.headline and one.verdict == "better"]
    better = listed([f"{metric_words(one.name).name.lower()} ({suite_name(one.suite).lower()})" for one in changed])
    tail = f" Better beyond noise: {better}." if changed else ""
    return [f"No headline figure is worse than the baseline beyond noise.{tail}"]


def _name(model: str) -> str:
    return "The offline planner" if model == "offline" else f"The model {model}"


def took(contents: Contents) -> str:
    """How long the run took."""
    return seconds(contents.seconds)
