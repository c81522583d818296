"""The tools as users call them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from knowledge.errors import InvalidInput
from tools.catalog import build_registry
from tools.context import ToolContext
from tools.execution import Threads

EXPECTED = {
    "cohort": {"persona_id": "t2d_adults"},
    "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"},
    "endpoint": "hba1c_change",
    "horizon_weeks": 30,
}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(shipped, library, retriever=lambda: pytest.fail("no passages"), seed=4)


def run(context, name, **arguments):
    declared = build_registry()[name]
    return declared(declared.parse(arguments), context)


def points(result):
    return {estimate.id: estimate.point for estimate in result.estimates}


def test_the_direction_of_an_effect_does_not_matter(context):
    up = run(context, "design_trial", outcome="continuous", assumed={"difference": 0.5, "sd": 1})
    down = run(context, "design_trial", outcome="continuous", assumed={"difference": -0.5, "sd": 1})
    assert points(up) == points(down)


def test_size_and_power_agree(context):
    sized = run(context, "design_trial", outcome="binary", assumed={"treated_share": 0.2, "control_share": 0.1})
    n = sized.participants_control
    asked = run(
        context,
        "design_trial",
        outcome="binary",
        assumed={"treated_share": 0.2, "control_share": 0.1},
        n_per_arm=n,
    )
    assert points(sized)["trial.power"] == pytest.approx(points(asked)["trial.power"])
    assert points(sized)["trial.power"] >= 80


def test_dropout_enlarges_and_looks_save_on_average(context):
    plain = points(run(context, "design_trial", outcome="continuous", assumed={"difference": 0.3, "sd": 1}))
    lost = points(
        run(context, "design_trial", outcome="continuous", assumed={"difference": 0.3, "sd": 1}, dropout_share=0.2)
    )
    looked = points(run(context, "design_trial", outcome="continuous", assumed={"difference": 0.3, "sd": 1}, looks=3))
    assert lost["trial.participants"] == pytest.approx(plain["trial.participants"] / 0.8, abs=2)
    assert looked["trial.expected_participants"] < plain["trial.participants"] < looked["trial.participants"]


def test_the_evidence_predicts_the_arms(context):
    result = run(context, "design_trial", outcome="continuous", expected=EXPECTED, external_control={"n_control": 30})
    by_id = {estimate.id: estimate for estimate in result.estimates}
    assert by_id["trial.reported_effect"].upper < 0
    assert 0 < by_id["trial.reported_effect"].from_parameters < 1
    assert by_id["trial.assurance"].point < 100
    assert by_id["borrowing.power"].point > by_id["borrowing.power_without"].point
    assert result.source_ids


def test_more_people_never_lower_the_assurance(context):
    shares = [
        points(run(context, "design_trial", outcome="continuous", expected=EXPECTED, n_per_arm=n))["trial.assurance"]
        for n in (5, 10, 40, 200)
    ]
    assert shares == sorted(shares)


def test_same_seed_same_result_on_any_executor(context):
    arguments = {"stage_one": 50, "stage_two": 60, "prevalence": 0.3, "effect_positive": 0.4, "effect_negative": 0.1}
    first = run(context, "simulate_enrichment_trial", **arguments)
    again = run(replace(context, executor=Threads(3)), "simulate_enrichment_trial", **arguments)
    other = run(replace(context, seed=5), "simulate_enrichment_trial", **arguments)
    assert first.model_dump_json() == again.model_dump_json()
    assert points(first) != points(other)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"outcome": "continuous"}, "difference"),
        ({"outcome": "binary", "assumed": {"treated_share": 0.1}}, "control_share"),
        ({"outcome": "time_to_event"}, "hazard_ratio"),
        ({"outcome": "time_to_event", "assumed": {"hazard_ratio": 0.7}, "n_per_arm": 50}, "follow_up"),
        ({"outcome": "binary", "expected": EXPECTED}, "continuous"),
        ({"outcome": "continuous", "assumed": {"difference": 0.5, "sd": float("nan")}}, "sd"),
        ({"outcome": "continuous", "assumed": {"difference": 0.5, "sd": -1}}, "sd"),
        ({"outcome": "continuous", "assumed": {"difference": 0.5, "sd": 1}, "margin": 0.2}, "one-sided"),
        ({"outcome": "continuous", "assumed": {"difference": 1e-9, "sd": 1}}, "too small"),
        ({"outcome": "binary", "assumed": {"treated_share": 0.2, "control_share": 0.2}}, "no difference"),
        ({"outcome": "binary", "margin": 0.1, "sides": 1}, "continuous"),
        ({"outcome": "continuous", "external_control": {"n_control": 5}}, "expected"),
    ],
)
def test_what_is_missing_or_wrong_is_named(context, arguments, says):
    with pytest.raises(InvalidInput, match=says):
        run(context, "design_trial", **arguments)


def test_results_are_json(context):
    result = run(context, "design_two_stage_trial", uninteresting_share=0.1, interesting_share=0.3)
    assert json.loads(result.model_dump_json())["optimal"]["n"] == 29
