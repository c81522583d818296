"""Conversations as rows: who asked what, in which order, and how each turn ended.

Reading them needs no agent framework. A turn's messages are plain JSON in the shape that strict chat providers accept:
`user`, `assistant` with its tool calls, one `tool` answer for each call, `assistant` with the text.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.schemas import ConversationSummary, Question, Turn, TurnState
from assistant.sqlite_files import connection_to
from knowledge.errors import InvalidInput, UnknownConversation

Message = dict[str, Any]

# What older turns are sent along: a readable past, not an endless one.
HISTORY_TURNS = 8
HISTORY_CHARACTERS = 60_000
_NAME = re.compile(r"\w(?:[\w .\-]{0,62}\w)?")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS turns (
    conversation TEXT NOT NULL,
    number INTEGER NOT NULL,
    run_id TEXT NOT NULL UNIQUE,
    question TEXT NOT NULL,
    asked TEXT NOT NULL,
    state TEXT NOT NULL,
    headline TEXT NOT NULL DEFAULT '',
    messages TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (conversation, number)
);
CREATE TABLE IF NOT EXISTS answers (
    thread_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    call_id TEXT NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (thread_id, place, call_id)
);
"""
_COLUMNS = "conversation, number, run_id, question, asked, state, headline"


def check_name(name: str) -> str:
    """A usable name of a conversation, without blanks around it (InvalidInput)."""
    stripped = name.strip()
    if not _NAME.fullmatch(stripped):
        raise InvalidInput(
            f"'{name[:80]}' cannot be the name of a conversation.",
            "Use at most 64 letters, digits, dots, dashes and blanks, for example: diabetes-clinic.",
        )
    return stripped


class Conversations:
    """The rows of all conversations. One writer: the owner of the data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.executescript(_SCHEMA)

    def _connect(self) -> AbstractContextManager[sqlite3.Connection]:
        return connection_to(
            self.path, "The conversations cannot be read", f"Move {self.path.name} away to start anew."
        )

    def begin(self, name: str, question: Question, run_id: str) -> Turn:
        """Open the next turn of a conversation; the conversation begins with its first."""
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            (last,) = connection.execute("SELECT MAX(number) FROM turns WHERE conversation = ?", (name,)).fetchone()
            turn = Turn(
                conversation=name,
                number=(last or 0) + 1,
                run_id=run_id,
                question=question,
                asked=datetime.now(UTC),
                state=TurnState.OPEN,
            )
            connection.execute(
                f"INSERT INTO turns ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)",
                (name, turn.number, run_id, question.model_dump_json(), turn.asked.isoformat(), turn.state.value, ""),
            )
        return turn

    def finish(self, turn: Turn, state: TurnState, headline: str, messages: list[Message]) -> None:
        """Write how a turn ended and drop its saved steps, in one transaction."""
        with self._connect() as connection:
            connection.execute(
                "UPDATE turns SET state = ?, headline = ?, messages = ? WHERE run_id = ?",
                (state.value, headline, json.dumps(messages, ensure_ascii=True), turn.run_id),
            )
            _drop_steps(connection, turn.run_id)

    def last(self, name: str) -> Turn | None:
        """The newest turn, or None where nothing was asked yet."""
        turns = self._turns("WHERE conversation = ? ORDER BY number DESC LIMIT 1", (name,))
        return turns[0] if turns else None

    def show(self, name: str) -> list[Turn]:
        """All turns, oldest first (UnknownConversation)."""
        turns = self._turns("WHERE conversation = ? ORDER BY number", (name,))
        if not turns:
            raise UnknownConversation(
                f"There is no conversation '{name}'.", "List them with: cohort conversations list"
            )
        return turns

    def recent(self, limit: int = 100) -> list[ConversationSummary]:
        """The conversations, the one used last first."""
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT conversation, COUNT(*), MIN(asked), MAX(asked), SUM(state = 'open') FROM turns "
                "GROUP BY conversation ORDER BY MAX(asked) DESC, conversation LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            ConversationSummary(
                name=name,
                turns=count,
                begun=datetime.fromisoformat(begun),
                last=datetime.fromisoformat(last),
                interrupted=bool(unfinished),
            )
            for name, count, begun, last, unfinished in rows
        ]

    def delete(self, name: str) -> int:
        """Forget a conversation; the number of its turns. Its runs stay in the ledger, which forgets nothing."""
        turns = self.show(name)
        with self._connect() as connection:
            for turn in turns:
                _drop_steps(connection, turn.run_id)
            connection.execute("DELETE FROM turns WHERE conversation = ?", (name,))
        return len(turns)

    def history(self, turn: Turn) -> list[Message]:
        """The messages of the turns before this one, oldest first; of long ones further back, question and answer only."""
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT messages FROM turns WHERE conversation = ? AND number < ? AND state != 'open' "
                "ORDER BY number DESC LIMIT ?",
                (turn.conversation, turn.number, HISTORY_TURNS),
            ).fetchall()
        kept: list[Message] = []
        characters = 0
        for (text,) in rows:
            characters += len(text)
            messages = json.loads(text)
            if kept and characters > HISTORY_CHARACTERS:
                # What its tools returned is left out; what was asked is what later questions lean on.
                messages = [message for message in messages if message["role"] != "tool" and not message.get("calls")]
            kept = [*messages, *kept]
        return kept

    def keep_answer(self, thread_id: str, place: int, call_id: str, message: bytes) -> None:
        """Keep what a tool answered to a call of the message at `place`, as soon as it has."""
        with self._connect() as connection:
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?,?,?,?)", (thread_id, place, call_id, message))

    def answers(self, thread_id: str, place: int) -> dict[str, bytes]:
        """The answers kept for the calls of the message at `place`, by call, in the order they came."""
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT call_id, message FROM answers WHERE thread_id = ? AND place = ? ORDER BY rowid",
                (thread_id, place),
            ).fetchall()
        return dict(rows)

    def drop_answers(self, thread_id: str) -> None:
        """Forget the answers kept for a thread."""
        with self._connect() as connection:
            connection.execute("DELETE FROM answers WHERE thread_id = ?", (thread_id,))

    def threads(self, run_id: str) -> list[str]:
        """The models that have saved steps of a run."""
        with self._connect() as connection:
            if "checkpoints" not in _step_tables(connection):
                return []
            rows = connection.execute(
                "SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id LIKE ? || '/%' ORDER BY thread_id",
                (run_id,),
            ).fetchall()
        return [str(row[0]).partition("/")[2] for row in rows]

    def _turns(self, where: str, values: tuple[str, ...]) -> list[Turn]:
        with self._connect() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM turns {where}", values).fetchall()
        return [
            Turn(
                conversation=name,
                number=number,
                run_id=run_id,
                question=Question.model_validate_json(question),
                asked=datetime.fromisoformat(asked),
                state=TurnState(state),
                headline=headline,
            )
            for name, number, run_id, question, asked, state, headline in rows
        ]


def _drop_steps(connection: sqlite3.Connection, run_id: str) -> None:
    """Forget the steps of a run."""
    for table in _step_tables(connection):
        connection.execute(f"DELETE FROM {table} WHERE thread_id LIKE ? || '/%'", (run_id,))


def _step_tables(connection: sqlite3.Connection) -> list[str]:
    """The tables of what is kept while a turn runs; two are LangGraph's, once it has made them."""
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return sorted({"answers", "checkpoints", "writes"} & there)
