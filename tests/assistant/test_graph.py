"""The guards around the graph, with a scripted chat model in place of a paid one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from assistant.graph import pair_tool_calls
from assistant.runner import Outcome, run_agent
from assistant.schemas import Question, Status
from assistant.service import Assistant
from knowledge.errors import ModelUnavailable

COHORT = {"cohort": {"persona_id": "t2d_adults"}}
TREAT = {**COHORT, "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"}, "horizon_weeks": 30}


def _call(name: str, arguments: dict[str, Any], call_id: str = "c1") -> AIMessage:
    return AIMessage(content="", tool_calls=[{"name": name, "args": arguments, "id": call_id, "type": "tool_call"}])


@pytest.fixture
def run(assistant: Assistant, scripted: Callable[..., BaseChatModel]) -> Callable[..., Outcome]:
    def go(*replies: Any, seconds: float = 60, **settings: Any) -> Outcome:
        return run_agent(
            Question(text="How would adults with type 2 diabetes react to semaglutide 1 mg over 30 weeks?"),
            model=scripted(*replies),
            registry=assistant.registry,
            context=assistant.context(),
            settings=assistant.settings.model_copy(update=settings),
            deadline=time.monotonic() + seconds,
            on_step=lambda tool, step: None,
            on_plan=lambda plan: None,
        )

    return go


def test_a_model_that_works_gets_an_answer(run: Callable[..., Outcome]) -> None:
    outcome = run(
        _call("simulate_treatment_response", TREAT), AIMessage("## Semaglutide\n\nHbA1c falls; see the table.")
    )
    assert outcome.status is Status.ANSWERED
    assert outcome.removed == ()
    assert [step.tool for step in outcome.steps] == ["simulate_treatment_response"]


def test_an_invented_number_is_sent_back_once_then_removed(run: Callable[..., Outcome]) -> None:
    lie = AIMessage("## Semaglutide\n\nHbA1c falls by 7.77 points. It is a drug.")
    outcome = run(_call("simulate_treatment_response", TREAT), lie, lie)
    assert "7.77" not in outcome.text
    assert outcome.removed == ("HbA1c falls by 7.77 points.",)
    assert "It is a drug." in outcome.text


def test_a_corrected_answer_is_kept_whole(run: Callable[..., Outcome]) -> None:
    outcome = run(
        _call("simulate_treatment_response", TREAT),
        AIMessage("## Semaglutide\n\nHbA1c falls by 7.77 points."),
        AIMessage("## Semaglutide\n\nHbA1c falls."),
    )
    assert outcome.text == "## Semaglutide\n\nHbA1c falls."
    assert outcome.removed == ()


def test_malformed_arguments_are_answered_and_the_model_goes_on(run: Callable[..., Outcome]) -> None:
    bad = AIMessage(
        content="",
        invalid_tool_calls=[
            {
                "name": "simulate_treatment_response",
                "args": "{not json",
                "id": "c9",
                "error": "x",
                "type": "invalid_tool_call",
            }
        ],
    )
    outcome = run(bad, _call("simulate_treatment_response", TREAT), AIMessage("## Done\n\nSee the table."))
    assert outcome.status is Status.ANSWERED
    assert len(outcome.results) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"cohort": "everybody"},
        {**TREAT, "horizon_weeks": -5},
        {**TREAT, "colour": "red"},
        {**TREAT, "horizon_weeks": "soon"},
    ],
)
def test_wrong_types_are_answered_to_the_model(run: Callable[..., Outcome], arguments: dict[str, Any]) -> None:
    def look(messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1]
        assert isinstance(last, ToolMessage)
        assert json.loads(str(last.content))["error"] == "InvalidInput"
        return AIMessage("## Nothing\n\nI could not compute it.")

    outcome = run(_call("simulate_treatment_response", arguments), look)
    assert outcome.results == ()
    assert outcome.text.startswith("## Nothing")


def test_an_unknown_tool_is_answered_to_the_model(run: Callable[..., Outcome]) -> None:
    outcome = run(_call("order_pizza", {}), AIMessage("## Nothing\n\nNo such tool."))
    assert outcome.results == ()
    assert "No such tool" in outcome.text


def test_an_endless_loop_stops_at_the_call_limit(run: Callable[..., Outcome]) -> None:
    model_calls = [_call("search_literature", {"query": "adherence"}, f"c{n}") for n in range(50)]
    outcome = run(*model_calls, max_model_calls=4)
    assert len(outcome.steps) <= 4
    assert outcome.status in (Status.PARTIAL, Status.ANSWERED)


def test_the_deadline_gives_what_the_tools_had(run: Callable[..., Outcome]) -> None:
    def slow(messages: list[BaseMessage]) -> AIMessage:
        time.sleep(1.2)
        return _call("search_literature", {"query": "adherence"}, f"c{len(messages)}")

    outcome = run(_call("simulate_treatment_response", TREAT), slow, seconds=1.0)
    assert outcome.status is Status.PARTIAL
    assert any("time" in note for note in outcome.notes)


def test_a_provider_that_fails_at_once_is_a_typed_error(run: Callable[..., Outcome]) -> None:
    with pytest.raises(ModelUnavailable, match="ConnectionError"):
        run(ConnectionError("refused"))


def test_a_provider_that_fails_later_keeps_what_was_computed(run: Callable[..., Outcome]) -> None:
    outcome = run(_call("simulate_treatment_response", TREAT), ConnectionError("gone"))
    assert outcome.status is Status.PARTIAL
    assert len(outcome.results) == 1


def test_an_empty_reply_is_partial(run: Callable[..., Outcome]) -> None:
    assert run(AIMessage("")).status is Status.PARTIAL


def test_a_huge_reply_is_cut(run: Callable[..., Outcome]) -> None:
    assert len(run(AIMessage("word " * 200_000)).text) <= 20_000


def test_a_tool_call_left_open_by_a_crash_gets_an_answer() -> None:
    paired = pair_tool_calls([HumanMessage("q"), _call("describe_cohort", {}, "lost"), HumanMessage("again")])
    assert isinstance(paired[2], ToolMessage)
    assert paired[2].tool_call_id == "lost"
    assert pair_tool_calls(paired) == paired
