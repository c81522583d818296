"""`find_dose` through its public interface."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.dose_finding.tool import find_dose
from tools.execution import Threads

RISING = [0.05, 0.15, 0.3, 0.45, 0.6]


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return find_dose(find_dose.parse(arguments), context)


def by_id(result):
    return {one.id: one for one in result.estimates}


def test_three_plus_three_is_exact(context):
    found = ask(context, design="3+3", rates=[0.1, 0.3, 0.5], doses=["5 mg", "10 mg", "20 mg"], target=0.3)
    got = by_id(found)
    assert got["escalated.5 mg"].point == pytest.approx(90.6147, abs=1e-4)
    total = got["none"].point + sum(got[f"selected.{name}"].point for name in ("5 mg", "10 mg", "20 mg"))
    assert total == pytest.approx(100)
    assert got["correct"].point == got["selected.10 mg"].point
    assert got["none"].lower is None
    assert got["toxicities.total"].point == pytest.approx(
        sum(
            rate * got[f"patients.{name}"].point
            for rate, name in zip((0.1, 0.3, 0.5), ("5 mg", "10 mg", "20 mg"), strict=True)
        )
    )


def test_boin_finds_the_dose(context):
    found = ask(context, rates=RISING, target=0.3, trials=4000)
    got = by_id(found)
    assert max((got[f"selected.dose {i}"].point, i) for i in range(1, 6))[1] == 3
    assert got["none"].point + sum(got[f"selected.dose {i}"].point for i in range(1, 6)) == pytest.approx(100)
    assert got["boundary.escalate"].point < 0.3 < got["boundary.deescalate"].point
    assert got["correct"].lower < got["correct"].point < got["correct"].upper
    assert [row.people for row in found.table] == list(range(3, 31, 3))
    assert {chart.kind for chart in found.charts} == {"bars", "lines"}
    better = by_id(ask(context, rates=RISING, target=0.3, trials=4000, cohorts=30))
    assert better["correct"].point > got["correct"].point + 5


def test_only_the_table(context):
    found = ask(context, target=0.25)
    assert set(by_id(found)) == {"boundary.escalate", "boundary.deescalate"}
    assert len(found.table) == 10
    assert found.source_ids


def test_uncertain_rates_widen(context):
    unsure = [{"value": rate, "sd": 0.06, "distribution": "beta"} for rate in (0.2, 0.3, 0.45)]
    for design in ("3+3", "boin"):
        found = ask(context, design=design, rates=unsure, target=0.3, trials=4000, draws=40)
        one = by_id(found)["selected.dose 2"]
        assert one.upper - one.lower > 5
        assert 0 < one.from_parameters <= 1


def test_same_numbers_from_another_executor(context):
    arguments = {"rates": RISING, "target": 0.3, "trials": 50_000}
    first = ask(context, **arguments)
    assert ask(replace(context, executor=Threads(2)), **arguments).estimates == first.estimates
    assert ask(replace(context, seed=9), **arguments).estimates != first.estimates


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"rates": RISING}, "target"),
        ({"design": "3+3"}, "rates"),
        ({"rates": [0.1, float("nan")], "target": 0.3}, "finite"),
        ({"rates": [0.1, 1.4], "target": 0.3}, "0 to 1"),
        ({"rates": [0.1], "doses": ["a", "b"], "target": 0.3}, "one name"),
        ({"rates": [0.1, 0.2], "start": 3, "target": 0.3}, "starts"),
        ({"target": 0.3, "safe": 0.4}, "order"),
        ({"target": 0.8}, "order"),
        ({"target": -0.1}, "greater"),
        ({"rates": RISING, "target": 0.3, "trials": 10_000_000}, "less than"),
        ({"target": 0.3, "cohorts": 100, "cohort_size": 20}, "1000 people"),
        ({"design": "3+3", "rates": [{"value": 0.9, "sd": 0.5, "distribution": "normal"}]}, "0 to 1"),
    ],
)
def test_hostile_inputs(context, arguments, part):
    with pytest.raises(InvalidInput) as error:
        ask(context, **arguments)
    assert part in str(error.value)
