"""Small pictures: a histogram, how reliable intervals were, a bar for one share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ui.charts import marks
from ui.charts.rows import LEFT, capital
from ui.charts.scale import Scale, short

HISTOGRAM = (220.0, 62.0)


class Held(NamedTuple):
    """How many of the published figures an outcome's 90 % intervals held; shares 0-1."""

    label: str
    found: float
    low: float
    high: float
    n: int


def histogram(bins: Sequence[tuple[float, float, float]], said: str) -> str:
    """Bins as (from, to, share)."""
    wide, tall = HISTOGRAM
    base = tall - 16
    most = max(share for _low, _high, share in bins)
    step = wide / len(bins)
    parts = [
        f'<rect x="{i * step + 0.6:.1f}" y="{base - share / most * (base - 4):.1f}" width="{step - 1.2:.1f}" '
        f'height="{share / most * (base - 4):.1f}" fill="{marks.ACCENT}"/>'
        for i, (_low, _high, share) in enumerate(bins)
    ]
    parts.append(marks.line(0, base, wide, base, marks.SOFT))
    parts.append(marks.text(0, tall - 3, short(bins[0][0]), ink=marks.SOFT))
    parts.append(marks.text(wide, tall - 3, short(bins[-1][1]), anchor="end", ink=marks.SOFT))
    return marks.drawn(parts, tall, said, width=wide)


def reliability(rows: Sequence[Held], said: str, *, level: float = 0.9) -> str:
    """For each outcome: the share found inside its intervals, on the band where it would be were they exactly right."""
    right = marks.WIDTH - 58
    x = Scale.over([100 * min(0.7, *(row.found for row in rows), *(row.low for row in rows)), 100.0], LEFT + 4, right)
    parts: list[str] = []
    y = 12.0
    for row in rows:
        parts.append(marks.text(LEFT, y, capital(row.label), halo=True))
        y += 13
        low, high = x.at(100 * row.low), x.at(100 * row.high)
        parts.append(
            f'<rect x="{low:.1f}" y="{y - 6:.1f}" width="{high - low:.1f}" height="12" rx="2" fill="{marks.GRID}" '
            f'stroke="{marks.SOFT}" stroke-width="0.8"/>'
        )
        hint = f"{row.label}: {100 * row.found:.0f} % of {row.n} inside"
        parts.append(marks.marker(x.at(100 * row.found), y, 0, hint=hint))
        parts.append(marks.text(marks.WIDTH - 2, y + 4, f"{100 * row.found:.0f} %", anchor="end"))
        y += 20
    bottom = y - 8
    parts.insert(
        0, marks.line(x.at(100 * level), 4, x.at(100 * level), bottom, marks.INK, more=' stroke-dasharray="3 3"')
    )
    for tick in x.ticks:
        parts.append(marks.text(x.at(tick), bottom + 15, x.label(tick), anchor="middle", ink=marks.SOFT))
    parts.append(
        marks.text((LEFT + right) / 2, bottom + 32, f"% of published figures inside the {100 * level:.0f} % interval",
                   anchor="middle", ink=marks.SOFT)
    )  # fmt: skip
    return marks.drawn(parts, bottom + 42, said)


def gauge(share: float, said: str) -> str:
    """A bar filled to a share (0-1), in ten parts."""
    parts = []
    for i in range(10):
        filled = min(max(share * 10 - i, 0.0), 1.0)
        x = i * 22.0
        parts.append(
            f'<rect x="{x:.1f}" y="2" width="19" height="12" rx="2" fill="{marks.PAPER}" stroke="{marks.ACCENT}" stroke-width="1"/>'
        )
        if filled > 0:
            parts.append(
                f'<rect x="{x:.1f}" y="2" width="{19 * filled:.1f}" height="12" rx="2" fill="{marks.ACCENT}"/>'
            )
    return marks.drawn(parts, 16, said, width=220.0)
