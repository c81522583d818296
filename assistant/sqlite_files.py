"""Short connections to the small SQLite files of the data directory: nothing is shared between threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from knowledge.errors import StoreDamaged


@contextmanager
def connection_to(path: Path, unreadable: str, hint: str) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction, closed behind it (StoreDamaged, with these words, when the file cannot be read)."""
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            with connection:
                yield connection
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{unreadable} ({error}).", hint) from error
