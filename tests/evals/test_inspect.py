"""The bridge to inspect-ai: what goes over is what was there, and its scores are ours."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessageAssistant, ModelOutput, ModelUsage
from inspect_ai.scorer import SampleScore, Score

from assistant.called_model import CalledModel, CalledTool, Reply
from assistant.circuit import Backing
from assistant.service import Assistant
from evals.inspect_bridge import RECORD, question_of, weighted_mean
from evals.inspect_model import lent_model, reply_of, to_inspect, tool_info, written_out
from evals.runner import all_cases
from evals.schemas import Metric, Record, Suite
from evals.subject import Subject
from evals.summaries import summarise
from evals.workers import run_case
from knowledge.errors import ModelUnavailable
from tools.catalog import build_registry

ROOT = Path(__file__).resolve().parents[2]
MOCK_SAYS = "## Adults with type 2 diabetes\n\nThey are described."


def test_references_are_written_out_and_fields_called_title_kept() -> None:
    schema = {
        "title": "Asked",
        "properties": {
            "cohort": {"$ref": "#/$defs/Cohort", "description": "who"},
            "title": {"type": "string", "title": "T"},
        },
        "$defs": {
            "Cohort": {"type": "object", "properties": {"part": {"$ref": "#/$defs/Cohort"}, "age": {"const": 65}}}
        },
    }
    plain = written_out(schema, schema["$defs"], depth=2)
    assert "$ref" not in json.dumps(plain)
    assert plain["properties"]["cohort"]["description"] == "who"
    assert plain["properties"]["cohort"]["properties"]["age"] == {"enum": [65]}
    assert plain["properties"]["title"] == {"type": "string"}


def test_every_tool_of_ours_is_one_that_inspect_can_describe() -> None:
    for declared in build_registry():
        schema = declared.input_model.model_json_schema()
        described = {"function": {"name": declared.name, "description": declared.description, "parameters": schema}}
        info = tool_info(described)
        assert set(info.parameters.properties) == set(declared.input_model.model_fields)
        assert set(info.parameters.required) == {
            name for name, field in declared.input_model.model_fields.items() if field.is_required()
        }


def test_messages_and_calls_go_over_and_come_back() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "describe_cohort", "arguments": '{"text": "x"}'}}
    sent = to_inspect({"role": "assistant", "content": "", "tool_calls": [call]})
    assert isinstance(sent, ChatMessageAssistant)
    output = ModelOutput.model_validate({"model": "m", "choices": [{"message": sent}]})
    output.usage = ModelUsage(input_tokens=7, output_tokens=2, total_tokens=9)
    reply = reply_of(output)
    assert [(one.id, one.name, one.arguments) for one in reply.calls] == [("c1", "describe_cohort", {"text": "x"})]
    assert (reply.input_tokens, reply.output_tokens) == (7, 2)
    assert to_inspect({"role": "tool", "content": "{}", "tool_call_id": "c1"}).role == "tool"
    parts = to_inspect({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})
    assert parts.text == "a\nb"


def test_a_lent_model_says_that_nobody_lends_it() -> None:
    with pytest.raises(ModelUnavailable, match="only while inspect-ai runs"):
        lent_model().call([{"role": "user", "content": "x"}], [])


def test_the_metric_is_our_weighted_mean() -> None:
    def scored(*parts: tuple[str, float, float]) -> SampleScore:
        return SampleScore(score=Score(value=0.0, metadata={"parts": [list(part) for part in parts]}))

    compute: Any = weighted_mean()
    assert compute([scored(("a", 2.0, 4.0), ("a", 1.0, 1.0)), scored(("b", 0.0, 1.0))]) == pytest.approx(0.5)
    assert math.isnan(compute([]))


def test_every_case_can_be_listed(assistant: Assistant) -> None:
    assert all(question_of(case.model_dump(mode="json")) for case in all_cases(assistant.knowledge))


def run(arguments: Sequence[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def log_in(folder: Path) -> EvalLog:
    [path] = folder.glob("*.eval")
    log = read_eval_log(str(path))
    assert log.status == "success", log.error
    return log


def run_inspect(suite: str, data: Path, folder: Path, cases: Sequence[str]) -> EvalLog:
    """The documented command, with some cases; its log."""
    command = ["-m", "inspect_ai", "eval", f"evals/inspect_tasks.py@{suite}", "--model", "mockllm/model"]
    command += ["--display", "none", "--log-dir", str(folder), "--sample-id", ",".join(cases), "-T", f"data_dir={data}"]
    run(command)
    return log_in(folder)


def check_equal(log: EvalLog, ours: Sequence[Record]) -> None:
    """The same cases, the same measures, the same metrics with the same intervals."""
    assert log.results is not None
    assert log.samples is not None
    theirs = {str(sample.id): Record.model_validate(sample.store[RECORD]) for sample in log.samples}
    assert set(theirs) == {record.case_id for record in ours}
    for record in ours:
        assert theirs[record.case_id].measures == record.measures, record.case_id
        assert theirs[record.case_id].checks == record.checks, record.case_id
    expected: dict[str, Metric] = {one.name: one for one in summarise(ours) if not one.group and not one.wall_clock}
    scores = {score.name: {name: one.value for name, one in score.metrics.items()} for score in log.results.scores}
    compared = 0
    for name, metric in expected.items():
        found = scores[name]
        if "statistic" in found:
            assert found["statistic"] == pytest.approx(metric.value, nan_ok=True)
        else:
            assert found["weighted_mean"] == pytest.approx(metric.value), name
            for limit, value in (("lower_95", metric.lower), ("upper_95", metric.upper)):
                assert found[limit] == pytest.approx(math.nan if value is None else value, nan_ok=True), name
        compared += 1
    assert compared >= 2


@pytest.mark.slow
@pytest.mark.parametrize("suite", [Suite.OUTCOMES, Suite.ABSTENTION])
def test_scores_in_inspect_equal_those_of_our_runner(
    suite: Suite, assistant: Assistant, copy_of_store: Callable[[], Path], tmp_path: Path
) -> None:
    cases = [case for case in all_cases(assistant.knowledge) if case.suite is suite][:8]
    ours = [run_case(case, Subject(assistant)) for case in cases]
    log = run_inspect(suite.value, copy_of_store(), tmp_path, [case.id for case in cases])
    check_equal(log, ours)


# A mock that calls a tool and then writes; with `usage`, or it would download a table to count tokens with.
DRIVER = """
import sys
from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model

def reply(messages, tools, tool_choice, config):
    if messages[-1].role == "tool":
        output = ModelOutput.from_content("mock", {says!r})
    else:
        output = ModelOutput.for_tool_call("mock", "describe_cohort", {arguments!r})
    output.usage = ModelUsage(input_tokens=3, output_tokens=1, total_tokens=4)
    return output

data, folder, cases = sys.argv[1:]
model = get_model("mockllm/model", custom_outputs=reply)
eval("evals/inspect_tasks.py@safety", model=model, task_args={{"agent": "inspect", "data_dir": data}},
     sample_id=cases.split(","), log_dir=folder, display="none")
"""
ARGUMENTS = {"text": "adults with type 2 diabetes"}


@pytest.mark.slow
def test_the_model_of_inspect_drives_our_agent(
    assistant: Assistant, copy_of_store: Callable[[], Path], tmp_path: Path
) -> None:
    cases = [case for case in all_cases(assistant.knowledge) if case.suite is Suite.SAFETY][:5]

    def call(messages: list[dict[str, Any]], _tools: list[dict[str, Any]]) -> Reply:
        usage = {"input_tokens": 3, "output_tokens": 1}
        if messages[-1]["role"] == "tool":
            return Reply(text=MOCK_SAYS, **usage)
        return Reply(calls=(CalledTool(id="c1", name="describe_cohort", arguments=ARGUMENTS),), **usage)

    settings = assistant.settings.model_copy(update={"model": "mock:model"})
    parts = replace(assistant._parts, settings=settings, model=lambda: CalledModel(call=call), backing=Backing())
    ours = [run_case(case, Subject(Assistant(parts))) for case in cases]
    assert all(not record.error for record in ours)
    script = DRIVER.format(says=MOCK_SAYS, arguments=ARGUMENTS)
    run(["-c", script, str(copy_of_store()), str(tmp_path), ",".join(case.id for case in cases)])
    log = log_in(tmp_path)
    assert log.samples is not None
    for sample in log.samples:
        assert sample.model_usage["mockllm/model"].total_tokens > 0  # inspect-ai itself counted the calls
        assert sum(event.event == "model" for event in sample.events) >= 2  # and its viewer shows them
    check_equal(log, ours)
