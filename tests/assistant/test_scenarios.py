"""Variants beside each other, and one input moved at a time, against predictions made directly."""

from __future__ import annotations

import pytest

from assistant.calls import SIMULATE
from assistant.scenarios import Tornado, outcomes_of, side_by_side, tornado
from assistant.schemas import Answer
from assistant.service import Assistant
from knowledge.errors import InvalidInput

QUESTION = (
    "How would adults with type 2 diabetes react to semaglutide 1 mg once weekly over 30 weeks? Outcomes: HbA1c change."
)


@pytest.fixture(scope="module")
def answer(assistant: Assistant) -> Answer:
    return assistant.ask(QUESTION)


@pytest.fixture(scope="module")
def found(assistant: Assistant, answer: Answer) -> Tornado:
    *moved, last = tornado(answer, "hba1c_change", assistant.registry, assistant.context(answer.seed))
    assert isinstance(last, Tornado)
    assert {"Dose", "Horizon", "Age"} <= set(moved)
    return last


def difference(assistant: Assistant, answer: Answer, **changed: object) -> float:
    step = next(step for step in answer.steps if step.tool == SIMULATE)
    result = assistant.run_tool(SIMULATE, {**step.arguments, **changed}, seed=answer.seed)
    return next(e.point for e in result.estimates if e.id == "hba1c_change.difference")


def test_the_middle_is_the_answer(answer: Answer, found: Tornado) -> None:
    assert found.base.point == next(e.point for e in answer.estimates if e.id == "hba1c_change.difference")
    assert all(point.y == found.base.point for point in found.chart.series[0].points)


def test_the_ends_are_predictions_of_their_own(assistant: Assistant, answer: Answer, found: Tornado) -> None:
    swings = {swing.input: swing for swing in found.swings}
    assert swings["Horizon"].low_words == "15 weeks"
    assert swings["Horizon"].low == difference(assistant, answer, horizon_weeks=15.0)
    double = {"intervention": "semaglutide", "dose": 2.0, "dose_unit": "mg", "frequency": "once weekly"}
    assert swings["Dose"].high == difference(assistant, answer, treatment=double)


def test_the_widest_comes_first_and_the_chart_shows_it(found: Tornado) -> None:
    widths = [swing.width for swing in found.swings]
    assert widths == sorted(widths, reverse=True)
    points = found.chart.series[0].points
    assert [(p.lower, p.upper) for p in points] == [(min(s.low, s.high), max(s.low, s.high)) for s in found.swings]


def test_what_has_no_prediction_has_no_tornado(assistant: Assistant, answer: Answer) -> None:
    assert set(outcomes_of(answer)) == {"hba1c_change"}
    with pytest.raises(InvalidInput):
        list(tornado(answer, "nausea", assistant.registry, assistant.context()))
    nothing = answer.model_copy(update={"steps": ()})
    with pytest.raises(InvalidInput):
        list(tornado(nothing, "hba1c_change", assistant.registry, assistant.context()))


def test_side_by_side_holds_each_answers_own_numbers(assistant: Assistant, answer: Answer) -> None:
    longer = assistant.ask(QUESTION.replace("30 weeks", "60 weeks").replace("HbA1c change", "nausea"))
    both = side_by_side({"as asked": answer, "longer, nausea": longer})
    rows = {row[0]: row[1:] for row in both.rows}
    assert rows["HbA1c change (%-points)"][1] == ""
    assert rows["Nausea (%)"][0] == ""
    for chart in both.charts:
        for point in chart.series[0].points:
            owner = answer if point.x == "as asked" else longer
            assert (point.y, point.lower, point.upper) in {(e.point, e.lower, e.upper) for e in owner.estimates}
