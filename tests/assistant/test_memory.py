"""What a conversation keeps, what it refuses to read, and what the next question sees of it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from assistant.checkpoints import FORMAT, PlainSerializer
from assistant.circuit import Backing
from assistant.memory import INTERRUPTED, UNANSWERED, Memory, OpenTurn, plain_turn, revive
from assistant.runner import Outcome, run_agent
from assistant.schemas import Question, TurnState
from assistant.service import Assistant
from assistant.turns import HISTORY_TURNS, Conversations, check_name
from knowledge.errors import (
    ConversationBusy,
    InvalidInput,
    ModelUnavailable,
    StoreDamaged,
    UnknownConversation,
)

LITERATURE = {"query": "adherence", "k": 2}
QUESTIONS = (
    "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?",
    "Compare semaglutide 1 mg and dulaglutide 1.5 mg in adults with type 2 diabetes",
)


class Scripted(BaseChatModel):
    """Replies in order, the last one for ever; an exception is raised."""

    replies: list[Any]
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        reply = self.replies[min(len(self.seen), len(self.replies) - 1)]
        self.seen.append(list(messages))
        if isinstance(reply, BaseException):
            raise reply
        return ChatResult(generations=[ChatGeneration(message=reply)])


def _call(name: str = "search_literature", arguments: dict[str, Any] = LITERATURE, call_id: str = "c1") -> AIMessage:
    return AIMessage("", tool_calls=[ToolCall(name=name, args=arguments, id=call_id, type="tool_call")])


def _question(text: str) -> Question:
    return Question(text=text, conversation="talk")


@pytest.fixture
def memory(assistant: Assistant, tmp_path: Path) -> Memory:
    return Memory(tmp_path / "conversations.sqlite", assistant.registry)


@pytest.fixture
def run(assistant: Assistant) -> Callable[..., Outcome]:
    def go(turn: OpenTurn, model: BaseChatModel, backing: Backing | None = None) -> Outcome:
        return run_agent(
            turn.turn.question,
            model=model,
            registry=assistant.registry,
            context=assistant.context(),
            settings=assistant.settings.model_copy(update={"model": "scripted:one"}),
            deadline=time.monotonic() + 60,
            on_step=lambda tool, step: None,
            on_plan=lambda plan: None,
            backing=backing,
            turn=turn,
        )

    return go


def _close(memory: Memory, turn: OpenTurn) -> None:
    memory.rows.finish(turn.turn, TurnState.ANSWERED, "Done", turn.said)


@pytest.mark.parametrize("question", QUESTIONS)
def test_results_of_the_tools_come_back_as_they_were(assistant: Assistant, question: str) -> None:
    serializer = PlainSerializer({declared.name: declared.result_model for declared in assistant.registry})
    steps = [step for step in assistant.ask(question).steps if step.ok]
    assert steps
    for step in steps:
        result = assistant.run_tool(step.tool, step.arguments)
        sent = ToolMessage("told", tool_call_id="c1", name=step.tool, artifact=result)
        back = serializer.loads_typed(serializer.dumps_typed([sent]))[0]
        assert type(back.artifact) is type(result)
        assert back.artifact.model_dump(mode="json") == result.model_dump(mode="json")
        assert back.model_copy(update={"artifact": None}) == sent.model_copy(update={"artifact": None})


@pytest.mark.parametrize(
    "value", [object(), {1: "a"}, b"bytes", {"a": {1, 2}}, ToolMessage("x", tool_call_id="1", artifact={"a": 1})]
)
def test_what_is_not_in_the_table_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        PlainSerializer({}).dumps_typed(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("pickle", b"\x80\x04."),
        ("msgpack", b"\x80"),
        (FORMAT, b"{not json"),
        (FORMAT, b'{"$type": "os.system", "body": {}}'),
        (FORMAT, b'{"no": "type"}'),
        (FORMAT, b'{"$type": "tool", "body": {"content": "x", "tool_call_id": "1", "name": "rm", "artifact": {"a": 1}}}'),
        (FORMAT, b'{"$type": "ai", "body": {"content": {"a": 1}}}'),
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_is_not_read(kind: str, raw: bytes) -> None:
    with pytest.raises(StoreDamaged):
        PlainSerializer({}).loads_typed((kind, raw))


def test_a_turn_is_kept_without_corrections_and_with_every_call_answered() -> None:
    asked = AIMessage(
        "", tool_calls=[ToolCall(name="a", args={}, id=call, type="tool_call") for call in ("call-1", "call-2")]
    )
    messages = [
        HumanMessage("What?"),
        asked,
        ToolMessage("one", tool_call_id="call-1", name="a"),
        AIMessage("HbA1c falls by 7.77."),
        HumanMessage("These numbers are in no tool result: '7.77'."),
        AIMessage("HbA1c falls by 6.66."),
    ]
    kept = plain_turn(messages, "HbA1c falls.", 12)
    assert [message["role"] for message in kept] == ["user", "assistant", "tool", "tool", "assistant"]
    assert "7.77" not in json.dumps(kept)
    assert kept[-1]["content"] == "HbA1c falls."
    assert kept[3]["error"]
    ids = [call["id"] for call in kept[1]["calls"]]
    assert ids == ["t0012c001", "t0012c002"]
    back = revive(kept)
    assert [message.type for message in back] == ["human", "ai", "tool", "tool", "ai"]
    assert isinstance(back[3], ToolMessage)
    assert back[3].status == "error"


def test_the_next_question_sees_what_was_shown_and_not_what_was_taken_out(
    memory: Memory, run: Callable[..., Outcome]
) -> None:
    lie = AIMessage("## Answer\n\nIt is a drug.\n\nHbA1c falls by 7.77 points.")
    with memory.turn(_question("What of semaglutide?")) as turn:
        shown = run(turn, Scripted(replies=[_call(), lie, lie])).text
        assert "7.77" not in shown
        _close(memory, turn)
    model = Scripted(replies=[AIMessage("## Again\n\nYes.")])
    with memory.turn(_question("And in women?")) as turn:
        run(turn, model)
    seen = [message for message in model.seen[0] if message.type != "system"]
    assert [message.type for message in seen] == ["human", "ai", "tool", "ai", "human"]
    assert "7.77" not in str(seen)
    assert seen[3].text == (shown or UNANSWERED)
    assert seen[-1].text == "And in women?"


def test_a_run_that_fails_stays_open_and_goes_on_where_it_was(memory: Memory, run: Callable[..., Outcome]) -> None:
    with pytest.raises(ModelUnavailable), memory.turn(_question("What?")) as turn:
        run(turn, Scripted(replies=[ConnectionError("gone")]))
    assert memory.interrupted("talk") == _question("What?")
    first = Scripted(replies=[_call(), AIMessage("## Answer\n\nYes.")])
    with memory.turn(_question("What?")) as turn:
        assert turn.resumed
        outcome = run(turn, first)
        _close(memory, turn)
    assert [step.tool for step in outcome.steps] == ["search_literature"]
    with pytest.raises(InvalidInput, match="Nothing is left open"):
        memory.interrupted("talk")


def test_another_model_that_takes_over_leaves_one_turn(memory: Memory, run: Callable[..., Outcome]) -> None:
    second = Scripted(replies=[_call(), AIMessage("## Answer\n\nIt is known.")])
    with memory.turn(_question("What?")) as turn:
        outcome = run(turn, Scripted(replies=[_call(), ConnectionError("gone")]), Backing(fallback=lambda: second))
        _close(memory, turn)
    assert outcome.text.endswith("It is known.")
    with memory.turn(_question("And?")) as turn:
        assert [message.type for message in turn.history] == ["human", "ai", "tool", "ai"]


def test_an_interrupted_turn_keeps_what_its_tools_had_found(memory: Memory, run: Callable[..., Outcome]) -> None:
    with pytest.raises(KeyboardInterrupt), memory.turn(_question("What?")) as turn:
        run(turn, Scripted(replies=[_call(), KeyboardInterrupt()]))
    with memory.turn(_question("Something else?")) as turn:
        assert not turn.resumed
        assert [message.type for message in turn.history] == ["human", "ai", "tool", "ai"]
        assert turn.history[2].text
        assert "Interrupted" not in turn.history[2].text
        assert turn.history[3].text == INTERRUPTED
    assert [turn.state for turn in memory.show("talk")] == [TurnState.INTERRUPTED, TurnState.OPEN]


def test_a_saved_step_that_cannot_be_read_is_done_again(memory: Memory, run: Callable[..., Outcome]) -> None:
    with pytest.raises(KeyboardInterrupt), memory.turn(_question("What?")) as turn:
        run(turn, Scripted(replies=[_call(), KeyboardInterrupt()]))
    memory.close()
    with closing(sqlite3.connect(memory.rows.path)) as connection, connection:
        connection.execute("UPDATE checkpoints SET checkpoint = x'00ff'")
    with memory.turn(_question("What?")) as turn:
        outcome = run(turn, Scripted(replies=[_call(), AIMessage("## Answer\n\nYes.")]))
    assert outcome.text.endswith("Yes.")
    assert len(outcome.steps) == len(outcome.results) == 1


def test_a_turn_that_was_cut_before_its_first_step_begins_anew(memory: Memory, run: Callable[..., Outcome]) -> None:
    """Only the checkpoint of the input is there."""
    with pytest.raises(KeyboardInterrupt), memory.turn(_question("What?")) as turn:
        run(turn, Scripted(replies=[_call(), KeyboardInterrupt()]))
    with closing(sqlite3.connect(memory.rows.path)) as connection, connection:
        (first,) = connection.execute("SELECT MIN(checkpoint_id) FROM checkpoints").fetchone()
        connection.execute("DELETE FROM checkpoints WHERE checkpoint_id != ?", (first,))
    model = Scripted(replies=[_call(), AIMessage("## Answer\n\nYes.")])
    with memory.turn(_question("What?")) as turn:
        assert turn.resumed
        outcome = run(turn, model)
    assert [message.text for message in model.seen[0][1:]] == ["What?"]
    assert outcome.text.endswith("Yes.")
    assert len(outcome.steps) == 1


def test_a_finished_turn_leaves_no_steps_behind(memory: Memory, run: Callable[..., Outcome]) -> None:
    with memory.turn(_question("What?")) as turn:
        run(turn, Scripted(replies=[_call(), AIMessage("## Answer\n\nYes.")]))
        _close(memory, turn)
    with closing(sqlite3.connect(memory.rows.path)) as connection:
        for table in ("checkpoints", "writes", "answers"):
            assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,), table


def test_one_question_of_a_conversation_at_a_time(memory: Memory) -> None:
    with memory.turn(_question("One?")):
        with pytest.raises(ConversationBusy, match="'talk'"), memory.turn(_question("Two?")):
            pass
        with pytest.raises(ConversationBusy):
            memory.delete("talk")
        with memory.turn(Question(text="Two?", conversation="another")):
            pass
    assert memory.delete("talk") == 1
    with pytest.raises(UnknownConversation, match="talk"):
        memory.show("talk")


def test_the_past_that_is_sent_along_has_an_end(tmp_path: Path) -> None:
    rows = Conversations(tmp_path / "conversations.sqlite")
    for number in range(HISTORY_TURNS + 3):
        turn = rows.begin("talk", _question(f"Question {number}?"), f"r-{number}")
        rows.finish(turn, TurnState.ANSWERED, "", plain_turn([], "Answer.", turn.number, f"Question {number}?"))
    turn = rows.begin("talk", _question("Last?"), "r-last")
    asked = [message["content"] for message in rows.history(turn) if message["role"] == "user"]
    assert asked == [f"Question {number}?" for number in range(3, HISTORY_TURNS + 3)]
    rows.finish(turn, TurnState.ANSWERED, "", plain_turn([], "long " * 50_000, turn.number, "Last?"))
    following = rows.begin("talk", _question("After?"), "r-after")
    # A long answer does not drop what was asked before it: later questions lean on that.
    asked = [message["content"] for message in rows.history(following) if message["role"] == "user"]
    assert asked == [*(f"Question {number}?" for number in range(4, HISTORY_TURNS + 3)), "Last?"]


@pytest.mark.parametrize("name", ["", " ", "a/b", "../x", "x" * 65, "a\nb", "%"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name"):
        check_name(name)
    assert check_name("  Diabetes clinic-2.1 ") == "Diabetes clinic-2.1"


def test_a_run_that_was_recorded_is_not_run_again(assistant: Assistant) -> None:
    """A process killed between recording the run and closing the turn."""
    question = Question(text=QUESTIONS[0], conversation="recorded")
    answer = assistant.ask(question)
    with closing(sqlite3.connect(assistant.memory.rows.path)) as connection, connection:
        connection.execute("UPDATE turns SET state = 'open', messages = '[]' WHERE run_id = ?", (answer.run_id,))
    runs = assistant.verify_runs()
    assert assistant.resume("recorded") == answer
    assert assistant.verify_runs() == runs
    assert assistant.memory.show("recorded")[0].state is TurnState.ANSWERED


def test_a_follow_up_leans_on_the_question_before(assistant: Assistant) -> None:
    assistant.ask(Question(text=QUESTIONS[0], conversation="follow"))
    answer = assistant.ask(Question(text="and in women?", conversation="follow"))
    assert answer.plan is not None
    assert "women" in answer.plan.population
    assert any("semaglutide" in drug for drug in answer.plan.interventions)
    alone = assistant.ask("and in women?")
    assert not alone.estimates


def test_the_stream_ends_when_the_next_question_can_be_asked(assistant: Assistant) -> None:
    for text in (QUESTIONS[0], "and in women?"):
        events = assistant.stream(Question(text=text, conversation="stream"))
        answer = next(event.answer for event in events if event.answer is not None)
        assert answer.estimates
