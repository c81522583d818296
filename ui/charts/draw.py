"""Which picture a chart becomes, what it says in words, and its table."""

from __future__ import annotations

from tools.schemas import Chart
from ui.charts.courses import courses
from ui.charts.rows import bars, figure, forest, tornado
from ui.charts.scale import short

_COURSES = ("fan", "survival", "lines", "plane", "acceptability")
_BARS = ("bars", "tree")
MOST_SAID = 4


def drawing(chart: Chart) -> str:
    """The chart as SVG; empty when it has no points."""
    if not any(series.points for series in chart.series):
        return ""
    said = in_words(chart)
    numbered = all(isinstance(point.x, int | float) for series in chart.series for point in series.points)
    if chart.kind in _COURSES and numbered:
        return courses(chart, said)
    if chart.kind == "tornado":
        return tornado(chart, said)
    return bars(chart, said) if chart.kind in _BARS else forest(chart, said)


def in_words(chart: Chart) -> str:
    """Title, unit and the figures that the eye would take from it first."""
    told = []
    for series in chart.series[:MOST_SAID]:
        if not series.points:
            continue
        last = series.points[-1] if chart.kind in _COURSES else series.points[0]
        told.append(f"{series.name}: {last.x if isinstance(last.x, str) else short(last.x)}, {figure(last)}")
    unit = chart.y_label if chart.kind in (*_COURSES, *_BARS) and chart.y_label else chart.x_label
    return f"{chart.title}. {unit}. {'; '.join(told)}. All figures are in the table below it."


def table(chart: Chart) -> list[list[str]]:
    """Rows of everything the chart shows: series, x, value, lower, upper."""
    return [
        [
            series.name,
            point.x if isinstance(point.x, str) else short(point.x),
            short(point.y),
            "" if point.lower is None else short(point.lower),
            "" if point.upper is None else short(point.upper),
        ]
        for series in chart.series
        for point in series.points
    ]
