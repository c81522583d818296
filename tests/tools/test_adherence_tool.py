"""`simulate_adherence` and `measure_adherence` through their public interface."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from knowledge.errors import InvalidInput
from tools.adherence.tool import measure_adherence, simulate_adherence
from tools.context import ToolContext
from tools.execution import Processes, Threads

KNOWN = {
    "persistence": {"share": 0.5, "shape": 0.7},
    "implementation": 0.85,
    "implementation_sd": 0.1,
}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return simulate_adherence(simulate_adherence.parse(arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_a_known_course(context):
    found = ask(context, **KNOWN, horizon_days=730, pack_doses=30, dose_response={"dose": 1, "half_dose": 0.5})
    got = points(found)
    assert got["persistence.at_end"] == pytest.approx(0.5 ** (2**0.7))
    assert got["persistence.median_days"] == pytest.approx(365)
    assert got["pdc.mean"] == pytest.approx(got["time.on_treatment"] / 730 * 0.85)
    assert got["supply.doses"] == pytest.approx(got["time.on_treatment"] * 0.85)
    assert got["supply.packs"] * 30 > got["supply.doses"]
    assert got["dose.at_end"] == pytest.approx(got["persistence.at_end"] * 0.85)
    assert got["dose.at_end"] < got["effect.remaining"] < got["persistence.at_end"]
    assert 0 < got["pdc.adherent_share"] < got["persistence.at_end"]
    curve = found.charts[0].series[0].points
    assert curve[0].y == 1
    assert all(a.y >= b.y for a, b in pairwise(curve))
    late = next(one for one in found.estimates if one.id == "persistence.at_end")
    assert late.lower < late.point < late.upper
    assert late.from_parameters < 0.2  # all is chance among 1000 people


def test_uncertain_parameters_and_chance_are_told_apart(context):
    unsure = KNOWN | {"persistence": {"share": {"value": 0.5, "sd": 0.1, "distribution": "beta"}}}
    many, few = (
        next(one for one in ask(context, **unsure, people=people).estimates if one.id == "persistence.at_end")
        for people in (1_000_000, 20)
    )
    assert many.from_parameters > 0.99
    assert few.from_parameters < 0.7
    assert few.upper - few.lower > many.upper - many.lower


@pytest.mark.parametrize("executor", [Threads(2), pytest.param(Processes(2), marks=pytest.mark.slow)])
def test_same_numbers_from_another_executor(context, executor):
    half = {"value": 0.5, "lower": 0.3, "upper": 0.8, "distribution": "lognormal"}
    request = KNOWN | {"draws": 600, "pack_doses": 28, "dose_response": {"dose": 1, "half_dose": half}}
    first = ask(context, **request)
    other = context.__class__(**{**context.__dict__, "executor": executor})
    assert ask(other, **request).estimates == first.estimates
    assert ask(context.__class__(**{**context.__dict__, "seed": 9}), **request).estimates != first.estimates


def test_a_cohort_tells_what_the_user_does_not(context):
    found = ask(context, treatment="a blood pressure drug", cohort={"persona_id": "ckd_adults"})
    assert points(found)["persistence.at_end"] == pytest.approx(0.788, abs=0.02)
    assert "web-truong-2016-ckd" in found.source_ids
    assert any("Weibull shape 1" in one for one in found.assumptions)


def test_glp1_persistence_is_that_of_the_uptake_sheet(context):
    found = ask(context, treatment="semaglutide 2.4 mg weekly", implementation=0.9, doses_per_day=1 / 7, draws=200)
    assert points(found)["persistence.at_end"] == pytest.approx(0.352, abs=0.002)
    assert "pmid-39888616" in found.source_ids
    assert any("give 'implementation_sd'" in one for one in found.warnings)
    assert "pdc.adherent_share" not in points(found)


def test_more_doses_a_day_and_a_copay_lower_the_cover(context):
    plain = points(ask(context, **KNOWN))["pdc.mean"]
    assert points(ask(context, **KNOWN, regimen={"planned": 2}))["pdc.mean"] == pytest.approx(
        plain * 0.781 / 0.85, rel=0.01
    )
    thrice = points(ask(context, **KNOWN, regimen={"planned": 3}))["pdc.mean"]
    assert thrice < points(ask(context, **KNOWN, regimen={"planned": 2}))["pdc.mean"] < plain
    assert points(ask(context, **KNOWN, regimen={"observed": 2, "planned": 1}))["pdc.mean"] > plain
    copay = points(ask(context, **KNOWN, copay_raised=True))["pdc.mean"]
    assert copay == pytest.approx(plain / 0.85 * (0.85 / (0.85 + 1.11 * 0.15)), rel=0.005)


def test_hazard_ratio_and_groups(context):
    got = points(ask(context, **KNOWN, hazard_ratio=2.0))
    assert got["persistence.at_end"] == pytest.approx(0.25)
    groups = points(ask(context, **KNOWN, compare_by="sex", group_share=0.5))
    assert groups["pdc.mean.women"] < groups["pdc.mean"] < groups["pdc.mean.men"]
    assert (groups["pdc.mean.women"] + groups["pdc.mean.men"]) / 2 == pytest.approx(groups["pdc.mean"], rel=1e-6)
    cohort = ask(context, **KNOWN, compare_by="cardiovascular_disease", cohort={"persona_id": "ckd_adults"})
    assert points(cohort)["pdc.mean.with_cardiovascular_disease"] > points(cohort)["pdc.mean.without"]


def test_persistence_is_fitted_to_points_and_to_times(context):
    given = {"points": [{"days": 90, "share": 0.738}, {"days": 365, "share": 0.635}]}
    got = points(ask(context, **KNOWN | {"persistence": given}))
    assert got["persistence.at_end"] == pytest.approx(0.635)
    rng = np.random.default_rng(5)
    young = rng.random(600) < 0.5
    stop = np.where(young, 200, 500) * rng.exponential(size=600)
    times = {
        "days": np.minimum(stop, 365).tolist(), "stopped": (stop < 365).tolist(),
        "covariates": {"young": young.astype(float).tolist()},
    }  # fmt: skip
    both, one = (
        ask(context, **KNOWN | {"persistence": {"times": times | {"profile": profile}}})
        for profile in ({}, {"young": 1})
    )
    assert points(one)["hazard_ratio.young"] == pytest.approx(2.5, rel=0.25)
    assert points(one)["persistence.at_end"] < points(both)["persistence.at_end"]
    assert both.fitted[0].name == "young"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "persistence"),
        ({"persistence": {"share": 0.5}}, "implementation"),
        (KNOWN | {"people": 0}, "greater"),
        (KNOWN | {"horizon_days": -1}, "greater"),
        (KNOWN | {"horizon_days": float("nan")}, "horizon_days"),
        (KNOWN | {"implementation": 1.5}, "between 0 and 1"),
        (KNOWN | {"implementation": float("nan")}, "finite"),
        (KNOWN | {"persistence": {"share": 1.5}}, "between 0 and 1"),
        (KNOWN | {"persistence": {"share": 0.5, "shape": -1}}, "Weibull shape"),
        (KNOWN | {"persistence": {}}, "one of them"),
        (KNOWN | {"persistence": {"points": [{"days": 90, "share": 0.5}]}}, "two different"),
        (KNOWN | {"regimen": {"planned": 4}}, "planned"),
        (KNOWN | {"compare_by": "sex"}, "group_share"),
        (KNOWN | {"hazard_ratio": -1}, "hazard ratio"),
        (KNOWN | {"persistence": {"times": {"days": [1, 2, 3], "stopped": [False] * 3}}}, "Too few"),
        (KNOWN | {"persistence": {"times": {"days": [1, -2, 3], "stopped": [True] * 3}}}, "above 0"),
        (KNOWN | {"implementation": 0.95, "implementation_sd": 0.3}, "standard deviation"),
        (KNOWN | {"dose_response": {"dose": 1, "half_dose": -1}}, "half the effect"),
        (KNOWN | {"nonsense": 1}, "nonsense"),
    ],
)
def test_hostile_inputs_are_refused(context, arguments, part):
    with pytest.raises(InvalidInput) as refused:
        ask(context, **arguments)
    assert part in str(refused.value)


def test_ten_billion_people_are_only_counts(context):
    found = ask(context, **KNOWN, people=10_000_000_000, draws=50)
    late = next(one for one in found.estimates if one.id == "persistence.at_end")
    assert late.upper - late.lower < 1e-4


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nobody_stay(context, share):
    got = points(ask(context, **KNOWN | {"persistence": {"share": share}}, draws=20))
    assert got["persistence.at_end"] == pytest.approx(share, abs=1e-5)
    if share:
        assert got["time.on_treatment"] == pytest.approx(365, abs=0.01)


def refill(patient, day, supply, **more):
    return {"patient": patient, "day": day, "days_supply": supply} | more


def test_records_are_measured(context):
    records = [refill("a", 30 * k, 30) for k in range(12)] + [refill("b", 0, 30), refill("b", 200, 30)]
    request = measure_adherence.parse({"records": records, "followup_days": 360, "permissible_gap": 60})
    found = measure_adherence(request, context)
    by_name = {one.patient: one for one in found.patients}
    assert by_name["a"].measures["PDC"] == 1
    assert by_name["b"].measures["CMA7"] == pytest.approx(60 / 360)
    assert by_name["b"].discontinued
    assert by_name["b"].days_on_treatment == 30
    assert not by_name["a"].discontinued
    got = points(found)
    assert got["pdc.adherent_share"] == 0.5
    assert got["discontinued.share"] == 0.5
    assert {f"cma{k}.mean" for k in range(1, 10)} <= set(got)


def test_dates_and_single_events(context):
    records = [{"patient": "a", "date": "2024-01-31", "days_supply": 30}] * 2
    found = measure_adherence(measure_adherence.parse({"records": records, "followup_days": 90}), context)
    assert found.patients[0].measures["CMA6"] == pytest.approx(60 / 90)
    assert "CMA1" not in found.patients[0].measures
    assert any("the same" in one for one in found.warnings)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"records": []}, "records"),
        ({"records": [refill("a", -1, 30)]}, "greater"),
        ({"records": [refill("a", float("nan"), 30)]}, "day"),
        ({"records": [refill("a", 0, 0)]}, "greater"),
        ({"records": [{"patient": "a", "days_supply": 30}]}, "day or date"),
        ({"records": [refill("a", 0, 30)], "followup_days": 90, "observation_start": 60, "observation_days": 60}, "follow-up"),
    ],
)  # fmt: skip
def test_hostile_records_are_refused(context, arguments, part):
    with pytest.raises(InvalidInput) as refused:
        measure_adherence(measure_adherence.parse(arguments), context)
    assert part in str(refused.value)
