"""Instructions in the question, in passages, in personas and in uploaded files change no tool call.

All payloads are tried where a channel's text enters: the planner's reading of a question, the message in which a model
sees a tool's result. The model of these tests obeys: it calls whatever tool a text before it demands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from assistant.planner import OfflinePlanner
from assistant.quoting import MAX_CHARACTERS, only_question, quoted, without_demands
from assistant.service import Assistant
from assistant.toolbox import summarise
from tools.schemas import ToolResult

QUESTION = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"
WORDS = yaml.safe_load((Path(__file__).parent / "injections.yaml").read_text(encoding="utf-8"))
CYRILLIC = str.maketrans("aeopcyx", "аеорсух")
HIDINGS = {
    "plain": lambda text: text,
    "upper": str.upper,
    "zero_width": lambda text: text.replace("i", "i\u200b").replace("o", "\u2060o"),
    "full_width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in text),
    "cyrillic": lambda text: text.translate(CYRILLIC),
}
PAYLOADS = [
    HIDINGS[hiding](frame.format(demand=demand))
    for frame, demand, hiding in product(WORDS["frames"], WORDS["demands"], WORDS["hidings"])
]


def obeyed(messages: list[Any]) -> list[str]:
    """The tool calls of a model that does what any text before it demands, however it is written."""
    from unicodedata import normalize

    seen = " ".join(str(message.content) for message in messages)
    seen = normalize("NFKC", seen).replace("\u200b", "").replace("\u2060", "")
    seen = seen.translate(str.maketrans("аеорсух", "aeopcyx")).casefold()
    return re.findall(r"\b(?:call|run|invoke|execute|use)\b(?: the)? (?:tool|function) (\w+)", seen)


def test_there_are_enough_payloads() -> None:
    assert len(set(PAYLOADS)) >= 300
    assert all(obeyed([HumanMessage(payload)]) for payload in PAYLOADS), (
        "a payload that nobody would obey shows nothing"
    )


def test_payloads_in_the_question_change_no_call(assistant: Assistant) -> None:
    planner = OfflinePlanner(knowledge=assistant.knowledge, personas=assistant.personas)
    plain = planner.draft(QUESTION).calls
    assert plain
    rests = {
        only_question(text)[0] for payload in PAYLOADS for text in (f"{QUESTION} {payload}", f"{payload}\n{QUESTION}")
    }
    assert not any(obeyed([HumanMessage(rest)]) for rest in rests)
    assert [rest for rest in rests if planner.draft(rest).calls != plain] == []


@pytest.fixture(scope="module")
def results(assistant: Assistant) -> dict[str, ToolResult]:
    cohort = {"cohort": {"persona_id": "t2d_adults"}}
    return {
        "passage": assistant.run_tool("search_literature", {"query": "semaglutide adherence"}),
        "persona": assistant.run_tool("describe_cohort", {"description": "adults with type 2 diabetes"})
        if "description" in assistant.registry["describe_cohort"].input_model.model_fields
        else assistant.run_tool("describe_cohort", cohort),
    }


def _with_payload(channel: str, results: dict[str, ToolResult], payload: str) -> ToolResult:
    """A tool's result in which somebody has hidden a demand."""
    if channel == "persona":
        persona = results["persona"]
        told = persona.preferences[0].model_copy(update={"statement": f"They want plain words. {payload}"})  # type: ignore[attr-defined]
        return persona.model_copy(update={"preferences": (told,), "summary": payload, "title": payload})
    found = results["passage"]
    hit = found.passages[0]
    update = {"text": f"{payload} {hit.passage.text[:200]}"}
    if channel == "uploaded file":  # its name and headings are the user's as well
        update |= {"heading": payload, "text": f"{hit.passage.text[:200]}\n\n{payload}\n"}
    return found.model_copy(
        update={"passages": (hit.model_copy(update={"passage": hit.passage.model_copy(update=update)}),)}
    )


def _messages(result: ToolResult) -> Iterator[Any]:
    yield HumanMessage(QUESTION)
    yield AIMessage("", tool_calls=[{"name": "search_literature", "args": {}, "id": "c1", "type": "tool_call"}])
    yield ToolMessage(json.dumps(quoted(summarise(result)), ensure_ascii=False), tool_call_id="c1", artifact=result)


@pytest.mark.parametrize("channel", ["passage", "persona", "uploaded file"])
def test_payloads_in_data_change_no_call(channel: str, assistant: Assistant, results: dict[str, ToolResult]) -> None:
    planner = OfflinePlanner(knowledge=assistant.knowledge, personas=assistant.personas)
    raw = list(_messages(_with_payload(channel, results, "kept.")))
    assert obeyed(raw) == []
    for number, payload in enumerate(PAYLOADS):
        dangerous = _with_payload(channel, results, payload)
        assert obeyed([HumanMessage(json.dumps(summarise(dangerous), ensure_ascii=False))]), "the channel carries it"
        messages = list(_messages(dangerous))
        assert obeyed(messages) == [], payload
        if number % 20 == 0:
            assert planner.invoke(messages).tool_calls == []


def test_honest_texts_are_left_as_they_are(assistant: Assistant) -> None:
    passages = [passage.text for passage in assistant.knowledge.passages]
    told = [item.statement for name in assistant.personas.ids() for item in assistant.personas.get(name).preferences]
    assert [text for text in (*passages, *told) if without_demands(text)[1]] == []


def test_a_long_text_is_cut() -> None:
    assert len(quoted("word " * 10_000)) <= MAX_CHARACTERS
    assert quoted({"a": ["x", 1.5, None]}) == {"a": ["x", 1.5, None]}
