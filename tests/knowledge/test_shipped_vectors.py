"""Vectors that come with the literature: used when they fit, ignored when they do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge.embedding import Embedder
from knowledge.retrieval import LiteratureRetriever
from knowledge.shipped_vectors import FILE, read_shipped, write_shipped
from knowledge.store import embedded_text, text_hash

TEXTS = (
    "Weight fell by 14.9 % with semaglutide and by 2.4 % with placebo.",
    "Nausea was the commonest complaint and passed within weeks.",
)


class Counting:
    """The real model, counting what it is asked."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self.embedder.name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return self.embedder.embed(texts)


@pytest.fixture
def keys(folder) -> list[str]:
    folder.passage("pmid-1", *TEXTS)
    return [text_hash(embedded_text(passage)) for passage in folder.load().passages]


def test_what_is_written_is_read_and_only_what_is_new_is_embedded(folder, keys: list[str], embedder: Embedder) -> None:
    counting = Counting(embedder)
    assert write_shipped(folder.root, counting) == 2
    first = (folder.root / FILE).read_bytes()
    assert write_shipped(folder.root, counting) == 2
    assert len(counting.asked) == 2
    assert (folder.root / FILE).read_bytes() == first
    found = read_shipped(folder.root, embedder.name, keys)
    expected = embedder.embed([embedded_text(passage) for passage in folder.load().passages])
    for key, vector in zip(keys, expected, strict=True):
        assert found[key].dtype == np.float32
        assert float(found[key] @ vector) > 0.99999
    assert list(read_shipped(folder.root, embedder.name, keys[:1])) == keys[:1]
    assert read_shipped(folder.root, "another model", keys) == {}


@pytest.mark.parametrize("harm", ["missing", "letters", "cut", "other arrays"])
def test_a_file_that_does_not_fit_is_no_file(folder, keys: list[str], embedder: Embedder, harm: str) -> None:
    write_shipped(folder.root, embedder)
    path = folder.root / FILE
    content = path.read_bytes()
    path.unlink()
    if harm == "letters":
        path.write_text("no vectors here")
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "other arrays":
        np.savez(path, hashes=np.zeros((2, 32), dtype=np.uint8))
    assert read_shipped(folder.root, embedder.name, keys) == {}


def test_the_index_takes_them(folder, keys: list[str], embedder: Embedder, models_dir: Path, tmp_path: Path) -> None:
    write_shipped(folder.root, embedder)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(models_dir)
    with np.load(folder.root / FILE) as content:
        swapped = dict(content)
    swapped["vectors"] = swapped["vectors"][::-1]
    np.savez(folder.root / FILE, **swapped)
    with LiteratureRetriever.open(folder.load(), data_dir) as opened:
        vector = embedder.embed([embedded_text(folder.load().passages[0])])[0]
        assert opened._index is not None
        assert opened._index.query(vector, 1)[0][0] == "pmid-1#2", "the swapped vectors were not used"
