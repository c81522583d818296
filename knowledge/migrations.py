"""The schema of `knowledge.sqlite`: one script for each version, in order. Never edit one that was released."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE sources (source_id TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE passages (
        passage_id TEXT PRIMARY KEY,
        source_id TEXT NOT NULL REFERENCES sources (source_id),
        position INTEGER NOT NULL,
        text_hash TEXT NOT NULL,
        content TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX passages_by_source ON passages (source_id);
    CREATE TABLE vectors (
        text_hash TEXT NOT NULL,
        embedder TEXT NOT NULL,
        vector BLOB NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (text_hash, embedder)
    );
    """,
    """
    CREATE TABLE sources_2 (
        source_id TEXT NOT NULL,
        origin TEXT NOT NULL,
        owner TEXT NOT NULL DEFAULT 'local',
        content TEXT NOT NULL,
        described INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (source_id, origin, owner)
    ) WITHOUT ROWID;
    CREATE TABLE passages_2 (
        passage_id TEXT NOT NULL,
        origin TEXT NOT NULL,
        owner TEXT NOT NULL DEFAULT 'local',
        source_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        text_hash TEXT NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (passage_id, origin, owner),
        FOREIGN KEY (source_id, origin, owner) REFERENCES sources_2 (source_id, origin, owner)
    ) WITHOUT ROWID;
    INSERT INTO sources_2 SELECT source_id, 'shipped', '', content, 1 FROM sources;
    INSERT INTO passages_2 SELECT passage_id, 'shipped', '', source_id, position, text_hash, content FROM passages;
    DROP TABLE passages;
    DROP TABLE sources;
    ALTER TABLE sources_2 RENAME TO sources;
    ALTER TABLE passages_2 RENAME TO passages;
    CREATE INDEX passages_by_source ON passages (source_id, origin, owner);
    CREATE INDEX passages_by_text ON passages (text_hash);
    CREATE TABLE arms (
        row_id TEXT NOT NULL,
        owner TEXT NOT NULL DEFAULT 'local',
        source_id TEXT NOT NULL,
        origin TEXT NOT NULL DEFAULT 'user',
        content TEXT NOT NULL,
        PRIMARY KEY (row_id, owner),
        FOREIGN KEY (source_id, origin, owner) REFERENCES sources (source_id, origin, owner)
    ) WITHOUT ROWID;
    CREATE INDEX arms_by_source ON arms (source_id, origin, owner);
    CREATE TABLE imports (
        import_id INTEGER PRIMARY KEY,
        owner TEXT NOT NULL DEFAULT 'local',
        path TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        format TEXT NOT NULL,
        imported TEXT NOT NULL,
        faults INTEGER NOT NULL,
        UNIQUE (owner, path)
    );
    CREATE INDEX imports_by_content ON imports (owner, content_hash);
    CREATE TABLE import_rows (
        import_id INTEGER NOT NULL REFERENCES imports (import_id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        row_key TEXT NOT NULL,
        PRIMARY KEY (import_id, kind, row_key)
    ) WITHOUT ROWID;
    CREATE INDEX import_rows_by_key ON import_rows (kind, row_key);
    """,
)
