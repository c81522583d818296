"""Pieces of SVG: text, lines, markers. Colours are variables of the page with a fallback for an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 460.0
ACCENT = "var(--ct-accent, #0f6b6b)"
OTHER = "var(--ct-other, #8a5a00)"
INK = "var(--ct-ink, #1f2937)"
SOFT = "var(--ct-soft, #4b5563)"
GRID = "var(--ct-grid, #d5dbe3)"
PAPER = "var(--ct-paper, #ffffff)"
# Series differ by dash and marker as well: colour is never the only carrier of meaning.
COLOURS = (ACCENT, OTHER, INK, SOFT)
DASHES = ("", "7 4", "2 4", "9 3 2 3")
LETTER = 6.1  # width of a letter at the size of chart text


def colour(position: int) -> str:
    """Colour of the n-th series."""
    return COLOURS[position % len(COLOURS)]


def dash(position: int) -> str:
    """Attribute for the line of the n-th series; empty for a solid line."""
    pattern = DASHES[position % len(DASHES)]
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 11,
    ink: str = INK,
    bold: bool = False,
    halo: bool = False,
) -> str:
    """A line of text at its baseline."""
    weight = ' font-weight="600"' if bold else ""
    if halo:  # readable over a line of the grid
        weight += f' stroke="{PAPER}" stroke-width="3" paint-order="stroke"'
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{ink}"{weight}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, ink: str = GRID, *, width: float = 1, more: str = "") -> str:
    """A straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{ink}" stroke-width="{width:g}"{more}/>'
    )


def path(points: Sequence[tuple[float, float]], ink: str, *, more: str = "") -> str:
    """A line through points."""
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{steps}" fill="none" stroke="{ink}" stroke-width="2.2" stroke-linejoin="round"{more}/>'


def band(points: Sequence[tuple[float, float]], ink: str, opacity: float) -> str:
    """A filled area."""
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{steps}" fill="{ink}" fill-opacity="{opacity:g}"/>'


def marker(x: float, y: float, position: int, *, hint: str = "") -> str:
    """Circle, square, diamond or triangle, by the series."""
    ink = colour(position)
    title = f"<title>{escape(hint)}</title>" if hint else ""
    shape = position % 4
    if shape == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" fill="{ink}">{title}</circle>'
    outlines = {
        1: ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        2: ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
        3: ((0, -5), (5, 4), (-5, 4)),
    }
    steps = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in outlines[shape])
    return f'<polygon points="{steps}" fill="{ink}">{title}</polygon>'


def key(names: Sequence[str], y: float, *, boxes: bool = False) -> tuple[list[str], float]:
    """Names of the series with their marks, in as many lines as they need; the marks, and the y below them."""
    made: list[str] = []
    x = 2.0
    for position, name in enumerate(names):
        width = 34 + LETTER * len(name)
        if x > 2.0 and x + width > WIDTH:
            x, y = 2.0, y + 18
        if boxes:
            made.append(box(x, y - 9, 20, 10, position))
        else:
            made.append(line(x, y - 4, x + 22, y - 4, colour(position), width=2.2, more=dash(position)))
            made.append(marker(x + 11, y - 4, position))
        made.append(text(x + 28, y, name))
        x += width + 10
    return made, y + 10


def box(x: float, y: float, width: float, height: float, position: int, *, hint: str = "") -> str:
    """A bar: filled for the first series, outlined for the others."""
    title = f"<title>{escape(hint)}</title>" if hint else ""
    fill = f'fill="{ACCENT}"' if position == 0 else f'fill="{PAPER}" stroke="{colour(position)}" stroke-width="1.8"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.8):.1f}" height="{height:.1f}" rx="1.5" {fill}>{title}</rect>'


def drawn(parts: Sequence[str], height: float, said: str, *, width: float = WIDTH) -> str:
    """The parts as one picture with what it says for who does not see it."""
    return (
        f'<svg class="ct-chart" viewBox="0 0 {width:g} {height:.0f}" role="img" aria-label="{escape(said, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )
