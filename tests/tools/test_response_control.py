"""An observed control arm: exact conditioning, and what it does to the forecast of the treated arm."""

from __future__ import annotations

import numpy as np
import pytest

from tools.response.control import given_arm
from tools.response.mixture import Prediction


def two_arms(means: list[list[float]], weights: list[float]) -> Prediction:
    """Arms that share a trial's deviation (SD 0.5); the treated one has a deviation of its own (SD 0.3)."""
    covariance = np.array([[0.25 + 0.09, 0.25], [0.25, 0.25]])
    return Prediction(np.array(weights), np.array(means), np.repeat(covariance[None], len(weights), axis=0), 2.0, False)


def test_it_is_what_importance_sampling_gives() -> None:
    prediction = two_arms([[-1.0, 0.0], [-1.6, 0.3]], [0.4, 0.6])
    found = given_arm(prediction, 1, 0.8, 0.04)
    generator = np.random.default_rng(6)
    node = generator.choice(2, 400_000, p=prediction.weights)
    root = np.linalg.cholesky(prediction.covariances[0])
    drawn = prediction.means[node] + generator.standard_normal((len(node), 2)) @ root.T
    weight = np.exp(-0.5 * (0.8 - drawn[:, 1]) ** 2 / 0.04)
    weight /= weight.sum()
    mean = weight @ drawn
    assert found.mean() / found.scale == pytest.approx(mean, abs=0.01)
    assert found.weights[1] == pytest.approx(weight[node == 1].sum(), abs=0.01)
    sd = np.sqrt(weight @ (drawn[:, 0] - mean[0]) ** 2)
    spread = np.sqrt(found.weights @ (found.covariances[:, 0, 0] + (found.means[:, 0] - mean[0]) ** 2))
    assert spread == pytest.approx(sd, abs=0.01)


def test_the_treated_arm_follows_and_narrows() -> None:
    prediction = two_arms([[-1.0, 0.0]], [1.0])
    found = given_arm(prediction, 1, 0.8, 1e-9)
    assert found.means[0, 1] == pytest.approx(0.8)
    assert found.means[0, 0] == pytest.approx(-0.2)
    assert found.covariances[0, 0, 0] == pytest.approx(0.09, abs=1e-6)
    vague = given_arm(prediction, 1, 0.8, 1e9)
    assert vague.means == pytest.approx(prediction.means, abs=1e-6)


@pytest.mark.parametrize(("value", "variance"), [(np.nan, 0.1), (0.0, 0.0), (0.0, -1.0), (0.0, np.nan)])
def test_nonsense_is_refused(value: float, variance: float) -> None:
    with pytest.raises(ValueError, match="observed arm"):
        given_arm(two_arms([[-1.0, 0.0]], [1.0]), 1, value, variance)
