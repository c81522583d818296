"""`evaluate_cost_effectiveness` through its public interface."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.cost_effectiveness.tool import evaluate_cost_effectiveness
from tools.execution import Threads


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return evaluate_cost_effectiveness(evaluate_cost_effectiveness.parse(arguments), context)


def two_states(**fields):
    model = {
        "kind": "markov",
        "states": ["well", "dead"],
        "dead": "dead",
        "cycles": 10,
        "parameters": {
            "p": {"value": 0.1, "distribution": "beta", "a": 10, "b": 90},
            "c": {"value": 100, "distribution": "gamma", "sd": 20},
        },
        "strategies": [
            {"name": "old", "transitions": [["rest", "p"], [0, 1]], "costs": ["c", 0], "utilities": [0.8, 0]},
            {"name": "new", "transitions": [["rest", "p * 0.5"], [0, 1]], "costs": ["c + 500", 0]},
        ],
    }
    return model | fields


def test_uncertainty_is_the_same_wherever_it_is_computed(context):
    first = ask(context, model=two_states(), draws=600)
    again = ask(context.__class__(**{**context.__dict__, "executor": Threads(2)}), model=two_states(), draws=600)
    assert first.estimates == again.estimates
    other = ask(context.__class__(**{**context.__dict__, "seed": 2}), model=two_states(), draws=600)
    assert other.estimates != first.estimates
    cost = next(one for one in first.estimates if one.id == "old.cost")
    assert cost.lower < cost.point < cost.upper
    assert cost.from_parameters == 1.0
    assert first.source_ids == ("pmid-40085108",)
    assert len(first.cost_draws) == 2
    assert len(first.cost_draws[0]) == 600


def test_tornado_has_the_widest_first(context):
    chart = next(one for one in ask(context, model=two_states(), draws=400).charts if one.kind == "tornado")
    widths = [point.upper - point.lower for point in chart.series[0].points]
    assert [point.x for point in chart.series[0].points] == ["p", "c"]
    assert widths == sorted(widths, reverse=True)
    assert all(point.lower <= point.y <= point.upper for point in chart.series[0].points)


def test_draws_agree_with_a_loop(context):
    """The same parameters, one draw after another in numpy."""
    rng = np.random.default_rng(1)
    p, c = rng.beta(10, 90, 200), rng.gamma(25, 4, 200)
    parameters = {"p": {"draws": p.tolist()}, "c": {"draws": c.tolist()}}
    found = ask(context, model=two_states(parameters=parameters), draws=200, discount_costs=0.05, discount_effects=0.02)
    for draw in (0, 7, 199):
        for place, (risk, extra) in enumerate(((p[draw], 0), (p[draw] * 0.5, 500))):
            alive = (1 - risk) ** np.arange(11)
            weights = np.r_[0.5, np.ones(9), 0.5]
            cost = ((c[draw] + extra) * alive * weights * 1.05 ** -np.arange(11)).sum()
            effect = (0.8 * alive * weights * 1.02 ** -np.arange(11)).sum()
            assert found.cost_draws[place][draw] == pytest.approx(cost)
            assert found.effect_draws[place][draw] == pytest.approx(effect)


def test_time_and_age_in_cells(context):
    """Gompertz mortality by age, a price that falls after two years, and tables given cycle by cycle agree."""
    law = {"gompertz_a": 3e-5, "gompertz_b": 0.09}
    spoken = two_states(
        parameters={},
        mortality=law,
        age_at_start=60,
        cycles=3,
        strategies=[
            {
                "name": "s",
                "transitions": [["rest", "death(2)"], [0, 1]],
                "costs": ["100 if cycle <= 2 else 10", 0],
                "utilities": [1, 0],
            }
        ],
    )
    risks = [1 - np.exp(-2 * 3e-5 * np.exp(0.09 * (60 + t)) * np.expm1(0.09) / 0.09) for t in range(3)]
    tables = [[[1 - r, r], [0, 1]] for r in risks]
    listed = two_states(
        parameters={},
        cycles=3,
        strategies=[
            {
                "name": "s",
                "transitions_by_cycle": tables,
                "costs": ["100 if cycle <= 2 else 10", 0],
                "utilities": [1, 0],
            }
        ],
    )
    one, two = (ask(context, model=m, correction="end").strategies[0] for m in (spoken, listed))
    assert one.cost == pytest.approx(two.cost)
    assert one.effect == pytest.approx(two.effect)
    alive = np.cumprod([1 - r for r in risks])
    assert one.cost == pytest.approx((np.array([100, 100, 10]) * alive / 1.03 ** np.arange(1, 4)).sum())


def test_moves_dalys_and_budget(context):
    model = two_states(
        parameters={},
        remaining_years="20",
        disability_weights=[0.2, 0],
        cycles=1,
        strategies=[
            {
                "name": "old",
                "transitions": [[0.6, 0.4], [0, 1]],
                "costs": [0, 0],
                "moves": [{"origin": "well", "to": "dead", "cost": 1000}],
            },
            {
                "name": "new",
                "transitions": [[0.8, 0.2], [0, 1]],
                "costs": [50, 0],
                "moves": [{"origin": "well", "to": "dead", "cost": 1000}],
            },
        ],
    )
    common = {"correction": "beginning", "discount_costs": 0, "discount_effects": 0}
    found = ask(context, model=model, effect="daly_averted", threshold=1000, starters=[10, 0], **common)
    old, new = found.strategies
    assert old.effect == pytest.approx(-(0.2 + 0.4 * 20))
    assert old.cost == pytest.approx(400)
    assert new.cost == pytest.approx(50 + 200)
    assert new.standing == "on the frontier"
    assert old.standing == "dominated"
    assert found.budget == pytest.approx((10 * (250 - 400), 0))
    spread = ask(context, model=model, effect="daly_averted", threshold=1000, starters=[{"draws": [5, 15]}], **common)
    total = next(one for one in spread.estimates if one.id == "budget.total")
    assert total.point == pytest.approx(10 * (250 - 400))
    assert total.lower < total.point < total.upper


def test_microsimulation_has_the_cohorts_expectation(context):
    cohort = two_states(parameters={"p": 0.1, "c": 100})
    for correction in (None, "half_cycle"):
        expected = ask(context, model=cohort, correction=correction or "none").strategies
        simulated = ask(context, model=cohort | {"kind": "microsimulation", "people": 50_000}, correction=correction)
        for exact, one in zip(expected, simulated.strategies, strict=True):
            assert one.effect == pytest.approx(exact.effect, abs=5 * one.effect_standard_error)
            assert one.base_case_effect == pytest.approx(exact.effect)
    uncertain = ask(context, model=two_states(kind="microsimulation", people=2000), draws=20)
    assert 0 < next(e for e in uncertain.estimates if e.id == "old.effect").from_parameters < 1


def test_simple_question_names_its_sources(context):
    found = ask(
        context,
        model={
            "kind": "comparison",
            "intervention": "tirzepatide",
            "list_price_of": "tirzepatide",
            "effect": -6,
            "effect_unit": "bmi",
            "persistence": 0.352,
            "horizon_years": 2,
        },
        draws=400,
    )
    icer = next(one for one in found.estimates if one.id == "tirzepatide.icer")
    assert icer.lower < icer.point < icer.upper
    assert {"pmid-40085108", "web-ispor-vih-20-4-bmi-utility", "web-employershealth-2024-glp1-prices"} <= set(
        found.source_ids
    )
    assert any("list price" in warning for warning in found.warnings)


def test_partitioned_survival_life_years(context):
    curve = {"family": "exponential", "first": "rate"}
    model = {
        "kind": "partitioned_survival",
        "cycles": 1200,
        "cycle_years": 1 / 12,
        "parameters": {"rate": 0.3},
        "strategies": [
            {
                "name": "s",
                "curves": [{"state": "pfs", **curve, "first": "2 * rate"}, {"state": "pd", **curve}],
                "costs": [100, 20],
                "utilities": [0.8, 0.5],
            }
        ],
    }
    found = ask(context, model=model, discount_costs=0, discount_effects=0).strategies[0]
    assert found.effect == pytest.approx(0.8 / 0.6 + 0.5 * (1 / 0.3 - 1 / 0.6), rel=1e-3)
    assert found.cost == pytest.approx(100 / 0.6 + 20 * (1 / 0.3 - 1 / 0.6), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"model": {"kind": "comparison"}}, "cost"),
        ({"model": {"kind": "comparison", "cost_per_year": 10}}, "quality of life"),
        ({"model": {"kind": "comparison", "cost_per_year": 10, "effect": 1}}, "worth in utility"),
        ({"model": two_states(), "effect": "daly_averted", "threshold": 1}, "no DALYs"),
        ({"model": two_states(), "effect": "life_year"}, "worth"),
        ({"model": two_states(parameters={"p": 2.0, "c": 1})}, "between 0 and 1"),
        ({"model": two_states(parameters={"c": 1})}, "not a parameter"),
        ({"model": two_states(parameters={"p": float("nan"), "c": 1})}, "finite"),
        ({"model": two_states(cycles=-1)}, "greater"),
        ({"model": two_states(kind="microsimulation", people=0)}, "greater"),
        ({"model": two_states(kind="microsimulation", people=10_000_000, cycles=2000), "draws": 1000}, "person-cycles"),
        ({"model": two_states(start=[0.5, 0.4])}, "sum to one"),
    ],
)
def test_hostile_inputs_are_refused(context, arguments, part):
    with pytest.raises(InvalidInput) as refused:
        ask(context, **arguments)
    assert part in str(refused.value)


def test_ten_million_people_need_little_memory(context):
    import tracemalloc

    model = two_states(kind="microsimulation", people=10_000_000, parameters={"p": 0.4, "c": 1}, cycles=2)
    model["strategies"] = model["strategies"][:1]
    tracemalloc.start()
    found = ask(context, model=model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.strategies[0].effect_standard_error < 0.001
    assert peak < 50_000_000
