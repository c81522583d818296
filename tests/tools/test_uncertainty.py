"""Ignorance and chance are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from knowledge.errors import InvalidInput
from tools.uncertainty import spread


def test_variance_components_are_found():
    rng = np.random.default_rng(1)
    outcomes = 10 + 2 * rng.normal(size=(4000, 1)) + 3 * rng.normal(size=(4000, 8))
    found = spread(outcomes)
    assert found.mean == pytest.approx(10, abs=0.15)
    assert found.parameter_sd == pytest.approx(2, abs=0.1)
    assert found.chance_sd == pytest.approx(3, abs=0.05)
    assert found.from_parameters == pytest.approx(4 / 13, abs=0.03)
    half_width = 1.645 * 13**0.5
    assert (found.upper - found.lower) / 2 == pytest.approx(half_width, rel=0.03)


def test_nothing_but_chance():
    found = spread(np.random.default_rng(2).normal(size=(300, 50)))
    assert found.from_parameters < 0.02


def test_nothing_varies():
    found = spread(np.full((5, 3), 4.0))
    assert (found.mean, found.lower, found.upper, found.from_parameters) == (4.0, 4.0, 4.0, 0.0)


def test_standard_error_is_that_of_the_mean():
    rng = np.random.default_rng(3)
    means, errors = [], []
    for _ in range(400):
        found = spread(2 * rng.normal(size=(40, 1)) + rng.normal(size=(40, 4)))
        means.append(found.mean)
        errors.append(found.standard_error)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.12)


@given(arrays(float, st.tuples(st.integers(1, 20), st.integers(1, 6)), elements=st.floats(-1e6, 1e6)))
def test_order_and_range(outcomes):
    found = spread(outcomes)
    assert outcomes.min() <= found.lower <= found.upper <= outcomes.max()
    assert 0 <= found.from_parameters <= 1


@pytest.mark.parametrize("bad", [[], [[1.0, float("nan")]], [float("inf")], np.zeros((2, 2, 2))])
def test_bad_outcomes_are_refused(bad):
    with pytest.raises(InvalidInput):
        spread(bad)


def test_bad_level_is_refused():
    with pytest.raises(InvalidInput, match="level"):
        spread([1.0, 2.0], level=1.0)
