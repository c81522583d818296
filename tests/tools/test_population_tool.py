"""`forecast_population` through its public interface."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.execution import Threads
from tools.population import model
from tools.population.tool import forecast_population

STATES = [{"name": "early", "people": 1000}, {"name": "advanced"}, {"name": "dead", "dead": True}]
MOVES = [
    {"source": "early", "target": "advanced", "rate": 0.12},
    {"source": "early", "target": "dead", "rate": 0.03},
    {"source": "advanced", "target": "dead", "rate": 0.25},
]
LINES = {
    "states": [
        {"name": "first line", "people": 800, "new_per_year": 200, "line": "1", "stage": "early"},
        {"name": "remission", "people": 300, "stage": "early"},
        {"name": "second line", "people": 200, "line": "2", "stage": "advanced"},
        {"name": "dead", "dead": True},
    ],
    "stays": [
        {"state": "first line", "mean_years": {"value": 1.2, "lower": 1, "upper": 1.4, "distribution": "lognormal"},
         "goes_to": {"remission": 0.7, "second line": 0.25, "dead": 0.05}},
        {"state": "second line", "mean_years": 2, "goes_to": {"dead": 1}},
    ],
    "moves": [{"source": "remission", "target": "second line", "rate": 0.2}],
    "resources": [
        {"name": "chair hours", "unit": "hours", "per_person_year": {"first line": 40, "second line": 60},
         "per_entry": {"first line": 5}, "available_per_year": 20_000}
    ],
    "years": 6, "draws": 40, "show": "lines",
}  # fmt: skip


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return forecast_population(forecast_population.parse(arguments), context)


def points(result):
    return {one.id: one.point for one in result.estimates}


def test_illness_and_death(context):
    found = ask(context, states=STATES, moves=MOVES, years=5)
    got = points(found)
    want = 1000 * model.occupancy([1, 0, 0], [[0, 0.12, 0.03], [0, 0, 0.25], [0, 0, 0]], [5])[0]
    assert [got["people.early"], got["people.advanced"], got["people.dead"]] == pytest.approx(want.tolist(), abs=2.5)
    assert got["people.dead"] == got["deaths.total"]
    assert got["prevalence"] + got["people.dead"] == pytest.approx(1000)


def test_lines_of_therapy_and_capacity(context):
    found = ask(context, **LINES)
    got = points(found)
    assert got["line.1"] == got["people.first line"]
    assert got["stage.early"] + got["stage.advanced"] == pytest.approx(got["prevalence"])
    assert got["starts.first line"] == pytest.approx(200, rel=0.05)
    hours = 40 * got["people.first line"] + 60 * got["people.second line"] + 5 * 200
    assert got["need.chair hours"] == pytest.approx(hours, rel=0.05)
    assert got["short.chair hours"] > 0.9
    assert 1 <= got["short.chair hours.first_year"] <= 6
    need = next(one for one in found.estimates if one.id == "need.chair hours")
    assert need.lower < need.point < need.upper
    assert 0 < need.from_parameters < 1
    assert {series.name for series in found.charts[0].series} == {"1", "2"}
    assert len(found.draws["prevalence"]) == 40


def test_counted_instead_of_followed(context):
    few = points(ask(context, **LINES))
    states = [one | {key: 1000 * one.get(key, 0) for key in ("people", "new_per_year")} for one in LINES["states"]]
    found = ask(context, **LINES | {"states": states})
    assert any("counted by state" in said for said in found.assumptions)
    assert points(found)["prevalence"] == pytest.approx(1000 * few["prevalence"], rel=0.02)


def test_same_numbers_from_another_executor(context):
    first = ask(context, **LINES)
    assert ask(replace(context, executor=Threads(2)), **LINES).estimates == first.estimates
    assert ask(replace(context, seed=3), **LINES).estimates != first.estimates


def test_better_treatment_means_more_people_to_care_for(context):
    plain = points(ask(context, states=STATES, moves=MOVES, years=8))
    change = {"from_year": 3, "source": "advanced", "target": "dead", "factor": 0.5}
    better = points(ask(context, states=STATES, moves=MOVES, years=8, changes=[change]))
    assert better["people.advanced"] > 1.2 * plain["people.advanced"]
    assert better["deaths.total"] < plain["deaths.total"]
    early = {"from_year": 1, "until_year": 1, "factor": 2.0}
    states = [STATES[0] | {"new_per_year": 100}, *STATES[1:]]
    more = points(ask(context, states=states, moves=MOVES, years=2, changes=[early]))
    assert more["incidence"] == 100
    assert more["people.early"] > points(ask(context, states=states, moves=MOVES, years=2))["people.early"] + 50


def test_rates_from_panel_data(context):
    subject, time, state = [], [], []
    for person in range(120):
        death = 0.3 + (person * 37 % 100) / 10
        subject += [person, person]
        time += [0.0, min(death, 5.0)]
        state += ["well", "dead" if death < 5 else "well"]
    data = {"subject": subject, "time": time, "state": state, "moves": [["well", "dead"]], "exact": ["dead"]}
    found = ask(
        context, states=[{"name": "well", "people": 10_000}, {"name": "dead", "dead": True}], panel=data, years=3
    )  # fmt: skip
    rate = sum(one == "dead" for one in state) / sum(time)
    assert found.fitted[0].rate == pytest.approx(rate, rel=1e-4)
    assert found.fitted[0].lower < rate < found.fitted[0].upper
    well = next(one for one in found.estimates if one.id == "people.well")
    assert well.from_parameters > 0.9
    assert found.log_likelihood < 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"states": STATES}, "how people move"),
        ({"states": STATES, "moves": MOVES, "years": -1}, "greater"),
        ({"states": [{"name": "a"}, {"name": "b"}], "moves": [{"source": "a", "target": "b", "rate": 1}]}, "nobody"),
        ({"states": STATES, "moves": [MOVES[0] | {"rate": float("nan")}]}, "finite"),
        ({"states": STATES, "moves": [MOVES[0] | {"rate": -0.1}]}, "0 or more"),
        ({"states": STATES, "moves": [MOVES[0] | {"target": "elsewhere"}]}, "no state"),
        ({"states": STATES, "moves": [*MOVES, MOVES[0]]}, "twice"),
        ({"states": STATES, "moves": [*MOVES, {"source": "dead", "target": "early", "rate": 1}]}, "comes back"),
        ({"states": STATES, "stays": [{"state": "early", "mean_years": 2, "goes_to": {"dead": 0.7}}]}, "sum to 0.7"),
        ({"states": STATES, "stays": [{"state": "early", "mean_years": 0, "goes_to": {"dead": 1}}]}, "above 0"),
        ({"states": [*STATES, STATES[0]], "moves": MOVES}, "own name"),
        ({"states": STATES, "moves": MOVES, "draws": 10_000, "years": 60, "replicates": 200}, "too large"),
    ],
)
def test_hostile_inputs(context, arguments, part):
    with pytest.raises(InvalidInput) as error:
        ask(context, **arguments)
    assert part in str(error.value)


def test_ten_million_people(context):
    states = [STATES[0] | {"people": 10_000_000}, *STATES[1:]]
    assert points(ask(context, states=states, moves=MOVES, years=5, draws=5))["people.early"] == pytest.approx(
        4_723_666, rel=0.001
    )
