"""Efficacy and treatment policy: the link between them, against closed forms and against pairs that trials published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.errors import InvalidInput
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec
from tools.context import ToolContext
from tools.response.asking import Question, predict_endpoints, read_question
from tools.response.engine import ResponseEngine, engine_for
from tools.response.estimand_report import EstimandEstimates, estimand_estimates
from tools.response.estimands import adherence_share, efficacy_of, policy_share, stopped_by
from tools.response.estimates import EndpointResult
from tools.response.schemas import ResponseResult, TreatmentInput
from tools.response.stopping_evidence import return_of
from tools.response.titration import Step, titrated_share
from tools.response.titration_report import read_steps, titrated_estimates
from tools.response.tool import simulate_treatment_response
from tools.schemas import Estimate, Kind, Validation

SHARES = st.floats(0.0, 1.0)
RATES = st.floats(1e-3, 1.0)
WEEKS = st.floats(1.0, 300.0)


def policy(stopped: float, weeks: float = 52.0, onset: float = 0.05, plateau: float = 0.7, rate: float = 0.04) -> float:
    return float(policy_share(np.array([stopped]), weeks, np.array([onset]), np.array([plateau]), np.array([rate]))[0])


class TestPolicyShare:
    @given(WEEKS, RATES, SHARES, RATES)
    def test_where_nobody_stops_both_estimands_are_equal(
        self, weeks: float, onset: float, plateau: float, rate: float
    ) -> None:
        assert policy(0.0, weeks, onset, plateau, rate) == pytest.approx(1.0)

    @given(WEEKS, RATES, SHARES, RATES)
    def test_where_all_stop_at_once_nothing_is_left(
        self, weeks: float, onset: float, plateau: float, rate: float
    ) -> None:
        assert policy(1.0, weeks, onset, plateau, rate) == 0.0

    @given(SHARES, SHARES, WEEKS, RATES, SHARES, RATES)
    def test_the_more_stop_the_less_is_left(
        self, a: float, b: float, weeks: float, onset: float, plateau: float, rate: float
    ) -> None:
        few, many = (policy(one, weeks, onset, plateau, rate) for one in sorted((a, b)))
        assert 0.0 <= many <= few + 1e-9 <= 1.0 + 2e-9

    @given(st.floats(0.01, 0.9), WEEKS, RATES, SHARES, SHARES, RATES)
    def test_the_more_returns_the_less_is_left(
        self, stopped: float, weeks: float, onset: float, a: float, b: float, rate: float
    ) -> None:
        kept, lost = (policy(stopped, weeks, onset, one, rate) for one in sorted((a, b)))
        assert lost <= kept + 1e-9

    def test_closed_form_where_the_effect_is_there_at_once_and_goes_at_once(self) -> None:
        # Those who have stopped have nothing, the others everything.
        assert policy(0.3, onset=50.0, plateau=1.0, rate=50.0) == pytest.approx(0.7, abs=2e-3)

    def test_closed_form_of_an_immediate_effect_that_returns_exponentially(self) -> None:
        weeks, stopped, rate = 52.0, 0.4, 0.05
        hazard = -np.log(1 - stopped) / weeks
        left = hazard * (np.exp(-hazard * weeks) - np.exp(-rate * weeks)) / (rate - hazard)
        assert policy(stopped, weeks, 50.0, 1.0, rate) == pytest.approx((1 - stopped) + left, abs=2e-3)

    def test_what_nobody_can_mean_is_refused(self) -> None:
        for stopped, weeks in ((-0.1, 52.0), (1.1, 52.0), (0.5, 0.0)):
            with pytest.raises(ValueError, match=r"share|horizon"):
                policy(stopped, weeks)
        with pytest.raises(ValueError, match="rates"):
            policy(0.5, rate=0.0)


class TestAdherence:
    @given(SHARES, SHARES, st.floats(0.05, 5.0), st.floats(0.05, 5.0))
    def test_full_is_everything_none_is_nothing_and_more_is_never_less(
        self, a: float, b: float, dose: float, half: float
    ) -> None:
        low, high = sorted((a, b))
        values = adherence_share(np.array([0.0, low, high, 1.0]), dose, half)
        assert values[0] == 0.0
        assert values[3] == pytest.approx(1.0)
        assert values[1] <= values[2] + 1e-12
        assert values[1] >= low - 1e-12  # The curve is concave: half of the doses keep at least half of the effect.

    def test_a_full_dose_on_the_flat_part_forgives_missed_doses(self) -> None:
        assert adherence_share(np.array([0.8]), 4.0, 0.5)[0] > adherence_share(np.array([0.8]), 0.5, 0.5)[0]

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="between"):
            adherence_share(np.array([1.2]), 1.0, 0.5)
        with pytest.raises(ValueError, match="positive"):
            adherence_share(np.array([0.5]), 0.0, 0.5)


class TestBetween:
    @given(SHARES, st.floats(1.0, 500.0))
    def test_persistence_over_time(self, persistence: float, weeks: float) -> None:
        assert stopped_by(persistence, 52.0, 52.0) == pytest.approx(1 - persistence)
        assert 0.0 <= stopped_by(persistence, 52.0, weeks) <= 1.0
        assert stopped_by(1.0, 52.0, weeks) == 0.0

    def test_efficacy_from_a_mix_of_figures(self) -> None:
        effect, kept = np.array([-9.0]), np.array([0.9])
        assert efficacy_of(effect, 1.0, kept)[0] == -9.0
        assert efficacy_of(effect, 0.0, kept)[0] == pytest.approx(-10.0)
        assert -10.0 < efficacy_of(effect, 0.5, kept)[0] < -9.0
        with pytest.raises(ValueError, match="persistence"):
            stopped_by(1.5, 52.0, 26.0)


class TestTitration:
    STEPS = (Step(0, 0.1), Step(4, 0.2), Step(8, 0.4), Step(12, 0.7), Step(16, 1.0))

    @given(WEEKS, RATES, st.floats(0.05, 5.0))
    def test_one_step_changes_nothing(self, weeks: float, onset: float, half: float) -> None:
        share = titrated_share((Step(0, 0.7),), weeks, np.array([onset]), np.array([half]))
        assert share[0] == pytest.approx(1.0)

    @given(WEEKS, WEEKS, RATES, st.floats(0.05, 5.0))
    def test_slower_early_and_the_same_late(self, a: float, b: float, onset: float, half: float) -> None:
        early, late = (
            float(titrated_share(self.STEPS, one, np.array([onset]), np.array([half]))[0]) for one in sorted((a, b))
        )
        assert 0.0 < early <= late + 1e-9 <= 1.0 + 2e-9
        assert titrated_share(self.STEPS, 1e5, np.array([onset]), np.array([half]))[0] == pytest.approx(1.0)

    def test_before_the_second_step_it_is_the_first_dose(self) -> None:
        share = titrated_share(self.STEPS, 3.0, np.array([0.05]), np.array([0.5]))
        assert share[0] == pytest.approx(0.1 * 1.5 / (0.1 + 0.5))

    def test_refusals(self) -> None:
        for steps in ((), (Step(1, 1.0),), (Step(0, 1.0), Step(0, 2.0)), (Step(0, 0.0),)):
            with pytest.raises(ValueError, match=r"dose|steps"):
                titrated_share(steps, 26.0, np.array([0.05]), np.array([0.5]))


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def engine(knowledge: KnowledgeBase) -> ResponseEngine:
    return engine_for(knowledge, EvidenceView())


@pytest.fixture(scope="module")
def context(knowledge: KnowledgeBase) -> ToolContext:
    def no_retriever() -> Any:
        raise AssertionError("estimands read no passages")

    return ToolContext(knowledge=knowledge, personas=PersonaLibrary(), retriever=no_retriever)


Predicted = tuple[Question, list[EndpointResult]]


def predict(engine: ResponseEngine, context: ToolContext, drug: str, weeks: float, **fields: Any) -> Predicted:
    inputs = (
        TreatmentInput(intervention=drug, dose=fields.get("dose")),
        TreatmentInput(intervention=fields.get("other", "placebo")),
    )
    cohort = CohortSpec(persona_id=fields.get("persona", "obesity_adults"))
    question = read_question(engine, inputs, fields.get("endpoints", ("weight_percent_change",)), cohort, context)
    results, _ = predict_endpoints(
        engine, question.choice.endpoints, question.treatments, question.cohort, weeks, context.progress
    )
    return question, results


def by_id(found: EstimandEstimates) -> dict[str, Estimate]:
    return {one.id.partition(".")[2]: one for one in found.estimates}


class TestReport:
    def test_efficacy_goes_beyond_treatment_policy_and_everyday_use_falls_short(
        self, engine: ResponseEngine, context: ToolContext
    ) -> None:
        question, results = predict(engine, context, "semaglutide", 68.0, dose=2.4)
        efficacy = estimand_estimates(engine, results, question.cohort, "efficacy", 1)
        policy = estimand_estimates(engine, results, question.cohort, "treatment policy", 1)
        on, off = by_id(efficacy)["efficacy_difference"], by_id(policy)["treatment_policy_difference"]
        taken = by_id(policy)["as_taken_difference"]
        assert on.point < off.point < taken.point < 0.0
        # STEP 1 printed -14.4 and -12.4: the ratio of the two is predicted without knowing who stopped in STEP 1.
        assert off.point / on.point == pytest.approx(12.4 / 14.4, abs=0.05)
        assert taken.kind is Kind.SCENARIO
        assert taken.validation is Validation.SCENARIO
        assert "stop by then" in taken.note
        assert "as_taken" not in by_id(efficacy)
        assert any("Estimand: efficacy" in sentence for sentence in efficacy.assumptions)
        assert estimand_estimates(engine, results, question.cohort, "efficacy", 1) == efficacy

    def test_intervals_are_not_narrowed_by_the_carrying_over(
        self, engine: ResponseEngine, context: ToolContext
    ) -> None:
        question, results = predict(engine, context, "semaglutide", 68.0, dose=2.4)
        found = by_id(estimand_estimates(engine, results, question.cohort, "efficacy", 1))["efficacy_difference"]
        low, high = np.quantile(results[0].draws[:, 0] - results[0].draws[:, 1], [0.05, 0.95])
        assert found.lower is not None
        assert found.upper is not None
        assert (found.upper - found.lower) / abs(found.point) > 0.95 * (high - low) / abs(high + low) * 2

    def test_where_nothing_tells_the_return_it_is_refused_and_said(
        self, engine: ResponseEngine, context: ToolContext
    ) -> None:
        question, results = predict(
            engine, context, "metformin", 26.0, persona="t2d_adults", endpoints=("hba1c_change",)
        )
        found = estimand_estimates(engine, results, question.cohort, "efficacy", 1)
        assert found.estimates == ()
        assert "biguanide" in found.warnings[0]

    def test_beside_another_drug_or_for_a_proportion_it_is_refused(
        self, engine: ResponseEngine, context: ToolContext
    ) -> None:
        question, results = predict(engine, context, "semaglutide", 68.0, dose=2.4, other="tirzepatide")
        assert "treatment too" in estimand_estimates(engine, results, question.cohort, "efficacy", 1).warnings[0]
        question, results = predict(engine, context, "semaglutide", 68.0, dose=2.4, endpoints=("nausea",))
        assert "mean changes" in estimand_estimates(engine, results, question.cohort, "treatment policy", 1).warnings[0]


def published_pairs(knowledge: KnowledgeBase) -> list[tuple[str, str, float, str, float, float]]:
    """Trial, arm, weeks, drug, share that stopped, and the printed ratio of the two estimands' effects over placebo."""
    means: dict[tuple[str, str, str, float | None], dict[str, float]] = {}
    stopped, controls, drugs = {}, {}, {}
    for arm in knowledge.arms.arms:
        if arm.statistic.is_contrast:
            continue
        if arm.endpoint == "discontinuation_any":
            stopped[arm.trial, arm.arm] = arm.value / 100.0
        if arm.endpoint == "weight_percent_change" and arm.estimand in ("treatment_policy", "on_treatment"):
            key = (arm.trial, arm.cohort, arm.arm, arm.weeks)
            means.setdefault(key, {})[arm.estimand] = arm.value
            drugs[key] = None if arm.arm_role.is_control else arm.intervention
            if arm.arm_role.is_control:
                controls[arm.trial, arm.cohort, arm.weeks] = means[key]
    found = []
    for (trial, cohort, label, weeks), both in means.items():
        drug, control = drugs[trial, cohort, label, weeks], controls.get((trial, cohort, weeks), {})
        if drug is None or weeks is None or len(both) < 2 or len(control) < 2 or (trial, label) not in stopped:
            continue
        effect = {name: both[name] - control[name] for name in both}
        ratio = effect["treatment_policy"] / effect["on_treatment"]
        found.append((trial, label, weeks, drug, stopped[trial, label], ratio))
    return found


class TestAgainstTrials:
    def test_arms_that_print_both_estimands_and_how_many_stopped(
        self, knowledge: KnowledgeBase, engine: ResponseEngine
    ) -> None:
        """Printed ratios of treatment policy to efficacy lie near those that the arm's own discontinuation foretells."""
        pairs = published_pairs(knowledge)
        assert {trial for trial, *_ in pairs} >= {"SURMOUNT-1", "SURMOUNT-2"}
        onset = engine.posterior("weight_percent_change").hyperparameters()["rate"]
        for trial, label, weeks, drug, stopped, printed in pairs:
            back = return_of(engine, "weight_percent_change", engine.treatment(drug))
            plateau, rate = back.posterior.draws(2000, 1)
            ratio = policy_share(np.full(2000, stopped), weeks, np.full(2000, onset), plateau, rate)
            assert float(np.median(ratio)) == pytest.approx(printed, abs=0.03), (trial, label)
            low, high = np.quantile(ratio, [0.05, 0.95])
            assert low - 0.01 <= printed <= high + 0.01, (trial, label)


class TestTitrationReport:
    STEPS = ((0.0, 0.25), (4.0, 0.5), (8.0, 1.0), (12.0, 1.7), (16.0, 2.4))

    def test_early_course_is_slower_and_it_says_so(self, engine: ResponseEngine, context: ToolContext) -> None:
        ratios = []
        for weeks in (8.0, 26.0, 104.0):
            question, results = predict(engine, context, "semaglutide", weeks, dose=2.4)
            steps = read_steps(engine, question.treatments[0], self.STEPS, "mg", "once weekly")
            found = titrated_estimates(results, engine, question.cohort, steps, 1)
            difference = found.estimates[1]
            ratios.append(difference.point / float(np.median(results[0].draws[:, 0] - results[0].draws[:, 1])))
            assert difference.kind is Kind.SCENARIO
            assert "early course is slower" in found.assumptions[0]
        assert ratios[0] < ratios[1] < ratios[2] < 1.02
        assert ratios[2] > 0.95

    @pytest.mark.parametrize("cut", [1, 2, 3, 4])
    def test_steps_that_do_not_lead_to_the_dose_are_refused(self, engine: ResponseEngine, cut: int) -> None:
        treatment = engine.treatment("semaglutide", 2.4)
        with pytest.raises(InvalidInput, match="last step"):
            read_steps(engine, treatment, self.STEPS[:cut], "mg", "")

    def test_steps_out_of_order_or_not_from_the_start_are_refused(self, engine: ResponseEngine) -> None:
        treatment = engine.treatment("semaglutide", 2.4)
        for steps in (self.STEPS[1:], self.STEPS[::-1], ()):
            with pytest.raises(InvalidInput, match="week 0"):
                read_steps(engine, treatment, steps, "mg", "")
        with pytest.raises(InvalidInput, match="not a dose"):
            read_steps(engine, treatment, ((0.0, -1.0), (4.0, 2.4)), "mg", "")


class TestBackground:
    """Adding to other treatment: the background enters the prediction as a covariate."""

    def test_people_on_insulin_lose_less_hba1c_to_the_same_drug_or_it_makes_a_difference(
        self, engine: ResponseEngine
    ) -> None:
        pair = (engine.treatment("semaglutide", 1.0), engine.treatment("placebo"))
        effects = {}
        for insulin in (0.0, 1.0):
            covariates = {"hba1c": 8.2, "baseline": 8.2, "diabetes": 1.0, "insulin_background": insulin}
            prediction = engine.predict("hba1c_change", pair, covariates, 30.0).prediction
            effects[insulin] = float(prediction.difference(0, 1).quantiles(np.array([0.5]))[0, 0])
        assert effects[0.0] != pytest.approx(effects[1.0], abs=1e-3)
        assert all(-2.5 < one < -0.5 for one in effects.values())

    def test_untreated_people_respond_differently_to_the_same_drug(self, engine: ResponseEngine) -> None:
        pair = (engine.treatment("sitagliptin", 100.0), engine.treatment("placebo"))
        found = []
        for untreated in (0.0, 1.0):
            covariates = {"hba1c": 8.0, "baseline": 8.0, "diabetes": 1.0, "untreated_background": untreated}
            prediction = engine.predict("hba1c_change", pair, covariates, 24.0).prediction
            found.append(prediction.difference(0, 1).quantiles(np.array([0.05, 0.5, 0.95]))[:, 0])
        assert found[0][1] != pytest.approx(found[1][1], abs=1e-3)
        # Published add-on and monotherapy effects are of one size: the intervals overlap.
        assert found[0][0] < found[1][1] < found[0][2]


class TestChosenInTheTool:
    """`estimand` and `titration` as inputs of `simulate_treatment_response`."""

    def ask(self, context: ToolContext, **fields: Any) -> ResponseResult:
        raw = {
            "cohort": {"persona_id": "obesity_adults"},
            "treatment": {"intervention": "semaglutide", "dose": 2.4},
            "endpoints": ["weight_percent_change"],
            "horizon_weeks": 68,
            **fields,
        }
        return simulate_treatment_response(simulate_treatment_response.parse(raw), context)

    def test_left_out_they_change_nothing(self, context: ToolContext) -> None:
        request = simulate_treatment_response.parse(
            {"cohort": {"persona_id": "obesity_adults"}, "treatment": {"intervention": "semaglutide"}}
        )
        assert not {"estimand", "titration"} & set(request.model_dump(mode="json"))
        assert not [one.id for one in self.ask(context).estimates if "efficacy" in one.id or "titrated" in one.id]

    def test_the_estimand_chosen_stands_beside_the_prediction_and_replays(self, context: ToolContext) -> None:
        result = self.ask(context, estimand="efficacy")
        plain = self.ask(context)
        found = {one.id: one for one in result.estimates}
        assert found["weight_percent_change.efficacy"].point < found["weight_percent_change.mean"].point
        assert [one for one in result.estimates if "efficacy" not in one.id] == list(plain.estimates)
        assert any(sentence.startswith("Estimand: efficacy") for sentence in result.assumptions)
        assert self.ask(context, estimand="efficacy").model_dump() == result.model_dump()

    def test_an_estimand_that_cannot_be_had_is_said(self, context: ToolContext) -> None:
        metformin = {"cohort": {"persona_id": "t2d_adults"}, "treatment": {"intervention": "metformin"}}
        result = self.ask(context, **metformin, endpoints=["hba1c_change"], horizon_weeks=26, estimand="efficacy")
        assert any("biguanide" in warning for warning in result.warnings)
        assert result.estimates

    def test_steps_of_the_dose(self, context: ToolContext) -> None:
        steps = [{"from_week": 4.0 * i, "dose": dose} for i, dose in enumerate((0.25, 0.5, 1.0, 1.7, 2.4))]
        found = {one.id: one for one in self.ask(context, titration=steps, horizon_weeks=12).estimates}
        assert found["weight_percent_change.titrated"].point > found["weight_percent_change.mean"].point
        with pytest.raises(InvalidInput, match="last step"):
            self.ask(context, titration=steps[:3])
        with pytest.raises(InvalidInput, match="estimand"):
            self.ask(context, estimand="per protocol")
