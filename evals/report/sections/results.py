"""The headline table, the suites one by one, and several models side by side."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report.blocks import Block, Bullets, Cell, Fold, Part, Row, Section, Table, Text, number
from evals.report.contents import Contents
from evals.report.numbers import count, interval, listed, measure, percent, seconds
from evals.report.telling import level_of, sentences
from evals.report.words import group_name, metric_words, model_name, suite_name, words
from evals.schemas import Metric, Suite

ELSEWHERE = ("method=", "against=", "area=", "endpoint=")  # slices that have tables of their own


def headline(contents: Contents) -> Section:
    """The figures that decide, with intervals and the hash of the cases they were measured on."""
    blocks: list[Block] = [Bullets(tuple(sentences(contents)))]
    hashes = {info.suite: info.hash for info in contents.suites}
    rows = [
        (
            Cell(suite_name(one.suite), link=f"#suite-{one.suite}"),
            metric_words(one.name).name,
            number(measure(one.value, one.unit)),
            number(interval(one.lower, one.upper, one.unit)),
            number(f"{one.n:,}", "" if one.clusters == one.n else f"{one.clusters:,} clusters"),
            wanted(one),
            Cell(hashes.get(one.suite, "–"), code=True),
        )
        for one in contents.headlines()
    ]
    if rows:
        level = percent(contents.headlines()[0].level)
        blocks.append(
            Table(
                f"Headline figures of {model_name(contents.first)}. Intervals come from resampling whole trials or sources.",
                (
                    "Suite",
                    "Figure",
                    _right("Value"),
                    _right(f"{level} interval"),
                    _right("n"),
                    "Better when",
                    "Cases (hash)",
                ),
                tuple(rows),
            )
        )
    else:
        blocks.append(Text("This run scored no headline figure."))
    return Section("headline", "Results at a glance", tuple(blocks))


def suites(contents: Contents) -> Section:
    """What each suite asks, how many cases passed, and every figure of it."""
    rows = [
        (
            Cell(suite_name(one.suite), link=f"#suite-{one.suite}"),
            Cell(one.model, code=True),
            number(f"{one.passed:,} of {one.cases:,}"),
            number(percent(one.passed / one.cases)),
            number(seconds(one.seconds)),
        )
        for one in contents.results
    ]
    table = Table(
        "Cases by suite. A case passes when every one of its checks does.",
        ("Suite", "Model", _right("Passed"), _right("Share"), _right("Time, summed")),
        tuple(rows),
    )
    return Section("suites", "Suites", (table, *(_suite(contents, info.suite) for info in contents.suites)))


def models(contents: Contents) -> Section:
    """Headline figures of several models beside each other."""
    if len(contents.models) < 2:
        text = Text(
            f"One model was run: {model_name(contents.first) or 'none'}. Name several to see them side by side here.",
            muted=True,
        )
        return Section("models", "Models side by side", (text, *_agreement(contents)))
    keys = list(dict.fromkeys((m.suite, m.name) for model in contents.models for m in contents.headlines(model)))
    rows: list[Row] = []
    for suite, name in keys:
        found = [contents.metric(suite, name, model=model) for model in contents.models]
        rows.append((f"{suite_name(suite)}: {metric_words(name).name}", *(_value(one) for one in found)))
    table = Table(
        "Headline figures by model, with their intervals.",
        ("Figure", *(_right(model) for model in contents.models)),
        tuple(rows),
    )
    return Section("models", "Models side by side", (table, *_agreement(contents)))


def wanted(metric: Metric) -> str:
    """Which way is better."""
    level = level_of(metric)
    if level is not None:
        return f"near {percent(level)}"
    return {True: "higher", False: "lower", None: "–"}[metric.higher_is_better]


def _suite(contents: Contents, suite: Suite) -> Part:
    known = words().suites.get(suite)
    info = next(one for one in contents.suites if one.suite is suite)
    figures = f", {count(info.published, 'published figure')}" if info.published else ""
    blocks: list[Block] = [Text(known.asks)] if known else []
    blocks.append(Text(f"{count(info.cases, 'case')}{figures}. Content hash {info.hash}.", muted=True))
    metrics = contents.of(suite)
    whole = [one for one in metrics if not one.group]
    slices = [one for one in metrics if one.group and not one.group.startswith(ELSEWHERE)]
    if whole:
        blocks.append(
            _figures(f"{suite_name(suite)}: all figures of {model_name(contents.first)}.", whole, sliced=False)
        )
    if slices:
        table = _figures(f"{suite_name(suite)}: figures by group.", slices, sliced=True)
        blocks.append(Fold(f"By group ({count(len(slices), 'figure')})", (table,)))
    return Part(f"suite-{suite}", suite_name(suite), tuple(blocks))


def _figures(caption: str, metrics: Sequence[Metric], *, sliced: bool) -> Table:
    rows: list[Row] = []
    for one in metrics:
        name = Cell(metric_words(one.name).name, strong=one.headline)
        shown = (
            number(measure(one.value, one.unit)),
            number(interval(one.lower, one.upper, one.unit)),
            number(f"{one.n:,}"),
            wanted(one),
        )
        rows.append((name, group_name(one.group), *shown) if sliced else (name, *shown))
    head = (_right("Value"), _right("Interval"), _right("n"), "Better when")
    return Table(caption, ("Figure", "Group", *head) if sliced else ("Figure", *head), tuple(rows))


def _agreement(contents: Contents) -> list[Block]:
    if not contents.agreements:
        return []
    rows = [
        (
            Cell(one.grader, code=True),
            Cell(one.model, code=True),
            one.criterion,
            number(f"{one.n:,}"),
            number(percent(one.share)),
            number(measure(one.kappa, ""), interval(one.lower, one.upper)),
        )
        for one in contents.agreements
    ]
    head = ("Grader", "Model graded", "Criterion", _right("n"), _right("Same verdict"), _right("Cohen's kappa"))
    return [Table("Verdicts of a grading model beside the deterministic ones on the same cases.", head, tuple(rows))]


def _value(metric: Metric | None) -> Cell:
    if metric is None:
        return number("–")
    return number(measure(metric.value, metric.unit), interval(metric.lower, metric.upper, metric.unit))


def _right(text: str) -> Cell:
    return Cell(text, number=True)


def models_named(contents: Contents) -> str:
    """'the offline planner and x'."""
    return listed([model_name(model) for model in contents.models]) or "no model"
