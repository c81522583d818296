"""The rows of what a user imported: which file brought what, and what goes when a file changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from knowledge.errors import InvalidInput
from knowledge.ingest.schemas import FileFormat, LibraryStats
from knowledge.schemas import Passage, Source, TrialArm
from knowledge.store import FILE_NAME, LOCAL_OWNER, Store, embedded_text, text_hash


@dataclass(frozen=True)
class OwnSource:
    """An imported source; `described` when a bibliographic record says what it is."""

    source: Source
    described: bool


@dataclass(frozen=True)
class Belongings:
    """Rows that one file brought and no other needs."""

    import_id: int
    sources: Mapping[str, OwnSource] = field(default_factory=dict)
    passages: frozenset[str] = frozenset()
    arms: Mapping[str, TrialArm] = field(default_factory=dict)

    @property
    def touched(self) -> set[str]:
        """Ids of the sources that lose something."""
        of_passages = {passage_id.partition("#")[0] for passage_id in self.passages}
        return {*self.sources, *of_passages, *(arm.source_id for arm in self.arms.values())}


@dataclass
class Additions:
    """What a file adds, to be written in one transaction.

    Attributes
    ----------
    sources : source id → new or changed source.
    new : ids of the sources that this file is the first to bring.
    passages, arms : new rows.
    positions : passage id → place in its document.
    known : ids of sources that the file would also have brought.
    retracts : PMIDs and DOIs that the file says were retracted.
    """

    sources: dict[str, OwnSource] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    passages: dict[str, Passage] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    arms: dict[str, TrialArm] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    retracts: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class UserLibrary:
    """What an owner imported, as the evidence needs it."""

    arms: tuple[TrialArm, ...] = ()
    sources: dict[str, Source] = field(default_factory=dict)


class Library:
    """An owner's rows in a store. The caller holds the lock of the data directory.

    Parameters
    ----------
    store : where the rows are.
    owner : whose they are; not empty.
    """

    def __init__(self, store: Store, owner: str = LOCAL_OWNER) -> None:
        if not owner.strip():
            raise InvalidInput("The owner of a library needs a name.", f"The usual one is '{LOCAL_OWNER}'.")
        self.store, self.owner = store, owner

    def sources(self, source_ids: Iterable[str] | None = None) -> dict[str, OwnSource]:
        """Source id → imported source, of some ids or of all."""
        query = "SELECT source_id, content, described FROM sources WHERE origin = 'user' AND owner = ?"
        if source_ids is None:
            rows = self.store.rows(query, (self.owner,))
        else:
            one = f"{query} AND source_id = ?"
            rows = [row for key in sorted(set(source_ids)) for row in self.store.rows(one, (self.owner, key))]
        return {key: OwnSource(Source.model_validate_json(text), bool(described)) for key, text, described in rows}

    def passages(self, source_ids: Iterable[str] | None = None) -> list[Passage]:
        """The imported passages, of some sources or of all, in the order of their documents."""
        query = "SELECT content FROM passages WHERE origin = 'user' AND owner = ?"
        order = " ORDER BY source_id, position, passage_id"
        if source_ids is None:
            rows = self.store.rows(query + order, (self.owner,))
        else:
            rows = []
            for source_id in sorted(set(source_ids)):
                rows += self.store.rows(query + " AND source_id = ?" + order, (self.owner, source_id))
        return [Passage.model_validate_json(content) for (content,) in rows]

    def arms(self) -> tuple[TrialArm, ...]:
        """The imported trial arms, by row id."""
        rows = self.store.rows("SELECT content FROM arms WHERE owner = ? ORDER BY row_id", (self.owner,))
        return tuple(TrialArm.model_validate_json(content) for (content,) in rows)

    def retracts(self) -> set[str]:
        """PMIDs and DOIs that an imported notice retracts."""
        query = (
            "SELECT DISTINCT row_key FROM import_rows JOIN imports USING (import_id)"
            " WHERE kind = 'retracts' AND owner = ?"
        )
        return {key for (key,) in self.store.rows(query, (self.owner,))}

    def imported_as(self, path: str) -> tuple[str, int]:
        """Content hash and number of faults of the last import of a path; empty and 0 when there was none."""
        query = "SELECT content_hash, faults FROM imports WHERE owner = ? AND path = ?"
        return next(iter(self.store.rows(query, (self.owner, path))), ("", 0))

    def holder_of(self, content_hash: str) -> str:
        """A path that was imported without fault with this content; empty when there is none."""
        query = "SELECT path FROM imports WHERE owner = ? AND content_hash = ? AND faults = 0 ORDER BY path LIMIT 1"
        return next((path for (path,) in self.store.rows(query, (self.owner, content_hash))), "")

    def belongings(self, path: str) -> Belongings | None:
        """What would go with the last import of `path`; None when it was not imported."""
        found = self.store.rows("SELECT import_id FROM imports WHERE owner = ? AND path = ?", (self.owner, path))
        if not found:
            return None
        import_id = int(found[0][0])
        kinds: dict[str, set[str]] = {"source": set(), "passage": set(), "arm": set()}
        query = "SELECT kind, row_key FROM import_rows WHERE import_id = ? AND kind IN ('source', 'passage', 'arm')"
        for kind, key in self.store.rows(query, (import_id,)):
            kinds[kind].add(key)
        needed = {
            source_id
            for source_id in kinds["source"]
            if self._others("passages", "passage_id", source_id, kinds["passage"])
            or self._others("arms", "row_id", source_id, kinds["arm"])
        }
        sources = self.sources(kinds["source"] - needed)
        query = "SELECT content FROM arms JOIN import_rows ON row_key = row_id WHERE import_id = ? AND kind = 'arm' AND owner = ?"
        arms = [TrialArm.model_validate_json(text) for (text,) in self.store.rows(query, (import_id, self.owner))]
        return Belongings(import_id, sources, frozenset(kinds["passage"]), {arm.row_id: arm for arm in arms})

    def replace(
        self,
        path: str,
        content_hash: str,
        file_format: FileFormat,
        faults: int,
        old: Belongings | None,
        additions: Additions,
    ) -> None:
        """Put what a file adds in the place of what it added before, in one transaction."""
        with self.store.transaction() as database:
            if old is not None:
                self._remove(database, old)
            cursor = database.execute(
                "INSERT INTO imports (owner, path, content_hash, format, imported, faults) VALUES (?, ?, ?, ?, ?, ?)",
                (self.owner, path, content_hash, file_format.value, _now(), faults),
            )
            self._add(database, int(cursor.lastrowid or 0), additions)
            self._sweep(database)

    def forget(self, path: str) -> bool:
        """Remove what a file brought; False when it was not imported."""
        old = self.belongings(path)
        if old is None:
            return False
        with self.store.transaction() as database:
            self._remove(database, old)
            self._sweep(database)
        return True

    def paths(self) -> list[str]:
        """The files that were imported."""
        query = "SELECT path FROM imports WHERE owner = ? ORDER BY path"
        return [path for (path,) in self.store.rows(query, (self.owner,))]

    def stats(self) -> LibraryStats:
        """Counts of what the owner imported."""
        sources, arms = self.sources(), self.arms()
        query = "SELECT format, count(*), sum(faults > 0), max(imported) FROM imports WHERE owner = ? GROUP BY format"
        formats = self.store.rows(query, (self.owner,))
        query = "SELECT count(*) FROM passages WHERE origin = 'user' AND owner = ?"
        return LibraryStats(
            owner=self.owner,
            files=sum(count for _, count, _, _ in formats),
            files_with_faults=sum(faulty for _, _, faulty, _ in formats),
            sources=len(sources),
            retracted=sum(own.source.retracted for own in sources.values()),
            passages=self.store.rows(query, (self.owner,))[0][0],
            arms=len(arms),
            trials=len({arm.trial for arm in arms}),
            by_format={name: count for name, count, _, _ in formats},
            last_import=max((last for _, _, _, last in formats), default=""),
        )

    def _others(self, table: str, key: str, source_id: str, gone: set[str]) -> bool:
        """True when rows of a source remain beside those that go."""
        query = f"SELECT {key} FROM {table} WHERE origin = 'user' AND owner = ? AND source_id = ?"
        return any(row_key not in gone for (row_key,) in self.store.rows(query, (self.owner, source_id)))

    def _remove(self, database: sqlite3.Connection, old: Belongings) -> None:
        """Delete an import and what only it needs; files that were passed over for its sake are to be read again."""
        own = self.owner
        texts = []
        for passage_id in old.passages:
            query = "SELECT text_hash FROM passages WHERE passage_id = ? AND origin = 'user' AND owner = ?"
            texts += database.execute(query, (passage_id, own)).fetchall()
        _each(database, "DELETE FROM arms WHERE row_id = ? AND owner = ?", [(key, own) for key in old.arms])
        _each(
            database,
            "DELETE FROM passages WHERE passage_id = ? AND origin = 'user' AND owner = ?",
            [(key, own) for key in old.passages],
        )
        _each(
            database,
            "DELETE FROM vectors WHERE text_hash = ? AND text_hash NOT IN (SELECT text_hash FROM passages)",
            texts,
        )
        database.execute("DELETE FROM imports WHERE import_id = ?", (old.import_id,))
        _each(
            database,
            "DELETE FROM sources WHERE source_id = ? AND origin = 'user' AND owner = ?",
            [(key, own) for key in old.sources],
        )
        _each(
            database,
            "UPDATE imports SET content_hash = '' WHERE owner = ? AND import_id IN"
            " (SELECT import_id FROM import_rows WHERE kind = 'known' AND row_key = ?)",
            [(own, key) for key in old.touched],
        )

    def _add(self, database: sqlite3.Connection, import_id: int, additions: Additions) -> None:
        own = self.owner
        _each(
            database,
            "INSERT INTO sources (source_id, origin, owner, content, described) VALUES (?, 'user', ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET content = excluded.content, described = excluded.described",
            [(key, own, one.source.model_dump_json(), one.described) for key, one in additions.sources.items()],
        )
        _each(
            database,
            "INSERT INTO passages (passage_id, origin, owner, source_id, position, text_hash, content)"
            " VALUES (?, 'user', ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET content = excluded.content,"
            " text_hash = excluded.text_hash, position = excluded.position",
            [
                (
                    key,
                    own,
                    passage.source_id,
                    additions.positions.get(key, 0),
                    text_hash(embedded_text(passage)),
                    passage.model_dump_json(),
                )
                for key, passage in additions.passages.items()
            ],
        )
        _each(
            database,
            "INSERT INTO arms (row_id, owner, source_id, origin, content) VALUES (?, ?, ?, 'user', ?)",
            [(key, own, arm.source_id, arm.model_dump_json()) for key, arm in additions.arms.items()],
        )
        brought = (
            ("source", additions.new),
            ("passage", additions.passages),
            ("arm", additions.arms),
            ("known", additions.known - additions.new),
            ("retracts", additions.retracts),
        )
        _each(
            database,
            "INSERT INTO import_rows VALUES (?, ?, ?)",
            [(import_id, kind, key) for kind, keys in brought for key in sorted(keys)],
        )

    def _sweep(self, database: sqlite3.Connection) -> None:
        """Delete sources that have lost their last passage, arm and file."""
        database.execute(
            "DELETE FROM sources WHERE origin = 'user' AND owner = ?1"
            " AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.source_id = sources.source_id AND p.origin = 'user'"
            " AND p.owner = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM arms a WHERE a.source_id = sources.source_id AND a.owner = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM import_rows r JOIN imports i USING (import_id)"
            " WHERE r.kind IN ('source', 'known') AND r.row_key = sources.source_id AND i.owner = ?1)",
            (self.owner,),
        )


def user_arms(store: Store, owner: str = LOCAL_OWNER) -> tuple[TrialArm, ...]:
    """The trial arms that `owner` imported, for `KnowledgeBase.with_arms`."""
    return Library(store, owner).arms()


def read_library(data_dir: Path, owner: str = LOCAL_OWNER) -> UserLibrary:
    """Arms and sources that `owner` imported into a data directory, whose lock the caller holds; nothing is created.

    Raises
    ------
    StoreDamaged, StoreError
        the rows cannot be read.
    """
    path = data_dir / FILE_NAME
    if not path.is_file():
        return UserLibrary()
    with Store(path) as store:
        return UserLibrary(user_arms(store, owner), store.user_sources(owner))


def _each(database: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        database.executemany(statement, rows)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
