"""How fast passages are taken in and found, against a plain sentence-transformers + Chroma loop in the same run.

Both sides get the same blocks of texts in turns, so that whatever else the machine does falls on both. Ours: vectors
computed and kept as rows, then the dense index built from the rows, sealed, opened and checked, as an import and the
opening of a retriever do it. The loop's: vectors computed and added to a collection. Loading the model is not counted.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np

from evals.retrieval.corpus import as_passages
from evals.retrieval.metrics import neighbour_recall
from evals.retrieval.peer import Peer
from evals.retrieval.sets import read_set
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.embedding import Embedder, open_embedder
from knowledge.index import DenseIndex, ExactIndex
from knowledge.ingest.sentences import split_sentences
from knowledge.schemas import Passage
from knowledge.store import FILE_NAME, Store, embedded_text, text_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS: Final = 10
SYNTHETIC_SENTENCES: Final = 3  # of a made-up passage, about 60 words
OURS, LOOP, EXACT, BRUTE_FORCE = "dense index", "plain Chroma", "exact index", "numpy brute force"
_SEED: Final = 3


@dataclass
class BenchResult:
    """What was measured.

    Attributes
    ----------
    passages, words : how many, and the mean number of words of one.
    ours, loop : seconds for each block of texts.
    index : seconds to build, seal, open and check the dense index from the kept vectors.
    query : way of searching → seconds of each query, its vector given.
    recall : way of searching → share of the exact 10 nearest passages that it finds.
    """

    passages: int
    words: float
    ours: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    index: float = math.nan
    query: dict[str, list[float]] = field(default_factory=dict)
    recall: dict[str, float] = field(default_factory=dict)


def run_ingest_bench(
    passages: int,
    queries: int,
    *,
    path: Path | None = None,
    block: int = 1000,
    progress: Callable[[str], None] = lambda _line: None,
) -> BenchResult:
    """Measure ingest and queries.

    Parameters
    ----------
    passages, queries : how many; fewer where the set has not so many.
    path : a retrieval set whose documents and questions are used; made up of sentences of the shipped literature when
        not given.
    block : texts that one side embeds before it is the other's turn.
    progress : told a sentence after each block.

    Raises
    ------
    DataError
        `path` is no set, or wrong.
    """
    base = load_knowledge()
    texts, questions = _texts(base, path, passages, queries)
    with TemporaryDirectory() as name, Store(Path(name) / FILE_NAME) as store, Peer(Path(name) / "loop") as loop:
        folder = Path(name)
        embedder = open_embedder(folder / "models")
        embedder.embed(["warm up"])
        result = BenchResult(len(texts), sum(len(text.text.split()) for text in texts) / len(texts))
        for start in range(0, len(texts), block):
            _take_turns(texts[start : start + block], start, store, embedder, loop, result)
            done = min(start + block, len(texts))
            progress(
                f"{done} of {len(texts)}: ours {done / sum(result.ours):.0f}/s, loop {done / sum(result.loop):.0f}/s"
            )
        started = time.perf_counter()
        index = DenseIndex.open(folder / "index", store, embedder, texts)
        result.index = time.perf_counter() - started
        _measure_queries(texts, embedder.embed(questions), index, store, embedder, loop, result)
        index.close()
    return result


def report(result: BenchResult) -> list[str]:
    """The lines of the report."""
    ours, loop = sum(result.ours) + result.index, sum(result.loop)
    parts = f"vectors and rows {sum(result.ours):.1f}, index {result.index:.1f}"
    ratios = [theirs / mine for mine, theirs in zip(result.ours, result.loop, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    queries = len(next(iter(result.query.values())))
    lines = [
        f"{result.passages} passages of {result.words:.0f} words on average, in {len(result.ours)} blocks by turns",
        f"  ours          {result.passages / ours:7.1f} passages/s ({ours:.1f} s: {parts})",
        f"  plain loop    {result.passages / loop:7.1f} passages/s ({loop:.1f} s)",
        f"  Ours is {loop / ours:.2f} times as fast as the loop (by block, without the index: {spread}).",
        f"{queries} queries by turns, {NEIGHBOURS} nearest; milliseconds without the query's vector",
    ]
    for way, seconds in result.query.items():
        p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1000
        lines.append(
            f"  {way:<18} p50 {p50:6.2f}  p95 {p95:6.2f}  recall@{NEIGHBOURS} of exact {result.recall[way]:.4f}"
        )
    return lines


def _texts(base: KnowledgeBase, path: Path | None, count: int, queries: int) -> tuple[list[Passage], list[str]]:
    """Distinct passages and questions, in an order that does not depend on where they come from."""
    generator = random.Random(_SEED)
    if path is not None:
        found = read_set(path)
        pool = {embedded_text(passage): passage for passage in as_passages(found, base)}
        texts = [pool[key] for key in generator.sample(sorted(pool), min(count, len(pool)))]
        asked = [question.text for question in found.questions]
        return texts, generator.sample(asked, min(queries, len(asked)))
    sentences = sorted({s for p in base.passages for s in split_sentences(" ".join(p.text.split())) if len(s) > 40})
    texts = [_synthetic(number, " ".join(generator.sample(sentences, SYNTHETIC_SENTENCES))) for number in range(count)]
    return texts, [generator.choice(sentences) for _ in range(queries)]


def _synthetic(number: int, text: str) -> Passage:
    return Passage(
        passage_id=f"made-{number}", source_id="made", area="", heading="", locator="made", text=text, published="1900"
    )


def _take_turns(
    texts: Sequence[Passage], start: int, store: Store, embedder: Embedder, loop: Peer, result: BenchResult
) -> None:
    """One block on both sides; who begins alternates."""

    def ours() -> None:
        started = time.perf_counter()
        keys = [text_hash(embedded_text(text)) for text in texts]
        vectors = embedder.embed([embedded_text(text) for text in texts])
        store.put_vectors(embedder.name, dict(zip(keys, vectors, strict=True)))
        result.ours.append(time.perf_counter() - started)

    def theirs() -> None:
        result.loop.append(loop.add([text.text for text in texts], start))

    for turn in (ours, theirs) if len(result.ours) % 2 == 0 else (theirs, ours):
        turn()


def _measure_queries(
    texts: Sequence[Passage],
    vectors: NDArray[np.float32],
    index: DenseIndex,
    store: Store,
    embedder: Embedder,
    loop: Peer,
    result: BenchResult,
) -> None:
    exact = ExactIndex.open(store, embedder, texts)
    keys = [text_hash(embedded_text(text)) for text in texts]
    kept = store.vectors(embedder.name, keys)
    matrix = np.stack([kept[key] for key in keys])
    rows = {text.passage_id: row for row, text in enumerate(texts)}
    k = min(NEIGHBOURS, len(texts))

    def brute_force(vector: NDArray[np.float32]) -> list[int]:
        similarities = matrix @ vector
        nearest = np.argpartition(-similarities, k - 1)[:k]
        return [int(row) for row in nearest[np.argsort(-similarities[nearest])]]

    def through(search: DenseIndex | ExactIndex) -> Callable[[NDArray[np.float32]], list[int]]:
        return lambda vector: [rows[passage_id] for passage_id, _ in search.query(vector, k)]

    ways = {OURS: through(index), EXACT: through(exact), BRUTE_FORCE: brute_force}
    found: dict[str, list[list[int]]] = {way: [] for way in (*ways, LOOP)}
    result.query = {way: [] for way in found}
    for vector in vectors:
        for way, search in ways.items():
            started = time.perf_counter()
            found[way].append(search(vector))
            result.query[way].append(time.perf_counter() - started)
        seconds, nearest = loop.query([float(value) for value in vector], k)
        result.query[LOOP].append(seconds)
        found[LOOP].append(nearest)
    truth = np.array(found[BRUTE_FORCE])
    result.recall = {way: neighbour_recall(np.array(nearest), truth) for way, nearest in found.items()}
