"""`simulate_adverse_events` and `simulate_myelosuppression` through their public interface."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knowledge.arms import read_arms
from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import EvidenceView
from tools.adverse_events import harms
from tools.adverse_events.marrow_tool import simulate_myelosuppression
from tools.adverse_events.tool import simulate_adverse_events
from tools.context import ToolContext
from tools.execution import Threads
from tools.response.tool import simulate_treatment_response

EVENTS = [
    {"name": "nausea", "risk": {"value": 0.44, "sd": 0.05, "distribution": "beta"}, "shape": 0.5, "stops": 0.05},
    {"name": "rash", "rate": 4, "stops": 0.5},
]
WHOLE = {"events": EVENTS, "other_stopping": {"risk": 0.1}, "death": {"rate": 1}, "draws": 60}
OBESE = {"persona_id": "obesity_adults", "restrictions": ["type_2_diabetes=no"]}
SEMAGLUTIDE = {"intervention": "semaglutide", "dose": 2.4, "dose_unit": "mg"}
PACLITAXEL = {"drug": "paclitaxel", "dose": 350, "infusion_hours": 3}
DRUG = {"clearance": {"value": 285, "sd": 0.2, "distribution": "lognormal"}, "volumes": [290, 995], "exchange": [204]}
CELLS = {"baseline": 5, "transit_hours": 120, "feedback": 0.2, "slope": 40, "baseline_sd": 0.3, "slope_sd": 0.4}


@pytest.fixture(scope="module")
def context(shipped, library):
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


def ask(context, **arguments):
    return simulate_adverse_events(simulate_adverse_events.parse(arguments), context)


def cells(context, **arguments):
    return simulate_myelosuppression(simulate_myelosuppression.parse(arguments), context)


def by_id(result):
    return {one.id: one for one in result.estimates}


@pytest.mark.parametrize("people", [500, 1_000_000])
def test_people_are_conserved(context, people):
    got = by_id(ask(context, people=people, **WHOLE))
    ends = ("stopped.nausea", "stopped.rash", "stopped.other", "died", "treated")
    assert sum(got[one].point for one in ends) == pytest.approx(people)
    assert got["stopped.for_events"].point == pytest.approx(got["stopped.nausea"].point + got["stopped.rash"].point)
    assert got["share.nausea"].point == pytest.approx(42.1, abs=1.5)
    assert got["occurred.nausea"].from_parameters > 0.5 > got["occurred.rash"].from_parameters


def test_followed_and_counted_agree(context):
    few, many = (by_id(ask(context, people=people, **WHOLE)) for people in (2000, 2_000_000))
    for name in ("share.nausea", "share.rash"):
        assert few[name].point == pytest.approx(many[name].point, rel=0.05)


def test_more_who_stop_means_fewer_treated(context):
    mild = by_id(ask(context, **WHOLE))
    hard = by_id(ask(context, **WHOLE | {"events": [EVENTS[0] | {"stops": 0.6}, EVENTS[1]]}))
    assert hard["treated"].point < mild["treated"].point - 1000
    assert hard["occurred.rash"].point < mild["occurred.rash"].point


def test_same_numbers_from_another_executor(context):
    for people in (100, 10_000):
        first = ask(context, people=people, **WHOLE)
        assert ask(replace(context, executor=Threads(2)), people=people, **WHOLE).estimates == first.estimates
        assert ask(replace(context, seed=5), people=people, **WHOLE).estimates != first.estimates


def test_harms_from_the_evidence_are_those_of_the_response_engine(context):
    evidence = {"cohort": OBESE, "treatment": SEMAGLUTIDE, "outcomes": ["nausea"], "horizon_weeks": 68}
    got = by_id(ask(context, people=10_000, evidence=evidence))
    request = {"cohort": OBESE, "treatment": SEMAGLUTIDE, "endpoints": ["nausea"], "horizon_weeks": 68}
    want = by_id(simulate_treatment_response(simulate_treatment_response.parse(request), context))
    assert got["nausea.share"].point == want["nausea.mean"].point
    assert got["nausea.control_share"].point == want["nausea.control"].point
    assert got["nausea.people"].point == pytest.approx(100 * got["nausea.share"].point, rel=0.02)
    assert got["nausea.people"].lower < got["nausea.people"].point < got["nausea.people"].upper
    assert got["nausea.extra"].point > 1000
    assert got["nausea.people"].source_ids


def test_stopping_for_gastrointestinal_events(context):
    evidence = {"cohort": OBESE, "treatment": SEMAGLUTIDE, "outcomes": ["discontinuation_gastrointestinal"]}
    got = by_id(ask(context, evidence=evidence))
    assert got["discontinuation_gastrointestinal.share"].point == pytest.approx(4.5, abs=1)
    assert got["discontinuation_gastrointestinal.control_share"].point == pytest.approx(0.8, abs=1)
    assert got["discontinuation_gastrointestinal.share"].n_trials == 3
    early = context.with_view(EvidenceView(exclude=("STEP 1", "STEP 2", "STEP 3")))
    with pytest.raises(NoEvidence):
        ask(early, evidence=evidence)


def test_own_evidence_is_without_fault(shipped):
    joined = harms.with_more_harms(shipped)
    assert joined is harms.with_more_harms(shipped)
    faults = []
    assert len(read_arms(harms.HERE, joined.vocabulary, shipped.sources, faults).arms) == 7
    assert faults == []
    assert len(joined.arms.arms) == len(shipped.arms.arms) + 7


def test_observed_and_counts(context):
    observed = {"times": [1, 2, 3, 4, 5, 6], "causes": ["a", "b", "", "a", "", "b"], "at": [3, 6]}
    got = by_id(ask(context, observed=observed, counts=[{"name": "x", "events": 0, "people": 300}]))
    assert got["observed.a.3"].point == pytest.approx(100 / 6)
    assert sum(got[f"observed.{name}.6"].point for name in ("a", "b", "free")) == pytest.approx(100)
    assert got["count.x"].upper == pytest.approx(100 * (1 - 0.05 ** (1 / 300)))
    assert "rule of three" in got["count.x"].note


def test_paclitaxel(context):
    found = cells(context, **PACLITAXEL, people=400)
    got = by_id(found)
    assert got["nadir.typical"].point == pytest.approx(3.0516, abs=0.01)
    assert got["nadir_day.typical"].point == pytest.approx(9.2021, abs=0.05)
    assert got["nadir.patients"].lower < 3.05 < got["nadir.patients"].upper
    assert got["below.grade 3.share"].point > got["below.grade 4.share"].point
    assert found.charts[0].kind == "fan"
    mass = by_id(cells(context, **PACLITAXEL | {"dose": 350 * 0.8539, "dose_unit": "mg"}, people=400))
    assert mass["nadir.typical"].point == pytest.approx(got["nadir.typical"].point, rel=1e-6)


def test_docetaxel_lowers_neutrophils(context):
    found = cells(context, drug="docetaxel", dose=180, dose_unit="mg", people=400)
    got = by_id(found)
    assert found.cells == "neutrophils"
    assert got["nadir.typical"].point < 1
    assert 5 < got["nadir_day.typical"].point < 10
    assert got["below.grade 3.share"].point > 50
    assert found.warnings == ()
    assert "pmid-24919931" in found.source_ids
    slow = cells(context, drug="docetaxel", dose=180, dose_unit="mg", people=400, infusion_hours=24)
    assert "infusions of 1 h" in slow.warnings[0]


def test_more_cycles_and_doses_go_deeper(context):
    one = by_id(cells(context, **PACLITAXEL, people=200))
    many = by_id(cells(context, **PACLITAXEL, people=200, cycles=3, cycle_days=7))
    assert many["nadir.typical"].point < one["nadir.typical"].point
    weekly = by_id(cells(context, **PACLITAXEL, people=200, days=[1, 8, 15]))
    assert weekly["nadir.typical"].point < one["nadir.typical"].point


def test_own_parameters_and_uncertainty(context):
    arguments = {"compartments": DRUG, "cells": CELLS, "dose": 350, "infusion_hours": 3, "people": 1000, "draws": 20}
    found = cells(context, **arguments)
    got = by_id(found)
    assert got["nadir.typical"].from_parameters == 1
    assert got["nadir.typical"].lower < got["nadir.typical"].upper
    assert 0 < got["below.grade 3.people"].from_parameters <= 1
    assert len(found.draws["grade 3"]) == 20
    assert cells(replace(context, executor=Threads(2)), **arguments).estimates == found.estimates
    own = by_id(cells(context, **arguments | {"limits": {"low": 2.0, "none": 1e-6}}))
    assert own["below.none.share"].point < 1
    assert own["below.low.share"].point > got["below.grade 3.share"].point


def test_shares_do_not_depend_on_the_number_of_draws(context):
    arguments = {"compartments": DRUG, "cells": CELLS, "dose": 350, "infusion_hours": 3, "people": 100_000}
    few, many = (by_id(cells(context, **arguments, draws=draws)) for draws in (40, 400))
    for name in ("below.grade 3.share", "below.grade 4.share"):
        assert few[name].point == pytest.approx(many[name].point, abs=4)
        assert few[name].upper - few[name].lower == pytest.approx(many[name].upper - many[name].lower, rel=0.5)


def test_same_patients_from_another_executor(context):
    first = cells(context, **PACLITAXEL, people=1600)
    assert cells(replace(context, executor=Threads(2)), **PACLITAXEL, people=1600).estimates == first.estimates


def test_ten_million(context):
    got = by_id(ask(context, people=10_000_000, **WHOLE))
    assert got["treated"].point == pytest.approx(8_545_000, rel=0.01)
    found = cells(context, **PACLITAXEL, people=10_000_000, cycle_days=20)
    assert any("are followed" in said for said in found.assumptions)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "give events"),
        ({"events": [EVENTS[0], EVENTS[0]]}, "own name"),
        ({"events": EVENTS, "weeks": -1}, "greater"),
        ({"events": EVENTS, "people": 0}, "greater"),
        ({"events": [{"name": "a", "risk": 0.1, "rate": 2}]}, "either"),
        ({"events": [{"name": "a"}]}, "either"),
        ({"events": [{"name": "a", "risk": 1.2}]}, "0 to 1"),
        ({"events": [{"name": "a", "risk": 1.0}]}, "100 %"),
        ({"events": [{"name": "a", "rate": -1}]}, "0 or more"),
        ({"events": [{"name": "a", "rate": float("nan")}]}, "finite"),
        ({"events": EVENTS, "draws": 10_000, "replicates": 200, "people": 10**9}, "too large"),
        ({"counts": [{"name": "a", "events": 5, "people": 3}]}, "no more events"),
        ({"observed": {"times": [1, -1], "causes": ["a", ""]}}, "0 or more"),
        ({"observed": {"times": [1, 2], "causes": ["", ""]}}, "kinds of events"),
        ({"observed": {"times": [1], "causes": ["a", "b"]}}, "each person"),
        (
            {"evidence": {"cohort": OBESE, "treatment": SEMAGLUTIDE, "outcomes": ["weight_percent_change"]}},
            "not told as a share",
        ),
    ],
)
def test_hostile_inputs(context, arguments, part):
    with pytest.raises(InvalidInput) as error:
        ask(context, **arguments)
    assert part in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"dose": 5}, "paclitaxel"),
        (PACLITAXEL | {"dose": -1}, "greater"),
        (PACLITAXEL | {"days": [1, 40]}, "within the cycle"),
        (PACLITAXEL | {"cycles": 40, "cycle_days": 100}, "1800"),
        (PACLITAXEL | {"limits": {"a": -1}}, "above 0"),
        (PACLITAXEL | {"people": 0}, "greater"),
        ({"compartments": DRUG, "cells": CELLS | {"slope": 0}, "dose": 5}, "no effect"),
        ({"compartments": DRUG | {"volumes": [290]}, "cells": CELLS, "dose": 5}, "exchange"),
        ({"compartments": DRUG, "cells": CELLS | {"baseline": 0}, "dose": 5}, "baseline"),
        ({"compartments": DRUG, "cells": CELLS | {"transit_hours": -4}, "dose": 5}, "transit"),
        ({"compartments": DRUG, "cells": CELLS | {"slope": 1e12}, "dose": 1e9}, "too strong"),
    ],
)
def test_hostile_marrow(context, arguments, part):
    with pytest.raises(InvalidInput) as error:
        cells(context, **arguments)
    assert part in str(error.value)
