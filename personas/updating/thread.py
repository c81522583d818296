"""The threads: what changed in an archetype, when and because of what. Append-only, hash-chained, one SQLite file.

Row hash = SHA-256(previous hash + row). The newest hash and the number of rows of each thread stand in a second table,
written in the same transaction, so that rows cut from the end are noticed as well. Triggers refuse changes and
deletions.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knowledge.errors import LedgerTampered, StoreDamaged, StoreError

if TYPE_CHECKING:
    from personas.updating.schemas import Entry

FILE_NAME: Final = "threads.sqlite"
GENESIS: Final = "0" * 64
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    persona TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (persona, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (persona TEXT PRIMARY KEY, rows INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS kept BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER IF NOT EXISTS stay BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
"""


class _Row:
    """A stored entry. No dataclass: making one costs each question half a millisecond."""

    def __init__(self, persona: str, seq: int, body: str, previous: str, digest: str) -> None:
        self.persona, self.seq, self.body, self.previous, self.hash = persona, seq, body, previous, digest

    def checked(self) -> str:
        """The body; LedgerTampered when the row does not match its hash."""
        if _row_hash(self.previous, self.persona, self.seq, self.body) != self.hash:
            raise LedgerTampered(
                f"Entry {self.seq} of the thread of '{self.persona}' was changed after it was recorded.",
                f"Restore {FILE_NAME} from a copy, or move it away to go back to the archetypes as shipped.",
            )
        return self.body

    def entry(self) -> Entry:
        """The entry; LedgerTampered as `checked`, StoreDamaged when another version wrote it."""
        from pydantic import ValidationError

        from personas.updating.schemas import Entry

        body = self.checked()
        try:
            return Entry.model_validate_json(body)
        except ValidationError as error:
            raise StoreDamaged(
                f"Entry {self.seq} of the thread of '{self.persona}' was written by another version.",
                f"Update the program, or move {FILE_NAME} away.",
            ) from error


class Threads:
    """All threads of a data directory. The caller holds the directory's lock.

    Parameters
    ----------
    path : the file; made with the first entry, so that who never learns pays nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> dict[str, dict[str, Any]]:
        """Persona id → its newest entry as it is written, checked against its hash (not the whole chain)."""
        if not self._begun():
            return {}
        query = (
            "SELECT e.persona, e.seq, e.body, e.previous, e.hash FROM heads h"
            " JOIN entries e ON e.persona = h.persona AND e.seq = h.rows"
        )
        with self._connect() as connection:
            rows = connection.execute(query).fetchall()
        return {row[0]: json.loads(_Row(*row).checked()) for row in rows}

    def entries(self, persona_id: str) -> tuple[Entry, ...]:
        """The whole thread, oldest first, its chain checked.

        Raises
        ------
        LedgerTampered : an entry was changed, taken out or cut off.
        """
        if not self._begun():
            return ()
        with self._connect() as connection:
            query = "SELECT persona, seq, body, previous, hash FROM entries WHERE persona = ? ORDER BY seq"
            rows = [_Row(*row) for row in connection.execute(query, (persona_id,))]
            count, head = _head(connection, persona_id)
        previous, found = GENESIS, []
        for expected, row in enumerate(rows, start=1):
            if row.seq != expected or row.previous != previous:
                raise LedgerTampered(f"The thread of '{persona_id}' is broken before entry {row.seq}.")
            found.append(row.entry())
            previous = row.hash
        if count != len(rows) or head != previous:
            raise LedgerTampered(f"The thread of '{persona_id}' should hold {count} entries but holds {len(rows)}.")
        return tuple(found)

    def append(self, persona_id: str, entry: Entry) -> None:
        """Add an entry: whole or not at all. StoreError when its number is not the next one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        body = json.dumps(entry.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
        with self._connect() as connection:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}")
            rows, previous = _head(connection, persona_id)
            if entry.seq != rows + 1:
                connection.execute("ROLLBACK")
                raise StoreError(f"The thread of '{persona_id}' has {rows} entries; {entry.seq} is not the next.")
            digest = _row_hash(previous, persona_id, entry.seq, body)
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?)", (persona_id, entry.seq, body, previous, digest)
            )
            connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (persona_id, entry.seq, digest))
            connection.execute("COMMIT")

    def _begun(self) -> bool:
        """False without a file, and for the empty one that a crash before the first entry leaves."""
        return self.path.exists() and self.path.stat().st_size > 0

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """One short connection a call; SQLite's errors as ours."""
        try:
            with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"The threads of the archetypes cannot be used ({error}).",
                "Check that the data directory is writable and the disk not full.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreDamaged(
                f"The threads of the archetypes cannot be read ({error}).",
                f"Move {FILE_NAME} away to go back to the archetypes as shipped.",
            ) from error


def _head(connection: sqlite3.Connection, persona_id: str) -> tuple[int, str]:
    row = connection.execute("SELECT rows, hash FROM heads WHERE persona = ?", (persona_id,)).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, GENESIS)


def _row_hash(previous: str, persona_id: str, seq: int, body: str) -> str:
    return hashlib.sha256("\n".join((previous, persona_id, str(seq), body)).encode()).hexdigest()
