"""Growth with the size of the work: the power that is told, and its page."""

from __future__ import annotations

import numpy as np
import pytest

from evals.bench_page import bench_page
from evals.growth import Curve, Growth, measure

SIZES = (1_000, 10_000, 100_000)


@pytest.mark.parametrize(
    ("power", "verdict"), [(0.5, "linear or better"), (1.0, "linear or better"), (2.0, "faster than")]
)
def test_the_power_of_a_known_curve(power: float, verdict: str) -> None:
    curve = Curve("a law", "people", SIZES, tuple(size**power / 1e6 for size in SIZES), (5.0, 5.0, 5.0))
    assert curve.power == pytest.approx(power)
    assert curve.memory_power == pytest.approx(0)
    assert verdict in list(curve.told())[-1]


def test_memory_is_measured_by_what_arrays_take() -> None:
    done: list[int] = []

    def work(n: int) -> object:
        done.append(n)
        return np.ones(n)

    curve = measure(Growth("ones", "numbers", work, SIZES))
    assert set(done) == set(SIZES)
    assert curve.megabytes == pytest.approx([size * 8 / 1e6 for size in SIZES], rel=0.3, abs=0.01)


def test_the_page_shows_each_point_and_names_what_grows_too_fast() -> None:
    good = Curve("good work", "people", SIZES, (0.001, 0.01, 0.1), (1.0, 1.0, 1.0))
    bad = Curve("bad work", "people", SIZES, (0.001, 0.1, 10.0), (1.0, 10.0, 100.0))
    page = bench_page(["a line"], [good, bad])
    assert page.count("<svg") == 4
    assert page.count("<circle") == 4 * len(SIZES)
    assert "Faster than linear: bad work." in page
    assert "a line" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
