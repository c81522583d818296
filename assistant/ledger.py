"""The run ledger: every run as a row of an append-only, hash-chained SQLite table.

Row hash = SHA-256(previous hash + canonical JSON of the row). The newest hash and the row count are also kept in a
second table, so that rows cut from the end are noticed as well as rows changed or taken from the middle.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.schemas import RunSummary
from assistant.sqlite_files import connection_to
from knowledge.errors import InvalidInput, LedgerTampered, StoreError, UnknownRun

GENESIS = "0" * 64
EXPORT_FORMAT = "cohort-ledger-1"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1), rows INTEGER NOT NULL, hash TEXT NOT NULL
);
"""
_ALL = "SELECT seq, run_id, created, body, previous, hash FROM runs ORDER BY seq"
_Row = tuple[int, str, str, str, str, str]


@dataclass(frozen=True)
class LedgerRow:
    """A stored run: what was asked, done and answered."""

    seq: int
    run_id: str
    created: datetime
    body: dict[str, Any]
    hash: str


@dataclass
class _Pending:
    """A run that waits to be written; it has a hash once it is."""

    run_id: str
    stamp: str
    text: str
    hash: str = ""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value always gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def joined(fields: Mapping[str, str]) -> str:
    """Canonical JSON of an object whose values are canonical JSON already."""
    return "{" + ",".join(f"{canonical(key)}:{fields[key]}" for key in sorted(fields)) + "}"


def row_hash(previous: str, run_id: str, created: str, body: str) -> str:
    """SHA-256 over the previous hash and the row."""
    return hashlib.sha256("\n".join((previous, run_id, created, body)).encode()).hexdigest()


class Ledger:
    """Append, list, show and verify runs. One writer: the owner of the data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: sqlite3.Connection | None = None
        self._pending: deque[_Pending] = deque()
        self._writing = threading.Lock()  # SQLite lets writers try again and again, and the unlucky wait for seconds
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.executescript(_SCHEMA)

    def stay_open(self) -> None:
        """Hold the file open as long as this object lives: else SQLite tidies up whenever a connection is the last."""
        self._held = sqlite3.connect(self._path, check_same_thread=False)
        self._held.execute("SELECT rows FROM head").fetchall()

    def _connect(self) -> AbstractContextManager[sqlite3.Connection]:
        return connection_to(
            self._path, "The run ledger cannot be read", f"Move {self._path.name} away to start a new one."
        )

    def append(self, run_id: str, created: datetime, body: dict[str, Any]) -> str:
        """Add a run and return its hash."""
        return self.append_text(run_id, created, canonical(body))

    def append_text(self, run_id: str, created: datetime, text: str) -> str:
        """As `append`, of a body that is canonical JSON already."""
        mine = _Pending(run_id, created.astimezone(UTC).isoformat(), text)
        self._pending.append(mine)
        # Whoever gets to write writes for all who wait: one transaction, and one wait for the disk, for many runs.
        with self._writing:
            if mine.hash:
                return mine.hash
            batch: list[_Pending] = []
            while self._pending:
                batch.append(self._pending.popleft())
            try:
                self._write(batch)
            except StoreError:
                # Nothing was written. Each tries by itself, so that what is wrong with one stays its own.
                self._pending.extend(one for one in batch if one is not mine)
                self._write([mine])
        return mine.hash

    def _write(self, batch: list[_Pending]) -> None:
        """Write these runs, all or none."""
        digests: list[str] = []
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows, previous = self._head(connection)
            for number, one in enumerate(batch, start=rows + 1):
                digests.append(row_hash(previous, one.run_id, one.stamp, one.text))
                connection.execute(
                    "INSERT INTO runs (seq, run_id, created, body, previous, hash) VALUES (?,?,?,?,?,?)",
                    (number, one.run_id, one.stamp, one.text, previous, digests[-1]),
                )
                previous = digests[-1]
            head = (rows + len(batch), previous)
            connection.execute("INSERT OR REPLACE INTO head (one, rows, hash) VALUES (1, ?, ?)", head)
        for one, digest in zip(batch, digests, strict=True):
            one.hash = digest

    @staticmethod
    def _head(connection: sqlite3.Connection) -> tuple[int, str]:
        row = connection.execute("SELECT rows, hash FROM head WHERE one = 1").fetchone()
        return (int(row[0]), str(row[1])) if row else (0, GENESIS)

    def get(self, run_id: str) -> LedgerRow:
        """The run of this id, or of the one id that starts so.

        Raises
        ------
        UnknownRun
            None, or several, match.
        LedgerTampered
            The row no longer matches its hash.
        """
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT seq, run_id, created, body, previous, hash FROM runs WHERE run_id = ? OR run_id LIKE ? ESCAPE '\\' "
                "ORDER BY seq LIMIT 2",
                (run_id, run_id.replace("\\", "").replace("%", "").replace("_", "\\_") + "%"),
            ).fetchall()
        if not rows or not run_id.strip():
            raise UnknownRun(f"There is no run '{run_id}'.", "List them with: cohort runs list")
        if len(rows) > 1 and rows[0][1] != run_id:
            raise UnknownRun(f"More than one run starts with '{run_id}'.", "Give more of its id.")
        seq, found, created, body, previous, digest = rows[0]
        if row_hash(previous, found, created, body) != digest:
            raise LedgerTampered(
                f"Run {found} was changed after it was recorded: its content no longer matches its hash.",
                "See the whole chain with: cohort runs verify",
            )
        return LedgerRow(seq, found, datetime.fromisoformat(created), json.loads(body), digest)

    def has(self, run_id: str) -> bool:
        """Whether the run with exactly this id is recorded."""
        with self._connect() as connection:
            return connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None

    def record(self, run_id: str) -> dict[str, Any]:
        """Everything that was recorded about a run, with its hash (as `get`)."""
        row = self.get(run_id)
        return {"run_id": row.run_id, "created": row.created.isoformat(), "hash": row.hash, **row.body}

    def recent(self, limit: int = 20, *, before: str = "") -> list[RunSummary]:
        """The newest runs first; only those before the run `before`, when given (none, when there is no such run)."""
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT run_id, created, body ->> '$.answer.question', body ->> '$.answer.status',"
                " body ->> '$.answer.headline', body ->> '$.answer.model' FROM runs"
                " WHERE ?2 = '' OR seq < (SELECT seq FROM runs WHERE run_id = ?2) ORDER BY seq DESC LIMIT ?1",
                (limit, before),
            ).fetchall()
        return [
            RunSummary(
                run_id=run_id,
                created=datetime.fromisoformat(created),
                question=question,
                status=status,
                headline=headline,
                model=model,
            )
            for run_id, created, question, status, headline, model in rows
        ]

    def head(self) -> str:
        """The newest hash: it stands for every run so far. Kept elsewhere, it proves an export whole."""
        with self._connect() as connection:
            return self._head(connection)[1]

    def export(self, path: Path) -> int:
        """Write the whole ledger as JSON lines, a header first; the number of runs. The chain is checked on the way.

        Raises
        ------
        InvalidInput
            The file is there already or cannot be written.
        LedgerTampered
            The chain is broken; no file is left.
        """
        count = self.verify()
        unfinished = path.with_name(f".{path.name}.part")
        try:
            if path.exists():
                raise InvalidInput(f"{path} is there already.", "Choose another name.")
            with self._connect() as connection, unfinished.open("w", encoding="utf-8") as file:
                file.write(
                    canonical({"format": EXPORT_FORMAT, "runs": count, "head": self._head(connection)[1]}) + "\n"
                )
                for seq, run_id, created, body, previous, digest in connection.execute(_ALL):
                    row = {"seq": seq, "run_id": run_id, "created": created, "previous": previous, "hash": digest}
                    file.write(canonical({**row, "body": json.loads(body)}) + "\n")
            unfinished.rename(path)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be written ({error.strerror or error}).") from error
        finally:
            unfinished.unlink(missing_ok=True)
        return count

    def verify(self) -> int:
        """Recompute the whole chain; return the number of rows.

        Raises
        ------
        LedgerTampered
            Names the first row that was changed, taken out or added.
        """
        with self._connect() as connection:
            rows, head = self._head(connection)
            return _check(connection.execute(_ALL), rows, head)


def verify_export(path: Path) -> tuple[int, str]:
    """Recompute the chain of an exported file; the number of runs and the newest hash.

    Raises
    ------
    InvalidInput
        The file is not there or is no export.
    LedgerTampered
        Names the first run that was changed, taken out or added.
    """
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
            if not isinstance(header, dict) or header.get("format") != EXPORT_FORMAT:
                raise ValueError("no header")
            return _check((_exported(line) for line in file), int(header["runs"]), str(header["head"])), str(
                header["head"]
            )
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} is not a ledger that was exported here, or a line of it is broken.",
            "Export one: cohort runs export",
        ) from error


def _exported(line: str) -> _Row:
    row = json.loads(line)
    return int(row["seq"]), row["run_id"], row["created"], canonical(row["body"]), row["previous"], row["hash"]


def _check(found: Iterable[_Row], rows: int, head: str) -> int:
    """Recompute a chain and compare its end with what it should be."""
    previous, expected = GENESIS, 0
    for seq, run_id, created, body, stated, digest in found:
        expected += 1
        if seq != expected or stated != previous:
            raise LedgerTampered(f"The ledger is broken before run {run_id}: a row was taken out or put in.")
        if row_hash(previous, run_id, created, body) != digest:
            raise LedgerTampered(f"Run {run_id} (row {seq}) was changed after it was recorded.")
        previous = digest
    if expected != rows or previous != head:
        raise LedgerTampered(f"The ledger should hold {rows} runs but holds {expected}: the newest were cut off.")
    return expected
