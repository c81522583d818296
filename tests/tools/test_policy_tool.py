"""`assess_coverage_policy` through its public interface: the whole chain, its invariants and an oracle by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from knowledge.errors import CohortTwinError, InvalidInput
from tools.context import ToolContext
from tools.execution import Threads
from tools.policy.tool import assess_coverage_policy

QUESTION = {
    "treatment": {"intervention": "tirzepatide"},
    "cohort": {"persona_id": "obesity_adults"},
    "population": 5_000_000,
    "payer": "medicaid",
}
# Nothing uncertain: each number given, the change on treatment as well.
CERTAIN = QUESTION | {
    "population": 1_000_000_000, "population_of": "cohort", "payer_share": 0.5, "start_within_year": 0.3,
    "persistence": 1.0, "effect": -10.0, "effect_without": -2.0, "returned": 1.0, "price_per_month": 500,
    "visit_cost": 100, "visit_minutes": 20, "initiation_visits": 1, "early_visits_per_month": 1,
    "later_visits_per_year": 4, "utility_gain": 0.005, "threshold": 50_000, "discount_rate": 0.0, "draws": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, base=QUESTION, **arguments):
    return assess_coverage_policy(assess_coverage_policy.parse({"draws": 300} | base | arguments), context)


def by_id(result):
    return {one.id: one for one in result.estimates}


def points(result):
    return {one.id: one.point for one in result.estimates}


@pytest.fixture(scope="module")
def asked(context):
    return ask(context)


def test_the_question_of_the_issue_is_answered_link_by_link(asked):
    found = by_id(asked)
    assert [link.tool for link in asked.links] == [
        "forecast_uptake",
        "simulate_treatment_response and simulate_stopping",
        "evaluate_cost_effectiveness",
        "simulate_clinic_capacity",
    ]
    listed = [name for link in asked.links for name in link.estimate_ids]
    assert sorted(listed) == sorted(found)
    for name in ("uptake.started", "response.weight_change", "cost.icer", "cost.budget", "visits.added"):
        one = found[f"policy.{name}"]
        assert one.lower < one.point < one.upper
        assert one.source_ids
        assert 0 < one.from_parameters <= 1
    assert found["policy.uptake.started"].from_parameters < 1
    assert not asked.links[2].missing
    assert {"fan", "acceptability", "tornado", "bars"} <= {chart.kind for chart in asked.charts}


def test_every_input_has_a_source_or_says_why_it_was_chosen(asked, shipped):
    assert all(row.source_ids or row.assumption for link in asked.links for row in link.inputs)
    used = {source for link in asked.links for row in link.inputs for source in row.source_ids}
    assert used
    assert all(shipped.source(source) for source in used)
    assert used <= set(asked.source_ids)


def test_people_are_conserved(asked):
    got = points(asked)
    steps = [got[f"policy.uptake.{name}"] for name in ("on_treatment", "started", "covered", "eligible")]
    assert steps == sorted(steps)
    assert steps[-1] < QUESTION["population"]
    # The mean of all starters lies between those who stay and those who stop.
    weight = "policy.response.weight_change"
    assert got[f"{weight}.persistent"] < got[weight] < got[f"{weight}.stopped"] < 0
    assert got["policy.cost.per_starter"] == pytest.approx(
        got["policy.cost.drug_per_starter"] + got["policy.cost.visits_per_starter"]
    )


def test_the_same_draws_go_through_all_links(asked):
    draws = {name: np.array(values) for name, values in asked.draws.items()}
    assert all(len(values) == 300 for values in draws.values())
    assert np.corrcoef(draws["policy.uptake.started"], draws["policy.visits.added"])[0, 1] > 0.99
    assert np.corrcoef(draws["policy.uptake.started"], draws["policy.cost.budget"])[0, 1] > 0.6
    # A larger loss of weight is more QALYs in the same draw.
    assert np.corrcoef(draws["policy.response.weight_change"], draws["policy.cost.qaly"])[0, 1] < -0.3
    # What one link has to itself stays there: who starts says nothing of how much is lost.
    assert abs(np.corrcoef(draws["policy.uptake.started"], draws["policy.response.weight_change"])[0, 1]) < 0.2


def width(one):
    return one.upper - one.lower


def test_a_parent_without_uncertainty_leaves_its_child_less(context, asked):
    free = by_id(asked)
    start = next(r.value for r in asked.links[0].inputs if "start within a year" in r.name)
    fixed = by_id(ask(context, start_within_year=start))
    for name in ("policy.uptake.started", "policy.visits.added", "policy.cost.budget"):
        assert width(fixed[name]) < 0.7 * width(free[name])
    same = "policy.cost.per_starter"
    assert width(fixed[same]) == pytest.approx(width(free[same]), rel=0.01)
    net = by_id(ask(context, rebate=0.4))
    assert width(net["policy.cost.per_starter"]) < 0.3 * width(free["policy.cost.per_starter"])
    assert width(net["policy.cost.icer"]) < width(free["policy.cost.icer"])
    known = by_id(ask(context, effect=-17, effect_without=-2))
    assert width(known["policy.response.weight_change"]) < 0.7 * width(free["policy.response.weight_change"])
    assert width(known["policy.cost.qaly"]) < width(free["policy.cost.qaly"])


def test_variance_is_shared_out_to_what_varies(asked, context):
    shares = {(one.outcome, one.input): one.share for one in asked.drivers}
    assert shares["policy.visits.added", "share of covered people who start within a year"] > 0.8
    assert shares["policy.cost.per_starter", "rebate"] > 0.9
    tornado = next(chart for chart in asked.charts if chart.kind == "tornado")
    spans = [point.upper - point.lower for point in tornado.series[0].points]
    assert spans == sorted(spans, reverse=True)
    known = {one.input for one in ask(context, rebate=0.4).drivers}
    assert "rebate" not in known


def test_without_uncertainty_the_chain_is_a_product_by_hand(context):
    """1e9 × 0.5 covered, 30 % start, all stay: weight −10 % grows evenly; 500 a month and 100 a visit for a year."""
    got = points(ask(context, CERTAIN))
    people = 1e9 * 0.5
    started = people * 0.3
    assert got["policy.uptake.covered"] == people
    assert got["policy.uptake.started"] == pytest.approx(started, rel=1e-4)
    assert got["policy.uptake.on_treatment"] == pytest.approx(started, rel=1e-4)
    assert got["policy.response.weight_change"] == pytest.approx(-10)
    assert got["policy.response.weight_change.gain"] == pytest.approx(-8)
    cost = 12 * 500 + (1 + 3 + 0.75 * 4) * 100
    qaly = 0.005 * 8 / 2
    assert got["policy.visits.per_starter"] == pytest.approx(7)
    assert got["policy.cost.per_starter"] == pytest.approx(cost)
    assert got["policy.cost.qaly"] == pytest.approx(qaly, rel=1e-9)
    assert got["policy.cost.icer"] == pytest.approx(cost / qaly, rel=1e-9)
    assert got["policy.cost.net_benefit"] == pytest.approx(50_000 * qaly - cost)
    assert got["policy.cost.evpi"] == 0
    # Starters of month m have 11.5 − m months left; a monthly probability of 1 − 0.7^(1/12).
    monthly = 0.7 ** (np.arange(12) / 12) * (1 - 0.7 ** (1 / 12)) * people
    left = (11.5 - np.arange(12)) / 12
    visits = (monthly * (1 + 12 * np.minimum(left, 0.25) + 4 * np.maximum(left - 0.25, 0))).sum()
    assert got["policy.visits.added"] == pytest.approx(visits, rel=1e-4)
    assert got["policy.visits.hours"] == pytest.approx(visits / 3, rel=1e-4)
    assert got["policy.cost.budget"] == pytest.approx(visits * 100 + (monthly * left).sum() * 6000, rel=1e-4)
    assert all(one.lower == one.upper for one in ask(context, CERTAIN).estimates if ".response" in one.id)


def test_more_people_are_proportionally_more_starters(context):
    one, two = (points(ask(context, CERTAIN, population=n)) for n in (10_000_000, 100_000_000))
    for name in ("policy.uptake.started", "policy.visits.added", "policy.cost.budget"):
        assert two[name] == pytest.approx(10 * one[name], rel=0.01)
    assert two["policy.cost.icer"] == one["policy.cost.icer"]


def test_copay_price_and_visit_cost_move_what_they_should(context):
    def run(**changed):
        return points(ask(context, CERTAIN, **changed))

    started = [run(rules=[{"copay": c}])["policy.uptake.started"] for c in (0, 50, 150, 300)]
    assert started == sorted(started, reverse=True)
    assert started[0] > started[-1]
    for field, values in (("price_per_month", (100, 500, 900)), ("visit_cost", (50, 100, 200))):
        ratios = [run(**{field: v})["policy.cost.icer"] for v in values]
        budgets = [run(**{field: v})["policy.cost.budget"] for v in values]
        assert ratios == sorted(ratios)
        assert ratios[0] < ratios[-1]
        assert budgets == sorted(budgets)
    stays = [run(persistence=p)["policy.visits.added"] for p in (0.2, 0.5, 1.0)]
    assert stays == sorted(stays)


def test_a_larger_effect_is_worth_more_and_its_mirror_image_as_much_less(context):
    """ICER symmetry: the same cost for the opposite effect is the same ratio with the sign turned: dominated."""
    more, less = (ask(context, CERTAIN, effect=e, effect_without=0.0) for e in (-8.0, 8.0))
    assert points(more)["policy.cost.qaly"] == pytest.approx(-points(less)["policy.cost.qaly"])
    assert "policy.cost.icer" not in points(less)
    assert "dominated" in less.links[2].missing
    free = ask(context, CERTAIN, price_per_month=0, visit_cost=0)
    assert "saves money" in free.links[2].missing


def test_rules_are_compared_with_the_same_draws(context):
    rules = [{"name": "open"}, {"name": "prior authorisation", "approved": 0.5}, {"name": "half", "covered": 0.5}]
    found = ask(context, rules=rules)
    open_, asked_for, half = found.rules
    assert asked_for.started == half.started
    assert open_.started == pytest.approx(2 * half.started, rel=0.02)
    assert open_.budget == pytest.approx(2 * half.budget, rel=0.02)
    assert by_id(found)["policy.rule.1_open.started"].point == open_.started
    assert points(found)["policy.uptake.started"] == pytest.approx(points(ask(context))["policy.uptake.started"])
    with pytest.raises(InvalidInput, match="prior authorisation grant"):
        ask(context, rules=[{"name": "Prior authorisation"}])


def test_what_is_covered_today_is_not_added_again(context):
    got = points(ask(context, CERTAIN, before={"covered": 1.0}))
    assert got["policy.visits.added"] == 0
    assert got["policy.cost.budget"] == 0
    half = points(ask(context, CERTAIN, before={"covered": 0.5}))
    assert half["policy.visits.added"] == pytest.approx(
        0.5 * points(ask(context, CERTAIN))["policy.visits.added"], rel=1e-3
    )


def test_waits_come_from_the_clinics_given(context):
    clinic = {"clinicians": 40, "hours_per_week": 30, "visits_now_per_week": 2000}
    got = points(ask(context, QUESTION, clinic=clinic))
    assert 0 < got["policy.visits.utilisation"] < 1
    assert got["policy.visits.wait"] >= got["policy.visits.wait_added"] > 0
    full = ask(context, QUESTION, clinic=clinic | {"clinicians": 20})
    assert points(full)["policy.visits.overloaded"] > 0.9
    assert any("cannot keep up" in warning for warning in full.warnings)


def test_an_outcome_without_a_utility_gives_all_other_links(context):
    diabetes = QUESTION | {
        "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"},
        "cohort": {"persona_id": "t2d_adults"}, "payer": "commercial", "prevalence": 0.1, "start_within_year": 0.05,
    }  # fmt: skip
    found = ask(context, diabetes, price_per_month=800)
    got = points(found)
    assert got["policy.response.hba1c_change"] < 0
    assert got["policy.uptake.persistence"] == pytest.approx(0.535, abs=0.005)
    assert {"policy.cost.per_starter", "policy.cost.budget", "policy.visits.added"} <= set(got)
    assert not {"policy.cost.icer", "policy.cost.qaly"} & set(got)
    assert "utility_gain" in found.links[2].missing
    worth = points(ask(context, diabetes, price_per_month=800, utility_gain=0.02))
    assert worth["policy.cost.icer"] > 0
    unpriced = ask(context, diabetes)
    assert "price_per_month" in unpriced.links[2].missing
    assert "policy.cost.budget" not in points(unpriced)


def test_the_same_seed_gives_the_same_numbers_wherever_they_are_computed(context, asked):
    assert ask(context).model_dump(exclude={"provenance"}) == asked.model_dump(exclude={"provenance"})
    threads = ask(replace(context, executor=Threads(2)))
    assert threads.estimates == asked.estimates
    other = ask(replace(context, seed=7))
    assert other.estimates != asked.estimates
    assert points(other)["policy.uptake.started"] == pytest.approx(points(asked)["policy.uptake.started"], rel=0.15)


def test_what_is_not_said_is_named(asked, context):
    said = " ".join(asked.assumptions)
    assert "A year is counted, as none was named" in said
    assert "without prior authorisation" in said
    assert "no deaths" in said
    plain = ask(context, payer="commercial")
    assert any("list price" in warning for warning in plain.warnings)


@pytest.mark.parametrize(
    "changed",
    [
        {"population": 0},
        {"population": -5},
        {"population": float("nan")},
        {"payer": "medicade"},
        {"persistence": 0.0},
        {"persistence": 1.4},
        {"start_within_year": -0.1},
        {"prevalence": 1.5},
        {"horizon_weeks": -3},
        {"horizon_weeks": float("inf")},
        {"effect_without": -2},
        {"return_half_life_weeks": 4},
        {"price_per_month": -1},
        {"rebate": 1.5},
        {"rules": []},
        {"rules": [{"covered": 1.2}]},
        {"rules": [{"name": "a"}, {"name": "A"}]},
        {"endpoint": "nausea"},
        {"endpoint": "wellness"},
        {"treatment": {"intervention": "placebo"}},
        {"treatment": {"intervention": "snake oil"}},
        {"cohort": {"persona_id": "nobody"}},
        {"cohort": {"persona_id": "t2d_adults"}},
        {"draws": 10_000, "replicates": 50, "horizon_weeks": 500},
        {"draws": 10_000, "replicates": 1, "horizon_weeks": 520},
        {"clinic": {"clinicians": 0, "hours_per_week": 10, "visits_now_per_week": 1}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_hostile_inputs_are_refused(context, changed):
    with pytest.raises(CohortTwinError):
        ask(context, draws=changed.pop("draws", 20), **changed)


def test_a_world_of_people_is_no_more_memory(context):
    got = points(ask(context, population=10_000_000_000, draws=100))
    assert got["policy.uptake.started"] > 1e6


def test_years_after_the_withdrawal_trials_are_an_extrapolation(context, asked):
    assert not any("stays for good" in warning for warning in asked.warnings)
    assert any("stays for good" in warning for warning in ask(context, horizon_weeks=260, draws=50).warnings)


def test_one_draw_is_enough(context):
    assert points(ask(context, draws=1))["policy.visits.added"] > 0
