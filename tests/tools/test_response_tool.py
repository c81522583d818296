"""The two tools, on made-up evidence with the shipped personas, and once on the shipped evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.arms import EvidenceTable
from knowledge.base import KnowledgeBase
from knowledge.errors import ImpossibleDose, InvalidInput, NoEvidence
from knowledge.schemas import (
    ArmRole,
    Baseline,
    Design,
    Direction,
    Drug,
    Endpoint,
    EvidenceView,
    Family,
    Seen,
    Source,
    Statistic,
    TrialArm,
)  # fmt: skip
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.response.compare import rank_probabilities
from tools.response.engine import engine_for
from tools.response.schemas import CompareResult, ResponseResult
from tools.response.tool import compare_treatments, simulate_treatment_response
from tools.schemas import Estimate, Kind, Level, Validation

DRUGS = {
    "placebo": Drug(name="placebo", drug_class="placebo"),
    "alpha": Drug(name="alpha", drug_class="first", dose_unit="mg", frequency="once daily"),
    "beta": Drug(name="beta", drug_class="second", dose_unit="mg", frequency="once daily"),
    "gamma": Drug(name="gamma", drug_class="third", dose_unit="mg", frequency="once daily"),
    "delta": Drug(name="delta", drug_class="fourth", dose_unit="mg", frequency="once daily"),
    "slim": Drug(name="slim", drug_class="fifth", dose_unit="mg", frequency="once weekly"),
}


def endpoint(name: str, label: str, family: Family, unit: str, **fields: Any) -> Endpoint:
    fields.setdefault("direction", Direction.LOWER_IS_BETTER)
    return Endpoint(endpoint_id=name, label=label, family=family, unit=unit, limits=(-100, 100), **fields)


ENDPOINTS = {
    one.endpoint_id: one
    for one in (
        endpoint("hba1c_change", "HbA1c change", Family.CONTINUOUS, "%-points", baseline="hba1c", mcid=0.5, mcid_source="s"),
        endpoint("weight_change", "body-weight change", Family.CONTINUOUS, "kg", baseline="weight"),
        endpoint("weight_percent_change", "body-weight change", Family.CONTINUOUS, "%", baseline="weight"),
        endpoint("nausea", "nausea", Family.PROPORTION, "%"),
        endpoint("steps", "steps walked", Family.CONTINUOUS, "1/day", direction=Direction.NEUTRAL),
    )
}  # fmt: skip
EFFECTS = {
    "hba1c_change": {"placebo": -0.1, "alpha": -1.2, "beta": -0.6},
    "weight_change": {"placebo": -0.5, "alpha": -4.5, "beta": -1.0},
    "nausea": {"placebo": 5.0, "alpha": 20.0, "beta": 6.0},
    "steps": {"placebo": 100.0, "gamma": 400.0},
}
SD = {"hba1c_change": 1.0, "weight_change": 4.0, "steps": 1500.0}


def evidence() -> tuple[TrialArm, ...]:
    generator = np.random.default_rng(2)
    rows = []
    for index in range(12):
        active = ("alpha", "beta", "alpha", "gamma")[index % 4]
        shift = generator.standard_normal()
        for name in ("placebo", active):
            for outcome, effects in EFFECTS.items():
                if active not in effects:
                    continue
                sd = SD.get(outcome)
                spread = 1.0 if sd is None else 0.1 * sd
                value = effects[name] + spread * (0.5 * shift + 0.3 * generator.standard_normal())
                rows.append(
                    TrialArm(
                        row_id="x:1", area="type_2_diabetes", trial=f"TRIAL {index}", source_id=f"s-{index}", arm=name,
                        arm_role=ArmRole.PLACEBO if name == "placebo" else ArmRole.ACTIVE, intervention=name,
                        drug_class=DRUGS[name].drug_class, dose=None if name == "placebo" else 10.0,
                        dose_unit="" if name == "placebo" else "mg", frequency="once daily", n=200, endpoint=outcome,
                        statistic=Statistic.PROPORTION if sd is None else Statistic.MEAN_CHANGE, weeks=26.0,
                        value=round(max(value, 0.0) if sd is None else value, 3), se=None if sd is None else sd / 200**0.5,
                        sd=sd, se_from="sd", locator="table 1", seen=Seen.FULL_TEXT, published="2019", tags=("t2d",),
                        baseline=Baseline(hba1c=7.0 + 0.1 * index, age=55.0 + index, weight=80.0 + index, bmi=29.0 + 0.3 * index),
                    )
                )  # fmt: skip
    return (*rows, *elsewhere(rows))


def elsewhere(rows: list[TrialArm]) -> list[TrialArm]:
    """Delta against cold, for which there is no archetype; slim against obesity in two doses, in %, and in kg in fewer trials."""
    found = []
    for row in (row for row in rows if row.endpoint == "nausea" and row.intervention in ("alpha", "placebo")):
        other = {"intervention": "delta", "drug_class": "fourth"} if row.intervention == "alpha" else {}
        trial = {"area": "hypothermia", "trial": f"QUIT {row.trial}", "baseline": Baseline(age=45.0), "tags": ()}
        found.append(row.model_copy(update={**trial, **other}))
    for row in (row for row in rows if row.endpoint == "weight_change" and row.intervention in ("alpha", "placebo")):
        trial = {"area": "obesity", "trial": f"SLIM {row.trial}", "tags": ("no_diabetes",), "frequency": "once weekly"}
        trial["baseline"] = Baseline(bmi=37.0, weight=104.0, age=46.0, hba1c=5.7)
        index = int(row.trial.split()[1])
        dose, n = (2.0, 100) if index % 8 == 0 else (1.0, 300)
        weight: dict[str, Any] = {"n": n}
        if row.intervention == "alpha":
            weight |= {"intervention": "slim", "drug_class": "fifth", "dose": dose, "arm": f"slim {dose:g}"}
        found.append(
            row.model_copy(update={**trial, **weight, "endpoint": "weight_percent_change", "value": 2 * row.value})
        )
        if index < 2:
            found.append(row.model_copy(update={**trial, **weight}))
    return found


@pytest.fixture(scope="module")
def context() -> ToolContext:
    sources = {
        f"s-{i}": Source(source_id=f"s-{i}", title="made up", published="2019", design=Design.RCT, seen=Seen.FULL_TEXT)
        for i in range(12)
    }
    knowledge = KnowledgeBase(Path("."), Vocabulary(DRUGS, ENDPOINTS), sources, EvidenceTable(evidence(), sources))

    def no_retriever() -> Any:
        raise AssertionError("the response tools read no passages")

    return ToolContext(knowledge=knowledge, personas=PersonaLibrary(), retriever=no_retriever)


def simulate(context: ToolContext, **fields: Any) -> ResponseResult:
    arguments = {"cohort": {"persona_id": "t2d_adults"}, "treatment": {"intervention": "alpha", "dose": 10}, **fields}
    return simulate_treatment_response(simulate_treatment_response.parse(arguments), context)


def compare(context: ToolContext, *names: str, **fields: Any) -> CompareResult:
    treatments = [{"intervention": name} for name in names]
    arguments = {"cohort": {"persona_id": "t2d_adults"}, "treatments": treatments, **fields}
    return compare_treatments(compare_treatments.parse(arguments), context)


def by_id(result: ResponseResult | CompareResult) -> dict[str, Estimate]:
    found = {estimate.id: estimate for estimate in result.estimates}
    assert len(found) == len(result.estimates)
    return found


def span(estimate: Estimate) -> float:
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.upper - estimate.lower


def test_main_endpoints_levels_and_intervals(context: ToolContext) -> None:
    result = simulate(context)
    found = by_id(result)
    for name in ("hba1c_change", "weight_change", "nausea"):
        mean, control, difference = (found[f"{name}.{part}"] for part in ("mean", "control", "difference"))
        for estimate in (mean, control, difference):
            assert estimate.lower is not None
            assert estimate.upper is not None
            assert estimate.lower < estimate.point < estimate.upper
            assert (estimate.of, estimate.kind, estimate.level) == (Level.COHORT_MEAN, Kind.PREDICTIVE, 0.9)
            assert estimate.validation is Validation.VERIFIED
            assert estimate.endpoint == name
            assert estimate.source_ids
            assert estimate.horizon_weeks == 26.0
        assert mean.n_trials == 6
        assert difference.point == pytest.approx(mean.point - control.point, abs=0.1 * span(mean))
    assert found["hba1c_change.mean"].point == pytest.approx(-1.2, abs=0.3)
    assert found["nausea.difference"].unit == "%-points"
    # The background that both arms share cancels.
    assert span(found["hba1c_change.difference"]) < 1.2 * span(found["hba1c_change.mean"])
    assert result.treatment == "alpha 10 mg once daily"
    assert result.comparator == "placebo"
    assert result.provenance is not None
    assert set(result.source_ids) <= set(context.knowledge.sources)


def test_individuals_are_kept_apart_from_the_mean(context: ToolContext) -> None:
    found = by_id(simulate(context))
    mean, spread = found["hba1c_change.mean"], found["hba1c_change.individual_range"]
    assert spread.of is Level.INDIVIDUAL
    # Persons vary by about 1.0, so nine in ten lie within about 3.3 points of one another.
    assert span(spread) == pytest.approx(3.3, abs=0.35)
    assert spread.point == pytest.approx(mean.point, abs=0.1)
    fall, half = found["hba1c_change.share_fall"], found["hba1c_change.share_fall_half_point"]
    five, ten = found["weight_change.share_loss_5"], found["weight_change.share_loss_10"]
    for share in (fall, half, five, ten):
        assert (share.of, share.unit) == (Level.SHARE, "%")
        assert share.lower is not None
        assert share.upper is not None
        assert 0 <= share.lower <= share.point <= share.upper <= 100
    assert fall.point > half.point
    assert five.point > ten.point
    assert "nausea.individual_range" not in found


def test_charts_are_the_tables_of_the_estimates(context: ToolContext) -> None:
    result = simulate(context, endpoints=["hba1c_change"])
    found = by_id(result)
    fan, forest, bars = result.charts
    assert [chart.kind for chart in result.charts] == ["fan", "forest", "bars"]
    last = fan.series[0].points[-1]
    mean = found["hba1c_change.mean"]
    assert (last.x, last.y, last.lower, last.upper) == (26.0, mean.point, mean.lower, mean.upper)
    assert all(p.lower <= p.lower_50 <= p.y <= p.upper_50 <= p.upper for p in fan.series[0].points)  # type: ignore[operator]
    assert forest.series[1].points[0].y == mean.point
    assert all("alpha" in str(point.x) or "beta" in str(point.x) for point in forest.series[0].points)
    assert {point.y for point in bars.series[0].points} == {
        found["hba1c_change.share_fall"].point, found["hba1c_change.share_fall_half_point"].point
    }  # fmt: skip


def test_evidence_names_what_carries_the_prediction(context: ToolContext) -> None:
    result = simulate(context, endpoints=["hba1c_change"])
    assert 0 < sum(weight.weight for weight in result.evidence) <= 100.001
    assert result.evidence[0].weight == max(weight.weight for weight in result.evidence)
    signs = {weight.sign for weight in result.evidence if weight.intervention == "alpha"}
    assert signs == {1}
    printed = {arm.value for arm in context.knowledge.arms.arms}
    assert all(weight.value in printed for weight in result.evidence)


def test_missing_endpoints_have_reasons(context: ToolContext) -> None:
    result = simulate(context, endpoints=["hba1c_change", "steps", "hba1c_change"])
    assert [missing.endpoint for missing in result.missing_endpoints] == ["steps"]
    assert "alpha" in result.missing_endpoints[0].reason
    with pytest.raises(NoEvidence, match="steps walked"):
        simulate(context, endpoints=["steps"])


def test_a_drug_of_another_area_shows_what_it_was_studied_on(context: ToolContext) -> None:
    found = by_id(simulate(context, treatment={"intervention": "gamma"}))
    assert {estimate.endpoint for estimate in found.values()} == {"steps"}
    assert not any(".share" in name for name in found)


def test_a_drug_for_other_people_is_refused(context: ToolContext) -> None:
    for endpoints in ([], ["nausea"]):
        with pytest.raises(
            NoEvidence, match=r"delta in this evidence base are in hypothermia, none in .*No archetype for hypothermia"
        ):
            simulate(context, treatment={"intervention": "delta"}, endpoints=endpoints)
    with pytest.raises(NoEvidence, match="delta"):
        compare(context, "alpha", "delta")


def test_each_drug_is_shown_on_the_outcomes_of_its_own_area(context: ToolContext) -> None:
    obesity = simulate(context, cohort={"persona_id": "obesity_adults"}, treatment={"intervention": "slim"})
    assert {one.endpoint for one in obesity.estimates} == {"weight_percent_change"}
    assert not any("carries over" in warning for warning in obesity.warnings)
    adults = simulate(context, cohort={"persona_id": "adults"}, treatment={"intervention": "slim"})
    assert any("trials of slim" in warning and "carries over" in warning for warning in adults.warnings)


def test_weight_without_diabetes_has_one_model(context: ToolContext) -> None:
    arguments = {
        "treatment": {"intervention": "slim", "dose": 1},
        "endpoints": ["weight_change", "weight_percent_change"],
    }
    result = simulate(context, cohort={"persona_id": "obesity_adults"}, **arguments)
    assert {one.endpoint for one in result.estimates} == {"weight_percent_change"}
    assert any("in % of body weight, not in kg" in assumption for assumption in result.assumptions)
    diabetes = by_id(simulate(context, **arguments))
    assert {one.endpoint for one in diabetes.values()} == set(arguments["endpoints"])
    assert "weight_percent_change.share_loss_10" in diabetes
    assert "weight_change.share_loss_10" not in diabetes


def test_a_dose_left_out_is_the_most_studied_one(context: ToolContext) -> None:
    result = simulate(context, cohort={"persona_id": "obesity_adults"}, treatment={"intervention": "slim"})
    assert result.treatment == "slim 1 mg once weekly"
    assert any("given to most participants" in assumption for assumption in result.assumptions)


def test_schedules_nobody_studied_are_said(context: ToolContext) -> None:
    obesity = {"persona_id": "obesity_adults"}
    with pytest.raises(ImpossibleDose, match=r"once daily.*1 to 2 mg once weekly"):
        simulate(context, cohort=obesity, treatment={"intervention": "slim", "dose": 1, "frequency": "once daily"})
    split = {"intervention": "slim", "dose": 0.5, "frequency": "twice weekly"}
    result = simulate(context, cohort=obesity, treatment=split)
    assert result.treatment == "slim 1 mg once weekly"
    assert any("slim twice weekly" in warning and "slim 1 mg once weekly" in warning for warning in result.warnings)


def test_so_early_no_person_is_predicted(context: ToolContext) -> None:
    result = simulate(context, horizon_weeks=0.5)
    assert {one.of for one in result.estimates} == {Level.COHORT_MEAN}
    assert any("0.5 weeks is earlier than any trial" in warning and "week 26" in warning for warning in result.warnings)
    assert any("left out (HbA1c change; body-weight change)" in warning for warning in result.warnings)
    later = simulate(context, horizon_weeks=13.0)
    assert any(one.of is Level.SHARE for one in later.estimates)
    assert not any("earlier" in warning for warning in later.warnings)


def test_shares_stand_beside_those_on_the_comparator(context: ToolContext) -> None:
    found = by_id(simulate(context))
    for name in ("hba1c_change.share_fall", "weight_change.share_loss_5"):
        share, control = found[name], found[f"{name}.control"]
        assert (control.of, control.arm, control.unit) == (Level.SHARE, "placebo", "%")
        assert control.quantity == share.quantity
        assert control.point < share.point
    assert not any(name.endswith("individual_range.control") for name in found)


def test_same_request_same_numbers_and_the_view_matters(context: ToolContext) -> None:
    assert simulate(context) == simulate(context)
    without = simulate(context.with_view(EvidenceView(exclude=("TRIAL 0",))))
    assert by_id(without)["hba1c_change.mean"].point != by_id(simulate(context))["hba1c_change.mean"].point
    assert "s-0" not in without.source_ids
    assert all(weight.trial != "TRIAL 0" for weight in without.evidence)


def test_a_treatment_is_not_compared_with_itself(context: ToolContext) -> None:
    with pytest.raises(InvalidInput, match="compared with itself"):
        simulate(context, comparator={"intervention": "alpha", "dose": 10, "dose_unit": "mg"})
    with pytest.raises(InvalidInput, match="compared with itself"):
        compare(context, "alpha", "beta", "alpha")


def test_compare_gives_pairs_ranks_and_probabilities(context: ToolContext) -> None:
    result = compare(context, "alpha", "beta", "placebo", endpoints=["hba1c_change", "nausea"])
    found = by_id(result)
    alpha, beta = "alpha-10-mg-once-daily", "beta-10-mg-once-daily"
    better = found[f"hba1c_change.probability_better.{alpha}.vs.{beta}"]
    important = found[f"hba1c_change.probability_important.{alpha}.vs.{beta}"]
    assert 60 < better.point <= 100
    assert important.point < better.point
    assert better.unit == "%"
    assert better.lower is None
    assert found[f"nausea.probability_better.{alpha}.vs.placebo"].point < 20
    assert f"nausea.probability_important.{alpha}.vs.placebo" not in found
    ranks = [chart for chart in result.charts if chart.kind == "acceptability"]
    assert len(ranks) == 2
    for series in ranks[0].series:
        assert sum(point.y for point in series.points) == pytest.approx(100.0, abs=1e-3)
    assert found[f"hba1c_change.mean.{alpha}"].point == by_id(simulate(context))["hba1c_change.mean"].point


def test_compare_does_not_depend_on_the_order(context: ToolContext) -> None:
    first = by_id(compare(context, "alpha", "beta", endpoints=["hba1c_change"]))
    second = by_id(compare(context, "beta", "alpha", endpoints=["hba1c_change"]))
    alpha, beta = "alpha-10-mg-once-daily", "beta-10-mg-once-daily"
    there = first[f"hba1c_change.difference.{alpha}.vs.{beta}"]
    back = second[f"hba1c_change.difference.{beta}.vs.{alpha}"]
    assert there.point == pytest.approx(-back.point, abs=1e-4)
    better = first[f"hba1c_change.probability_better.{alpha}.vs.{beta}"].point
    worse = second[f"hba1c_change.probability_better.{beta}.vs.{alpha}"].point
    assert better + worse == pytest.approx(100.0, abs=2.0)


def test_rank_probabilities_by_hand() -> None:
    benefit = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    expected = [[0.75, 0.0, 0.25], [0.0, 0.75, 0.25], [0.25, 0.25, 0.5]]
    np.testing.assert_allclose(rank_probabilities(benefit), expected)


def test_inputs_are_checked() -> None:
    cohort, one = {"persona_id": "t2d_adults"}, {"intervention": "alpha"}
    for wrong in (
        {"cohort": cohort, "treatment": one, "horizon_weeks": 0},
        {"cohort": cohort, "treatment": one, "horizon_weeks": float("nan")},
        {"cohort": cohort, "treatment": {"intervention": ""}},
        {"cohort": cohort, "treatment": {**one, "dose": float("inf")}},
        {"cohort": cohort, "treatment": one, "surprise": 1},
    ):
        with pytest.raises(InvalidInput):
            simulate_treatment_response.parse(wrong)
    with pytest.raises(InvalidInput):
        compare_treatments.parse({"cohort": cohort, "treatments": [one]})
    with pytest.raises(InvalidInput):
        compare_treatments.parse({"cohort": cohort, "treatments": [one] * 6})


@pytest.mark.slow
def test_shipped_evidence_predicts_the_main_question(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    """Sanity, not accuracy: signs, order of doses and drugs, and no interval without width."""
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    found = {}
    for dose in (0.5, 1.0):
        result = simulate(
            context, cohort={"persona_id": "t2d_ckd_older"}, treatment={"intervention": "semaglutide", "dose": dose},
            horizon_weeks=30,
        )  # fmt: skip
        found[dose] = by_id(result)
    for estimates in found.values():
        assert -2.5 < estimates["hba1c_change.mean"].point < -0.5
        assert estimates["hba1c_change.difference"].upper < 0  # type: ignore[operator]
        assert estimates["nausea.mean"].point > estimates["nausea.control"].point
    assert found[1.0]["hba1c_change.mean"].point < found[0.5]["hba1c_change.mean"].point


@pytest.mark.slow
def test_shipped_evidence_lets_those_who_start_higher_fall_further(shipped: KnowledgeBase) -> None:
    """HbA1c on semaglutide: the drop grows with the baseline, on the drug and over placebo."""
    engine = engine_for(shipped, EvidenceView())
    treatments = [engine.treatment("semaglutide", 1.0), engine.treatment("placebo")]
    drops, gaps = [], []
    for baseline in (7.0, 8.0, 9.5):
        covariates = {"baseline": baseline, "diabetes": 1.0}
        prediction = engine.predict("hba1c_change", treatments, covariates, 30.0).prediction
        drops.append(-float(prediction.median()[0]))
        gaps.append(-float(prediction.difference(0, 1).median()[0]))
    assert 0.5 < drops[0] < drops[1] < drops[2] < 3.0
    assert drops[2] > drops[0] + 0.3
    assert gaps[0] < gaps[1] < gaps[2]
