"""Axes and marks of small charts, drawn as inline SVG. Colours come from the page's style sheet, so both themes work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from evals.report.markup import Markup, element, joined
from evals.report.numbers import tick

WIDTH, HEIGHT = 440.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 24.0, 12.0, 46.0


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass
class Plot:
    """A chart with linear axes. Marks carry their numbers as data attributes, which the tests read back."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_label: str
    y_label: str
    show_x: Callable[[float], str] = tick
    show_y: Callable[[float], str] = tick
    parts: list[Markup] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Horizontal position of a value."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Vertical position of a value."""
        low, high = self.y_range
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def band(self, xs: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> None:
        """A shaded band between two lines."""
        there = [f"{self.x(x):.2f},{self.y(value):.2f}" for x, value in zip(xs, upper, strict=True)]
        back = [f"{self.x(x):.2f},{self.y(value):.2f}" for x, value in zip(xs, lower, strict=True)]
        self.parts.append(element("polygon", class_="band", points=" ".join(there + back[::-1])))

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str = "line") -> None:
        """A line through points."""
        points = " ".join(f"{self.x(x):.2f},{self.y(y):.2f}" for x, y in zip(xs, ys, strict=True))
        self.parts.append(element("polyline", class_=style, points=points))

    def dot(
        self, x: float, y: float, note: str, radius: float = 4.5, lower: float | None = None, upper: float | None = None
    ) -> None:
        """A point, with a whisker where limits are given; `note` shows when pointed at."""
        if lower is not None and upper is not None:
            self.parts.append(
                element("line", class_="whisker", x1=self.x(x), x2=self.x(x), y1=self.y(lower), y2=self.y(upper))
            )
        mark = element(
            "circle",
            element("title", note),
            class_="mark",
            cx=self.x(x),
            cy=self.y(y),
            r=radius,
            data_x=repr(x),
            data_y=repr(y),
        )
        self.parts.append(mark)

    def bar(self, start: float, end: float, y: float, note: str) -> None:
        """A bar from the bottom of the chart."""
        top = self.y(y)
        self.parts.append(
            element(
                "rect",
                element("title", note),
                class_="bar",
                x=self.x(start) + 0.5,
                y=top,
                width=max(self.x(end) - self.x(start) - 1, 0.5),
                height=self.y(self.y_range[0]) - top,
                data_x=repr((start + end) / 2),
                data_y=repr(y),
            )
        )

    def words(self, x: float, y: float, text: str, place: str = "start") -> None:
        """A label beside a mark."""
        self.parts.append(element("text", text, class_="label", x=self.x(x), y=self.y(y), text_anchor=place))

    def drawn(self, name: str, title: str, description: str) -> Markup:
        """The chart as an image with a name and a description for those who do not see it."""
        return element(
            "svg",
            element("title", title, id=f"{name}-title"),
            element("desc", description, id=f"{name}-desc"),
            *self._axes(),
            *self.parts,
            class_="chart",
            id=f"{name}-chart",
            role="img",
            aria_labelledby=f"{name}-title {name}-desc",
            viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        )

    def _axes(self) -> list[Markup]:
        bottom, parts = HEIGHT - BOTTOM, []
        for value in ticks(*self.y_range):
            y = self.y(value)
            parts.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
            parts.append(element("text", self.show_y(value), class_="tick", x=LEFT - 7, y=y + 4, text_anchor="end"))
        for value in ticks(*self.x_range):
            x = self.x(value)
            parts.append(element("line", class_="axis", x1=x, x2=x, y1=bottom, y2=bottom + 4))
            parts.append(element("text", self.show_x(value), class_="tick", x=x, y=bottom + 18, text_anchor="middle"))
        middle = TOP + (bottom - TOP) / 2
        parts += [
            element("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom),
            element(
                "text",
                self.x_label,
                class_="axis-label",
                x=(LEFT + WIDTH - RIGHT) / 2,
                y=HEIGHT - 8,
                text_anchor="middle",
            ),
            element(
                "text",
                self.y_label,
                class_="axis-label",
                x=14,
                y=middle,
                text_anchor="middle",
                transform=f"rotate(-90 14 {middle:.0f})",
            ),
        ]
        return parts


ROW_WIDTH, ROW_HEIGHT, INDENT = 260.0, 26.0, 18.0


@dataclass(frozen=True)
class RowScale:
    """The common scale of interval marks that stand one above the other in the rows of a table."""

    low: float
    high: float
    show: Callable[[float], str] = tick

    def x(self, value: float) -> float:
        """Horizontal position, kept inside the drawing."""
        inside = min(max(value, self.low), self.high)
        return INDENT + (inside - self.low) / (self.high - self.low) * (ROW_WIDTH - 2 * INDENT)

    def axis(self) -> Markup:
        """The scale, for the head of the column."""
        marks = [
            joined(
                element("line", class_="axis", x1=self.x(value), x2=self.x(value), y1=18, y2=24),
                element("text", self.show(value), class_="tick", x=self.x(value), y=13, text_anchor="middle"),
            )
            for value in ticks(self.low, self.high, 4)
        ]
        return _row_svg(*marks, element("line", class_="axis", x1=INDENT, x2=ROW_WIDTH - INDENT, y1=24, y2=24))

    def row(
        self,
        *,
        point: float | None,
        lower: float | None,
        upper: float | None,
        target: float | None,
        inside: bool | None,
    ) -> Markup:
        """One interval with its point (filled) and, where given, a target (diamond; hollow ring when it is missed)."""
        parts: list[Markup] = []
        middle = ROW_HEIGHT / 2
        if self.low < 0 < self.high:
            parts.append(element("line", class_="grid", x1=self.x(0), x2=self.x(0), y1=0, y2=ROW_HEIGHT))
        if lower is not None and upper is not None:
            parts.append(
                element(
                    "line",
                    class_="whisker",
                    x1=self.x(lower),
                    x2=self.x(upper),
                    y1=middle,
                    y2=middle,
                    data_lower=repr(lower),
                    data_upper=repr(upper),
                )
            )
        if point is not None:
            parts.append(element("circle", class_="mark", cx=self.x(point), cy=middle, r=4.5, data_x=repr(point)))
        if target is not None:
            x, size = self.x(target), 6.0
            corners = f"{x:.2f},{middle - size:.2f} {x + size:.2f},{middle:.2f} {x:.2f},{middle + size:.2f} {x - size:.2f},{middle:.2f}"
            style = "target" if inside is None or inside else "target missed"
            parts.append(element("polygon", class_=style, points=corners, data_x=repr(target)))
        return _row_svg(*parts)


def _row_svg(*parts: Markup) -> Markup:
    # the numbers stand in the cells beside it, so a screen reader skips the drawing
    return element("svg", *parts, class_="row", aria_hidden="true", viewBox=f"0 0 {ROW_WIDTH:.0f} {ROW_HEIGHT:.0f}")
