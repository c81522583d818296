"""From values to places on a chart: round ticks, and numbers as short as they can be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MINUS = "−"
SAME = 1e-6  # values nearer to each other than that are one


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on places from `start` to `end`; `step` is the distance of ticks."""

    low: float
    high: float
    start: float
    end: float
    step: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float, *, ticks: int = 5) -> Scale:
        """A scale with round ends around the values (one value at least)."""
        found = list(values)
        low, high = min(found), max(found)
        largest = max(abs(low), abs(high))
        if high - low <= SAME * max(largest, 1.0):
            low, high = (-1.0, 1.0) if largest <= SAME else (min(low, 0.0), max(high, 0.0))
        step = round_step((high - low) / ticks)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end, step)

    def at(self, value: float) -> float:
        """Place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values from end to end."""
        many = round((self.high - self.low) / self.step)
        return [round(self.low + i * self.step, 10) for i in range(many + 1)]

    def label(self, value: float) -> str:
        """A tick in words."""
        places = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return shown(value, places)


def round_step(rough: float) -> float:
    """The 1, 2 or 5 times a power of ten at or above `rough` (> 0)."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))


def shown(value: float, places: int) -> str:
    """A number with a real minus sign, thousands apart, and no '−0'."""
    rounded = round(value, places) or 0.0
    return f"{MINUS if rounded < 0 else ''}{abs(rounded):,.{places}f}"


def short(value: float) -> str:
    """A number with about three digits: '−1.28', '34.2', '1,250'."""
    size = abs(value)
    places = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    if 0 < size < 0.1:
        places = min(6, 1 - math.floor(math.log10(size)))
    return shown(value, places)
