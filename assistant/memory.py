"""What an agent remembers: the turns before, and, after a crash, the steps of the turn that was cut short.

While a turn runs, LangGraph's SQLite checkpointer writes each step before the next begins. Once it has ended, the turn
is one row of plain messages and its steps are dropped: the store grows with what was said, not with how often.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from assistant.schemas import Answer, ConversationSummary, Question, Turn, TurnState
from assistant.turns import Conversations, Message
from knowledge.errors import ConversationBusy, InvalidInput, StoreDamaged

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from assistant.journal import Journal
    from tools.registry import Registry

INTERRUPTED = "This question was interrupted before it was answered."
UNANSWERED = "No answer was written."
NOT_REPEATED = "(What was answered is not repeated here.)"


@dataclass
class OpenTurn:
    """A turn that is being answered, with what came before it.

    Attributes
    ----------
    resumed : whether it had been begun by a process that is gone.
    saver : the checkpointer of its steps.
    said : the turn as plain messages, once the run has ended (`keep`).
    """

    turn: Turn
    resumed: bool
    history: list[AnyMessage]
    saver: BaseCheckpointSaver[Any]
    rows: Conversations
    said: list[Message] = field(default_factory=list)

    def thread(self, model: str) -> dict[str, Any]:
        """The graph's configuration for the steps of one model on this turn."""
        return {"thread_id": f"{self.turn.run_id}/{model}"}

    def saved(self, model: str) -> Saved | None:
        """What a process that is gone had done, or None. A step that cannot be read is done again."""
        thread = self.thread(model)
        try:
            found = self.saver.get_tuple({"configurable": thread})
            if found is None:
                return None
            messages = list(found.checkpoint["channel_values"].get("messages", []))
            if messages:
                return Saved(messages, [*messages, *self.journal(model).answers(len(messages)).values()])
        except StoreDamaged:
            pass
        # Cut short before its first step, or not readable: nothing was done that could be gone on with.
        self.saver.delete_thread(thread["thread_id"])
        self.rows.drop_answers(thread["thread_id"])
        return None

    def journal(self, model: str) -> Journal:
        """Keeps the answers of tools one by one."""
        from assistant.journal import Journal

        return Journal(self.rows, self.thread(model)["thread_id"], self.saver.serde)

    def keep(self, messages: Sequence[AnyMessage], text: str) -> None:
        """Note what was said: the question, the tool calls with their answers, and the checked text."""
        self.said = plain_turn(messages[len(self.history) :], text or UNANSWERED, self.turn.number)


@dataclass(frozen=True)
class Saved:
    """Messages as they stood at the last checkpoint; `done`: with what tools have answered since."""

    messages: list[AnyMessage]
    done: list[AnyMessage]


class Memory:
    """Conversations of one data directory. Safe to call from several threads."""

    def __init__(self, path: Path, registry: Registry) -> None:
        self.rows = Conversations(path)
        self._registry = registry
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self._connection: sqlite3.Connection | None = None
        self._saver: BaseCheckpointSaver[Any] | None = None

    def close(self) -> None:
        """Close the checkpointer's connection."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._saver = None, None

    def recent(self, limit: int = 100) -> list[ConversationSummary]:
        """The conversations, the one used last first."""
        return self.rows.recent(limit)

    def show(self, name: str) -> list[Turn]:
        """The turns of a conversation, oldest first (UnknownConversation)."""
        return self.rows.show(name)

    def delete(self, name: str) -> int:
        """Forget a conversation; the number of its turns. Its runs stay in the ledger.

        Raises
        ------
        UnknownConversation
            There is none of this name.
        ConversationBusy
            A question of it is being answered.
        """
        with self._alone(name):
            return self.rows.delete(name)

    @contextmanager
    def turn(self, question: Question) -> Iterator[OpenTurn]:
        """The turn for this question: a new one, or the interrupted one when it asks the same.

        An interrupted turn that asks something else is closed: what its tools had found stays in the conversation.

        Raises
        ------
        ConversationBusy
            Another question of this conversation is being answered.
        """
        name = question.conversation
        with self._alone(name):
            last = self.rows.last(name)
            resumed = last is not None and last.state is TurnState.OPEN and last.question == question
            if last is not None and last.state is TurnState.OPEN and not resumed:
                self._interrupt(last)
            turn = last if last is not None and resumed else self.rows.begin(name, question, f"r-{uuid4().hex[:12]}")
            yield OpenTurn(turn, resumed, revive(self.rows.history(turn)), self._checkpointer(), self.rows)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One question of a conversation at a time (ConversationBusy)."""
        with self._guard:
            if name in self._running:
                raise ConversationBusy(
                    f"Another question of the conversation '{name}' is being answered.", "Ask again when it is done."
                )
            self._running.add(name)
        try:
            yield
        finally:
            with self._guard:
                self._running.discard(name)

    def interrupted(self, name: str) -> Question:
        """The question of this conversation that was cut short (UnknownConversation, InvalidInput when none was)."""
        last = self.rows.show(name)[-1]
        if last.state is not TurnState.OPEN:
            raise InvalidInput(
                f"Nothing is left open in the conversation '{name}'.", f'Ask on: cohort ask --conversation "{name}" "…"'
            )
        return last.question

    def finish(self, opened: OpenTurn, answer: Answer) -> None:
        """The turn was answered."""
        said = opened.said or plain_turn([], answer.headline, opened.turn.number, opened.turn.question.text)
        self.rows.finish(opened.turn, TurnState.ANSWERED, answer.headline, said)

    def _interrupt(self, turn: Turn) -> None:
        """Close a turn that nobody will finish, with what its tools had found."""
        saver = self._checkpointer()
        found: list[AnyMessage] = []
        history = revive(self.rows.history(turn))
        opened = OpenTurn(turn, True, history, saver, self.rows)
        for thread in self.rows.threads(turn.run_id):
            saved = opened.saved(thread)
            if saved is not None and len(saved.done) > len(found):
                found = saved.done
        said = plain_turn(found[len(history) :], INTERRUPTED, turn.number, turn.question.text)
        self.rows.finish(turn, TurnState.INTERRUPTED, "", said)

    def _checkpointer(self) -> BaseCheckpointSaver[Any]:
        """LangGraph's SQLite checkpointer, opened when the first conversation needs it."""
        with self._guard:
            if self._saver is None:
                from langgraph.checkpoint.sqlite import SqliteSaver

                from assistant.checkpoints import PlainSerializer

                # The saver locks around each use of the connection.
                self._connection = sqlite3.connect(self.rows.path, timeout=10, check_same_thread=False)
                serde = PlainSerializer({declared.name: declared.result_model for declared in self._registry})
                saver = SqliteSaver(self._connection, serde=serde)
                saver.setup()
                self._saver = saver
            return self._saver


def plain_turn(messages: Sequence[AnyMessage], text: str, number: int, question: str = "") -> list[Message]:
    """A turn as plain messages that strict providers accept.

    Kept are the question, each message with tool calls, and exactly one answer a call, right behind it. Requests for a
    correction and the texts they were about are left out; `text` is what the user was shown. Calls get short ids that no
    other turn has (nine letters and digits: the narrowest rule among providers).
    """
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    asked = next((str(message.text) for message in messages if isinstance(message, HumanMessage)), question)
    plain: list[Message] = [{"role": "user", "content": asked}]
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    count = 0
    for message in messages:
        if not isinstance(message, AIMessage) or not message.tool_calls:
            continue
        calls, replies = [], []
        for call in message.tool_calls:
            count += 1
            call_id = f"t{number % 10_000:04d}c{count % 1000:03d}"
            calls.append({"name": call["name"], "args": call["args"], "id": call_id})
            answer = answers.get(call["id"] or "")
            replies.append(
                {
                    "role": "tool",
                    "id": call_id,
                    "name": call["name"],
                    "content": str(answer.text) if answer else json.dumps({"error": "Interrupted"}),
                    "error": answer is None or answer.status == "error",
                }
            )
        plain += [{"role": "assistant", "content": str(message.text), "calls": calls}, *replies]
    return [*plain, {"role": "assistant", "content": text}]


def told_before(earlier: Sequence[str]) -> list[AnyMessage]:
    """Earlier questions that no conversation keeps, as messages; what was answered to them is not taken on trust."""
    return revive(
        [
            message
            for number, text in enumerate(earlier, start=1)
            for message in plain_turn([], NOT_REPEATED, number, text)
        ]
    )


def revive(plain: Sequence[Message]) -> list[AnyMessage]:
    """Plain messages as LangChain's (StoreDamaged)."""
    from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage

    revived: list[AnyMessage] = []
    try:
        for message in plain:
            role, content = message["role"], str(message["content"])
            if role == "user":
                revived.append(HumanMessage(content))
            elif role == "tool":
                status = "error" if message["error"] else "success"
                revived.append(ToolMessage(content, tool_call_id=message["id"], name=message["name"], status=status))
            else:
                calls = [
                    ToolCall(name=call["name"], args=call["args"], id=call["id"], type="tool_call")
                    for call in message.get("calls", ())
                ]
                revived.append(AIMessage(content, tool_calls=calls))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged("A conversation's messages cannot be read.") from error
    return revived
