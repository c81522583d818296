"""How time and memory grow with the size of the work, from a thousand to ten million units."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
STEEP = 1.1  # powers above this are told as faster than linear; caches alone make some of the difference to 1


@dataclass(frozen=True)
class Growth:
    """Work of a size.

    Attributes
    ----------
    title : what is done, as a phrase.
    unit : what is counted, in the plural.
    work : does the whole of `n` units.
    """

    title: str
    unit: str
    work: Callable[[int], object]
    sizes: tuple[int, ...] = SIZES


@dataclass(frozen=True)
class Curve:
    """Seconds, and megabytes of arrays at the peak, for each size."""

    title: str
    unit: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    megabytes: tuple[float, ...]

    @property
    def power(self) -> float:
        """P of seconds ∝ size^p, from the last three sizes (least squares of logarithms): 1 is linear."""
        return _power(self.sizes[-3:], self.seconds[-3:])

    @property
    def memory_power(self) -> float:
        """The same of memory; 0 is bounded."""
        return _power(self.sizes[-3:], self.megabytes[-3:])

    def told(self) -> Iterator[str]:
        """Lines of the report."""
        yield f"Growth: {self.title} (seconds; MB of arrays at the peak)"
        for size, seconds, megabytes in zip(self.sizes, self.seconds, self.megabytes, strict=True):
            yield f"  {size:>12,} {self.unit:<20} {seconds:10.4f} s  {megabytes:9.2f} MB"
        verdict = "faster than linear" if self.power > STEEP else "linear or better"
        yield f"  time grows as the size to the power {self.power:.2f} ({verdict}), memory {self.memory_power:.2f}."


def measure(growth: Growth) -> Curve:
    """Each size once, after a first run that only warms up; time and memory in separate runs, as tracing slows."""
    growth.work(growth.sizes[0])
    seconds, megabytes = [], []
    for size in growth.sizes:
        started = time.perf_counter()
        growth.work(size)
        seconds.append(time.perf_counter() - started)
        tracemalloc.start()
        try:
            growth.work(size)
            megabytes.append(tracemalloc.get_traced_memory()[1] / 1e6)
        finally:
            tracemalloc.stop()
    return Curve(growth.title, growth.unit, growth.sizes, tuple(seconds), tuple(megabytes))


def _power(sizes: Sequence[int], values: Sequence[float]) -> float:
    xs = [math.log(size) for size in sizes]
    ys = [math.log(max(value, 1e-9)) for value in values]
    middle, height = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - middle) * (y - height) for x, y in zip(xs, ys, strict=True))
    return slope / sum((x - middle) ** 2 for x in xs)
