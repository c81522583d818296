"""The rows that are the truth: sources, passages, imported trial arms and vectors in SQLite.

The dense index is only a cache of them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from knowledge.errors import LiteratureError, StoreDamaged, StoreError
from knowledge.merging import merge_sources
from knowledge.migrations import MIGRATIONS
from knowledge.schemas import Passage, Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_NAME: Final = "knowledge.sqlite"
SHIPPED: Final = "shipped"  # origin of rows that `sync` keeps equal to the files; their owner is nobody
USER: Final = "user"  # origin of rows that an owner imported; `sync` never touches them
LOCAL_OWNER: Final = "local"
_BUSY_S = 5.0
_CHUNK = 500  # SQLite allows 999 variables in a statement on older builds


@dataclass(frozen=True)
class SyncReport:
    """What `Store.sync` changed."""

    added: int
    changed: int
    removed: int


def embedded_text(passage: Passage) -> str:
    """The text under which a passage is found: its trial, heading and body."""
    return ". ".join(part for part in (passage.trial, passage.heading, passage.text) if part)


def text_hash(text: str) -> str:
    """SHA-256 of a text, hex; vectors are kept under it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Store:
    """`knowledge.sqlite` of a data directory. The caller holds the directory's lock.

    Parameters
    ----------
    path : the file; made when it does not exist.
    migrations : one SQL script for each schema version.

    Raises
    ------
    StoreDamaged
        the file is not a database, or its rows cannot be read.
    StoreError
        the file was made by a newer version, or cannot be opened.
    """

    def __init__(self, path: Path, *, migrations: Sequence[str] = MIGRATIONS) -> None:
        self.path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            with self._translated():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
                self._migrate(migrations)
        except StoreError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database; further use is an error."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def schema_version(self) -> int:
        """Number of migrations that were applied."""
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @property
    def corpus_hash(self) -> str:
        """What `sync` was last told the shipped files hash to; empty before the first time."""
        with self._translated():
            row = self._db.execute("SELECT value FROM meta WHERE key = 'corpus_hash'").fetchone()
        return str(row[0]) if row else ""

    def sync(self, sources: Mapping[str, Source], passages: Iterable[Passage], *, corpus_hash: str = "") -> SyncReport:
        """Make the shipped rows equal to the files, in one transaction; only what differs is written.

        What users imported is never touched.

        Parameters
        ----------
        sources : source id → source; must hold the source of each passage.
        passages : in the order in which `passages` is to return them.
        corpus_hash : kept, so that the caller can tell whether a sync is needed.
        """
        passages = tuple(passages)
        orphans = [passage.passage_id for passage in passages if passage.source_id not in sources]
        if orphans:
            raise LiteratureError(f"The passage {orphans[0]} has no source.", "Add its source_id to the source tables.")
        source_rows = {source_id: (source.model_dump_json(),) for source_id, source in sources.items()}
        passage_rows = {
            passage.passage_id: (
                passage.source_id,
                position,
                text_hash(embedded_text(passage)),
                passage.model_dump_json(),
            )
            for position, passage in enumerate(passages)
        }
        with self._transaction():
            query = "SELECT source_id, content FROM sources WHERE origin = 'shipped'"
            old_sources = {row[0]: row[1:] for row in self._db.execute(query)}
            query = "SELECT passage_id, source_id, position, text_hash, content FROM passages WHERE origin = 'shipped'"
            old_passages = {row[0]: row[1:] for row in self._db.execute(query)}
            added, changed = _difference(passage_rows, old_passages)
            removed = [passage_id for passage_id in old_passages if passage_id not in passage_rows]
            new_sources, changed_sources = _difference(source_rows, old_sources)
            self._db.executemany(
                "INSERT INTO sources (source_id, origin, owner, content) VALUES (?, 'shipped', '', ?)"
                " ON CONFLICT DO UPDATE SET content = excluded.content",
                [(key, *source_rows[key]) for key in (*new_sources, *changed_sources)],
            )
            self._db.executemany(
                "DELETE FROM passages WHERE passage_id = ? AND origin = 'shipped'", [(key,) for key in removed]
            )
            self._db.executemany(
                "INSERT INTO passages (passage_id, origin, owner, source_id, position, text_hash, content)"
                " VALUES (?, 'shipped', '', ?, ?, ?, ?) ON CONFLICT DO UPDATE SET source_id = excluded.source_id,"
                " position = excluded.position, text_hash = excluded.text_hash, content = excluded.content",
                [(key, *passage_rows[key]) for key in (*added, *changed)],
            )
            gone = [(key,) for key in old_sources if key not in source_rows]
            self._db.executemany("DELETE FROM sources WHERE source_id = ? AND origin = 'shipped'", gone)
            self._db.execute("DELETE FROM vectors WHERE text_hash NOT IN (SELECT text_hash FROM passages)")
            self._db.execute(
                "INSERT INTO meta VALUES ('corpus_hash', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (corpus_hash,),
            )
        return SyncReport(len(added), len(changed), len(removed))

    def sources(self, owner: str = LOCAL_OWNER) -> dict[str, Source]:
        """Source id → source, of the shipped ones and those of `owner`.

        A publication that is both shipped and imported is described as shipped; it is retracted if either says so.
        """
        query = "SELECT source_id, content FROM sources WHERE origin = 'shipped'"
        with self._translated():
            shipped = {key: Source.model_validate_json(content) for key, content in self._db.execute(query)}
        return dict(sorted(merge_sources(shipped, self.user_sources(owner)).items()))

    def user_sources(self, owner: str = LOCAL_OWNER) -> dict[str, Source]:
        """Source id → source, of those that `owner` imported."""
        query = "SELECT source_id, content FROM sources WHERE origin = 'user' AND owner = ? ORDER BY source_id"
        with self._translated():
            return {key: Source.model_validate_json(content) for key, content in self._db.execute(query, (owner,))}

    def passages(self, owner: str = LOCAL_OWNER) -> tuple[Passage, ...]:
        """The shipped passages in the order in which they were synced, then those that `owner` imported."""
        with self._translated():
            query = (
                "SELECT content, text_hash FROM passages WHERE origin = 'shipped' OR owner = ?"
                " ORDER BY origin, position, passage_id"
            )
            rows = self._db.execute(query, (owner,)).fetchall()
            passages = tuple(Passage.model_validate_json(content) for content, _ in rows)
            for passage, (_, expected) in zip(passages, rows, strict=True):
                if text_hash(embedded_text(passage)) != expected:
                    raise ValueError(f"passage {passage.passage_id} does not match its hash")
            return passages

    def user_passage_ids(self, owner: str = LOCAL_OWNER) -> frozenset[str]:
        """Ids of the passages that `owner` imported."""
        query = "SELECT passage_id FROM passages WHERE origin = 'user' AND owner = ?"
        return frozenset(row[0] for row in self.rows(query, (owner,)))

    def vectors(self, embedder: str, hashes: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Text hash → vector (d,), for those of `hashes` that `embedder` has made; damaged ones are left out."""
        import numpy as np

        found: dict[str, NDArray[np.float32]] = {}
        with self._translated():
            for start in range(0, len(hashes), _CHUNK):
                chunk = hashes[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT text_hash, vector, digest FROM vectors WHERE embedder = ? AND text_hash IN ({marks})"
                for key, blob, digest in self._db.execute(query, (embedder, *chunk)):
                    if hashlib.sha256(blob).digest() == digest:
                        found[key] = np.frombuffer(blob, dtype="<f4")
        return found

    def put_vectors(self, embedder: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep vectors by text hash, in one transaction; an existing one is replaced."""
        blobs = [(key, embedder, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                [(*row, hashlib.sha256(row[2]).digest()) for row in blobs],
            )

    def _migrate(self, migrations: Sequence[str]) -> None:
        """Bring the schema to the newest version; an existing file is copied first."""
        version, newest = self.schema_version, len(migrations)
        if version == newest:
            self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return
        if version > newest:
            raise StoreError(
                f"{self.path} was made by a newer version (schema {version}, this version knows {newest}).",
                "Update the program, or set COHORT_DATA_DIR to another folder.",
            )
        if version:
            self._snapshot(version)
        for number in range(version, newest):
            self._db.executescript(
                f"BEGIN IMMEDIATE;\n{migrations[number]};\nPRAGMA user_version = {number + 1};\nCOMMIT;"
            )

    def _snapshot(self, version: int) -> None:
        """A copy of the database beside it, whole or not at all."""
        target = self.path.with_name(f"{self.path.stem}.v{version}-snapshot.sqlite")
        partial = target.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        copy = sqlite3.connect(partial)
        try:
            self._db.backup(copy)
        finally:
            copy.close()
        partial.replace(target)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database inside one transaction: committed at the end, or nothing changed."""
        with self._transaction():
            yield self._db

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that a SELECT finds."""
        with self._translated():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's errors as ours. OperationalError is the disk or a lock; other DatabaseErrors are damage."""
        try:
            yield
        except sqlite3.ProgrammingError:  # a closed store: a fault of the caller, not of the file
            raise
        except (sqlite3.OperationalError, OSError) as error:
            raise StoreError(
                f"The store {self.path} cannot be used ({error}).",
                "Check that its folder is writable and the disk not full, or set COHORT_DATA_DIR to another folder.",
            ) from error
        except (sqlite3.DatabaseError, json.JSONDecodeError, ValueError) as error:
            raise StoreDamaged(
                f"The store {self.path} is damaged ({type(error).__name__}: {str(error)[:120]}).",
                "Move the file away and ask again: the shipped knowledge is read in anew. Import your own files again.",
            ) from error


def _difference(
    new: Mapping[str, tuple[object, ...]], old: Mapping[str, tuple[object, ...]]
) -> tuple[list[str], list[str]]:
    """Keys that are new, and keys whose row changed."""
    added = [key for key in new if key not in old]
    changed = [key for key in new if key in old and new[key] != old[key]]
    return added, changed
