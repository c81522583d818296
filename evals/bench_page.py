"""The bench as one HTML file: what was printed, and how each simulation grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from evals.growth import STEEP, Curve
from evals.report.blocks import Block, Figure, Figures, Pre, Section, Table, Text, number
from evals.report.markup import anchor
from evals.report.page import page
from evals.report.svg import Plot


def bench_page(lines: Sequence[str], curves: Sequence[Curve]) -> str:
    """The whole file."""
    figures = tuple(figure for curve in curves for figure in (_drawn(curve, "seconds"), _drawn(curve, "megabytes")))
    steep = [curve.title for curve in curves if curve.power > STEEP]
    verdict = (
        f"Faster than linear: {'; '.join(steep)}."
        if steep
        else "None grows faster than linear in the last two decades."
    )
    blocks: tuple[Block, ...] = (
        Text("Both axes are logarithmic; the dashed line grows in proportion to the size. " + verdict),
        Figures(figures),
    )
    sections = (Section("growth", "Growth", blocks), Section("speed", "Speed", (Pre("\n".join(lines)),)))
    lead = ("Every speed is a ratio from one run, by turns with the peer that is named, on the same work.",)
    return page("Bench", lead, (("Measured", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),), sections)


def _drawn(curve: Curve, what: str) -> Figure:
    values = curve.seconds if what == "seconds" else curve.megabytes
    power = curve.power if what == "seconds" else curve.memory_power
    xs = [math.log10(size) for size in curve.sizes]
    ys = [math.log10(max(value, 1e-6)) for value in values]
    linear = [ys[-1] + x - xs[-1] for x in xs]
    shown = [y for y in linear if y >= min(ys) - 1]
    high = math.ceil(max(ys) + 1e-9)
    low = min(math.floor(min([*ys, *shown])), high - 4)  # so many decades that each has its line
    plot = Plot((xs[0], xs[-1]), (low, high), curve.unit, what, _power_of_ten, _power_of_ten)
    plot.line(xs[-len(shown) :], shown, "ideal")
    plot.line(xs, ys)
    for x, y, size, value in zip(xs, ys, curve.sizes, values, strict=True):
        plot.dot(x, y, f"{size:,} {curve.unit}: {value:.4g} {what}")
    caption = f"{curve.title[:1].upper()}{curve.title[1:]}: {what}, growing as the size to the power {power:.2f}."
    table = Table(
        caption,
        (curve.unit.capitalize(), number(what.capitalize())),
        tuple((f"{size:,}", number(f"{value:.4g}")) for size, value in zip(curve.sizes, values, strict=True)),
    )
    return Figure(plot.drawn(anchor(f"{curve.title} {what}"), curve.title, caption), caption, table)


def _power_of_ten(exponent: float) -> str:
    return f"{10**exponent:g}" if -3 <= exponent <= 4 else f"1e{exponent:g}"
