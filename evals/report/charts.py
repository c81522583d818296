"""The charts of the report, each with the table of what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report.blocks import Figure, Table, number
from evals.report.contents import Panel
from evals.report.curves import BAND, RiskPoint
from evals.report.markup import anchor
from evals.report.numbers import count, interval, percent
from evals.report.numbers import number as shown
from evals.report.svg import Plot
from evals.report.words import suite_name

UNIT = (0.0, 1.0)


def reliability(panel: Panel) -> Figure | None:
    """Stated confidence against measured frequency; None when no confidence was stated."""
    bins = panel.reliability
    if not bins:
        return None
    plot = Plot(UNIT, UNIT, "stated confidence", "measured: near enough", percent, percent)
    for one in bins:
        # a band of its own for each bin: bins may share a stated confidence, and differ in size
        width = 0.012
        plot.band([one.stated - width, one.stated + width], [one.null_lower] * 2, [one.null_upper] * 2)
    plot.line(UNIT, UNIT, "ideal")
    plot.line([one.stated for one in bins], [one.measured for one in bins])
    for one in bins:
        plot.dot(
            one.stated,
            one.measured,
            f"{count(one.n, 'figure')}: stated {percent(one.stated)}, measured {percent(one.measured)}",
        )
    outside = sum(not one.null_lower <= one.measured <= one.null_upper for one in bins)
    caption = (
        f"Reliability, {suite_name(panel.suite).lower()}: {count(panel.judged, 'figure')} in {count(len(bins), 'bin')}. Dots on the "
        f"dashed line would be perfect; {outside} of {len(bins)} lie outside the {percent(BAND)} band of chance."
    )
    table = Table(
        caption,
        (number("Stated"), number("Measured"), number("n"), number(f"{percent(BAND)} band of chance")),
        tuple(
            (
                number(percent(one.stated)),
                number(percent(one.measured)),
                number(f"{one.n:,}"),
                number(interval(one.null_lower, one.null_upper, "share")),
            )
            for one in bins
        ),
    )
    return Figure(plot.drawn(_name("reliability", panel), "Reliability diagram", caption), caption, table)


def pit(panel: Panel) -> Figure | None:
    """Histogram of where published figures fell in their predicted distributions; None when there are none."""
    bins = panel.pit
    if not bins or panel.pit_band is None:
        return None
    low, high = panel.pit_band
    top = max(*(one.share for one in bins), high) * 1.08
    plot = Plot(UNIT, (0.0, top), "place in the predicted distribution", "share of figures", show_y=percent)
    plot.band(UNIT, (low, low), (high, high))
    for one in bins:
        plot.bar(
            one.start,
            one.end,
            one.share,
            f"{shown(one.start)} to {shown(one.end)}: {percent(one.share)}, {count(one.n, 'figure')}",
        )
    for edge in (low, high):
        plot.line(UNIT, (edge, edge), "edge")
    plot.line(UNIT, (1 / len(bins),) * 2, "ideal")
    n = sum(one.n for one in bins)
    outside = sum(not low <= one.share <= high for one in bins)
    caption = (
        f"Probability integral transform, {suite_name(panel.suite).lower()}: {count(n, 'figure')}; {outside} of {len(bins)} bars "
        f"end outside the {percent(BAND)} band of chance. High ends: intervals too narrow; high middle: too wide."
    )
    table = Table(
        caption,
        ("Place", number("Share"), number("n")),
        tuple(
            (f"{shown(one.start, 1)} to {shown(one.end, 1)}", number(percent(one.share)), number(f"{one.n:,}"))
            for one in bins
        ),
    )
    return Figure(plot.drawn(_name("pit", panel), "PIT histogram", caption), caption, table)


def risk(panel: Panel) -> Figure | None:
    """Risk among the most confident predictions; None when no confidence was stated."""
    points = panel.risk
    if not points:
        return None
    top = max(max(one.risk for one in points) * 1.1, 0.05)
    plot = Plot(
        UNIT, (0.0, top), "share of predictions shown, most confident first", "not near enough", percent, percent
    )
    plot.line(UNIT, (points[-1].risk,) * 2, "ideal")
    plot.line([one.coverage for one in points], [one.risk for one in points])
    for one in (points[len(points) // 2], points[-1]):
        plot.dot(one.coverage, one.risk, f"{percent(one.coverage)} shown: {percent(one.risk)} not near enough")
    half = _nearest(points, 0.5)
    caption = (
        f"Risk and coverage, {suite_name(panel.suite).lower()}: {percent(points[-1].risk)} of all {panel.judged:,} figures were not near "
        f"enough; among the most confident {percent(half.coverage)} it was {percent(half.risk)}. Dashed: confidence that says nothing."
    )
    chosen = [_nearest(points, share) for share in (0.1, 0.25, 0.5, 0.75, 1.0)]
    table = Table(
        caption,
        (number("Shown"), number("Not near enough")),
        tuple((number(percent(one.coverage)), number(percent(one.risk))) for one in dict.fromkeys(chosen)),
    )
    return Figure(plot.drawn(_name("risk", panel), "Risk against coverage", caption), caption, table)


def _nearest(points: Sequence[RiskPoint], share: float) -> RiskPoint:
    return min(points, key=lambda one: abs(one.coverage - share))


def _name(kind: str, panel: Panel) -> str:
    return anchor(f"{kind}-{panel.suite}-{panel.model}")
