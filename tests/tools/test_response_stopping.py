"""What returns after stopping: closed forms, properties of the fit, and the shipped withdrawal trials."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.response.engine import engine_for
from tools.response.stopping import ReturnPriors, StopObservation, fit_plateau, returned
from tools.response.stopping_evidence import observations, quantity_of, return_of, return_priors, stopped_arms
from tools.response.stopping_schemas import StoppingResult
from tools.response.stopping_tool import simulate_stopping
from tools.schemas import Estimate, Level

QUANTILES = np.array([0.05, 0.5, 0.95])
PRIORS = ReturnPriors(1.0, 0.5, 0.05, 0.9, ((0.15, 0.8), (0.08, 0.8), (0.08, 0.8)))


def seen(
    share: float, weeks: float = 52.0, *, se: float = 0.03, drug: str = "ace", trial: str = "T 1"
) -> StopObservation:
    return StopObservation(share, se, weeks, "first", drug, trial)


def shares(found: Any, weeks: float) -> np.ndarray:
    plateau, rate = found.draws(8000, 1)
    return np.asarray(np.quantile(returned(plateau, rate, weeks), QUANTILES))


class TestReturned:
    @given(st.floats(0.0, 2.0), st.floats(1e-3, 1.0), st.floats(0.0, 500.0), st.floats(0.0, 500.0))
    def test_starts_at_nought_rises_and_ends_at_the_plateau(
        self, plateau: float, rate: float, a: float, b: float
    ) -> None:
        p, k = np.array([plateau]), np.array([rate])
        assert returned(p, k, 0.0)[0] == 0.0
        early, late = returned(p, k, min(a, b))[0], returned(p, k, max(a, b))[0]
        assert early <= late <= plateau
        assert returned(p, k, 1e5)[0] == pytest.approx(plateau)

    def test_half_is_back_after_a_half_life(self) -> None:
        assert returned(np.array([0.8]), np.array([np.log(2) / 23.0]), 23.0)[0] == pytest.approx(0.4)


class TestFit:
    def test_recovers_plateau_and_half_life_of_precise_figures(self) -> None:
        figures = [seen(0.75 * (1 - np.exp(-0.04 * w)), w, se=0.005, trial=f"T {w}") for w in (8, 16, 26, 52, 78, 104)]
        narrow = ReturnPriors(1.0, 0.5, 0.05, 0.9, ((0.01, 0.1), (0.01, 0.1), (0.01, 0.1)))
        found = fit_plateau(figures, narrow, "first", "ace")
        assert np.log(2) / 0.04 == pytest.approx(found.half_life(QUANTILES)[1], rel=0.1)
        assert float(found.weights @ found.means) == pytest.approx(0.75, abs=0.03)
        assert found.weights.sum() == pytest.approx(1.0)

    def test_without_figures_the_prior_speaks(self) -> None:
        found = fit_plateau([], PRIORS, "first", "ace")
        assert float(found.weights @ found.means) == pytest.approx(1.0)
        assert found.half_life(QUANTILES)[1] == pytest.approx(np.log(2) / 0.05, rel=0.05)

    def test_known_rate_and_no_spread_is_the_conjugate_normal(self) -> None:
        priors = ReturnPriors(1.0, 0.5, 0.05, 1e-9, ((1e-9, 1e-9), (1e-9, 1e-9), (1e-9, 1e-9)))
        found = fit_plateau([seen(0.5, 20.0, se=0.1)], priors, "first", "ace")
        grown = 1.0 - np.exp(-1.0)
        precision = 1 / 0.5**2 + grown**2 / 0.1**2
        assert np.allclose(found.means, (1.0 / 0.5**2 + grown * 0.5 / 0.1**2) / precision)
        assert np.allclose(found.sds, precision**-0.5)

    def test_a_drug_nobody_stopped_gets_the_class_with_a_wider_interval(self) -> None:
        figures = [seen(0.6, trial="T 1"), seen(0.65, trial="T 2")]
        own, cold = (shares(fit_plateau(figures, PRIORS, "first", drug), 52.0) for drug in ("ace", "dee"))
        assert cold[1] == pytest.approx(own[1], abs=0.05)
        assert cold[2] - cold[0] > 1.1 * (own[2] - own[0])
        other_class = shares(fit_plateau(figures, PRIORS, "second", "bee"), 52.0)
        assert other_class[2] - other_class[0] > cold[2] - cold[0]

    def test_more_trials_narrow_the_interval_and_trials_that_disagree_widen_it(self) -> None:
        def width(values: list[float]) -> float:
            figures = [seen(value, trial=f"T {index}") for index, value in enumerate(values)]
            low, _, high = shares(fit_plateau(figures, PRIORS, "first", "ace"), 52.0)
            return float(high - low)

        assert width([0.6, 0.61, 0.6, 0.59, 0.6]) < width([0.6])
        assert width([0.2, 0.9, 0.3, 1.0, 0.6]) > width([0.6, 0.61, 0.6, 0.59, 0.6])

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.tuples(st.floats(-0.2, 1.5), st.floats(1.0, 200.0)), min_size=1, max_size=6), st.integers(0, 5))
    def test_order_of_figures_does_not_matter_and_draws_replay(self, values: list[Any], seed: int) -> None:
        figures = [seen(share, weeks, trial=f"T {index}") for index, (share, weeks) in enumerate(values)]
        first = fit_plateau(figures, PRIORS, "first", "ace")
        second = fit_plateau(figures[::-1], PRIORS, "first", "ace")
        assert np.allclose(first.weights @ first.means, second.weights @ second.means)
        for a, b in zip(first.draws(50, seed), first.draws(50, seed), strict=True):
            assert np.array_equal(a, b)
        assert np.all(np.isfinite(first.means))
        assert np.all(first.sds >= 0)

    def test_impossible_figures_are_refused(self) -> None:
        with pytest.raises(ValueError, match="positive"):
            fit_plateau([seen(0.5, se=0.0)], PRIORS, "first", "ace")
        with pytest.raises(ValueError, match="positive"):
            fit_plateau([seen(0.5, 0.0)], PRIORS, "first", "ace")


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def context(knowledge: KnowledgeBase) -> ToolContext:
    def no_retriever() -> Any:
        raise AssertionError("stopping reads no passages")

    return ToolContext(knowledge=knowledge, personas=PersonaLibrary(), retriever=no_retriever)


class TestEvidence:
    def test_every_declared_trial_is_in_the_evidence(self, knowledge: KnowledgeBase) -> None:
        arms = stopped_arms(knowledge.arms.arms, knowledge.vocabulary)
        assert {one.trial for one in arms} == {
            "STEP 1 extension", "STEP 4", "SURMOUNT-4", "SURMOUNT-CN", "Bunck 2009 exenatide",
        }  # fmt: skip
        assert len(arms) == 9
        assert all(one.source_ids for one in arms)

    def test_shares_are_those_of_the_publications(self, knowledge: KnowledgeBase) -> None:
        arms = {(one.trial, one.endpoint): one for one in stopped_arms(knowledge.arms.arms, knowledge.vocabulary)}
        # The abstract of the STEP 1 extension: two thirds of the loss came back.
        assert arms["STEP 1 extension", "weight_percent_change"].share == pytest.approx(2 / 3, abs=0.02)
        # SURMOUNT-4: 9.9 % below the start after stopping; ours is chained from the two printed changes.
        assert arms["SURMOUNT-4", "weight_percent_change"].after == pytest.approx(-9.9, abs=0.1)
        # Four groups by regain make up the arm: their mean weighted by size.
        assert arms["SURMOUNT-4", "systolic_bp_change"].n == 308
        assert arms["SURMOUNT-4", "systolic_bp_change"].after == pytest.approx(-10.8 + 8.73, abs=0.01)

    def test_a_view_hides_trials(self, knowledge: KnowledgeBase) -> None:
        for view in (EvidenceView(exclude=("STEP 4",)), EvidenceView(exclude=("NCT03548987",))):
            assert "STEP 4" not in {o.trial for o in stopped_arms(knowledge.arms.view(view).arms, knowledge.vocabulary)}

    def test_an_arm_without_a_size_counts_as_the_smallest(self, knowledge: KnowledgeBase) -> None:
        arms = [one for one in stopped_arms(knowledge.arms.arms, knowledge.vocabulary) if one.drug == "semaglutide"]
        by_trial = {one.trial: one for one in observations(arms, 8.0)}
        assert by_trial["STEP 1 extension"].se == pytest.approx(8.9 / 268**0.5 / 17.3)
        assert by_trial["STEP 4"].se == pytest.approx(8.0 / 268**0.5 / 10.6)
        assert observations([one for one in arms if one.trial == "STEP 4"], None) == ()

    def test_weight_in_kg_takes_the_share_of_weight_in_percent(self) -> None:
        assert quantity_of("weight_change") == "weight_percent_change"
        assert quantity_of("hba1c_change") == "hba1c_change"


class TestAgainstTrials:
    @pytest.mark.parametrize("trial", ["STEP 1 extension", "STEP 4", "SURMOUNT-4", "SURMOUNT-CN"])
    def test_each_weight_trial_lies_in_the_interval_of_the_others(self, knowledge: KnowledgeBase, trial: str) -> None:
        arms = [
            o for o in stopped_arms(knowledge.arms.arms, knowledge.vocabulary) if o.endpoint == "weight_percent_change"
        ]
        sd = engine_for(knowledge, EvidenceView()).prepared("weight_percent_change").selection.individual_sd
        others = observations([one for one in arms if one.trial != trial], sd)
        for one in arms:
            if one.trial == trial:
                plateau, rate = fit_plateau(others, return_priors(), one.drug_class, one.drug).draws(8000, 1)
                left = one.at_stop * (1.0 - returned(plateau, rate, one.weeks_off))
                low, high = np.quantile(left, [0.05, 0.95])
                assert low <= one.after <= high
                assert high - low < abs(one.at_stop)

    def test_half_life_and_year_agree_with_the_published_meta_regression(self, knowledge: KnowledgeBase) -> None:
        """Budini et al, eClinicalMedicine 2026 (abstract): half-life 23.0 weeks; 60 % of the loss back after a year."""
        engine = engine_for(knowledge, EvidenceView())
        back = return_of(engine, "weight_percent_change", engine.treatment("semaglutide", 2.4))
        low, _, high = back.posterior.half_life(QUANTILES)
        assert low < 23.0 < high
        low, middle, high = shares(back.posterior, 52.0)
        assert low < 0.60 < high
        assert middle == pytest.approx(0.60, abs=0.06)


def ask(context: ToolContext, drug: str, view: EvidenceView | None = None, **fields: Any) -> StoppingResult:
    raw = {
        "cohort": {"persona_id": fields.pop("persona", "obesity_adults")},
        "treatment": {"intervention": drug, "dose": fields.pop("dose", None)},
        "endpoints": ["weight_percent_change"],
        **fields,
    }
    return simulate_stopping(simulate_stopping.parse(raw), context.with_view(view or EvidenceView()))


def limits(estimate: Estimate) -> tuple[float, float]:
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.lower, estimate.upper


def by_id(result: StoppingResult) -> dict[str, Estimate]:
    return {one.id.partition(".")[2]: one for one in result.estimates}


class TestTool:
    def test_weight_after_a_year_on_and_a_year_off_semaglutide(self, context: ToolContext) -> None:
        result = ask(context, "semaglutide", dose=2.4, weeks_on=52, weeks_off=52)
        found = by_id(result)
        assert found["at_stop"].point < found["after"].point < 0.0
        assert found["going_on"].point < found["after"].point
        assert found["regained"].point > 0.0
        assert 50.0 < found["returned"].point < 75.0
        assert found["half_life"].unit == "weeks"
        assert {"pmid-35441470", "pmid-33755728"} <= set(result.source_ids)
        for one in result.estimates:
            low, high = limits(one)
            assert one.of is Level.COHORT_MEAN
            assert low <= one.point <= high
        assert [one.trial for one in result.trials if one.own_class] == ["STEP 1 extension", "STEP 4"]
        assert result.charts[0].series[0].points[-1].x == 104.0
        again = ask(context, "semaglutide", dose=2.4, weeks_on=52, weeks_off=52)
        assert again.model_dump() == result.model_dump()

    def test_the_longer_off_the_less_is_left(self, context: ToolContext) -> None:
        left = [
            by_id(ask(context, "tirzepatide", dose=15, weeks_on=52, weeks_off=w))["after"].point for w in (1, 12, 52)
        ]
        assert left == sorted(left)
        at_stop = by_id(ask(context, "tirzepatide", dose=15, weeks_on=52, weeks_off=1))["at_stop"].point
        assert left[0] == pytest.approx(at_stop, rel=0.1)

    def test_without_step_4_its_result_lies_in_the_interval(self, context: ToolContext) -> None:
        """The whole chain without the trial: 20 weeks of semaglutide, 48 off; printed -10.6 % and then +6.9 % of that."""
        found = by_id(
            ask(context, "semaglutide", EvidenceView(exclude=("STEP 4",)), dose=2.4, weeks_on=20, weeks_off=48)
        )
        printed = 100.0 * ((1 - 0.106) * (1 + 0.069) - 1)
        low, high = limits(found["after"])
        assert low < printed < high
        low, high = limits(found["returned"])
        assert low < 100.0 * (1 - printed / -10.6) < high

    def test_a_drug_nobody_stopped_borrows_from_its_class_and_says_so(self, context: ToolContext) -> None:
        own = by_id(ask(context, "semaglutide", dose=2.4, weeks_off=26))["returned"]
        result = ask(context, "liraglutide", dose=3.0, weeks_off=26)
        cold = by_id(result)["returned"]
        assert float(np.ptp(limits(cold))) > float(np.ptp(limits(own)))
        assert "class" in cold.note
        assert any("liraglutide" in warning and "semaglutide" in warning for warning in result.warnings)

    def test_a_class_nobody_stopped_is_refused_and_says_so(self, context: ToolContext) -> None:
        with pytest.raises(NoEvidence, match=r"stopped orlistat.*lipase inhibitor"):
            ask(context, "orlistat")
        with pytest.raises(NoEvidence, match="stopped amlodipine"):
            ask(context, "amlodipine", persona="hypertension_adults", endpoints=[])
        hidden = EvidenceView(exclude=("STEP 4", "STEP 1 extension"))
        with pytest.raises(NoEvidence, match="stopped semaglutide"):
            ask(context, "semaglutide", hidden)

    def test_what_cannot_be_stopped_or_is_no_mean_is_refused(self, context: ToolContext) -> None:
        with pytest.raises(InvalidInput, match="nothing to stop"):
            ask(context, "placebo")
        with pytest.raises(NoEvidence, match="mean changes"):
            ask(context, "semaglutide", endpoints=["nausea"])

    def test_before_the_trials_were_published_nothing_is_known(self, context: ToolContext) -> None:
        with pytest.raises(NoEvidence):
            ask(context, "semaglutide", EvidenceView(as_of=date(2021, 3, 1)))

    def test_far_beyond_the_trials_is_said(self, context: ToolContext) -> None:
        result = ask(context, "semaglutide", dose=2.4, weeks_on=200, weeks_off=200)
        assert any("at most 52 weeks" in warning for warning in result.warnings)
        assert any("20 to 68 weeks" in warning for warning in result.warnings)
        diabetes = ask(context, "semaglutide", dose=2.4, persona="t2d_adults")
        assert any("without diabetes" in warning for warning in diabetes.warnings)
