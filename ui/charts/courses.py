"""Charts over a number: fans over time, survival and other curves, ranks, points in a plane."""

from __future__ import annotations

from collections.abc import Sequence

from tools.schemas import Chart, Point, Series
from ui.charts import marks
from ui.charts.rows import capital
from ui.charts.scale import Scale, short

LEFT, TOP, TALL = 46.0, 30.0, 200.0


def courses(chart: Chart, said: str) -> str:
    """Lines with their bands; `survival` in steps, `plane` as points alone."""
    values = [value for series in chart.series for point in series.points for value in _ys(point)]
    xs = [number(point) for series in chart.series for point in series.points]
    zero = [0.0] if chart.kind == "plane" else []
    y = Scale.over([*values, *zero], TOP + TALL, TOP)
    x = Scale.over([*xs, *zero], LEFT, marks.WIDTH - 14)
    names = [series.name for series in chart.series]
    parts = _axes(x, y, chart)
    below = TOP + TALL + 54
    if len(names) > 1:
        legend, below = marks.key(names, below)
        parts += legend
    for position, series in reversed(list(enumerate(chart.series))):
        parts += _series(series, position, x, y, chart.kind)
    return marks.drawn(parts, below - 2, said)


def number(point: Point) -> float:
    """Place of a point along the axis (0 where a word stands for it)."""
    return point.x if isinstance(point.x, int | float) else 0.0


def _ys(point: Point) -> list[float]:
    return [value for value in (point.y, point.lower, point.upper) if value is not None]


def _axes(x: Scale, y: Scale, chart: Chart) -> list[str]:
    parts = [marks.text(2, 14, capital(chart.y_label), ink=marks.SOFT)]
    for tick in y.ticks:
        parts.append(marks.line(LEFT, y.at(tick), marks.WIDTH - 14, y.at(tick)))
        parts.append(marks.text(LEFT - 6, y.at(tick) + 4, y.label(tick), anchor="end", ink=marks.SOFT))
    for tick in x.ticks:
        parts.append(marks.line(x.at(tick), TOP + TALL, x.at(tick), TOP + TALL + 4, marks.SOFT))
        parts.append(marks.text(x.at(tick), TOP + TALL + 17, x.label(tick), anchor="middle", ink=marks.SOFT))
    parts.append(marks.text((LEFT + marks.WIDTH) / 2, TOP + TALL + 34, chart.x_label, anchor="middle", ink=marks.SOFT))
    if y.low < 0 < y.high:
        parts.append(marks.line(LEFT, y.at(0), marks.WIDTH - 14, y.at(0), marks.INK, more=' stroke-dasharray="2 3"'))
    if chart.kind == "plane" and x.low < 0 < x.high:
        parts.append(marks.line(x.at(0), TOP, x.at(0), TOP + TALL, marks.INK, more=' stroke-dasharray="2 3"'))
    return parts


def _series(series: Series, position: int, x: Scale, y: Scale, kind: str) -> list[str]:
    parts = []
    points = series.points
    for low, high, opacity in (("lower", "upper", 0.10), ("lower_50", "upper_50", 0.18)):
        lows, highs = [getattr(p, low) for p in points], [getattr(p, high) for p in points]
        if None in lows + highs or kind == "plane":
            continue
        above = [(x.at(number(p)), y.at(value)) for p, value in zip(points, highs, strict=True)]
        under = [(x.at(number(p)), y.at(value)) for p, value in zip(points, lows, strict=True)]
        stepped = _stepped if kind == "survival" else list
        parts.append(marks.band([*stepped(above), *reversed(stepped(under))], marks.colour(position), opacity))
    places = [(x.at(number(p)), y.at(p.y)) for p in points]
    if kind != "plane":
        drawn = _stepped(places) if kind == "survival" else places
        parts.append(marks.path(drawn, marks.colour(position), more=marks.dash(position)))
    marked = range(len(points)) if kind == "plane" or len(points) <= 15 else (len(points) - 1,)
    for i in marked:
        at, value = places[i]
        hint = f"{series.name}: {short(points[i].y)} at {short(number(points[i]))}"
        parts.append(marks.marker(at, value, position, hint=hint))
    return parts


def _stepped(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    steps = [places[0]] if places else []
    for at, value in places[1:]:
        steps += [(at, steps[-1][1]), (at, value)]
    return steps
