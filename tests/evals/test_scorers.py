"""Each scorer against an independent oracle: scipy, a closed form, brute force, or a property that must hold."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, binomtest, kstest, mannwhitneyu, norm

from evals.scorers import (
    absolute_error,
    aurc,
    auroc,
    brier,
    calibration_curve,
    calibration_error,
    coverage,
    crps_normal,
    crps_quantiles,
    crps_split_normal,
    f1,
    interval_score,
    kappa,
    pit_split_normal,
    precision,
    recall,
    reciprocal_rank,
    risk_coverage,
    scaled_error,
    uniform_distance,
    wilson,
    within_split_normal,
)

floats = st.floats(-1e3, 1e3)
shares = st.floats(0, 1)
names = st.sets(st.sampled_from("abcdefgh"))


def test_against_hand_computation() -> None:
    assert absolute_error([1, 2], [2, 4]) == 1.5
    assert scaled_error([1, 2], [2, 4], [0.5, 4]) == 1.25
    assert coverage([0, 0], [1, 1], [0.5, 2]) == 0.5
    # width 1, one miss by 1 above at 90 %: 1 + 2/0.1 * 1 = 21
    assert interval_score([0], [1], [2], 0.9) == pytest.approx(21)
    assert brier([0.9, 0.2], [1, 0]) == pytest.approx((0.01 + 0.04) / 2)
    assert f1(2, 1, 3) == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))
    assert reciprocal_rank(["x", "y", "z"], {"z", "y"}) == 0.5
    assert reciprocal_rank(["x"], {"z"}) == 0


def test_nothing_to_score_is_nan_and_what_cannot_be_scored_is_refused() -> None:
    assert math.isnan(absolute_error([], []))
    assert math.isnan(coverage([], [], []))
    assert math.isnan(precision([], ["a"]))
    assert math.isnan(recall(["a"], []))
    assert math.isnan(f1(0, 0, 0))
    assert math.isnan(auroc([0.1, 0.2], [1, 1]))
    assert math.isnan(aurc([], []))
    assert math.isnan(kappa([], []))
    assert math.isnan(uniform_distance([]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval_score([0], [1], [0], 90)
    with pytest.raises(ValueError, match="2 predictions but 1"):
        absolute_error([1, 2], [1])
    with pytest.raises(ValueError, match="above 0"):
        scaled_error([1], [1], [0])
    with pytest.raises(ValueError, match="outside its interval"):
        crps_split_normal(3, 0, 1, 0.9, 0)
    with pytest.raises(ValueError, match="ascending"):
        crps_quantiles([0.5, 0.5], [0, 1], 0)


@settings(deadline=None)
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


@pytest.mark.parametrize(("mean", "sd", "seen"), [(0.0, 1.0, 0.0), (1.5, 0.4, 0.3), (-2.0, 3.0, 5.0)])
def test_the_crps_of_a_normal_is_its_integral(mean: float, sd: float, seen: float) -> None:
    def squared(x: float) -> float:
        return (norm.cdf(x, mean, sd) - (x >= seen)) ** 2

    integral = quad(squared, mean - 12 * sd, seen)[0] + quad(squared, seen, max(seen, mean) + 12 * sd)[0]
    assert crps_normal(mean, sd, seen) == pytest.approx(integral, abs=1e-6)
    assert crps_normal(mean, 0.0, seen) == abs(mean - seen)


@pytest.mark.parametrize("seen", [-3.0, -0.5, 0.2, 0.4, 2.5])
def test_the_crps_of_two_halves_is_its_integral(seen: float) -> None:
    point, lower, upper, level = 0.2, -0.6, 2.9, 0.9
    z = norm.ppf(0.95)
    below, above = (point - lower) / z, (upper - point) / z

    def cdf(x: float) -> float:
        return float(norm.cdf((x - point) / (above if x >= point else below)))

    edges = sorted({-20.0, point, seen, 30.0})
    integral = sum(quad(lambda x: (cdf(x) - (x >= seen)) ** 2, left, right)[0] for left, right in pairwise(edges))
    assert crps_split_normal(point, lower, upper, level, seen) == pytest.approx(integral, abs=1e-6)
    assert pit_split_normal(point, lower, upper, level, seen) == pytest.approx(cdf(seen))
    assert pit_split_normal(point, lower, upper, level, upper) == pytest.approx(0.95)
    assert within_split_normal(point, lower, upper, level, 0.8) == pytest.approx(cdf(1.0) - cdf(-0.6), abs=1e-6)


@settings(deadline=None)
@given(floats, st.floats(0.01, 50), floats)
def test_equal_halves_are_a_normal(point: float, half: float, seen: float) -> None:
    sd = half / norm.ppf(0.95)
    ours = crps_split_normal(point, point - half, point + half, 0.9, seen)
    assert ours == pytest.approx(crps_normal(point, sd, seen), rel=1e-6, abs=1e-6)


def test_many_quantiles_approach_the_crps() -> None:
    levels = np.linspace(0.0005, 0.9995, 2000)
    for seen in (-1.0, 0.0, 2.0):
        assert crps_quantiles(levels, norm.ppf(levels), seen) == pytest.approx(crps_normal(0, 1, seen), rel=5e-3)


def test_a_forecast_that_cannot_be_wrong_has_a_pit_of_half() -> None:
    assert pit_split_normal(1, 1, 1, 0.9, 1) == 0.5
    assert pit_split_normal(1, 1, 1, 0.9, 2) == 1
    assert pit_split_normal(1, 1, 1, 0.9, 0) == 0


@settings(deadline=None)
@given(st.lists(shares, min_size=1, max_size=60))
def test_the_distance_from_uniform_agrees_with_scipy(values: list[float]) -> None:
    assert uniform_distance(values) == pytest.approx(kstest(values, "uniform").statistic, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.3, 0.5, 0.9]), st.booleans()), min_size=2, max_size=60))
def test_auroc_agrees_with_mann_whitney(rows: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in rows])
    hits = np.array([hit for _, hit in rows])
    if hits.all() or not hits.any():
        assert math.isnan(auroc(scores, hits))
        return
    expected = mannwhitneyu(scores[hits], scores[~hits]).statistic / (hits.sum() * (~hits).sum())
    assert auroc(scores, hits) == pytest.approx(expected)


def test_the_null_band_holds_a_calibrated_forecaster_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    inside = total = 0
    for _ in range(60):
        said = generator.random(400)
        for one in calibration_curve(said, generator.random(400) < said, level=0.9):
            inside += one.lower <= one.share <= one.upper
            total += 1
    assert inside / total > 0.88
    one = calibration_curve([0.3] * 20, [1] * 6 + [0] * 14, bins=1)[0]
    assert (one.lower, one.upper) == (binom.ppf(0.05, 20, 0.3) / 20, binom.ppf(0.95, 20, 0.3) / 20)
    assert (one.n, one.share) == (20, 0.3)


def test_the_calibration_error_sees_overconfidence() -> None:
    generator = np.random.default_rng(3)
    truth = generator.uniform(0.2, 0.8, 5000)
    hit = generator.random(5000) < truth
    bold = np.clip(0.5 + 2 * (truth - 0.5), 0, 1)
    assert calibration_error(truth, hit) < 0.03
    assert calibration_error(bold, hit) > 0.1


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.8]), st.floats(0, 5)), min_size=1, max_size=40))
def test_risk_coverage_is_the_mean_over_all_orders_of_equal_confidence(rows: list[tuple[float, float]]) -> None:
    sure, loss = [s for s, _ in rows], [lost for _, lost in rows]
    share, risk = risk_coverage(sure, loss)
    assert share[-1] == 1
    assert risk[-1] == pytest.approx(np.mean(loss))
    top = max(sure)
    best = [lost for s, lost in rows if s == top]
    assert risk[len(best) - 1] == pytest.approx(np.mean(best))
    assert min(loss) - 1e-9 <= aurc(sure, loss) <= max(loss) + 1e-9


def test_confidence_that_knows_has_the_smaller_area() -> None:
    loss = np.arange(10.0)
    assert aurc(-loss, loss) < aurc(np.zeros(10), loss) < aurc(loss, loss)
    assert aurc(np.zeros(10), loss) == pytest.approx(loss.mean())


@settings(deadline=None)
@given(names, names)
def test_precision_recall_and_f1_belong_together(found: set[str], right: set[str]) -> None:
    hits = len(found & right)
    score = f1(hits, len(found - right), len(right - found))
    if not found and not right:
        assert math.isnan(score)
    elif hits:
        p, r = precision(found, right), recall(found, right)
        assert score == pytest.approx(2 * p * r / (p + r))
    else:
        assert score == 0


def test_kappa_over_all_small_tables() -> None:
    for a, b, c, d in product(range(4), repeat=4):
        first = [True] * (a + b) + [False] * (c + d)
        second = [True] * a + [False] * b + [True] * c + [False] * d
        n = a + b + c + d
        if not n:
            continue
        agreed = (a + d) / n
        chance = ((a + b) * (a + c) + (c + d) * (b + d)) / n**2
        if chance == 1:
            assert math.isnan(kappa(first, second))
        else:
            assert kappa(first, second) == pytest.approx((agreed - chance) / (1 - chance))


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    successes = min(successes, n)
    ours = wilson(successes, n)
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
