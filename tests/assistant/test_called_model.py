"""The agent runs on a function that its caller lends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.called_model import CalledModel, CalledTool, Reply
from assistant.schemas import Status
from assistant.service import Assistant


def test_the_function_sees_messages_and_tools_and_its_calls_are_run(assistant_with: Callable[..., Assistant]) -> None:
    seen: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = []

    def call(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        seen.append((messages, tools))
        if messages[-1]["role"] == "tool":
            return Reply(
                text="## Adults with type 2 diabetes\n\nThey are described.",
                model="m-1",
                input_tokens=9,
                output_tokens=4,
            )
        arguments = {"text": "adults with type 2 diabetes"}
        return Reply(
            calls=(CalledTool(id="c1", name="describe_cohort", arguments=arguments),), input_tokens=5, output_tokens=2
        )

    built = assistant_with(CalledModel(call=call))
    answer = built.ask("Describe adults with type 2 diabetes.")
    assert answer.status is Status.ANSWERED
    assert [step.tool for step in answer.steps] == ["describe_cohort"]
    assert answer.headline == "Adults with type 2 diabetes"
    first, tools = seen[0]
    assert [message["role"] for message in first] == ["system", "user"]
    described = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    assert described["describe_cohort"]["type"] == "object"
    assert seen[1][0][-1]["tool_call_id"] == "c1"
    usage = built.ledger.get(answer.run_id).body["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (14, 6)


def test_arguments_that_could_not_be_read_are_answered(assistant_with: Callable[..., Assistant]) -> None:
    def call(messages: list[dict[str, Any]], _tools: list[dict[str, Any]]) -> Reply:
        if messages[-1]["role"] == "tool":
            assert "not valid JSON" in messages[-1]["content"]
            return Reply(text="## Nothing\n\nThe call failed.")
        return Reply(calls=(CalledTool(id="c1", name="describe_cohort", arguments={}, error="cut off"),))

    answer = assistant_with(CalledModel(call=call)).ask("Describe adults with type 2 diabetes.")
    assert answer.steps == ()
    assert "The call failed" in answer.markdown
