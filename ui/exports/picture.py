"""A scene as PNG, for formats that cannot hold drawings."""

from __future__ import annotations

import io

from ui.exports.fonts import font_file
from ui.exports.scene import TEXT, Area, Line, Mark, Scene, Words
from ui.exports.svg import outline

_SCALE = 2.5  # pixels a point: sharp on paper at page width


def png_of(scene: Scene) -> bytes:
    """The picture; the same scene always gives the same bytes."""
    from PIL import Image, ImageDraw, ImageFont

    size = (round(scene.width * _SCALE), round(scene.height * _SCALE))
    image = Image.new("RGB", size, "white")
    fonts = {
        bold: ImageFont.truetype(font_file("bold" if bold else "regular"), TEXT * _SCALE) for bold in (False, True)
    }
    for shape in scene.shapes:
        match shape:
            case Area():
                veil = Image.new("RGBA", size, (0, 0, 0, 0))
                fill = (*_rgb(shape.colour), round(255 * shape.opacity))
                ImageDraw.Draw(veil).polygon([_pixel(point) for point in shape.points], fill=fill)
                image.paste(veil, (0, 0), veil)
            case Line():
                draw, width = ImageDraw.Draw(image), max(1, round(shape.width * _SCALE))
                for start, end in _strokes(shape):
                    draw.line([_pixel(start), _pixel(end)], fill=shape.colour, width=width)
            case Mark():
                ImageDraw.Draw(image).polygon([_pixel(point) for point in outline(shape)], fill=shape.colour)
            case Words():
                anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
                ImageDraw.Draw(image).text(
                    _pixel((shape.x, shape.y)), shape.text, fill=shape.colour, font=fonts[shape.bold], anchor=anchor
                )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _pixel(point: tuple[float, float]) -> tuple[float, float]:
    return point[0] * _SCALE, point[1] * _SCALE


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _strokes(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The pieces of a line; dashes are cut here, since Pillow knows none."""
    pairs = list(zip(line.points, line.points[1:], strict=False))
    if not line.dash:
        return pairs
    pieces, place, left = [], 0, line.dash[0]
    for (x0, y0), (x1, y1) in pairs:
        length, gone = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 0.0
        while gone < length:
            step = min(left, length - gone)
            if place % 2 == 0:
                a, b = gone / length, (gone + step) / length
                pieces.append(((x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))))
            gone, left = gone + step, left - step
            if left <= 1e-9:
                place = (place + 1) % len(line.dash)
                left = line.dash[place]
    return pieces
