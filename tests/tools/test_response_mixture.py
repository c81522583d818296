"""Mixtures of normals: quantiles, proportions, differences and joint draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from tools.response.mixture import Prediction, mirrored_normals, mixture_quantiles, systematic

PROBABILITIES = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = draw(st.integers(1, 6))
    weights = np.array(draw(st.lists(st.floats(0.01, 1), min_size=size, max_size=size)))
    means = np.array(draw(st.lists(st.floats(-20, 20), min_size=size, max_size=size)))
    sds = np.array(draw(st.lists(st.floats(0.01, 5), min_size=size, max_size=size)))
    return weights / weights.sum(), means[:, None], sds[:, None]


@given(mixtures())
@settings(deadline=None)
def test_quantiles_invert_the_distribution_function(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    weights, means, sds = mixture
    values = mixture_quantiles(weights, means, sds, PROBABILITIES)[:, 0]
    reached = (weights[:, None] * ndtr((values[None, :] - means) / sds)).sum(axis=0)
    np.testing.assert_allclose(reached, PROBABILITIES, atol=1e-9)
    assert (np.diff(values) > 0).all()


@given(st.floats(-30, 30), st.floats(0.01, 10))
def test_one_component_is_a_normal(mean: float, sd: float) -> None:
    values = mixture_quantiles(np.ones(1), np.array([[mean]]), np.array([[sd]]), PROBABILITIES)[:, 0]
    np.testing.assert_allclose(values, mean + sd * ndtri(PROBABILITIES), atol=1e-9)


def two_arms(*, proportion: bool) -> Prediction:
    means = np.array([[-1.0, -2.2], [-0.6, -2.0], [-1.4, -2.9]])
    covariances = np.array([[[0.3, 0.2], [0.2, 0.4]], [[0.5, 0.1], [0.1, 0.3]], [[0.2, 0.15], [0.15, 0.25]]])
    return Prediction(np.array([0.5, 0.3, 0.2]), means, covariances, 2.5, proportion)


@pytest.mark.parametrize("proportion", [True, False])
def test_draws_have_the_quantiles_and_means_of_the_mixture(proportion: bool) -> None:
    prediction = two_arms(proportion=proportion)
    draws = prediction.draws(40_000)
    scale = float(np.ptp(prediction.quantiles(np.array([0.25, 0.75]))[:, 0]))
    np.testing.assert_allclose(draws.mean(axis=0), prediction.mean(), atol=0.02 * scale)
    np.testing.assert_allclose(
        np.quantile(draws, PROBABILITIES[1:6], axis=0), prediction.quantiles(PROBABILITIES[1:6]), atol=0.05 * scale
    )
    values = prediction.quantiles(np.array([0.3]))[0]
    np.testing.assert_allclose(prediction.probability_below(values), 0.3, atol=1e-9)
    np.testing.assert_allclose(prediction.median(), prediction.quantiles(np.array([0.5]))[0])


def test_difference_keeps_what_the_arms_share() -> None:
    prediction = two_arms(proportion=False)
    difference = prediction.difference(0, 1)
    expected = [0.3 + 0.4 - 0.4, 0.5 + 0.3 - 0.2, 0.2 + 0.25 - 0.3]
    np.testing.assert_allclose(difference.covariances[:, 0, 0], expected)
    draws = prediction.draws(40_000)
    np.testing.assert_allclose(np.median(draws[:, 0] - draws[:, 1]), difference.median()[0], atol=0.05)
    np.testing.assert_allclose(prediction.difference(1, 0).median(), -difference.median(), atol=1e-9)
    with pytest.raises(ValueError, match="draws"):
        two_arms(proportion=True).difference(0, 1)


def test_proportions_stay_between_nobody_and_everybody() -> None:
    wide = Prediction(np.ones(1), np.array([[0.0]]), np.array([[[400.0]]]), 1.0, True)
    low, high = wide.quantiles(np.array([0.001, 0.999]))[:, 0]
    assert 0 <= low < 1 < 99 < high <= 100
    assert wide.mean()[0] == pytest.approx(50.0)


def test_common_random_numbers_do_not_depend_on_the_company() -> None:
    np.testing.assert_array_equal(mirrored_normals(100, 2), mirrored_normals(100, 5)[:, :2])
    assert mirrored_normals(101, 3).shape == (101, 3)
    counts = np.bincount(systematic(np.array([0.5, 0.3, 0.2]), 1000), minlength=3)
    assert counts.tolist() == [500, 300, 200]
