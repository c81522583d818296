"""Person-to-person spread and shares of responders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from knowledge.schemas import Direction, Endpoint, Family
from tools.response.individuals import MIN_RESIDUAL, individuals
from tools.response.responders import response_share, responses_of


def test_equal_patients_are_a_normal() -> None:
    spread = individuals(np.full(50, 3.0), 1.2)
    probabilities = np.array([0.05, 0.5, 0.95])
    np.testing.assert_allclose(spread.quantiles(-1.0, probabilities), -1.0 + 1.2 * ndtri(probabilities), atol=1e-8)
    share = spread.share_below(np.array([-1.0, 0.0]), np.array([-0.5]))
    np.testing.assert_allclose(share, ndtr((-0.5 - np.array([-1.0, 0.0])) / 1.2))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=60), st.floats(0.1, 4))
def test_spread_of_individuals_is_what_trials_report(expected: list[float], sd: float) -> None:
    """Covariates and residual together have the typical SD, and covariates never explain more than three quarters."""
    spread = individuals(np.array(expected), sd)
    total = float(spread.deviations.var()) + spread.residual_sd**2
    assert total == pytest.approx(sd**2, rel=1e-9)
    assert spread.residual_sd >= MIN_RESIDUAL * sd * (1 - 1e-12)
    assert float(spread.deviations.mean()) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan")])
def test_a_spread_must_be_positive(sd: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        individuals(np.zeros(3), sd)


def endpoint(
    name: str, direction: Direction, family: Family = Family.CONTINUOUS, mcid: float | None = None
) -> Endpoint:
    source = {"mcid": mcid, "mcid_source": "pmid-1"} if mcid else {}
    return Endpoint(
        endpoint_id=name, label=name, family=family, unit="u", direction=direction, limits=(-100, 100), **source
    )


def test_responses_by_endpoint() -> None:
    assert [r.id for r in responses_of(endpoint("hba1c_change", Direction.LOWER_IS_BETTER))] == [
        "share_fall",
        "share_fall_half_point",
    ]
    assert responses_of(endpoint("x", Direction.NEUTRAL)) == ()
    assert responses_of(endpoint("nausea", Direction.LOWER_IS_BETTER, Family.PROPORTION)) == ()
    up = responses_of(endpoint("walk", Direction.HIGHER_IS_BETTER, mcid=30.0))
    assert [(r.id, r.threshold, r.at_or_below) for r in up] == [
        ("share_improved", 0.0, False),
        ("share_important", 30.0, False),
    ]
    down = responses_of(endpoint("pain", Direction.LOWER_IS_BETTER, mcid=1.5))
    assert [(r.id, r.threshold, r.at_or_below) for r in down][1] == ("share_important", -1.5, True)


def test_relative_loss_uses_each_persons_weight() -> None:
    five, ten = responses_of(endpoint("weight_change", Direction.LOWER_IS_BETTER))
    spread = individuals(np.zeros(2), 1.0)
    weights = np.array([60.0, 120.0])
    share = response_share(five, spread, np.array([-4.0]), weights)
    assert share is not None
    assert share[0] == pytest.approx(50 * (ndtr(-3.0 + 4.0) + ndtr(-6.0 + 4.0)))
    more = response_share(ten, spread, np.array([-4.0]), weights)
    assert more is not None
    assert more[0] < share[0]
    assert response_share(five, spread, np.array([-4.0]), None) is None


def test_shares_turn_with_the_better_side() -> None:
    spread = individuals(np.zeros(3), 2.0)
    (lower,) = responses_of(endpoint("a", Direction.LOWER_IS_BETTER))
    (higher,) = responses_of(endpoint("b", Direction.HIGHER_IS_BETTER))
    first, second = (response_share(r, spread, np.array([-1.0]), None) for r in (lower, higher))
    assert first is not None
    assert second is not None
    assert first[0] + second[0] == pytest.approx(100.0)
    assert first[0] > 50
