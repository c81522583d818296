"""SQLite rows: synced whole or not at all, never lost, damage named."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from knowledge.errors import LiteratureError, StoreDamaged, StoreError
from knowledge.schemas import Design, Passage, Seen, Source
from knowledge.store import FILE_NAME, MIGRATIONS, Store, SyncReport, embedded_text, text_hash

REPOSITORY = Path(__file__).parents[2]
SECOND = "ALTER TABLE passages ADD COLUMN note TEXT NOT NULL DEFAULT ''"
SYNC_FOR_EVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store_corpus import corpus
from knowledge.store import Store
store = Store(Path(sys.argv[1]))
round_ = int(sys.argv[3])
while True:
    round_ += 1
    store.sync(*corpus(round_), corpus_hash=str(round_))
    print(round_, flush=True)
"""
CORPUS = """
from knowledge.schemas import Design, Passage, Seen, Source

def corpus(round_):
    source = Source(source_id="pmid-1", title=f"round {round_}", published="2020", design=Design.RCT, seen=Seen.ABSTRACT)
    passages = [
        Passage(passage_id=f"pmid-1#{i}", source_id="pmid-1", area="obesity", heading="Outcomes", locator="abstract",
                text=f"text {i} of round {round_ if i % 3 else 0}" + " more" * 20, published="2020")
        for i in range(50 + round_)
    ]
    return {"pmid-1": source}, passages
"""


def source(source_id: str = "pmid-1", title: str = "Title") -> Source:
    return Source(source_id=source_id, title=title, published="2020", design=Design.RCT, seen=Seen.ABSTRACT)


def passage(position: int, text: str = "Weight fell by a tenth in a year.", source_id: str = "pmid-1") -> Passage:
    return Passage(
        passage_id=f"{source_id}#{position}",
        source_id=source_id,
        area="obesity",
        heading="Outcomes",
        locator="abstract",
        text=text,
        published="2020",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / FILE_NAME


def test_sync_brings_in_what_is_new_and_only_that(path: Path) -> None:
    sources = {"pmid-1": source(), "pmid-2": source("pmid-2")}
    passages = [passage(2), passage(1), passage(1, source_id="pmid-2")]
    with Store(path) as store:
        assert store.sync(sources, passages, corpus_hash="a") == SyncReport(3, 0, 0)
        assert store.sync(sources, passages, corpus_hash="a") == SyncReport(0, 0, 0)
        changed = [passage(2, "Weight rose by a tenth in a year."), passage(3)]
        assert store.sync({"pmid-1": source(title="New")}, changed, corpus_hash="b") == SyncReport(1, 1, 2)
    with Store(path) as store:
        assert store.passages() == tuple(changed)
        assert store.sources() == {"pmid-1": source(title="New")}
        assert store.corpus_hash == "b"


def test_a_passage_without_source_is_refused_and_nothing_changes(path: Path) -> None:
    with Store(path) as store:
        store.sync({"pmid-1": source()}, [passage(1)], corpus_hash="a")
        with pytest.raises(LiteratureError, match="pmid-2#1 has no source"):
            store.sync({"pmid-1": source()}, [passage(1, source_id="pmid-2")], corpus_hash="b")
        assert (store.corpus_hash, store.passages()) == ("a", (passage(1),))


def test_vectors_are_kept_by_text_until_no_passage_has_it(path: Path) -> None:
    key = text_hash(embedded_text(passage(1)))
    vector = np.array([0.6, 0.8, 0.0], dtype=np.float32)
    with Store(path) as store:
        store.sync({"pmid-1": source()}, [passage(1), passage(2)])
        store.put_vectors("model", {key: vector})
        assert np.array_equal(store.vectors("model", [key, "other"])[key], vector)
        assert store.vectors("another model", [key]) == {}
        store.sync({"pmid-1": source()}, [passage(2)])
        assert list(store.vectors("model", [key])) == [key]
        store.sync({"pmid-1": source()}, [])
        assert store.vectors("model", [key]) == {}


def test_a_damaged_vector_is_as_good_as_none(path: Path) -> None:
    key = text_hash(embedded_text(passage(1)))
    with Store(path) as store:
        store.sync({"pmid-1": source()}, [passage(1)])
        store.put_vectors("model", {key: np.array([1.0, 0.0], dtype=np.float32)})
    with sqlite3.connect(path) as database:
        database.execute("UPDATE vectors SET vector = ?", (np.array([0.0, 1.0], dtype="<f4").tobytes(),))
    database.close()
    with Store(path) as store:
        assert store.vectors("model", [key]) == {}


@pytest.mark.parametrize("content", [b"hello, I am a letter " * 100, b"SQLite format 3\0" + b"\7" * 5000])
def test_a_file_that_is_not_a_database_is_damage(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreDamaged) as caught:
        Store(path)
    assert str(path) in caught.value.message
    assert "Move the file away" in caught.value.hint
    assert path.read_bytes() == content


def test_a_changed_row_is_damage(path: Path) -> None:
    with Store(path) as store:
        store.sync({"pmid-1": source()}, [passage(1)])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE passages SET content = replace(content, 'fell', 'rose')")
    database.close()
    with Store(path) as store, pytest.raises(StoreDamaged, match="does not match its hash"):
        store.passages()


def test_a_newer_schema_is_refused_untouched(path: Path) -> None:
    Store(path, migrations=(*MIGRATIONS, SECOND)).close()
    with pytest.raises(StoreError, match="newer version") as caught:
        Store(path)
    assert not isinstance(caught.value, StoreDamaged)


def test_a_migration_keeps_a_copy_of_what_was(path: Path) -> None:
    with Store(path) as store:
        store.sync({"pmid-1": source()}, [passage(1)], corpus_hash="a")
    with Store(path, migrations=(*MIGRATIONS, SECOND)) as store:
        assert store.schema_version == len(MIGRATIONS) + 1
        assert store.passages() == (passage(1),)
    with Store(path.with_name(f"knowledge.v{len(MIGRATIONS)}-snapshot.sqlite")) as copy:
        assert copy.schema_version == len(MIGRATIONS)
        assert (copy.passages(), copy.corpus_hash) == ((passage(1),), "a")


def test_a_store_of_the_first_version_keeps_its_rows(path: Path) -> None:
    key = text_hash(embedded_text(passage(1)))
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        database.execute("INSERT INTO meta VALUES ('corpus_hash', 'a')")
        database.execute("INSERT INTO sources VALUES ('pmid-1', ?)", (source().model_dump_json(),))
        row = ("pmid-1#1", "pmid-1", 0, key, passage(1).model_dump_json())
        database.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?)", row)
        database.commit()
    with Store(path) as store:
        assert (store.passages(), store.sources(), store.corpus_hash) == ((passage(1),), {"pmid-1": source()}, "a")
        assert store.rows("PRAGMA foreign_key_check") == []
        assert store.sync({"pmid-1": source()}, [passage(1)], corpus_hash="a") == SyncReport(0, 0, 0)
        assert store.sync({}, [], corpus_hash="b") == SyncReport(0, 0, 1)


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    with Store(path) as store:
        store.sync({"pmid-1": source()}, [passage(1)])
    with pytest.raises(StoreError):
        Store(path, migrations=(*MIGRATIONS, f"{SECOND}; CREATE NONSENSE;"))
    with Store(path) as store:
        assert store.schema_version == len(MIGRATIONS)
        assert store.passages() == (passage(1),)


def test_a_folder_that_is_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / FILE_NAME)


def test_killed_five_times_in_the_middle_it_loses_nothing_acknowledged(path: Path, tmp_path: Path) -> None:
    (tmp_path / "test_store_corpus.py").write_text(CORPUS)
    namespace: dict[str, object] = {}
    exec(CORPUS, namespace)
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(5):
        command = [sys.executable, "-c", SYNC_FOR_EVER, str(path), str(tmp_path), str(acknowledged)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged = int(process.stdout.readline())
            time.sleep(chance.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
            acknowledged = max([acknowledged, *map(int, rest)])
        with Store(path) as store:
            found = int(store.corpus_hash)
            sources, passages = namespace["corpus"](found)  # type: ignore[operator]
            assert found >= acknowledged
            assert store.passages() == tuple(passages)
            assert store.sources() == sources
            acknowledged = found
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
