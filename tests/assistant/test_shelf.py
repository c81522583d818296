"""Large simulations are opened by name before a foreign model sees their schemas."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage

from assistant.outcome import Outcome
from assistant.runner import run_agent
from assistant.schemas import Question, Status
from assistant.service import Assistant
from assistant.shelf import OPEN, opened

EPIDEMIC = {
    "population": 1000, "reproduction_number": 2.0, "latent_days": 3, "infectious_days": 4, "draws": 10, "replicates": 4,
}  # fmt: skip
MOST_CHARACTERS = 60_000  # of what is sent with each call: about fifteen thousand tokens


def _call(name: str, arguments: dict[str, Any], call_id: str) -> AIMessage:
    return AIMessage(content="", tool_calls=[{"name": name, "args": arguments, "id": call_id, "type": "tool_call"}])


@pytest.fixture
def run(assistant: Assistant, scripted: Callable[..., Any]) -> Callable[..., tuple[Outcome, Any]]:
    def go(*replies: Any) -> tuple[Outcome, Any]:
        model = scripted(*replies)
        outcome = run_agent(
            Question(text="An outbreak with R0 of 2 among 1,000 people: how many get infected?"),
            model=model,
            registry=assistant.registry,
            context=assistant.context(),
            settings=assistant.settings,
            deadline=time.monotonic() + 60,
            on_step=lambda tool, step: None,
            on_plan=lambda plan: None,
        )
        return outcome, model

    return go


def _names(tools: list[dict[str, Any]]) -> set[str]:
    return {tool["name"] for tool in tools}


def test_an_opened_simulation_is_seen_from_the_next_call_on(
    run: Callable[..., tuple[Outcome, Any]], assistant: Assistant
) -> None:
    outcome, model = run(
        _call(OPEN, {"names": ["simulate_supply"]}, "c1"),
        _call("describe_cohort", {"text": "adults with obesity"}, "c2"),
        AIMessage("## Supply\n\nNothing was computed."),
    )
    offered = {declared.name for declared in assistant.registry if declared.offered}
    assert _names(model.bound[0]) == offered | {OPEN}
    assert _names(model.bound[1]) == _names(model.bound[2]) == offered | {OPEN, "simulate_supply"}
    assert [step.tool for step in outcome.steps] == ["describe_cohort"]  # opening computes nothing
    sent = next(tool for tool in model.bound[1] if tool["name"] == "simulate_supply")
    assert sent["parameters"]["properties"]


def test_what_is_sent_with_each_call_stays_small(run: Callable[..., tuple[Outcome, Any]]) -> None:
    _, model = run(AIMessage("## Nothing"))
    assert len(json.dumps(model.bound[0])) < MOST_CHARACTERS


def test_each_closed_simulation_is_listed_and_can_be_opened(
    run: Callable[..., tuple[Outcome, Any]], assistant: Assistant
) -> None:
    closed = [declared.name for declared in assistant.registry if not declared.offered]
    _, model = run(
        *(_call(OPEN, {"names": [name]}, f"c{number}") for number, name in enumerate(closed[:5])), AIMessage("## Done")
    )
    listed = next(tool["description"] for tool in model.bound[0] if tool["name"] == OPEN)
    assert all(f"- {name}: " in listed for name in closed)
    assert set(closed[:5]) <= _names(model.bound[-1])


def test_the_simulation_runs_and_its_numbers_may_be_written(run: Callable[..., tuple[Outcome, Any]]) -> None:
    def write(messages: list[BaseMessage]) -> AIMessage:
        said = json.loads(next(str(one.content) for one in reversed(messages) if isinstance(one, ToolMessage)))
        shares = [one for one in said["estimates"] if one["unit"] in ("share", "%")]
        return AIMessage(f"## Outbreak\n\nThe {shares[0]['quantity']} is {shares[0]['point']}. It rained 7.77 days.")

    outcome, _ = run(
        _call(OPEN, {"names": ["simulate_epidemic"]}, "c1"), _call("simulate_epidemic", EPIDEMIC, "c2"), write
    )
    assert outcome.status is Status.ANSWERED
    assert [step.ok for step in outcome.steps] == [True]
    assert outcome.removed == ("It rained 7.77 days.",)


def test_what_is_not_on_the_shelf_is_said(run: Callable[..., tuple[Outcome, Any]]) -> None:
    def look(messages: list[BaseMessage]) -> AIMessage:
        said = json.loads(str(messages[-1].content))
        assert said["error"] == "UnknownTool"
        assert "simulate_epidemic" in said["there are"]
        return AIMessage("## Nothing")

    _, model = run(_call(OPEN, {"names": ["order_pizza"]}, "c1"), look)
    assert model.calls == 2


def test_what_was_opened_is_read_from_the_messages() -> None:
    told: list[AnyMessage] = [
        HumanMessage("q"),
        _call(OPEN, {"names": ["a", 3]}, "c1"),
        _call("b", {}, "c2"),
        _call(OPEN, {}, "c3"),
    ]
    assert opened(told) == {OPEN, "a", "b"}
