"""The dense index: a cache that mends itself."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from knowledge.index import MANIFEST, DenseIndex, ExactIndex
from knowledge.schemas import Design, Passage, Seen, Source
from knowledge.store import FILE_NAME, Store, embedded_text

SOURCES = {"pmid-1": Source(source_id="pmid-1", title="Title", published="2020", design=Design.RCT, seen=Seen.ABSTRACT)}
COUNT = 40


class Spread:
    """Vectors drawn from the hash of the text: as far apart as real texts, made in no time, and counted."""

    def __init__(self, name: str = "spread") -> None:
        self.name = name
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        rows = []
        for text in texts:
            seed = int.from_bytes(hashlib.sha256(f"{self.name}{text}".encode()).digest()[:8])
            rows.append(np.random.default_rng(seed).normal(size=32))
        matrix = np.array(rows, dtype=np.float32).reshape(len(texts), 32)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def passages(count: int = COUNT) -> list[Passage]:
    return [
        Passage(
            passage_id=f"pmid-1#{number}",
            source_id="pmid-1",
            area="obesity",
            heading="Outcomes",
            locator="abstract",
            text=f"Passage number {number} about body weight.",
            published="2020",
        )
        for number in range(count)
    ]


class Place:
    """A data directory with rows, and the index opened on them."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "index"
        self.store = Store(root / FILE_NAME)
        self.embedder = Spread()
        self.store.sync(SOURCES, passages())

    def open(self, embedder: Spread | None = None, among: Sequence[Passage] | None = None) -> DenseIndex:
        return DenseIndex.open(self.folder, self.store, embedder or self.embedder, among or passages())

    def answers(self, index: DenseIndex) -> list[list[tuple[str, float]]]:
        vectors = self.embedder.embed([embedded_text(p) for p in passages()[::7]])
        return [[(key, round(s, 5)) for key, s in index.query(vector, 5)] for vector in vectors]

    def sealed(self) -> list[Path]:
        """Files of the index, without working copies."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return [path for path in files if not path.relative_to(self.folder).parts[0].startswith("open-")]


@pytest.fixture
def place(tmp_path: Path):
    made = Place(tmp_path)
    yield made
    made.store.close()


def test_each_passage_finds_itself_and_the_exact_scan_agrees(place: Place) -> None:
    index, exact = place.open(), ExactIndex.open(place.store, place.embedder, passages())
    assert index.count == exact.count == COUNT
    assert place.embedder.embedded == COUNT
    for passage, vector in zip(passages(), place.embedder.embed([embedded_text(p) for p in passages()]), strict=True):
        dense, scanned = index.query(vector, 7), exact.query(vector, 7)
        assert dense[0][0] == passage.passage_id
        assert [key for key, _ in dense] == [key for key, _ in scanned]
        assert [s for _, s in dense] == pytest.approx([s for _, s in scanned], abs=1e-5)
        among = [p.passage_id for p in passages()[3:9]]
        assert [k for k, _ in index.query(vector, 7, among=among)] == [
            k for k, _ in exact.query(vector, 7, among=among)
        ]
    assert index.query(vector, 0) == exact.query(vector, 0) == index.query(vector, 3, among=[]) == []
    assert exact.query(vector, 3, among=[]) == []
    assert len(index.query(vector, 10_000)) == COUNT
    index.close()
    index.close()


def test_similarities_are_of_exactly_the_passages_asked_for(place: Place) -> None:
    index, exact = place.open(), ExactIndex.open(place.store, place.embedder, passages())
    vectors = place.embedder.embed([embedded_text(p) for p in passages()])
    asked = [p.passage_id for p in passages()[30:3:-5]]
    expected = {f"pmid-1#{row}": float(vectors[row] @ vectors[11]) for row in range(30, 3, -5)}
    for search in (index, exact):
        found = search.similarities(vectors[11], asked)
        assert found == pytest.approx(expected, abs=1e-6)
        assert found == pytest.approx({key: s for key, s in search.query(vectors[11], COUNT) if key in asked}, abs=1e-5)
        assert search.similarities(vectors[11], []) == {}
    index.close()


def test_the_exact_scan_breaks_ties_by_id_and_takes_no_more_than_asked() -> None:
    one, other = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    exact = ExactIndex({"d": one, "b": one, "c": other, "a": one})
    assert exact.query(one, 2) == [("a", 1.0), ("b", 1.0)]
    assert exact.query(one, 2, among=["d", "c", "b"]) == [("b", 1.0), ("d", 1.0)]
    assert exact.query(one, 9, among=["c", "d"]) == [("d", 1.0), ("c", 0.0)]
    assert [key for key, _ in exact.query(other, 9)] == ["c", "a", "b", "d"]


def test_opening_again_uses_what_is_there_and_says_nothing(place: Place) -> None:
    first = place.open()
    expected = place.answers(first)
    first.close()
    before, embedded = {path: path.read_bytes() for path in place.sealed()}, place.embedder.embedded
    for _ in range(3):
        with capture_logs() as logs:
            index = place.open()
        assert logs == []
        assert place.answers(index) == expected
        index.close()
    assert {path: path.read_bytes() for path in place.sealed()} == before
    assert place.embedder.embedded == embedded + 3 * len(expected)
    assert list(place.folder.glob("open-*")) == []


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.999])
def test_a_flipped_byte_in_any_file_is_repaired(place: Place, where: float) -> None:
    index = place.open()
    expected = place.answers(index)
    index.close()
    names = [path.name for path in place.sealed() if path.stat().st_size]
    assert {"chroma.sqlite3", "data_level0.bin", "header.bin", MANIFEST} <= set(names)
    for name in names:
        (path,) = [path for path in place.sealed() if path.name == name]
        content = bytearray(path.read_bytes())
        content[int(where * (len(content) - 1))] ^= 0x10
        path.write_bytes(content)
        embedded = place.embedder.embedded
        with capture_logs() as logs:
            index = place.open()
        assert [log["what"] for log in logs] == ["dense index"], name
        assert place.embedder.embedded == embedded, "a rebuild needs no new embedding"
        assert place.answers(index) == expected
        index.close()


@pytest.mark.parametrize("name", ["chroma.sqlite3", "data_level0.bin", "header.bin", "length.bin", MANIFEST])
@pytest.mark.parametrize("harm", ["delete", "empty", "cut", "grow"])
def test_missing_cut_and_grown_files_are_repaired(place: Place, name: str, harm: str) -> None:
    index = place.open()
    expected = place.answers(index)
    index.close()
    (path,) = [path for path in place.sealed() if path.name == name]
    content = path.read_bytes()
    path.unlink()
    if harm != "delete":
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "grow": content + b"\0"}[harm])
    index = place.open()
    assert place.answers(index) == expected
    index.close()


def test_a_lost_segment_folder_is_repaired(place: Place) -> None:
    index = place.open()
    expected = place.answers(index)
    index.close()
    for path in place.folder.glob("sealed-*/*/"):
        shutil.rmtree(path)
    index = place.open()
    assert place.answers(index) == expected
    index.close()


def test_new_passages_are_added_and_only_they_are_embedded(place: Place) -> None:
    place.open(among=passages(COUNT - 3)).close()
    assert place.embedder.embedded == COUNT - 3
    index = place.open()
    assert (index.count, place.embedder.embedded) == (COUNT, COUNT)
    index.close()
    index = place.open(among=passages(5))
    assert (index.count, place.embedder.embedded) == (5, COUNT)
    index.close()


def test_another_model_means_another_index(place: Place) -> None:
    place.open().close()
    other = Spread("other")
    index = place.open(other)
    assert other.embedded == COUNT
    vector = other.embed([embedded_text(passages()[4])])[0]
    assert index.query(vector, 1)[0][0] == "pmid-1#4"
    index.close()


def test_vectors_that_were_changed_in_the_store_are_made_again(place: Place) -> None:
    place.open().close()
    place.store._db.execute("UPDATE vectors SET vector = zeroblob(128)")
    shutil.rmtree(place.folder)
    index = place.open()
    assert place.embedder.embedded == 2 * COUNT
    assert place.answers(index)[0][0][0] == "pmid-1#0"
    index.close()


def test_twins_do_not_look_like_damage(place: Place) -> None:
    twins = [passage.model_copy(update={"text": "One and the same text."}) for passage in passages(6)]
    place.open(among=twins).close()
    with capture_logs() as logs:
        index = place.open(among=twins)
    assert logs == []
    assert [key for key, _ in index.query(place.embedder.embed([embedded_text(twins[0])])[0], 6)] == [
        f"pmid-1#{number}" for number in range(6)
    ]
    index.close()


def test_what_a_killed_process_left_is_swept_and_our_own_is_not(place: Place) -> None:
    index = place.open()
    stale = [place.folder / "open-999999999-0", place.folder / "build-sealed-x-999999999-1"]
    for path in stale:
        path.mkdir()
    second = place.open()
    assert not any(path.exists() for path in stale)
    assert len(list(place.folder.glob(f"open-{os.getpid()}-*"))) == 2
    assert place.answers(index) == place.answers(second)
    index.close()
    assert place.answers(second)
    second.close()
