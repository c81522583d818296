"""`simulate_epidemic` through its public interface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.epidemic.tool import simulate_epidemic
from tools.execution import Threads

FLU = {"reproduction_number": 1.8, "latent_days": 2, "infectious_days": 4, "draws": 8, "replicates": 5, "days": 300}
GROUPS = [
    {"name": "children", "people": 200_000, "hospitalised": 0.002},
    {"name": "adults", "people": 600_000, "hospitalised": 0.01},
    {"name": "old", "people": 200_000, "hospitalised": 0.1},
]
CONTACTS = [[8, 5, 1], [1.667, 8, 1.3], [1, 3.9, 3]]
VACCINE = {"against_infection": 0.7, "against_hospital": 0.8}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return simulate_epidemic(simulate_epidemic.parse(FLU | arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_one_population(context):
    found = ask(context, population=1_000_000, first_cases=100)
    got = points(found)
    assert got["attack_rate"] == pytest.approx(got["final_size.theory"], abs=0.003)
    assert got["infections.total"] == pytest.approx(1e6 * got["attack_rate"])
    assert got["r_effective.start"] == pytest.approx(1.8)
    assert [chart.kind for chart in found.charts] == ["fan", "lines"]
    assert any("k = 1" in said for said in found.assumptions)
    ratio = found.charts[1].series[0].points
    assert ratio[20].y == pytest.approx(1.8, rel=0.1)
    assert ratio[-1].y < 1


def test_same_numbers_from_another_executor_and_seed(context):
    request = {
        "groups": GROUPS,
        "contacts": CONTACTS,
        "dispersion": {"value": 0.4, "sd": 0.3, "distribution": "lognormal"},
    }
    first = ask(context, **request)
    assert ask(replace(context, executor=Threads(2)), **request).estimates == first.estimates
    assert ask(replace(context, seed=2), **request).estimates != first.estimates
    infections = next(one for one in first.estimates if one.id == "infections.total")
    assert infections.lower < infections.upper  # the mean may lie below both where a few runs die out
    assert infections.from_parameters is not None


def test_measures_and_vaccination_avert(context):
    found = ask(
        context, groups=GROUPS, contacts=CONTACTS, vaccine=VACCINE | {"doses_per_day": 5000, "order": ["old"]},
        measures=[{"name": "distance", "start_day": 20, "end_day": 120, "contacts_kept": 0.6}],
    )  # fmt: skip
    got = points(found)
    assert got["averted.infections"] > 100_000
    assert got["averted.hospitalisations"] > 0
    assert {series.name for series in found.charts[0].series} == {"new infections", "without measures"}


def test_whom_to_protect_first(context):
    found = ask(
        context, groups=GROUPS, contacts=CONTACTS, vaccine=VACCINE, protect_doses=150_000, first_cases=200,
        protect_against="hospitalisations",
    )  # fmt: skip
    got = points(found)
    assert found.protect_order[0] == "old"
    assert got["protect.children.infections_averted"] > got["protect.old.infections_averted"] > 0
    assert got["protect.old.hospitalisations_averted"] > got["protect.children.hospitalisations_averted"]


def test_a_variant_that_escapes_makes_a_second_wave(context):
    variant = {"name": "b", "day": 150, "cases": 100, "transmissibility": 1.5, "escape": 0.8}
    one = points(ask(context, population=500_000, days=400, first_cases=100))["infections.total"]
    two = points(ask(context, population=500_000, days=400, first_cases=100, variants=[variant]))["infections.total"]
    assert two > 1.3 * one


def test_mobility_carries_the_infection(context):
    places = {"places": [{"name": "town", "share": 0.5}, {"name": "island", "share": 0.5}], "population": 200_000}
    apart = points(ask(context, **places, mobility=[[1, 0], [0, 1]], first_cases=200))["attack_rate"]
    linked = points(ask(context, **places, mobility=[[0.9, 0.1], [0.1, 0.9]], first_cases=200))["attack_rate"]
    assert linked == pytest.approx(2 * apart, rel=0.05)


def test_groups_of_a_cohort(context):
    found = ask(
        context, population=100_000, cohort={"persona_id": "obesity_adults"}, group_by="sex", first_cases=100
    )  # fmt: skip
    assert {"attack_rate.female", "attack_rate.male"} <= set(points(found))


def test_ten_million_people_take_no_more_memory_than_ten_thousand(context):
    assert points(ask(context, population=10_000_000, first_cases=1000))["infections.total"] > 5_000_000


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "groups"),
        ({"population": 0}, "greater"),
        ({"population": 1000, "days": -3}, "greater"),
        ({"population": 1000, "reproduction_number": float("nan")}, "finite"),
        ({"population": 1000, "reproduction_number": -1}, "not possible"),
        ({"population": 1000, "infectious_days": 0}, "above 0"),
        ({"population": 1000, "dispersion": 0}, "above 0"),
        ({"groups": [GROUPS[0] | {"immune": 1.2}]}, "not possible"),
        ({"groups": [GROUPS[0] | {"immune": 0.7, "vaccinated": 0.6}]}, "more than the whole"),
        ({"groups": GROUPS, "contacts": [[1.0]]}, "row"),
        ({"groups": GROUPS, "protect_doses": 10, "vaccine": VACCINE, "protect_against": "deaths"}, "died"),
        ({"population": 1000, "places": [{"name": "a", "share": 0.5}]}, "sum to 1"),
        ({"population": 1000, "places": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]}, "mobility"),
        ({"population": 1000, "first_group": "nobody"}, "no group"),
        ({"population": 1000, "draws": 5000, "replicates": 2000}, "too large"),
        ({"population": 10**12}, "less than or equal"),
    ],
)
def test_hostile_inputs(context, arguments, part):
    with pytest.raises(InvalidInput) as error:
        ask(context, **arguments)
    assert part in str(error.value)


def test_without_periods_the_final_size_is_all_that_is_said(context):
    found = simulate_epidemic(simulate_epidemic.parse({"population": 50_000, "reproduction_number": 2.5}), context)
    got = {one.id: one.point for one in found.estimates}
    share = got["final_size.theory"]
    assert share == pytest.approx(1 - np.exp(-2.5 * share), abs=1e-9)
    assert got["final_size.people"] == pytest.approx(50_000 * share)
    assert not {"peak.day", "growth.per_day", "doubling.days"} & got.keys()
    assert not found.charts
    assert any("over time" in warning for warning in found.warnings)
    small = simulate_epidemic(simulate_epidemic.parse({"population": 50_000, "reproduction_number": 0.5}), context)
    assert "no large epidemic" in small.title


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"latent_days": 3}, "both or neither"),
        ({"infectious_days": 3}, "both or neither"),
        (
            {"measures": [{"name": "masks", "start_day": 10, "end_day": 20, "contacts_kept": 0.5}]},
            "measures needs latent_days",
        ),
        ({"immunity_days": 100}, "immunity_days needs latent_days"),
    ],
)
def test_what_needs_time_needs_the_periods(context, more, part):
    with pytest.raises(InvalidInput, match=part):
        simulate_epidemic.parse({"population": 1000, "reproduction_number": 2.0, **more})
