"""What changed against the committed baseline, and whether it is more than noise."""

from __future__ import annotations

from evals.report.blocks import Block, Cell, Fold, Row, Section, Table, Text, number
from evals.report.contents import Contents
from evals.report.numbers import count, interval, measure, p_value
from evals.report.numbers import number as shown
from evals.report.words import metric_words, suite_name, words
from evals.schemas import Change, Comparison, Metric, Suite, Verdict


def baseline(contents: Contents) -> Section:
    """Headline figures first; the others in a fold; cases that changed sides."""
    comparison = contents.comparison
    if comparison is None:
        text = Text("There was no baseline to compare with. The first accepted run becomes it.")
        return Section("baseline", "Against the baseline", (text,))
    units = {(m.suite, m.name): m for m in contents.summaries.get(comparison.model, ()) if not m.group}
    first = [one for one in comparison.changes if one.headline]
    others = [one for one in comparison.changes if not one.headline]
    blocks: list[Block] = [Text(_sentence(comparison))]
    if first:
        blocks.append(
            _table(
                "Headline figures now and in the baseline, paired by case, resampled by trial or source.", first, units
            )
        )
    if others:
        blocks.append(Fold(f"Other figures ({len(others)})", (_table("Other figures.", others, units),)))
    for title, cases in (
        ("Fail now, passed before", comparison.newly_failed),
        ("Pass now, failed before", comparison.newly_passed),
    ):
        if cases:
            rows: tuple[Row, ...] = tuple((Cell(case, code=True),) for case in cases)
            blocks.append(Fold(f"{title}: {count(len(cases), 'case')}", (Table(title, ("Case",), rows),), plain=True))
    return Section("baseline", "Against the baseline", tuple(blocks))


def _sentence(comparison: Comparison) -> str:
    worse = len(comparison.regressions)
    text = (
        f"{count(worse, 'headline figure')} got worse beyond noise"
        if worse
        else "No headline figure got worse beyond noise"
    )
    text += f". Cases newly failing: {len(comparison.newly_failed):,}; newly passing: {len(comparison.newly_passed):,}."
    if comparison.cases_added or comparison.cases_gone:
        text += (
            f" Cases added: {comparison.cases_added:,}; gone: {comparison.cases_gone:,}. Only shared ones are compared."
        )
    return text


def _table(caption: str, changes: list[Change], units: dict[tuple[Suite, str], Metric]) -> Table:
    rows: tuple[Row, ...] = tuple(_row(one, units.get((one.suite, one.name))) for one in changes)
    head: Row = (
        "Suite", "Figure", *(Cell(text, number=True) for text in ("Before", "Now", "Difference", "95 % interval", "p", "Pairs")),
        "Verdict",
    )  # fmt: skip
    return Table(caption, head, rows)


def _row(one: Change, metric: Metric | None) -> Row:
    unit = metric.unit if metric is not None else ""
    verdict = words().verdicts[one.verdict]
    return (
        suite_name(one.suite),
        metric_words(one.name).name,
        number(measure(one.before, unit)),
        number(measure(one.now, unit)),
        number(_difference(one.difference, unit)),
        number(_spread(one, unit)),
        number(p_value(one.p).removeprefix("p = ").removeprefix("p ")),
        number(f"{one.pairs:,}"),
        Cell(f"{words().marks[one.verdict]} {verdict}", strong=one.verdict is Verdict.WORSE),
    )


def _difference(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    sign = "+" if value > 0 else ""
    return f"{sign}{shown(100 * value, 1)} points" if unit == "share" else f"{sign}{shown(value)}"


def _spread(one: Change, unit: str) -> str:
    if one.lower is None or one.upper is None:
        return "–"
    return (
        f"{shown(100 * one.lower, 1)} to {shown(100 * one.upper, 1)}"
        if unit == "share"
        else interval(one.lower, one.upper)
    )


def summary(contents: Contents) -> str:
    """The comparison in one line, for the checklists."""
    return _sentence(contents.comparison) if contents.comparison is not None else "there was no baseline for this run"
