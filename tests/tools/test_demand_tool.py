"""`forecast_demand` through its public interface."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace

import numpy as np
import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.demand.filling import period_label, period_number
from tools.demand.tool import forecast_demand
from tools.execution import Processes, Threads
from tools.supply.tool import simulate_supply

QUICK = ["naive", "seasonal_naive", "drift", "theta"]


def season(level: float, periods: int, seed: int) -> list[float]:
    t = np.arange(periods)
    return np.random.default_rng(seed).poisson(level * (1 + 0.4 * np.sin(t * np.pi / 6)) * (1 + t / 200)).tolist()


TREE = [
    {"name": "obese_medicaid", "parent": "medicaid", "counts": season(40, 72, 1)},
    {"name": "diabetic_medicaid", "parent": "medicaid", "counts": season(20, 72, 2)},
    {"name": "obese_commercial", "parent": "commercial", "counts": season(60, 72, 3)},
]
PLAIN = {"series": [{"counts": season(50, 72, 4)}], "horizon": 6, "models": QUICK}
HIERARCHY = {"series": TREE, "horizon": 6, "models": QUICK}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return forecast_demand(forecast_demand.parse(arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_a_year_of_passengers_is_in_its_interval(context):
    from statsforecast.utils import AirPassengers

    known = np.asarray(AirPassengers, dtype=float)
    found = ask(context, series=[{"counts": known[:-12].tolist()}], start="1949-01-01")
    row, test = found.forecasts[0], found.backtests[0]
    assert row.periods[0] == "1960-01"
    assert row.periods[-1] == "1960-12"
    assert len(test.chosen_by) == 7
    assert row.model == min(test.chosen_by, key=test.chosen_by.get)
    assert test.owa < 1
    inside = (np.array(row.lower) <= known[-12:]) & (known[-12:] <= np.array(row.upper))
    assert inside.mean() > 0.7
    total = found.estimates[0]
    assert total.lower < known[-12:].sum() < total.upper
    assert (found.selection_folds, found.report_folds) == (12, 12)


def test_a_hierarchy_adds_up_with_every_method(context):
    for how in ("mint_shrink", "ols", "bottom_up"):
        found = ask(context, **HIERARCHY, reconcile=how)
        rows = {one.name: np.array(one.points) for one in found.forecasts}
        np.testing.assert_allclose(rows["medicaid"], rows["obese_medicaid"] + rows["diabetic_medicaid"], rtol=1e-12)
        np.testing.assert_allclose(rows["total"], rows["medicaid"] + rows["commercial"], rtol=1e-12)
        assert len(found.backtests) == 6
        got = points(found)
        assert got["total.total"] == pytest.approx(rows["total"].sum())


def test_intervals_are_nested_by_level(context):
    made = [ask(context, **PLAIN, level=level).forecasts[0] for level in (0.5, 0.8, 0.9)]
    for narrow, wide in itertools.pairwise(made):
        assert narrow.points == wide.points
        assert all(a >= b for a, b in zip(narrow.lower, wide.lower, strict=True))
        assert all(a <= b for a, b in zip(narrow.upper, wide.upper, strict=True))


def test_forecasts_scale_with_the_unit(context):
    thousand = [{"counts": [1000 * one for one in PLAIN["series"][0]["counts"]]}]
    small, large = ask(context, **PLAIN).forecasts[0], ask(context, **PLAIN | {"series": thousand}).forecasts[0]
    assert small.model == large.model
    np.testing.assert_allclose(large.points, 1000 * np.array(small.points), rtol=1e-3)
    np.testing.assert_allclose(large.upper, 1000 * np.array(small.upper), rtol=1e-3)


def test_events_are_shown_beside_the_forecast(context):
    wider = {"name": "coverage", "change": 0.5, "start": 4, "series": ["medicaid"]}
    plain, found = ask(context, **HIERARCHY), ask(context, **HIERARCHY, events=[wider])
    assert points(plain).items() <= points(found).items()
    assert plain.forecasts == found.forecasts
    got = points(found)
    later = sum(next(one for one in found.forecasts if one.name == "medicaid").points[3:])
    assert got["scenario.medicaid_added"] == pytest.approx(0.5 * later, rel=0.1)
    assert got["scenario.commercial_added"] == 0
    assert got["scenario.total_added"] == pytest.approx(got["scenario.medicaid_added"])
    assert got["scenario.commercial_total"] == pytest.approx(got["commercial.total"], rel=0.01)
    assert any("coverage" in one for one in found.assumptions)
    sure = next(one for one in found.estimates if one.id == "scenario.total_added")
    unsure = ask(context, **HIERARCHY, events=[wider | {"change": {"value": 0.5, "sd": 0.2, "distribution": "normal"}}])
    loose = next(one for one in unsure.estimates if one.id == "scenario.total_added")
    assert loose.from_parameters > 0.8 > sure.from_parameters
    gone = ask(context, **HIERARCHY, events=[wider | {"change": -1, "start": 1, "series": []}])
    assert points(gone)["scenario.total_total"] == 0


def test_draws_go_on_to_the_stock(context):
    found = ask(context, **PLAIN, paths=60)
    assert len(found.draws) == 60
    drawn = np.array(found.draws)
    assert drawn.shape == (60, 6)
    assert (drawn >= 0).all()
    np.testing.assert_allclose(drawn.mean(axis=0), found.forecasts[0].points, rtol=0.15)
    stock = simulate_supply.parse(
        {
            "demand": {"paths": found.draws}, "policy": {"kind": "base_stock", "level": 90}, "start_stock": 90, "period": "month",
            "periods": 6, "draws": 60, "replicates": 2,
        }
    )  # fmt: skip
    assert 0 < points(simulate_supply(stock, context))["supply.fill_rate"] <= 1
    part = ask(context, **HIERARCHY, paths_of="medicaid")
    assert part.draws_of == "medicaid"
    assert ask(context, **PLAIN, paths=0).draws == ()


def test_same_seed_same_result_on_any_executor(context):
    asked = HIERARCHY | {"events": [{"name": "e", "change": {"value": 0.2, "sd": 0.1, "distribution": "normal"}}]}
    first = ask(context, **asked)
    assert ask(replace(context, executor=Threads(2)), **asked).model_dump_json() == first.model_dump_json()
    assert ask(replace(context, seed=2), **asked).draws != first.draws


@pytest.mark.slow
def test_processes_give_the_same(context):
    first = ask(context, **HIERARCHY)
    assert ask(replace(context, executor=Processes(2)), **HIERARCHY).model_dump_json() == first.model_dump_json()


def test_a_biased_forecast_is_told(context):
    grown = [n + 3 * (n % 2) for n in range(20, 92)]
    found = ask(context, series=[{"counts": grown}], frequency="period", horizon=8, models=["naive"])
    assert found.backtests[0].bias == pytest.approx(4.5, abs=0.5)
    assert any("too low" in one for one in found.warnings)


def test_dates_may_be_in_any_order(context):
    counts = PLAIN["series"][0]["counts"]
    dates = [dt.date(2020 + n // 12, n % 12 + 1, 15) for n in range(72)]
    mixed = np.random.default_rng(1).permutation(72)
    series = [{"counts": [counts[n] for n in mixed], "dates": [dates[n].isoformat() for n in mixed]}]
    found = ask(context, **PLAIN | {"series": series})
    assert found.forecasts[0].points == ask(context, **PLAIN).forecasts[0].points
    assert found.forecasts[0].periods[0] == "2026-01"


@pytest.mark.parametrize(
    ("frequency", "day", "label"),
    [("day", "2024-02-29", "2024-02-29"), ("week", "2024-02-29", "2024-02-26"), ("month", "2024-12-31", "2024-12"),
     ("quarter", "2024-12-31", "2024 Q4"), ("year", "2024-02-29", "2024")],
)  # fmt: skip
def test_periods_on_the_calendar(frequency, day, label):
    number = period_number(dt.date.fromisoformat(day), frequency)
    assert period_label(number, frequency) == label
    assert period_label(number + 1, frequency) > label


def test_gaps_are_filled_only_as_asked(context):
    counts = list(PLAIN["series"][0]["counts"])
    counts[10] = None
    asked = PLAIN | {"series": [{"counts": counts}]}
    with pytest.raises(InvalidInput, match="number 11"):
        ask(context, **asked)
    filled = ask(context, **asked, gaps="interpolate")
    assert any("interpolated" in one for one in filled.warnings)
    assert any("no demand" in one for one in ask(context, **asked, gaps="zero").warnings)
    with pytest.raises(InvalidInput, match="begins or ends"):
        ask(context, **PLAIN | {"series": [{"counts": [*counts[11:], None]}]}, gaps="interpolate")


def test_series_without_change_or_demand(context):
    flat = ask(context, series=[{"counts": [7] * 60}], horizon=4)
    assert flat.forecasts[0].points == (7, 7, 7, 7)
    assert flat.forecasts[0].upper == flat.forecasts[0].lower
    assert any("never changed" in one for one in flat.warnings)
    none = ask(context, series=[{"name": "a", "counts": [0] * 60}, {"name": "b", "counts": [0] * 60}], horizon=4)
    assert points(none)["total.total"] == 0
    assert any("no demand at all" in one for one in none.warnings)
    rare = ask(context, series=[{"counts": [0, 0, 0, 2, 0, 1] * 12}], horizon=4, frequency="period")
    assert {"croston", "tsb"} <= set(rare.backtests[0].chosen_by)
    assert np.mean(rare.forecasts[0].points) == pytest.approx(0.5, abs=0.25)  # by absolute error 0 would win


COUNTS = PLAIN["series"][0]["counts"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"series": []}, "at least 1"),
        ({"series": [{"counts": []}]}, "at least one series"),
        ({"series": [{"counts": [5, 6, 7]}]}, "at least 44"),
        ({"series": [{"counts": COUNTS[:30]}], "horizon": 2}, "level can be at most 0.83"),
        ({"series": [{"counts": [*COUNTS, -3]}]}, "0 or more"),
        ({"series": [{"counts": [*COUNTS, float("nan")]}]}, "finite"),
        ({"series": [{"counts": COUNTS}], "horizon": -1}, "greater"),
        ({"series": [{"counts": COUNTS}], "horizon": 600}, "less than"),
        ({"series": [{"counts": COUNTS}], "level": 1.5}, "less than 1"),
        ({"series": [{"counts": COUNTS}], "level": 0.99}, "99"),
        ({"series": [{"counts": COUNTS}], "folds": 5}, "at least 9 folds"),
        ({"series": [{"counts": [1] * 10_000_000}]}, "at most 20000"),
        ({"series": [{"name": f"s{n}", "counts": [1] * 20_000} for n in range(11)]}, "more than 200,000"),
        ({"series": [{"counts": COUNTS * 400}], "models": ["arima"], "folds": 9}, "at most 20000"),
        ({"series": [{"counts": COUNTS}], "season_length": 52, "models": ["arima"], "horizon": 1, "level": 0.5}, "few"),
        ({"series": [{"counts": COUNTS * 3}], "season_length": 52, "models": ["arima"]}, "too long"),
        ({"series": [{"counts": COUNTS * 50}], "models": ["theta"]}, "takes too long"),
        ({"series": [{"name": "a", "counts": COUNTS}, {"name": "a", "counts": COUNTS}]}, "its own name"),
        ({"series": [{"name": "a", "counts": COUNTS}, {"name": "b", "counts": COUNTS[1:]}]}, "same periods"),
        ({"series": [{"name": "a", "parent": "b", "counts": COUNTS}, {"name": "b", "counts": [*COUNTS[:-1], 1]}]}, "add up to"),
        ({"series": [{"name": "a", "parent": "a", "counts": COUNTS}]}, "own parent"),
        ({"series": [{"name": "a", "counts": COUNTS}, {"name": "b"}]}, "no counts"),
        ({"series": [{"counts": COUNTS, "dates": ["2024-01-01"]}]}, "as many dates"),
        ({"series": [{"counts": [1, 2], "dates": ["2024-01-01", "2024-01-31"]}]}, "two counts for the same month"),
        ({"series": [{"counts": [1, 2], "dates": ["1024-01-01", "2024-01-31"]}]}, "too far apart"),
        ({"series": [{"counts": [1, 2], "dates": ["2024-01-01", "2024-01-31"]}], "frequency": "hour"}, "one hour from"),
        (PLAIN | {"events": [{"name": "x", "change": 0.5, "start": 9}]}, "after the horizon"),
        (PLAIN | {"events": [{"name": "x", "change": -2}]}, "between -1"),
        (PLAIN | {"events": [{"name": "x", "change": 0.5, "series": ["elsewhere"]}]}, "not there"),
        (PLAIN | {"paths_of": "elsewhere"}, "no series"),
        (PLAIN | {"draws": 5000, "replicates": 1000}, "more than one call"),
    ],
)  # fmt: skip
def test_hostile_inputs_are_refused(context, arguments, part):
    with pytest.raises(InvalidInput) as refused:
        ask(context, **arguments)
    assert part in str(refused.value)
