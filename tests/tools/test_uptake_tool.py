"""`forecast_uptake` through its public interface."""

from __future__ import annotations

import math

import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.execution import Threads
from tools.uptake.tool import forecast_uptake

OBESITY = {"persona_id": "obesity_adults"}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return forecast_uptake(forecast_uptake.parse(arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_medicaid_and_tirzepatide(context):
    found = ask(
        context, treatment="tirzepatide", population=5_000_000, cohort=OBESITY,
        payers=[{"payer": "medicaid", "covered": 1}], access_by="ethnicity",
    )  # fmt: skip
    got = points(found)
    assert got["eligible.total"] == pytest.approx(5_000_000 * 0.779 * 0.425 * 0.14, rel=0.05)
    assert 0 < got["on_treatment.total"] < got["started.total"] < got["covered.total"]
    started = next(one for one in found.estimates if one.id == "started.total")
    assert started.lower < started.point < started.upper
    assert 0.5 < started.from_parameters <= 1
    assert {"pmid-40035205", "web-pmc11751746", "pmid-39888616"} <= set(found.source_ids)
    assert any("semaglutide" in warning for warning in found.warnings)
    assert {row.group for row in found.access} >= {"black", "white", "hispanic"}
    assert len(found.draws["started"]) == 500
    assert all(started.from_parameters is not None for started in found.estimates if started.id != "eligible.total")


def test_same_numbers_from_another_executor(context):
    request = {
        "treatment": "x", "population": 100_000, "population_of": "cohort", "draws": 600,
        "payers": [{"payer": "a", "share": 1, "covered": {"value": 0.5, "sd": 0.1, "distribution": "beta"},
                    "start_within_year": 0.2, "persistence": 0.5}],
    }  # fmt: skip
    first = ask(context, **request)
    assert (
        ask(context.__class__(**{**context.__dict__, "executor": Threads(2)}), **request).estimates == first.estimates
    )
    assert ask(context.__class__(**{**context.__dict__, "seed": 9}), **request).estimates != first.estimates


def test_the_plan_against_before(context):
    rule = {
        "payer": "a",
        "share": 1,
        "covered": 0.6,
        "covered_before": 0.2,
        "start_within_year": 0.5,
        "persistence": 1.0,
    }
    got = points(ask(context, population=1_000_000, population_of="cohort", payers=[rule], draws=50))
    assert got["covered.additional"] == pytest.approx(400_000, rel=0.01)
    assert got["started.additional"] == pytest.approx(200_000, rel=0.01)
    assert got["on_treatment.total"] == pytest.approx(got["started.total"])


def test_more_copay_fewer_start_and_promotion_more(context):
    def started(**fields):
        rule = {"payer": "a", "share": 1, "covered": 1, "start_within_year": 0.2, "persistence": 0.5} | fields.pop(
            "rule", {}
        )
        return points(ask(context, population=1_000_000, population_of="cohort", payers=[rule], draws=50, **fields))[
            "started.total"
        ]

    usual = started()
    assert started(rule={"copay": 500}) < usual < started(rule={"copay": 0})
    assert started(promotion=1.5) > usual
    assert started(rule={"approved": 0.5}) == pytest.approx(usual / 2, rel=0.02)


def test_diffusion_drives_the_funnel(context):
    rule = {"payer": "a", "share": 1, "covered": 1, "persistence": 1.0}
    found = ask(
        context, population=1_000_000, population_of="cohort", payers=[rule], months=60, draws=20,
        diffusion={"p": 0.03, "q": 0.38, "market": 0.3},
    )  # fmt: skip
    assert points(found)["started.total"] == pytest.approx(1_000_000 * 0.3 * 0.331199, rel=0.01)


def test_diffusion_is_fitted_and_choice_too(context):
    counts = [100, 140, 190, 240, 280, 290, 260, 210, 150, 100]
    found = ask(context, diffusion={"adopters": counts, "years": 10})
    assert {one.name for one in found.fitted} == {"p", "q", "market"}
    assert points(found)["diffusion.adopted"] == pytest.approx(sum(counts), rel=0.1)
    values = [[[1.0, 0.0], [0.0, float(i % 7)]] for i in range(200)]
    data = {"attributes": ["asc", "cost"], "values": values, "chosen": [int(i % 7 < 3) for i in range(200)]}
    data["chosen"] = [1 - k if i % 11 == 0 else k for i, k in enumerate(data["chosen"])]
    options = [
        {"name": "go", "attributes": {"asc": 1}},
        {"name": "stay", "attributes": {"cost": 4}, "attributes_after": {"cost": 1}},
    ]
    chosen = ask(context, choice={"data": data, "options": options, "cost": "cost"})
    assert chosen.log_likelihood < 0
    got = points(chosen)
    assert got["choice.stay.after"] > got["choice.stay.before"]
    assert got["choice.consumer_surplus"] > 0


def test_free_copay(context):
    options = [
        {"name": "none", "attributes": {}},
        {"name": "drug", "attributes": {"cost": 20}, "attributes_after": {"cost": 0}},
    ]
    got = points(
        ask(
            context, choice={"options": options, "coefficients": [{"attribute": "cost", "mean": -0.05}], "cost": "cost"}
        )
    )
    assert got["choice.consumer_surplus"] == pytest.approx((math.log(2) - math.log(1 + math.exp(-1))) / 0.05)


GIVEN = {"payer": "a", "share": 1, "covered": 1, "start_within_year": 0.1, "persistence": 0.5}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "population"),
        ({"population": 0, "payers": [GIVEN]}, "greater"),
        ({"population": 1000}, "payers"),
        ({"population": 1000, "payers": [GIVEN]}, "prevalence"),
        ({"population": 1000, "prevalence": 1.5, "payers": [GIVEN]}, "between 0 and 1"),
        ({"population": 1000, "prevalence": float("nan"), "payers": [GIVEN]}, "finite"),
        ({"population": 1000, "prevalence": 0.1, "payers": [GIVEN | {"covered": -0.1}]}, "between 0 and 1"),
        ({"population": 1000, "prevalence": 0.1, "payers": [GIVEN | {"share": None}]}, "share"),
        ({"population": 1000, "prevalence": 0.1, "payers": [GIVEN, GIVEN | {"payer": "b"}]}, "more than 1"),
        ({"population": 1000, "prevalence": 0.1, "payers": [GIVEN | {"start_within_year": None}]}, "start_within_year"),
        ({"population": 1000, "prevalence": 0.1, "payers": [GIVEN | {"persistence": None}]}, "persistence"),
        ({"population": 1000, "prevalence": 0.1, "payers": [GIVEN], "access_by": "ethnicity"}, "cohort"),
        ({"population": 1000, "cohort": OBESITY, "payers": [GIVEN], "access_by": "age"}, "levels"),
        ({"months": -1, "population": 1000, "prevalence": 0.1, "payers": [GIVEN]}, "greater"),
        ({"diffusion": {"p": 0, "q": 0.1}}, "above 0"),
        ({"choice": {"options": [{"name": "a", "attributes": {"x": 1}}, {"name": "b", "attributes": {}}],
                     "coefficients": [{"attribute": "y", "mean": 1}]}}, "No coefficient"),
    ],
)  # fmt: skip
def test_hostile_inputs_are_refused(context, arguments, part):
    with pytest.raises(InvalidInput) as refused:
        ask(context, **arguments)
    assert part in str(refused.value)


def test_ten_billion_people_are_only_counts(context):
    found = ask(context, population=10_000_000_000, population_of="cohort", payers=[GIVEN], draws=20)
    assert points(found)["started.total"] == pytest.approx(1e9, rel=0.001)


def test_people_with_diabetes_stay_longer_also_where_the_archetype_does_not_say_it_of_each_patient(context):
    def after_a_year(cohort: str) -> float:
        found = ask(
            context, treatment="semaglutide", population=100_000, population_of="cohort", cohort={"persona_id": cohort},
            payers=[{"payer": "medicare", "covered": 1, "share": 1, "start_within_year": 0.2}],
        )  # fmt: skip
        told = " ".join(found.assumptions)
        assert "with type 2 diabetes: 0.535" in told
        assert ("without type 2 diabetes" in told) == (cohort == "obesity_adults")
        return points(found)["on_treatment.total"] / points(found)["started.total"]

    assert after_a_year("t2d_adults") > after_a_year("obesity_adults") + 0.05
