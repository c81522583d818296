"""`simulate_clinic_capacity` through its public interface."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knowledge.errors import InvalidInput
from tools.capacity import model
from tools.capacity.tool import simulate_clinic_capacity
from tools.context import ToolContext
from tools.execution import Threads

QUEUE = {"streams": [{"rate": 4}], "stations": [{"name": "chairs", "servers": 5, "service": {"mean": 1}}]}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return simulate_clinic_capacity(simulate_clinic_capacity.parse(arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_waits_as_erlang_says(context):
    found = ask(context, **QUEUE, run_length=4000, warm_up=100, wait_over=0.5)
    exact, errors = model.mmc(4, 1, 5), found.standard_errors["chairs"]
    got = points(found)
    assert got["chairs.wait_mean"] == pytest.approx(exact.wait_mean, abs=3.5 * errors["wait_mean"])
    assert got["chairs.wait_over"] == pytest.approx(exact.wait_over(0.5), abs=3.5 * errors["wait_over"])
    assert got["chairs.wait_p90"] == pytest.approx(exact.wait_quantile(0.9), abs=3.5 * errors["wait_p90"])
    assert got["chairs.utilisation"] == pytest.approx(0.8, abs=3.5 * errors["utilisation"])
    # Little's law between estimates
    assert got["chairs.queue_length"] == pytest.approx(got["chairs.wait_mean"] * got["chairs.served"], rel=0.01)
    assert found.patients == pytest.approx(30 * 16000, rel=0.01)
    assert all(one.from_parameters is not None for one in found.estimates)


def test_how_many_chairs(context):
    sweep = {"station": "chairs", "servers": [5, 6, 7, 8, 9, 10], "measure": "wait_p90", "below": 0.2}
    found = ask(context, **QUEUE, run_length=3000, warm_up=100, replicates=20, sweep=sweep)
    exact = min(c for c in range(5, 11) if model.mmc(4, 1, c).wait_quantile(0.9) < 0.2)
    assert found.servers_needed == exact
    assert points(found)["sweep.servers_needed"] == exact
    means = [row["mean"] for row in found.sweep]
    assert means == sorted(means, reverse=True)
    none = ask(context, **QUEUE, run_length=300, replicates=5, sweep=sweep | {"servers": [5], "below": 0.001})
    assert none.servers_needed is None
    assert any("None of the numbers" in warning for warning in none.warnings)


def test_uncertain_demand_is_told_apart_from_chance(context):
    rate = {"value": 4, "sd": 0.3, "distribution": "gamma"}
    found = ask(
        context, streams=[{"rate": rate}], stations=QUEUE["stations"], run_length=500, warm_up=50, draws=30, replicates=4
    )  # fmt: skip
    used = next(one for one in found.estimates if one.id == "chairs.utilisation")
    assert 0.3 < used.from_parameters < 1
    assert used.lower < used.point < used.upper


def test_priority_as_cobham_says(context):
    streams = [{"name": "urgent", "rate": 0.3}, {"name": "planned", "rate": 0.5, "priority": 1}]
    found = ask(
        context, streams=streams, stations=[{"name": "scanner", "servers": 1, "service": {"mean": 1}}],
        run_length=20_000, warm_up=500, replicates=20,
    )  # fmt: skip
    exact = model.mmc_priority_waits([0.3, 0.5], 1.0, 1)
    got, errors = points(found), found.standard_errors["scanner"]
    for name, wait in zip(("urgent", "planned"), exact, strict=True):
        key = f"wait_mean_{name}"
        assert got[f"scanner.{key}"] == pytest.approx(wait, abs=3.5 * errors[key])


PATHWAY = {
    "streams": [
        {"name": "walk_in", "rates": [2, 6, 4, 0], "period": 6,
         "enter": [{"to": "triage"}], "priority": 1},
        {"name": "booked", "appointments": [9, 9.5, 10, 11, 14], "no_show": 0.1, "lateness_sd": 0.1,
         "enter": [{"to": "room"}], "priority": 1},
    ],
    "stations": [
        {"name": "triage", "servers": 2, "service": {"mean": 0.2, "distribution": "gamma", "cv": 0.5},
         "then": [{"to": "room", "share": 0.7}, {"to": "room", "share": 0.2, "priority": 0}]},
        {"name": "room", "shifts": [{"start": 8, "end": 20, "servers": 4}, {"start": 10, "end": 16, "servers": 2}],
         "service": {"mean": 0.7, "distribution": "lognormal", "cv": 0.8},
         "service_of": {"booked": {"values": [0.3, 0.5, 0.9], "distribution": "empirical"}},
         "patience": {"mean": 20}, "cost_per_server": 80, "cost_per_visit": {"value": 5, "sd": 1, "distribution": "gamma"}},
    ],
    "cycle": 24, "run_length": 24 * 20, "warm_up": 48, "replicates": 10, "currency": "US$", "waiting_cost": 3,
}  # fmt: skip


def test_a_pathway_with_everything(context):
    found = ask(context, **PATHWAY)
    got = points(found)
    assert 0 < got["room.lost_share"] < 0.5
    assert got["clinic.completed_share"] == pytest.approx(1 - got["room.lost_share"] * 0.92, abs=0.1)
    assert got["clinic.cost"] > 80 * (12 * 4 + 6 * 2) / 24
    assert got["clinic.arrivals"] == pytest.approx(18 * (6 * 12 + 5 * 0.9), rel=0.05)


def test_same_seed_same_result_on_any_executor(context):
    small = PATHWAY | {"replicates": 25, "run_length": 96, "warm_up": 0}
    first = ask(context, **small)
    assert ask(replace(context, executor=Threads(2)), **small).model_dump_json() == first.model_dump_json()
    assert points(ask(replace(context, seed=9), **small)) != points(first)


def test_shared_staff_slows_both_stations(context):
    def asked(nurses):
        stations = [
            {"name": name, "servers": 3, "service": {"mean": 0.5}, "staff": ["nurses"]} for name in ("chairs", "beds")
        ]
        return ask(
            context, streams=[{"rate": 3, "enter": [{"to": "chairs", "share": 0.5}, {"to": "beds", "share": 0.5}]}],
            stations=stations, staff=[{"name": "nurses", "servers": nurses}], run_length=300, replicates=4,
        )  # fmt: skip

    few, many = asked(2), asked(6)
    assert points(few)["chairs.wait_mean"] > 2 * points(many)["chairs.wait_mean"]
    assert points(few)["nurses.utilisation"] == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"streams": [{"rate": float("nan")}]}, "finite"),
        ({"streams": [{"rate": -1}]}, "0 or above"),
        ({"streams": []}, "at least 1"),
        ({"streams": [{"rate": 0}]}, "nobody"),
        ({"streams": [{"rate": 1, "rates": [1]}]}, "rate, rates or appointments"),
        ({"run_length": -5}, "greater"),
        ({"warm_up": 500}, "shorter"),
        ({"stations": [{"name": "a", "servers": 0, "service": {"mean": 1}}]}, "never serves"),
        ({"stations": [{"name": "a", "servers": 1, "service": {"mean": 0}}]}, "above 0"),
        ({"stations": [{"name": "a", "servers": 1, "service": {"mean": 1}, "balk_share": 1.2}]}, "less than or equal"),
        ({"stations": [{"name": "a", "servers": 1, "service": {"mean": 1}, "then": [{"to": "b"}]}]}, "not there"),
        ({"stations": [{"name": "a", "servers": 1, "service": {"mean": 1}, "then": [{"to": "a", "share": 0.7}] * 2}]}, "more than one"),
        ({"stations": [{"name": "a", "shifts": [{"start": 1, "end": 2, "servers": 1}], "service": {"mean": 1}}]}, "cycle"),
        ({"stations": [{"name": "a", "servers": 1, "service": {"mean": 1}, "cost_per_visit": 3}]}, "currency"),
        ({"streams": [{"rate": 1e6}], "replicates": 2}, "shorter"),
        ({"streams": [{"rate": 2e4}], "replicates": 2000}, "more than 2,000,000,000"),
        ({"draws": 2000, "replicates": 2000}, "runs"),
        ({"stations": [{"name": "a", "servers": 1, "service": {"mean": 1}, "then": [{"to": "a"}]}]}, "never leave"),
    ],
)  # fmt: skip
def test_hostile_inputs_are_refused(context, changes, part):
    with pytest.raises(InvalidInput) as refused:
        ask(context, **(QUEUE | {"run_length": 100} | changes))
    assert part in str(refused.value)
