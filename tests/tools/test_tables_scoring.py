"""Scores against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import norm

from tools.response.tables.scoring import (
    LEVELS,
    MEDIAN,
    PROBABILITIES,
    by_study,
    covered,
    crps,
    interval,
    interval_score,
    pit,
    ratio_interval,
)


def normal(mean: float, sd: float) -> np.ndarray:
    return (mean + sd * ndtri(PROBABILITIES))[:, None]


@given(st.floats(-3, 3), st.floats(0.2, 5))
def test_crps_of_a_normal(z: float, sd: float) -> None:
    """Gneiting and Raftery 2007, equation 21: sd (z (2 F(z) - 1) + 2 f(z) - 1 / sqrt(pi))."""
    exact = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert crps(normal(1.0, sd), np.array([1.0 + sd * z]))[0] == pytest.approx(exact, rel=0.03)


def test_intervals_and_their_score() -> None:
    quantiles = normal(0.0, 1.0)
    assert PROBABILITIES[MEDIAN] == pytest.approx(0.5)
    for level in LEVELS:
        lower, upper = interval(quantiles, level)
        assert upper[0] == pytest.approx(ndtri(0.5 + level / 2))
        assert lower[0] == pytest.approx(-upper[0])
        inside = interval_score(quantiles, np.array([0.0]), level)[0]
        assert inside == pytest.approx(2 * upper[0])
        outside = interval_score(quantiles, upper + 0.5, level)[0]
        assert outside == pytest.approx(inside + 0.5 * 2 / (1 - level))
        assert (covered(quantiles, np.array([0.0]), level), covered(quantiles, upper + 0.5, level)) == (1.0, 0.0)


def test_pit_is_uniform_for_the_right_forecast() -> None:
    drawn = np.random.default_rng(3).standard_normal(4000)
    found = pit(np.repeat(normal(0.0, 1.0), 4000, axis=1), drawn)
    counts, _ = np.histogram(found, bins=10, range=(0, 1))
    # Within 4 binomial SDs of 400.
    assert np.abs(counts - 400).max() < 4 * np.sqrt(4000 * 0.1 * 0.9)


def test_each_study_counts_once() -> None:
    assert by_study(np.array([1.0, 1.0, 1.0, 0.0]), np.array(["a", "a", "a", "b"])) == 0.5


def test_ratio_and_its_interval() -> None:
    generator = np.random.default_rng(8)
    bottom = generator.uniform(1, 2, 60)
    studies = np.array([f"S{index // 2}" for index in range(60)])
    point, low, high = ratio_interval([0.5 * bottom], [bottom], [studies])
    assert (point, low, high) == pytest.approx((0.5, 0.5, 0.5))
    noisy = bottom * generator.lognormal(0, 0.5, 60)
    point, low, high = ratio_interval([noisy, 0.5 * bottom], [bottom, bottom], [studies, studies], np.array([3.0, 1.0]))
    assert low < point < high
    assert point == pytest.approx(np.exp((3 * np.log(noisy.sum() / bottom.sum()) + np.log(0.5)) / 4))
