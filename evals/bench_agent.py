"""What the agent itself costs a question, by turns with two peers: all time but that of the model and of the tools.

Ours is the whole way from question to recorded answer: graph, limits, repair of tool calls, grounding of every number,
the typed answer, the ledger; once more inside a conversation, where each step is also written to the disk. The peers, a
bare LangGraph loop and Pydantic AI, carry the same messages through the same tool calls with a model that replies at
once; they check, ground and record nothing, and are built only once, to their advantage.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import PrivateAttr

from assistant.bootstrap import build_assistant
from assistant.planner import OfflinePlanner
from assistant.schemas import Question
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.base import load_knowledge
from personas.library import PersonaLibrary

LIMIT = 60.0  # milliseconds a question
QUESTION = "How would adults with type 2 diabetes react to dulaglutide 1.5 mg weekly over 26 weeks?"

# Both read what to do from a file, say "ready", and answer each line of input with the seconds that a question took.
_READY = """
import json, sys, time
job = json.load(open(sys.argv[1]))
calls, texts, final = job["calls"], {c["name"]: c["content"] for c in job["calls"]}, job["final"]
def serve(ask):
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        said = ask()
        print(time.perf_counter() - started, said == final, flush=True)
"""
PEERS = {
    "peer: a bare LangGraph loop": _READY
    + """
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
class Instant(BaseChatModel):
    @property
    def _llm_type(self): return "instant"
    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        if isinstance(messages[-1], ToolMessage): reply = AIMessage(final)
        else: reply = AIMessage("", tool_calls=[
            {"name": c["name"], "args": c["arguments"], "id": f"c{i}", "type": "tool_call"} for i, c in enumerate(calls)])
        return ChatResult(generations=[ChatGeneration(message=reply)])
def tool(name, schema): return StructuredTool(
    name=name, description=name, args_schema=schema, func=lambda **arguments: texts[name])
model, graph = Instant(), StateGraph(MessagesState)
graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
graph.add_node("tools", ToolNode([tool(name, schema) for name, schema in job["schemas"].items()]))
graph.add_edge(START, "model"); graph.add_conditional_edges("model", tools_condition); graph.add_edge("tools", "model")
agent = graph.compile()
serve(lambda: agent.invoke({"messages": [("user", job["question"])]})["messages"][-1].content)
""",
    "peer: Pydantic AI": _READY
    + """
from pydantic_ai import Agent, Tool
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
def instant(messages, info):
    if len(messages) > 1: return ModelResponse(parts=[TextPart(final)])
    return ModelResponse(parts=[ToolCallPart(c["name"], c["arguments"], tool_call_id=f"c{i}") for i, c in enumerate(calls)])
def tool(name, schema):
    def run(**arguments): return texts[name]
    return Tool.from_schema(run, name=name, description=name, json_schema=schema)
agent = Agent(FunctionModel(instant), tools=[tool(name, schema) for name, schema in job["schemas"].items()])
serve(lambda: agent.run_sync(job["question"]).output)
""",
}


class TimedPlanner(OfflinePlanner):
    """The offline planner with a clock: `spent` seconds so far."""

    _spent: float = PrivateAttr(0.0)

    @property
    def spent(self) -> float:
        """Seconds in the model."""
        return self._spent

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """The same clock, with the tools' names known."""
        super_bound: Any = super().bind_tools(tools, **kwargs)
        self.tools = super_bound.tools
        return self

    def _generate(self, *arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return super()._generate(*arguments, **named)
        finally:
            self._spent += time.perf_counter() - started


class Peer:
    """A process that carries one question through a peer's loop, again and again."""

    def __init__(self, script: str, job: Path, stack: ExitStack) -> None:
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", script, str(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        stack.callback(self._process.terminate)
        if self._line() != "ready":
            raise RuntimeError("a peer of the bench did not start")

    def ask(self, _at: int = 0) -> float:
        """Seconds that the question took (RuntimeError when the peer did not do the work)."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        seconds, _, right = self._line().partition(" ")
        if right != "True":
            raise RuntimeError("a peer of the bench gave another answer")
        return float(seconds)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def overhead(assistant: Assistant, planner: TimedPlanner, conversation: str = "") -> float:
    """Seconds of one question without those of the model and of the tools."""
    before, started = planner.spent, time.perf_counter()
    answer = assistant.ask(Question(text=QUESTION, conversation=conversation))
    whole = time.perf_counter() - started
    return whole - (planner.spent - before) - sum(step.seconds for step in answer.steps)


def job_of(assistant: Assistant) -> dict[str, Any]:
    """What the peers carry: the calls, answers and text of our own run of the question, and all tools' schemas."""
    from assistant.toolbox import summarise

    answer = assistant.ask(QUESTION)
    return {
        "question": QUESTION,
        "calls": [
            {
                "name": step.tool,
                "arguments": step.arguments,
                "content": json.dumps(summarise(assistant.run_tool(step.tool, step.arguments))),
            }
            for step in answer.steps
        ],
        "final": answer.markdown,
        "schemas": {declared.name: declared.input_model.model_json_schema() for declared in assistant.registry},
    }


def measure(rounds: int, peers: Mapping[str, str] = PEERS) -> dict[str, list[float]]:
    """Milliseconds of each way, one question of each after the other; the first round only warms up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        planner = TimedPlanner(knowledge=load_knowledge(), personas=PersonaLibrary())
        assistant = stack.enter_context(build_assistant(load_settings(data_dir=folder / "data"), model=planner))
        job = folder / "job.json"
        job.write_text(json.dumps(job_of(assistant)), encoding="utf-8")
        started = {name: Peer(script, job, stack) for name, script in peers.items()}
        ways: dict[str, Callable[[int], float]] = {
            "agent: guards, grounding, answer, ledger": lambda _at: overhead(assistant, planner),
            # Every round in a conversation of its own: an older one would send more along.
            "agent in a conversation, each step on the disk": lambda at: overhead(assistant, planner, f"talk {at}"),
        }
        for name, peer in started.items():
            ways[name] = peer.ask
        times: dict[str, list[float]] = {name: [] for name in ways}
        for at in range(rounds + 1):
            for name, way in ways.items():
                seconds = way(at)
                if at:
                    times[name].append(1000 * seconds)
    return times


def run_bench(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    times = measure(runs)
    medians = {name: statistics.median(found) for name, found in times.items()}
    yield f"{runs} runs by turns; median milliseconds a question without model and tools (lowest to highest)"
    for name, found in times.items():
        yield f"  {name:<48} {medians[name]:8.1f}  ({min(found):.1f} to {max(found):.1f})"
    own, _with_memory, *others = medians.values()
    ratios = ", ".join(f"{own / other:.1f}" for other in others)
    yield f"  The agent takes {ratios} times as long as the peers (in their order), which check and record nothing."
    yield f"  The limit of {LIMIT:.0f} ms is {'kept' if own <= LIMIT else 'MISSED'}."
