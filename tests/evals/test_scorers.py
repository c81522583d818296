from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from evals.scorers import absolute_error, coverage, interval_score, wilson

floats = st.floats(-1e3, 1e3)


def test_against_hand_computation() -> None:
    assert absolute_error([1, 2], [2, 4]) == 1.5
    assert coverage([0, 0], [1, 1], [0.5, 2]) == 0.5
    # width 1, one miss by 1 above at 90 %: 1 + 2/0.1 * 1 = 21
    assert interval_score([0], [1], [2], 0.9) == pytest.approx(21)


def test_nothing_to_score_is_nan_and_a_bad_level_is_refused() -> None:
    assert math.isnan(absolute_error([], []))
    assert math.isnan(coverage([], [], []))
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval_score([0], [1], [0], 90)
    with pytest.raises(ValueError, match="2 predictions but 1"):
        absolute_error([1, 2], [1])


@given(st.lists(st.tuples(floats, st.floats(0, 100), floats), min_size=1, max_size=30))
def test_the_interval_score_is_never_less_than_the_width(rows: list[tuple[float, float, float]]) -> None:
    lower = [low for low, _, _ in rows]
    upper = [low + width for low, width, _ in rows]
    seen = [value for _, _, value in rows]
    width = float(np.mean(np.subtract(upper, lower)))
    assert interval_score(lower, upper, seen, 0.9) >= width - 1e-9
    assert 0 <= coverage(lower, upper, seen) <= 1


def test_the_interval_score_is_best_for_the_true_quantiles() -> None:
    seen = np.random.default_rng(1).normal(size=4000)

    def score(half: float) -> float:
        return interval_score(np.full(4000, -half), np.full(4000, half), seen, 0.9)

    right = norm.ppf(0.95)
    assert score(right) < score(0.7 * right)
    assert score(right) < score(1.4 * right)


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    successes = min(successes, n)
    ours = wilson(successes, n)
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
