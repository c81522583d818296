"""`simulate_supply` through its public interface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.execution import Threads
from tools.supply.tool import simulate_supply

PLAIN = {"demand": {"mean": 6}, "policy": {"kind": "base_stock", "level": 9}}
COSTS = {"holding_cost": 1, "shortage_cost": 4, "fixed_cost": 5, "currency": "US$"}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return simulate_supply(simulate_supply.parse(arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_the_best_rule_costs_what_it_should(context):
    found = ask(context, demand={"mean": 6}, policy={"kind": "optimal_s_S"}, **COSTS, periods=4000, warm_up=100)
    assert (found.reorder, found.order_up_to) == (4, 10)
    got = points(found)
    assert got["supply.cost"] == pytest.approx(
        got["policy.expected_cost"], abs=3.5 * found.standard_errors["supply"]["cost"]
    )
    late = ask(
        context, demand={"mean": 6}, policy={"kind": "optimal_s_S"}, lead_time=2, **COSTS, periods=4000, warm_up=100
    )
    got = points(late)
    assert got["supply.cost"] == pytest.approx(
        got["policy.expected_cost"], abs=3.5 * late.standard_errors["supply"]["cost"]
    )
    assert got["policy.reorder"] > 4


def test_more_stock_more_service(context):
    rates = [
        points(ask(context, demand={"mean": 6}, policy={"kind": "base_stock", "level": level}))["supply.fill_rate"]
        for level in (4, 6, 8, 12)
    ]
    assert rates == sorted(rates)
    assert rates[-1] > 0.98


def test_an_outage_is_compared_with_none(context):
    found = ask(context, **PLAIN, disruption={"outages": [{"start": 100, "periods": 10}]}, **COSTS, periods=200)
    got = points(found)
    assert got["supply.fill_rate"] < got["undisrupted.fill_rate"]
    assert got["disruption.short"] == pytest.approx(got["supply.short"] - got["undisrupted.short"])
    assert got["disruption.short"] * 200 == pytest.approx(10 * 6, abs=12)
    assert got["disruption.cost"] > 0
    stock = next(chart for chart in found.charts if chart.kind == "lines")
    assert {series.name for series in stock.series} == {"with the disruption", "without it"}


def test_paths_of_a_forecast(context):
    rng = np.random.default_rng(1)
    paths = [rng.poisson(m, 60).tolist() for m in rng.gamma(30, 0.2, 50)]
    found = ask(
        context, demand={"paths": paths}, policy={"kind": "base_stock", "level": 9}, periods=60, draws=50, replicates=2
    )
    met = next(one for one in found.estimates if one.id == "supply.fill_rate")
    assert met.from_parameters == pytest.approx(1.0)
    assert met.lower < met.point < met.upper


def test_perishables(context):
    asked = {
        "demand": {"mean": 4, "cv": 0.5, "distribution": "rounded_gamma"}, "life": 2, "lead_time": 1, "unmet": "lost",
        "unit_cost": 3, "shortage_cost": 5, "waste_cost": 7, "holding_cost": 1, "currency": "€", "periods": 4000, "warm_up": 50,
    }  # fmt: skip
    fifo, lifo = (ask(context, **asked, policy={"kind": "optimal_perishable"}, issuing=how) for how in ("fifo", "lifo"))
    for found in (fifo, lifo):
        got = points(found)
        assert got["supply.cost"] == pytest.approx(
            got["policy.expected_cost"], abs=3.5 * found.standard_errors["supply"]["cost"]
        )
    assert points(lifo)["policy.expected_cost"] > points(fifo)["policy.expected_cost"]
    assert len(fifo.best_orders) == 11
    keep = ask(context, **asked, policy={"kind": "base_stock", "level": 9})
    assert points(keep)["supply.wasted"] > 0
    assert points(keep)["supply.cost"] > points(fifo)["supply.cost"]


def test_a_chain(context):
    stages = [{"name": "ward", "level": 8, "lead_time": 1}, {"name": "pharmacy", "level": 8, "lead_time": 2}]
    found = ask(context, demand={"mean": 4}, stages=stages, periods=400)
    poor = ask(context, demand={"mean": 4}, stages=[stages[0], stages[1] | {"level": 0}], periods=400)
    assert points(poor)["supply.fill_rate"] < points(found)["supply.fill_rate"] < 1
    assert points(found)["supply.stock_pharmacy"] > 0


def test_random_lead_times_and_seasons(context):
    found = ask(
        context, demand={"mean": {"value": 20, "sd": 2, "distribution": "gamma"}, "cv": 0.4, "distribution": "negative_binomial",
                         "pattern": [0.5, 1.5]}, policy={"kind": "r_Q", "reorder": 60, "quantity": 50},
        lead_time_shares=[0, 0.5, 0.3, 0.2], draws=20, replicates=3, periods=300, warm_up=20, start_stock=60,
    )  # fmt: skip
    ordered = next(one for one in found.estimates if one.id == "supply.ordered")
    assert ordered.point == pytest.approx(20, rel=0.1)
    assert ordered.from_parameters > 0.5


def test_same_seed_same_result_on_any_executor(context):
    asked = {**PLAIN, **COSTS, "disruption": {"fails": 0.05, "recovers": 0.3}, "replicates": 60}
    first = ask(context, **asked)
    assert ask(replace(context, executor=Threads(2)), **asked).model_dump_json() == first.model_dump_json()
    assert points(ask(replace(context, seed=7), **asked)) != points(first)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "lot"),
        ({"demand": {"mean": 5}}, "policy"),
        (PLAIN | {"demand": {"mean": float("nan")}}, "finite"),
        (PLAIN | {"demand": {"mean": -5}}, "between 0"),
        (PLAIN | {"periods": -1}, "greater"),
        (PLAIN | {"periods": 10_000_000}, "less than"),
        (PLAIN | {"periods": 1_000_000, "draws": 100, "replicates": 100}, "more than one call"),
        (PLAIN | {"warm_up": 365}, "shorter"),
        (PLAIN | {"holding_cost": 3}, "currency"),
        (PLAIN | {"lead_time_shares": [0.5, 0.4]}, "add up to one"),
        (PLAIN | {"life": 3}, "lost"),
        (PLAIN | {"disruption": {"fails": 1.5}}, "between 0 and 1"),
        (PLAIN | {"disruption": {"fails": 0.5, "recovers": 0}}, "never recovers"),
        (PLAIN | {"demand": {"mean": 5, "cv": 0.5}}, "no cv"),
        (PLAIN | {"demand": {"mean": 5, "cv": 0.1, "distribution": "negative_binomial"}}, "above its mean"),
        (PLAIN | {"demand": {"paths": [[1, 2]]}}, "shorter than the run"),
        ({"demand": {"mean": 6}, "policy": {"kind": "s_S", "level": 3, "reorder": 5}}, "below the level"),
        ({"demand": {"mean": 6}, "policy": {"kind": "newsvendor"}}, "above 0"),
        ({"demand": {"mean": 6, "cv": 1, "distribution": "gamma"}, "policy": {"kind": "optimal_s_S"}, **COSTS}, "not known exactly"),
        ({"demand": {"mean": 6}, "policy": {"kind": "optimal_perishable"}}, "life"),
        ({"lot": {"demand_rate": 5, "fixed_cost": 1, "holding_cost": 1, "disruption_rate": 1}}, "recovery_rate"),
        ({"demand": {"mean": 6}, "stages": [{"name": "a", "level": 5}] * 2}, "its own name"),
    ],
)  # fmt: skip
def test_hostile_inputs_are_refused(context, arguments, part):
    with pytest.raises(InvalidInput) as refused:
        ask(context, **arguments)
    assert part in str(refused.value)
