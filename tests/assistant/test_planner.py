"""From questions to tool calls: the right tool, arguments its input model accepts, one question back where one is due."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from assistant import calls
from assistant.calls import Call, fault_of, of_classes, usual_weeks
from assistant.planner import PLAN_KEY, OfflinePlanner
from assistant.plans import Draft
from assistant.schemas import Status
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.catalog import build_registry


@pytest.fixture(scope="module")
def planner(shipped: KnowledgeBase, library: PersonaLibrary) -> OfflinePlanner:
    return OfflinePlanner(knowledge=shipped, personas=library)


def _prediction(draft: Draft) -> Call:
    return next(call for call in draft.calls if call.tool not in (calls.DESCRIBE, calls.SEARCH))


@pytest.mark.parametrize(
    ("question", "tool"),
    [
        ("How would adults with T2D react to semaglutide 1 mg over 30 weeks?", calls.SIMULATE),
        ("semaglutide 1 mg versus dulaglutide 1.5 mg in adults with T2D", calls.COMPARE),
        ("which statin lowers LDL the most in people with high cholesterol", calls.RANK),
        ("who benefits most from semaglutide 1 mg among adults with T2D", calls.RESPONDERS),
        ("which trials drive the prediction for tirzepatide 10 mg in adults with obesity", calls.EXPLAIN),
        ("what happens when adults with obesity stop semaglutide 2.4 mg", calls.STOP),
    ],
)
def test_each_question_gets_its_tool_with_arguments_it_accepts(
    question: str, tool: str, planner: OfflinePlanner
) -> None:
    call = _prediction(planner.draft(question))
    assert call.tool == tool
    build_registry()[tool].parse(call.arguments)


def test_a_mixture_is_passed_on(planner: OfflinePlanner) -> None:
    call = _prediction(
        planner.draft("60 % adults with T2D and 40 % adults with obesity on semaglutide 1 mg, weight at 40 weeks")
    )
    assert [part["weight"] for part in call.arguments["cohort"]["mixture"]] == [0.6, 0.4]
    assert fault_of(call) == ""


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("weight on semaglutide 2.4 mg in adults with obesity while they take it", {"estimand": "efficacy"}),
        (
            "weight on semaglutide 2.4 mg in adults with obesity whether or not they stop",
            {"estimand": "treatment policy"},
        ),
        (
            "semaglutide 0.25 mg for 4 weeks then 1 mg in adults with T2D, HbA1c at 30 weeks",
            {"titration": [{"from_week": 0.0, "dose": 0.25}, {"from_week": 4.0, "dose": 1.0}]},
        ),
        (
            "adults with obesity quit tirzepatide 15 mg after 36 weeks, weight one year later",
            {"weeks_on": 36.0, "weeks_off": 52.0},
        ),
        (
            "dexamethasone 6 mg vs usual care in patients hospitalised with covid",
            {"comparator": {"intervention": "usual care"}},
        ),
    ],
)
def test_what_was_said_reaches_the_tool(question: str, arguments: dict[str, object], planner: OfflinePlanner) -> None:
    call = _prediction(planner.draft(question))
    assert {name: call.arguments.get(name) for name in arguments} == arguments
    assert fault_of(call) == ""


def test_a_second_question_is_told_to_be_left(planner: OfflinePlanner) -> None:
    draft = planner.draft("HbA1c of adults with T2D on semaglutide 1 mg at 26 weeks? And what is published on it?")
    assert any("on its own" in note for note in draft.plan.notes) or draft.understood.intent.value == "literature"


def test_the_planner_knows_every_tool_of_the_catalog_and_none_beside() -> None:
    predicting = {declared.name for declared in build_registry()}
    assert predicting >= calls.TOOLS


def test_a_tool_that_is_not_there_is_not_called(planner: OfflinePlanner) -> None:
    without = planner.model_copy(update={"tools": calls.TOOLS - {calls.STOP}})
    draft = without.draft("what happens when adults with obesity stop semaglutide 2.4 mg")
    assert draft.status is Status.NOT_COVERED
    assert {call.tool for call in draft.calls} == {calls.SEARCH}


def test_binding_tells_which_tools_there_are(planner: OfflinePlanner) -> None:
    bound = planner.bind_tools([{"name": calls.SEARCH}, {"function": {"name": calls.DESCRIBE}}])
    assert isinstance(bound, OfflinePlanner)
    assert bound.tools == {calls.SEARCH, calls.DESCRIBE}
    assert planner.tools == calls.TOOLS


def test_a_class_is_ranked_by_its_members(planner: OfflinePlanner, shipped: KnowledgeBase) -> None:
    call = _prediction(planner.draft("which statin lowers LDL the most in people with high cholesterol"))
    named = {one["intervention"] for one in call.arguments["treatments"]}
    assert {shipped.vocabulary.drugs[name].drug_class for name in named} == {"statin"}
    assert len(named) >= 2
    assert of_classes(shipped, ("no such class",)) == []


def test_the_horizon_nobody_named_is_one_at_which_trials_report(
    shipped: KnowledgeBase, planner: OfflinePlanner
) -> None:
    weeks, trials = usual_weeks(shipped, ["semaglutide"], ["weight_percent_change"], "obesity")
    arms = [a for a in shipped.arms.arms if a.intervention == "semaglutide" and a.area == "obesity"]
    assert trials >= 1
    assert weeks in {arm.weeks for arm in arms if arm.endpoint == "weight_percent_change"}
    draft = planner.draft("semaglutide 2.4 mg in adults with obesity, percent weight loss")
    assert draft.plan.horizon_weeks == weeks
    assert any("no horizon was given" in note for note in draft.plan.notes)
    assert usual_weeks(shipped, ["nobody's drug"], []) == (26.0, 0)


def test_what_the_tool_would_refuse_is_said_before_it_is_called(planner: OfflinePlanner) -> None:
    draft = planner.draft("adults with obesity on semaglutide 2.4 mg for 40 years")
    assert draft.calls == ()
    assert draft.status is Status.NOT_COVERED
    assert "horizon weeks" in draft.reply
    assert fault_of(Call(calls.SEARCH, {"query": "x"})) == ""


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("semaglutide 2.4 mg?", "Which cohort would take semaglutide 2.4 mg?"),
        ("would a GLP-1 help older adults with obesity lose weight", "Which treatment for"),
        ("which medicine is best?", "Best for whom?"),
        ("hello", "Which cohort, and what happens to it?"),
    ],
)
def test_one_question_is_asked_back(question: str, heading: str, planner: OfflinePlanner) -> None:
    draft = planner.draft(question)
    assert draft.status is Status.NEEDS_INPUT
    title = draft.reply.splitlines()[0]
    assert heading in title
    assert title.count("?") == 1


def test_a_dose_left_open_is_asked_for(planner: OfflinePlanner) -> None:
    draft = planner.draft("and a higher dose?", ["How would adults with T2D react to semaglutide 1 mg?"])
    assert draft.status is Status.NEEDS_INPUT
    assert draft.reply.startswith("## Which dose of semaglutide is meant?")


def test_earlier_messages_are_the_conversation(planner: OfflinePlanner) -> None:
    reply = planner.invoke(
        [
            HumanMessage("How would adults with type 2 diabetes react to semaglutide 1 mg over 30 weeks?"),
            AIMessage("HbA1c would fall."),
            HumanMessage("and in women?"),
        ]
    )
    assert isinstance(reply, AIMessage)
    cohort = next(call for call in reply.tool_calls if call["name"] == calls.SIMULATE)["args"]["cohort"]
    assert (cohort["persona_id"], cohort["restrictions"]) == ("t2d_adults", ["sex=female"])
    assert any("question before" in note for note in reply.response_metadata[PLAN_KEY]["notes"])


def test_the_same_question_gives_the_same_plan(planner: OfflinePlanner) -> None:
    question = "jardiance 10 mg vs ozempic 1mg in t2d, weight at 26 wks"
    assert planner.draft(question) == planner.draft(question)
