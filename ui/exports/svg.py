"""A scene as inline SVG with a name and a description for screen readers."""

from __future__ import annotations

from html import escape

from ui.exports.scene import TEXT, Area, Line, Mark, Scene, Words


def svg_of(scene: Scene, title: str, description: str, name: str) -> str:
    """The SVG element; `name` is a unique id within the page."""
    shapes = "\n".join(_shape(shape) for shape in scene.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {scene.width:g} {scene.height:g}" role="img" '
        f'aria-labelledby="{name}-t {name}-d" font-size="{TEXT:g}">\n'
        f'<title id="{name}-t">{escape(title)}</title>\n<desc id="{name}-d">{escape(description)}</desc>\n{shapes}\n</svg>'
    )


def _shape(shape: Line | Area | Mark | Words) -> str:
    match shape:
        case Line():
            dash = f' stroke-dasharray="{" ".join(f"{part:g}" for part in shape.dash)}"' if shape.dash else ""
            return (
                f'<polyline points="{_points(shape.points)}" fill="none" stroke="{shape.colour}" '
                f'stroke-width="{shape.width:g}"{dash}/>'
            )
        case Area():
            return f'<polygon points="{_points(shape.points)}" fill="{shape.colour}" fill-opacity="{shape.opacity:g}"/>'
        case Mark():
            return (
                f'<polygon points="{_points(outline(shape))}" fill="{shape.colour}"/>'
                if shape.shape != "circle"
                else (f'<circle cx="{shape.x:g}" cy="{shape.y:g}" r="{shape.size:g}" fill="{shape.colour}"/>')
            )
        case Words():
            weight = ' font-weight="bold"' if shape.bold else ""
            return (
                f'<text x="{shape.x:g}" y="{shape.y:g}" text-anchor="{shape.anchor}" fill="{shape.colour}"{weight}>'
                f"{escape(shape.text)}</text>"
            )


def outline(mark: Mark) -> tuple[tuple[float, float], ...]:
    """The corners of a mark; a circle has none of its own and is given as an octagon."""
    x, y, size = mark.x, mark.y, mark.size
    match mark.shape:
        case "square":
            return ((x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size))
        case "triangle":
            return ((x, y - size), (x + size, y + size), (x - size, y + size))
        case "diamond":
            return ((x, y - 1.3 * size), (x + 1.3 * size, y), (x, y + 1.3 * size), (x - 1.3 * size, y))
    slant = 0.7 * size
    return (
        (x - size, y), (x - slant, y - slant), (x, y - size), (x + slant, y - slant),
        (x + size, y), (x + slant, y + slant), (x, y + size), (x - slant, y + slant),
    )  # fmt: skip


def _points(points: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{round(x, 2):g},{round(y, 2):g}" for x, y in points)
