"""A chart as lines, areas, marks and words on a plane: drawn once, shown as SVG, in PDF and as a picture.

The plane is WIDTH points wide, y goes down. Series differ by dash and mark as well as by colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.schemas import Chart, Point, Series
from ui.exports.axes import Axis, axis_over
from ui.exports.words import figure, shortened

WIDTH = 680.0
INK, FAINT, GRID = "#1f2933", "#6b7580", "#d9dee3"
COLOURS = ("#0b6e6e", "#b3541e", "#4b4b9f", "#7a7a1f", "#8a2f6b", "#3d6b2f")
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 4), (2, 3), (9, 3, 2, 3))
MARKS = ("circle", "square", "triangle", "diamond")
TEXT = 11.0
_TOP, _BOTTOM, _RIGHT, _ROW = 16.0, 44.0, 18.0, 20.0
_LABEL = 58  # characters of a row's label; the whole of it is in the table


@dataclass(frozen=True)
class Line:
    """An open line through points."""

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Area:
    """A filled shape."""

    points: tuple[tuple[float, float], ...]
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True)
class Mark:
    """A point of a series; `shape` is one of MARKS."""

    x: float
    y: float
    shape: str
    colour: str
    size: float = 4.5


@dataclass(frozen=True)
class Words:
    """A line of text; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    colour: str = INK
    bold: bool = False


@dataclass
class Scene:
    """What is drawn, back to front."""

    height: float
    shapes: list[Line | Area | Mark | Words] = field(default_factory=list)
    width: float = WIDTH


def scene_of(chart: Chart) -> Scene:
    """The chart as a scene; series without points are left out."""
    series = [one for one in chart.series if one.points]
    lines = chart.kind not in ("forest", "bars", "tornado", "tree") and all(
        not isinstance(point.x, str) for one in series for point in one.points
    )
    if not series:
        return Scene(30.0, [Words(4, 18, "This chart has no values.", colour=FAINT)])
    return _plane(chart, series) if lines else _rows(chart, series)


def _look(position: int) -> tuple[str, tuple[float, ...], str]:
    return COLOURS[position % len(COLOURS)], DASHES[position % len(DASHES)], MARKS[position % len(MARKS)]


def _values(points: Sequence[Point]) -> list[float]:
    return [
        value
        for point in points
        for value in (point.y, point.lower, point.upper, point.lower_50, point.upper_50)
        if value is not None
    ]


def _plane(chart: Chart, series: Sequence[Series]) -> Scene:
    """Numbers along both axes: bands and lines, or marks alone for a plane."""
    points = [point for one in series for point in one.points]
    values = _values(points)
    if chart.kind == "fan":
        values.append(0.0)
    bottom = 300.0
    down = axis_over(values, bottom, _TOP)
    left = 16.0 + 6.6 * max(len(figure(tick)) for tick in down.ticks)
    across = axis_over([float(point.x) for point in points], left, WIDTH - _RIGHT, tight=True)
    scene = Scene(bottom + _BOTTOM + _legend_height(series))
    for tick in down.ticks:
        y = down.place(tick)
        scene.shapes += [
            Line(((left, y), (WIDTH - _RIGHT, y)), GRID),
            Words(left - 6, y + 4, figure(tick), "end", FAINT),
        ]
    if down.low < 0 < down.high:
        scene.shapes.append(Line(((left, down.place(0)), (WIDTH - _RIGHT, down.place(0))), INK, 1.0, (2, 3)))
    _ticks_below(scene, across, bottom)
    for position, one in enumerate(series):
        colour, dash, shape = _look(position)
        ordered = one.points if chart.kind == "plane" else tuple(sorted(one.points, key=lambda point: float(point.x)))
        for low, high, opacity in (("lower", "upper", 0.13), ("lower_50", "upper_50", 0.24)):
            band = [(float(p.x), getattr(p, low), getattr(p, high)) for p in ordered]
            if chart.kind != "plane" and len(band) > 1 and all(a is not None and b is not None for _, a, b in band):
                edge = [(across.place(x), down.place(b)) for x, _, b in band]
                back = [(across.place(x), down.place(a)) for x, a, _ in reversed(band)]
                scene.shapes.append(Area((*edge, *back), colour, opacity))
        places = tuple((across.place(float(p.x)), down.place(p.y)) for p in ordered)
        if chart.kind == "plane" or len(places) == 1:
            scene.shapes += [Mark(x, y, shape, colour, 3.0) for x, y in places]
        else:
            scene.shapes.append(Line(places, colour, 2.2, dash))
    _labels(scene, chart.x_label, chart.y_label, left, bottom)
    _legend(scene, series, bottom + _BOTTOM, line=chart.kind != "plane")
    return scene


def _rows(chart: Chart, series: Sequence[Series]) -> Scene:
    """A label a row, values along the lower axis: bars from zero, or marks with whiskers for a forest."""
    forest = chart.kind == "forest"
    labels = list(dict.fromkeys(str(point.x) for one in series for point in one.points))
    values = _values([point for one in series for point in one.points])
    if not forest and chart.kind != "tornado":
        values.append(0.0)
    height = _ROW * (1 if forest else max(1.0, 0.75 * len(series)))
    bottom = _TOP + height * len(labels)
    longest = max(len(shortened(label, _LABEL)) for label in labels)
    left = 16.0 + 6.1 * longest
    across = axis_over(values, left, WIDTH - _RIGHT)
    scene = Scene(bottom + _BOTTOM + _legend_height(series))
    for tick in across.ticks:
        scene.shapes.append(Line(((across.place(tick), _TOP), (across.place(tick), bottom)), GRID))
    if across.low <= 0 <= across.high:
        zero = across.place(0)
        scene.shapes.append(Line(((zero, _TOP), (zero, bottom)), INK, 1.0, (2, 3) if forest else ()))
    for row, label in enumerate(labels):
        middle = _TOP + height * (row + 0.5)
        scene.shapes.append(Words(left - 8, middle + 4, shortened(label, _LABEL), "end"))
        shown = [(place, point) for place, one in enumerate(series) for point in one.points if str(point.x) == label]
        for nth, (place, point) in enumerate(shown):
            offset = (nth - (len(shown) - 1) / 2) * (7.0 if forest else 0.8 * height / len(series))
            _mark_or_bar(scene, chart.kind, across, point, middle + offset, place, 0.36 * height / len(series))
    _ticks_below(scene, across, bottom)
    _labels(scene, chart.x_label or chart.y_label, "", left, bottom)
    _legend(scene, series, bottom + _BOTTOM, bar=not forest)
    return scene


def _mark_or_bar(scene: Scene, kind: str, across: Axis, point: Point, y: float, position: int, half: float) -> None:
    colour, _, shape = _look(position)
    x = across.place(point.y)
    whiskers = None if point.lower is None or point.upper is None else (point.lower, point.upper)
    if kind == "tornado" and whiskers is not None:
        low, high = sorted((across.place(whiskers[0]), across.place(whiskers[1])))
        scene.shapes.append(Area(((low, y - half), (high, y - half), (high, y + half), (low, y + half)), colour, 0.75))
        scene.shapes.append(Line(((x, y - half), (x, y + half)), INK, 1.5))
        return
    if kind != "forest":
        zero = across.place(0.0)
        corners = ((zero, y - half), (x, y - half), (x, y + half), (zero, y + half))
        scene.shapes += [Area(corners, colour, _bar_opacity(position)), Line((*corners, corners[0]), colour)]
    if whiskers is not None:
        ends = across.place(whiskers[0]), across.place(whiskers[1])
        scene.shapes.append(Line(((ends[0], y), (ends[1], y)), INK if kind != "forest" else colour, 1.4))
        scene.shapes += [Line(((end, y - 3), (end, y + 3)), INK if kind != "forest" else colour, 1.4) for end in ends]
    if kind == "forest":
        scene.shapes.append(Mark(x, y, shape, colour))


def _bar_opacity(position: int) -> float:
    return 0.8 if position == 0 else 0.4


def _ticks_below(scene: Scene, across: Axis, bottom: float) -> None:
    scene.shapes.append(Line(((across.start, bottom), (across.end, bottom)), FAINT))
    scene.shapes += [Words(across.place(tick), bottom + 15, figure(tick), "middle", FAINT) for tick in across.ticks]


def _labels(scene: Scene, below: str, above: str, left: float, bottom: float) -> None:
    if below:
        scene.shapes.append(Words((left + WIDTH - _RIGHT) / 2, bottom + 32, shortened(below, 90), "middle"))
    if above:
        scene.shapes.append(Words(left, 10, shortened(above, 90)))


def _legend_height(series: Sequence[Series]) -> float:
    return 16.0 * len(series) + 4.0 if len(series) > 1 else 0.0


def _legend(scene: Scene, series: Sequence[Series], top: float, *, line: bool = False, bar: bool = False) -> None:
    """Names of the series, one a line, where there is more than one."""
    if len(series) < 2:
        return
    for position, one in enumerate(series):
        colour, dash, shape = _look(position)
        y = top + 16.0 * position + 8
        if line:
            scene.shapes.append(Line(((24, y - 4), (56, y - 4)), colour, 2.2, dash))
        elif bar:
            box = ((32, y - 9), (48, y - 9), (48, y + 1), (32, y + 1))
            scene.shapes += [Area(box, colour, _bar_opacity(position)), Line((*box, box[0]), colour)]
        else:
            scene.shapes.append(Mark(40, y - 4, shape, colour))
        scene.shapes.append(Words(64, y, shortened(one.name, 90)))
