"""Bootstrap by cluster: against closed forms, and what it must and must not say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.statistics import FEWEST, paired_difference, ratio_interval, statistic_interval


def test_independent_figures_give_the_textbook_interval_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    found = ratio_interval(values, np.ones(400), [str(i) for i in range(400)])
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert found.lower == pytest.approx(values.mean() - half, abs=0.04)
    assert found.upper == pytest.approx(values.mean() + half, abs=0.04)


def test_figures_of_one_trial_do_not_count_as_many() -> None:
    generator = np.random.default_rng(2)
    trials = np.repeat(np.arange(20), 20)
    values = np.repeat(generator.normal(size=20), 20) + 0.1 * generator.normal(size=400)
    clustered = ratio_interval(values, np.ones(400), [str(t) for t in trials])
    naive = ratio_interval(values, np.ones(400), [str(i) for i in range(400)])
    assert clustered.clusters == 20
    assert clustered.lower is not None
    assert clustered.upper is not None
    assert naive.lower is not None
    assert naive.upper is not None
    assert clustered.upper - clustered.lower > 2.5 * (naive.upper - naive.lower)


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(150):
        effects = np.repeat(generator.normal(size=40), 3)
        values = effects + generator.normal(size=120)
        found = ratio_interval(values, np.ones(120), [str(i // 3) for i in range(120)])
        assert found.lower is not None
        assert found.upper is not None
        hits += found.lower <= 0 <= found.upper
    assert 0.88 <= hits / 150 <= 0.99


def test_weights_make_a_ratio_of_sums() -> None:
    found = ratio_interval([2.0, 3.0], [4.0, 6.0], ["a", "b"])
    assert found.value == 0.5
    assert (found.lower, found.upper) == (None, None)  # two clusters say nothing


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing has a weight"):
        ratio_interval([0.0], [0.0], ["a"])
    with pytest.raises(ValueError, match="not negative"):
        ratio_interval([1.0], [-1.0], ["a"])
    with pytest.raises(ValueError, match="do not fit"):
        ratio_interval([1.0], [1.0, 2.0], ["a"])


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30))
def test_a_run_against_itself_differs_by_nothing(values: list[float]) -> None:
    pairs = [(value, 1.0) for value in values]
    found = paired_difference(pairs, pairs, [str(i) for i in range(len(values))])
    assert (found.value, found.p) == (0.0, 1.0)


def test_pairs_see_what_two_separate_intervals_cannot() -> None:
    generator = np.random.default_rng(4)
    before = generator.normal(0, 10, 60)
    now = before + 0.5 + 0.2 * generator.normal(size=60)
    clusters = [str(i) for i in range(60)]
    found = paired_difference([(v, 1.0) for v in now], [(v, 1.0) for v in before], clusters)
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert found.p is not None
    assert found.p < 0.01
    alone = ratio_interval(now, np.ones(60), clusters)
    assert alone.lower is not None
    assert alone.lower < before.mean()


def test_p_is_uniform_when_nothing_changed() -> None:
    generator = np.random.default_rng(5)
    small = 0
    for _ in range(200):
        shift = generator.normal(size=30)
        found = paired_difference([(v, 1.0) for v in shift], [(0.0, 1.0)] * 30, [str(i) for i in range(30)])
        assert found.p is not None
        small += found.p < 0.05
    assert 0.02 <= small / 200 <= 0.11


def test_one_case_of_many_that_flips_is_noise_and_several_are_not() -> None:
    def p(flips: int) -> float:
        now = [(0.0 if i < flips else 1.0, 1.0) for i in range(40)]
        found = paired_difference(now, [(1.0, 1.0)] * 40, [str(i) for i in range(40)])
        assert found.p is not None
        return found.p

    assert p(1) > 0.3
    assert p(5) < 0.05


def test_few_clusters_have_no_p() -> None:
    found = paired_difference([(1.0, 1.0)] * 3, [(0.0, 1.0)] * 3, ["a", "b", "c"])
    assert found.value == 1
    assert found.p is None
    assert FEWEST > 3


def test_a_statistic_is_resampled_by_cluster_too() -> None:
    generator = np.random.default_rng(6)
    values = generator.normal(size=(200, 1))
    clusters = [str(i // 4) for i in range(200)]
    curve = statistic_interval(values, clusters, lambda rows: float(rows.mean()))
    mean = ratio_interval(values[:, 0], np.ones(200), clusters)
    assert curve.value == pytest.approx(mean.value)
    assert curve.lower == pytest.approx(mean.lower, abs=0.05)
    assert curve.upper == pytest.approx(mean.upper, abs=0.05)
    assert statistic_interval(values, clusters, lambda rows: float("nan")).lower is None
