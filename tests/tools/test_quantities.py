"""Numbers with their uncertainty, as users give them."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tools.quantities import Uncertain, as_uncertain

N = 200_000


@pytest.mark.parametrize(
    ("given", "mean", "sd"),
    [
        ({"value": 3, "distribution": "normal", "sd": 2}, 3, 2),
        ({"value": 3, "distribution": "gamma", "sd": 2}, 3, 2),
        ({"value": 0.3, "distribution": "beta", "sd": 0.1}, 0.3, 0.1),
        ({"value": 3, "distribution": "uniform", "sd": 2}, 3, 2),
        ({"value": 3, "distribution": "normal", "lower": 3 - 1.96, "upper": 3 + 1.96}, 3, 1),
        ({"distribution": "gamma", "a": 100, "b": 20}, 2000, 200),
        ({"distribution": "beta", "a": 2, "b": 6}, 0.25, (0.25 * 0.75 / 9) ** 0.5),
        ({"distribution": "uniform", "a": 0, "b": 12}, 6, 12**0.5),
    ],
)
def test_draws_have_the_moments(given, mean, sd):
    one = Uncertain.model_validate(given)
    draws = one.draw(np.random.default_rng(1), N)
    assert one.point == pytest.approx(mean)
    assert draws.mean() == pytest.approx(mean, abs=5 * sd / N**0.5)
    assert draws.std() == pytest.approx(sd, rel=0.02)
    assert not one.certain


def test_lognormal_takes_the_median():
    one = Uncertain(value=3, distribution="lognormal", sd=0.5)
    assert np.median(one.draw(np.random.default_rng(1), N)) == pytest.approx(3, rel=0.01)
    assert Uncertain(distribution="lognormal", a=np.log(3), b=0.5).point == pytest.approx(3)


def test_draws_made_elsewhere_keep_their_order():
    one = Uncertain(draws=(1.0, 2.0, 3.0))
    assert one.draw(np.random.default_rng(1), 5).tolist() == [1, 2, 3, 1, 2]
    assert one.point == 2
    assert as_uncertain(4.0).draw(np.random.default_rng(1), 2).tolist() == [4, 4]
    assert as_uncertain(4.0).certain


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"distribution": "normal"},
        {"value": 1, "distribution": "normal"},
        {"value": 1, "distribution": "normal", "sd": 1, "lower": 0, "upper": 2},
        {"value": 1.5, "distribution": "beta", "sd": 0.1},
        {"value": -1, "distribution": "lognormal", "sd": 0.1},
        {"value": -1, "distribution": "gamma", "sd": 0.1},
        {"distribution": "uniform", "a": 2, "b": 1},
        {"distribution": "beta", "a": -2, "b": 1},
        {"value": 5, "distribution": "normal", "lower": 0, "upper": 2},
    ],
)
def test_half_given_is_refused(given):
    with pytest.raises(ValidationError):
        Uncertain.model_validate(given)
