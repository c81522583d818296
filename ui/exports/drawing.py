"""A scene as a vector drawing of ReportLab."""

from __future__ import annotations

from typing import Any

from ui.exports.scene import TEXT, Area, Line, Mark, Scene, Words
from ui.exports.svg import outline


def drawing_of(scene: Scene, width: float, fonts: tuple[str, str]) -> Any:
    """The drawing, `width` points wide; `fonts` are the registered names of the regular and the bold face."""
    from reportlab.graphics.shapes import Drawing, Group

    scale = width / scene.width
    drawing = Drawing(width, scene.height * scale)
    group = Group(*(_shape(shape, scene.height, fonts) for shape in scene.shapes))
    group.scale(scale, scale)
    drawing.add(group)
    return drawing


def _shape(shape: Line | Area | Mark | Words, height: float, fonts: tuple[str, str]) -> Any:
    from reportlab.graphics.shapes import Circle, Polygon, PolyLine, String
    from reportlab.lib.colors import Color, HexColor

    def flat(points: tuple[tuple[float, float], ...]) -> list[float]:
        # PDF counts upwards from the lower edge.
        return [value for x, y in points for value in (x, height - y)]

    match shape:
        case Line():
            dash = list(shape.dash) or None
            return PolyLine(
                flat(shape.points), strokeColor=HexColor(shape.colour), strokeWidth=shape.width, strokeDashArray=dash
            )
        case Area():
            solid = HexColor(shape.colour)
            fill = Color(solid.red, solid.green, solid.blue, alpha=shape.opacity)
            return Polygon(flat(shape.points), fillColor=fill, strokeColor=None)
        case Mark():
            colour = HexColor(shape.colour)
            if shape.shape == "circle":
                return Circle(shape.x, height - shape.y, shape.size, fillColor=colour, strokeColor=None)
            return Polygon(flat(outline(shape)), fillColor=colour, strokeColor=None)
        case Words():
            return String(
                shape.x, height - shape.y, shape.text, fontName=fonts[shape.bold], fontSize=TEXT,
                fillColor=HexColor(shape.colour), textAnchor=shape.anchor,
            )  # fmt: skip
