"""Charts of named things, one a row with its words above: forests, bars, tornados, trees."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from tools.schemas import Chart, Point
from ui.charts import marks
from ui.charts.scale import Scale, short

LEFT, RIGHT = 6.0, marks.WIDTH - 58
LETTERS = 68  # of a label in one line
LETTER = 7.0  # width of a digit, generously


def forest(chart: Chart, said: str) -> str:
    """Points with whiskers; the place of 'no difference' is marked."""
    nothing = 1.0 if "ratio" in chart.x_label.casefold() else 0.0
    points = [point for series in chart.series for point in series.points]
    values = [value for point in points for value in _values(point)]
    x = Scale.over([*values, nothing], LEFT + 4, RIGHT)
    names = [series.name for series in chart.series]
    parts: list[str] = []
    y = 12.0
    several = len(names) > 1
    if several and all(len(series.points) > 1 for series in chart.series):
        several = False  # blocks, each under its name
    for position, series in enumerate(chart.series):
        if len(names) > 1 and not several:
            y += 6
            parts.append(marks.text(2, y, capital(series.name), bold=True))
            y += 16
        shape = position if several else 0
        for point in series.points:
            y = _labelled(parts, point, y)
            hint = f"{point.x}: {figure(point)}"
            if point.lower is not None and point.upper is not None:
                low, high = x.at(point.lower), x.at(point.upper)
                parts.append(marks.line(low, y, high, y, marks.colour(shape), width=1.8))
                parts += [marks.line(end, y - 3, end, y + 3, marks.colour(shape), width=1.8) for end in (low, high)]
            parts.append(marks.marker(x.at(point.y), y, shape, hint=hint))
            parts.append(marks.text(marks.WIDTH - 2, y + 4, short(point.y), anchor="end"))
            y += 18
    bottom = y - 6
    axis = [marks.line(x.at(tick), 4, x.at(tick), bottom) for tick in x.ticks]
    axis.append(marks.line(x.at(nothing), 4, x.at(nothing), bottom, marks.INK, more=' stroke-dasharray="2 3"'))
    return _closed(axis + parts, x, bottom, chart.x_label or chart.y_label, said, names if several else ())


def bars(chart: Chart, said: str) -> str:
    """Bars from nought, several series under one label."""
    unit = chart.y_label or chart.x_label
    values = [value for series in chart.series for point in series.points for value in _values(point)]
    percent = unit.startswith("%") and all(0 <= value <= 100 for value in values) and max(values) > 50
    x = Scale.over([*values, 0.0, *([100.0] if percent else [])], LEFT + 4, RIGHT)
    labels = list(dict.fromkeys(str(point.x) for series in chart.series for point in series.points))
    parts: list[str] = []
    y = 12.0
    for label in labels:
        y = _labelled(parts, Point(x=label, y=0.0), y) - 4
        for position, series in enumerate(chart.series):
            for point in series.points:
                if str(point.x) == label:
                    hint = f"{label}, {series.name}: {figure(point)}"
                    start, end = sorted((x.at(0.0), x.at(point.y)))
                    parts.append(marks.box(start, y, end - start, 10, position, hint=hint))
                    if point.lower is not None and point.upper is not None:
                        low, high = x.at(point.lower), x.at(point.upper)
                        parts.append(marks.line(low, y + 5, high, y + 5, marks.INK, width=1.4))
                    parts.append(marks.text(marks.WIDTH - 2, y + 9, short(point.y), anchor="end"))
                    y += 14
        y += 10
    bottom = y - 8
    axis = [marks.line(x.at(tick), 4, x.at(tick), bottom) for tick in x.ticks]
    axis.append(marks.line(x.at(0.0), 4, x.at(0.0), bottom, marks.INK))
    names = [series.name for series in chart.series]
    return _closed(axis + parts, x, bottom, unit, said, names if len(names) > 1 else (), boxes=True)


def tornado(chart: Chart, said: str) -> str:
    """One bar an input, from the outcome at one end to that at the other, around the outcome as asked."""
    points = [point for series in chart.series for point in series.points]
    x = Scale.over([value for point in points for value in _values(point)], LEFT + 4, marks.WIDTH - 14)
    parts: list[str] = []
    y = 12.0
    for point in points:
        y = _labelled(parts, point, y) - 5
        low, high = (point.y if value is None else value for value in (point.lower, point.upper))
        hint = f"{point.x}: {short(low)} to {short(high)}"
        parts.append(marks.box(x.at(low), y, x.at(high) - x.at(low), 11, 0, hint=hint))
        parts.append(marks.line(x.at(point.y), y - 2, x.at(point.y), y + 13, marks.INK, width=1.6))
        y += 25
    bottom = y - 8
    axis = [marks.line(x.at(tick), 4, x.at(tick), bottom) for tick in x.ticks]
    base = x.at(points[0].y)
    return _closed([*axis, marks.line(base, 4, base, bottom, marks.INK), *parts], x, bottom, chart.x_label, said, ())


def capital(words: str) -> str:
    """The first letter upper case, but 'eGFR' as it is."""
    return words if words[1:2].isupper() else words[:1].upper() + words[1:]


def figure(point: Point) -> str:
    """'−1.28 (−1.9 to −0.81)'."""
    if point.lower is None or point.upper is None:
        return short(point.y)
    return f"{short(point.y)} ({short(point.lower)} to {short(point.upper)})"


def _values(point: Point) -> list[float]:
    return [value for value in (point.y, point.lower, point.upper) if value is not None]


def _labelled(parts: list[str], point: Point, y: float) -> float:
    """The words of a row over its mark, in two lines at most."""
    words = str(point.x)
    lines = textwrap.wrap(capital(words), LETTERS, max_lines=2, placeholder=" …") or [""]
    for written in lines:
        parts.append(marks.text(LEFT, y, written, halo=True))
        y += 13
    return y


def _closed(
    parts: list[str], x: Scale, bottom: float, unit: str, said: str, names: Iterable[str], *, boxes: bool = False
) -> str:
    for tick in x.ticks:
        half = LETTER * len(x.label(tick)) / 2  # so that the outermost labels stay whole
        place = min(max(x.at(tick), half), marks.WIDTH - half)
        parts.append(marks.text(place, bottom + 15, x.label(tick), anchor="middle", ink=marks.SOFT))
    below = bottom + 18
    for written in textwrap.wrap(capital(unit), LETTERS):
        below += 14
        parts.append(marks.text((LEFT + RIGHT) / 2, below, written, anchor="middle", ink=marks.SOFT))
    below += 10
    if names:
        legend, below = marks.key(list(names), below + 12, boxes=boxes)
        parts += legend
    return marks.drawn(parts, below, said)
