"""Choice by logit: closed forms and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tools.voice.model import (
    calibrated_constant,
    choice_probabilities,
    drawn_weights,
    group_counts,
    simulated_choices,
)

UTILITIES = arrays(np.float64, (3,), elements=st.floats(-600, 600))


class TestChoiceProbabilities:
    def test_two_options_are_the_logistic_of_their_difference(self) -> None:
        assert choice_probabilities(np.array([np.log(3.0), 0.0])) == pytest.approx([0.75, 0.25])

    @given(UTILITIES, st.floats(-50, 50))
    def test_they_sum_to_one_and_only_differences_count(self, utilities: np.ndarray, shift: float) -> None:
        found = choice_probabilities(utilities)
        assert found.sum() == pytest.approx(1.0)
        assert choice_probabilities(utilities + shift) == pytest.approx(found, abs=1e-9)

    def test_a_third_option_leaves_the_ratio_of_the_others(self) -> None:
        two, three = choice_probabilities(np.array([1.0, 0.0])), choice_probabilities(np.array([1.0, 0.0, 2.0]))
        assert three[0] / three[1] == pytest.approx(two[0] / two[1])


class TestSimulation:
    def test_gumbel_errors_give_back_the_logit_shares(self) -> None:
        rng = np.random.default_rng(1)
        picked = simulated_choices(np.tile([np.log(3.0), 0.0], (40_000, 1)), rng)
        assert (picked == 0).mean() == pytest.approx(0.75, abs=0.01)

    def test_drawn_weights_have_the_published_mean_and_error(self) -> None:
        drawn = drawn_weights(np.array([1.0, -2.0]), np.array([0.1, 0.3]), 20_000, np.random.default_rng(2))
        assert drawn[0] == pytest.approx([1.0, -2.0])
        assert drawn.mean(axis=0) == pytest.approx([1.0, -2.0], abs=0.01)
        assert drawn.std(axis=0) == pytest.approx([0.1, 0.3], rel=0.03)

    def test_a_group_has_as_many_choices_as_people(self) -> None:
        counts = group_counts(np.tile([0.2, 0.5, 0.3], (50, 1)), 12, np.random.default_rng(3))
        assert (counts.sum(axis=1) == 12).all()


class TestCalibratedConstant:
    @given(arrays(np.float64, (20,), elements=st.floats(-3, 3)), st.floats(0.02, 0.98))
    def test_the_mean_share_is_the_printed_one(self, offsets: np.ndarray, share: float) -> None:
        constant = calibrated_constant(offsets, share)
        assert np.mean(1 / (1 + np.exp(-(constant + offsets)))) == pytest.approx(share, abs=1e-9)

    def test_a_share_of_all_is_refused(self) -> None:
        with pytest.raises(ValueError, match="between 0 and 1"):
            calibrated_constant(np.zeros(3), 1.0)
