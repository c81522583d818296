from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.truncated import box_probability, draw_box, make_box, truncated_deviates


def _exchangeable(k: int, rho: float) -> np.ndarray:
    return np.full((k, k), rho) + (1 - rho) * np.eye(k)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_the_positive_orthant_of_half_correlated_normals(k: int) -> None:
    """All correlations 1/2: P(all positive) = 1 / (k + 1)."""
    box = make_box(_exchangeable(k, 0.5), np.zeros(k), np.full(k, np.inf))
    assert box_probability(box) == pytest.approx(1 / (k + 1), rel=2e-3)


def test_a_far_corner_of_independent_normals() -> None:
    """Five independent normals all above 3: the probability is the product, about 4e-15."""
    box = make_box(np.eye(5), np.full(5, 3.0), np.full(5, np.inf))
    tail = 0.5 * math.erfc(3 / math.sqrt(2))
    assert box_probability(box) == pytest.approx(tail**5, rel=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_probability_agrees_with_scipys(seed: int) -> None:
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 5))
    root = rng.normal(size=(k, k + 1))
    covariance = root @ root.T
    correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    lower = rng.uniform(-2.5, 1.0, k)
    upper = lower + rng.uniform(0.5, 3.0, k)
    expected = multivariate_normal(cov=correlation, abseps=1e-7, releps=1e-6, maxpts=400_000).cdf(
        upper, lower_limit=lower, rng=np.random.default_rng(1)
    )
    assert box_probability(make_box(correlation, lower, upper)) == pytest.approx(float(expected), rel=5e-3, abs=2e-6)


def test_draws_agree_with_rejection() -> None:
    correlation = np.array([[1.0, -0.6, 0.3], [-0.6, 1.0, 0.2], [0.3, 0.2, 1.0]])
    lower, upper = np.array([0.8, -0.5, -np.inf]), np.array([np.inf, 0.4, 1.0])
    rng = np.random.default_rng(5)
    plain = rng.multivariate_normal(np.zeros(3), correlation, size=2_000_000)
    kept = plain[((plain >= lower) & (plain <= upper)).all(axis=1)]
    box = make_box(correlation, lower, upper)
    deviates = draw_box(box, 60_000, np.random.default_rng(6))
    drawn = np.empty_like(deviates)
    drawn[:, box.order] = deviates @ box.factor.T
    assert ((drawn >= lower - 1e-9) & (drawn <= upper + 1e-9)).all()
    error = np.sqrt(kept.var(axis=0) * (1 / len(kept) + 1 / len(drawn)))
    assert (np.abs(drawn.mean(axis=0) - kept.mean(axis=0)) < 4 * error).all()
    assert np.corrcoef(drawn.T) == pytest.approx(np.corrcoef(kept.T), abs=0.02)
    assert box_probability(box) == pytest.approx(len(kept) / len(plain), rel=0.02)


def test_most_proposals_are_accepted_even_far_out() -> None:
    """The tilt keeps the weights nearly constant; plain rejection would accept one in 10^8 here."""
    box = make_box(_exchangeable(4, 0.3), np.full(4, 2.5), np.full(4, np.inf))
    from personas.truncated import propose

    _, log_weight = propose(box, np.random.default_rng(1).random((5000, 4)))
    assert (log_weight <= box.log_bound + 1e-9).all()
    assert np.exp(log_weight - box.log_bound).mean() > 0.5


@given(st.floats(-8, 8), st.floats(0.001, 3), st.floats(1e-9, 1 - 1e-9))
def test_one_deviate_stays_between_its_limits(low: float, width: float, uniform: float) -> None:
    (deviate,) = truncated_deviates(np.array([uniform]), np.array([low]), np.array([low + width]))
    assert low <= deviate <= low + width
