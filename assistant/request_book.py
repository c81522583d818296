"""Requests that carry an idempotency key: what was answered to each, so that one sent twice is done once."""

from __future__ import annotations

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from assistant.sqlite_files import connection_to
from knowledge.errors import Conflict, InvalidInput

KEPT_HOURS = 24
_BOOT = uuid4().hex  # requests that an earlier process did not finish are done again
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, boot TEXT NOT NULL, created TEXT NOT NULL,
    status INTEGER, headers TEXT NOT NULL DEFAULT '[]', body BLOB NOT NULL DEFAULT x''
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Reply:
    """A response as it was sent."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class RequestBook:
    """Replies by idempotency key, of one owner.

    Parameters
    ----------
    path : the file; made when it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as connection:
            connection.executescript(_SCHEMA)

    def _connect(self) -> AbstractContextManager[sqlite3.Connection]:
        return connection_to(self._path, "Kept replies cannot be read", f"Move {self._path.name} away.")

    def begin(self, key: str, fingerprint: str) -> Reply | None:
        """The reply to the request of this key; None when there was none, and this one is to be answered now.

        Raises
        ------
        InvalidInput
            The key was used for another request.
        Conflict
            The request of this key is being answered.
        """
        now = datetime.now(UTC)
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            oldest = (now - timedelta(hours=KEPT_HOURS)).isoformat()
            connection.execute("DELETE FROM requests WHERE created < ?", (oldest,))
            row = connection.execute(
                "SELECT fingerprint, boot, status, headers, body FROM requests WHERE key = ?", (key,)
            ).fetchone()
            if row is not None and (row[2] is not None or row[1] == _BOOT):
                known, _, status, headers, body = row
                if known != fingerprint:
                    raise InvalidInput(
                        "The Idempotency-Key was used for another request.", "Take a new key for a new request."
                    )
                if status is None:
                    raise Conflict("The request of this Idempotency-Key is being answered.", "Ask again in a moment.")
                return Reply(int(status), [(name, value) for name, value in json.loads(headers)], bytes(body))
            connection.execute(
                "INSERT OR REPLACE INTO requests (key, fingerprint, boot, created) VALUES (?,?,?,?)",
                (key, fingerprint, _BOOT, now.isoformat()),
            )
        return None

    def finish(self, key: str, reply: Reply) -> None:
        """Keep the reply."""
        with self._connect() as connection:
            connection.execute(
                "UPDATE requests SET status = ?, headers = ?, body = ? WHERE key = ?",
                (reply.status, json.dumps(reply.headers), reply.body, key),
            )

    def drop(self, key: str) -> None:
        """Nothing came of the request: it may be sent again."""
        with self._connect() as connection:
            connection.execute("DELETE FROM requests WHERE key = ? AND status IS NULL", (key,))
