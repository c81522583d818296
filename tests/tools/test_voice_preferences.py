"""Published stated preferences: the printed forms on the log-odds scale, and the shipped file."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.voice.preferences import Experiment, Weight, experiments


class TestWeight:
    def test_an_odds_ratio_is_its_logarithm_with_the_error_of_its_limits(self) -> None:
        value, se = Weight(attribute="a", level="x", odds_ratio=2.0, lower=1.0, upper=4.0).log_odds()
        assert value == pytest.approx(math.log(2))
        assert se == pytest.approx(math.log(4) / (2 * 1.959964), rel=1e-6)

    def test_a_share_is_its_logit_and_may_have_a_count_instead_of_limits(self) -> None:
        value, se = Weight(attribute="a", level="x", share=0.8, n=100).log_odds()
        assert value == pytest.approx(math.log(4))
        assert se == pytest.approx(1 / math.sqrt(100 * 0.8 * 0.2))

    def test_a_part_worth_of_two_levels_counts_twice(self) -> None:
        assert Weight(attribute="a", level="x", part_worth=0.4, se=0.1).log_odds() == pytest.approx((0.8, 0.2))

    def test_a_t_ratio_gives_the_standard_error_whatever_its_sign(self) -> None:
        assert Weight(attribute="a", coefficient=-0.015, t=2.5).log_odds() == pytest.approx((-0.015, 0.006))

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"odds_ratio": 2.0},
            {"coefficient": 1.0},
            {"odds_ratio": 2.0, "lower": 3.0, "upper": 2.5},
            {"odds_ratio": 2.0, "coefficient": 1.0, "se": 0.1},
        ],
    )
    def test_what_is_not_fully_printed_is_refused(self, fields: dict[str, float]) -> None:
        with pytest.raises(ValidationError):
            Weight.model_validate({"attribute": "a", **fields})


class TestShipped:
    def test_every_source_is_registered_and_every_cohort_exists(
        self, shipped: KnowledgeBase, library: PersonaLibrary
    ) -> None:
        for one in experiments():
            assert shipped.source(one.source_id).title
            assert len(one.locator) > 10
            assert len(one.population) > 10
            assert all(name in library for name in one.personas)

    def test_at_least_three_areas_are_covered(self, library: PersonaLibrary) -> None:
        assert len({library.get(name).area for one in experiments() for name in one.personas}) >= 3

    def test_class_shares_sum_to_one(self) -> None:
        for one in experiments():
            assert not one.classes or sum(c.share for c in one.classes) == pytest.approx(1.0)

    def test_a_level_without_a_weight_is_refused(self) -> None:
        fields = next(one for one in experiments() if len(one.weights) == 1).model_dump()
        fields["attributes"]["how"]["levels"]["third"] = {"label": "a third way", "words": ["third"]}
        with pytest.raises(ValidationError, match="without a weight"):
            Experiment.model_validate(fields)
