"""Finding passages: by words (BM25), by meaning (dense vectors) and by what they are about, fused by their scores.

The score of a passage is the cosine similarity of its vector, plus `WORDS` times its BM25 score as a share of the
best one, plus `DRUGS` and `TRIAL` for being about what the query names. A passage that only one of the two lists
holds gets its other score too. Such a convex combination ranks better than reciprocal rank fusion, which forgets by
how much one passage beats the next (Bruch, Gai and Ingber 2023, ACM TOIS, doi:10.1145/3596512), and it does so here:
figures are in evals/retrieval/RESULTS.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knowledge.base import KnowledgeBase
from knowledge.embedding import Embedder, open_embedder
from knowledge.hidden import Hidden
from knowledge.index import DenseIndex, ExactIndex, drop_sealed
from knowledge.joined_index import JoinedIndex
from knowledge.literature import corpus_hash
from knowledge.lock import DataDirLock
from knowledge.merging import merge_sources
from knowledge.schemas import EvidenceView, Passage, RetrievedPassage, Source
from knowledge.shipped_vectors import read_shipped
from knowledge.store import FILE_NAME, LOCAL_OWNER, Store, embedded_text, text_hash
from knowledge.views import folded
from knowledge.words import WordIndex, best_first, expand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The first two weights were chosen on the development half of two public question sets; the held-out half judged them.
WORDS: Final = 0.35  # of the passage that fits the words best; cosines lie between -1 and 1
DRUGS: Final = 0.15  # of a passage about all drugs that the query names
TRIAL: Final = WORDS  # of a passage of a trial that the query names: no set has such questions to tell more finely
DEPTH: Final = 60  # passages of each list that are fused; with 30 or 200 the same are found
DIGITS: Final = 4  # of a score: two indexes of the same vectors differ in the seventh
# Cosines of the packaged model on 1,000 shipped passages: the nearest passage of a question about treatments was at
# 0.35 or more, of a question about anything else at 0.31 or less.
ON_TOPIC: Final = 0.32  # the nearest passage must be this near, or nothing is found
MIN_SIMILARITY: Final = 0.25  # a passage found by meaning alone must be at least this near

_NOT_WORD = re.compile(r"[\W_]+")
Progress = Callable[[float, str], None]


def _silent(_fraction: float, _message: str) -> None:
    """Nobody is listening."""


def drop_index(data_dir: Path) -> None:
    """Delete the dense index, a cache: the next `open` builds it again from the rows. Open retrievers go on working."""
    drop_sealed(data_dir / "index")


class LiteratureRetriever:
    """Searches the passages of a knowledge base. Made by `open`; it owns the data directory until `close`.

    One retriever serves any number of threads.
    """

    def __init__(
        self,
        base: KnowledgeBase,
        passages: Sequence[Passage],
        *,
        embedder: Embedder | None,
        index: DenseIndex | ExactIndex | JoinedIndex | None,
        lock: DataDirLock | None = None,
        sources: Mapping[str, Source] | None = None,
        imported: Collection[str] = (),
    ) -> None:
        self._base = base
        self._sources = base.sources if sources is None else sources
        self._documents: dict[str, list[Passage]] = {}  # what was imported, by source
        for passage in passages:
            if passage.passage_id in imported:
                self._documents.setdefault(passage.source_id, []).append(passage)
        self._passages = {passage.passage_id: passage for passage in passages}
        self._embedder = embedder
        self._index = index
        self._lock = lock
        self._words = WordIndex({p.passage_id: _word_text(p, base) for p in passages})
        self._trials = {p.passage_id: p.trial for p in passages if p.trial}
        self._visible = lru_cache(maxsize=64)(self._compute_visible)

    @classmethod
    def open(
        cls,
        base: KnowledgeBase,
        data_dir: Path,
        *,
        model: str = "",
        exact_below: int = 0,
        progress: Progress = _silent,
        owner: str = LOCAL_OWNER,
    ) -> LiteratureRetriever:
        """Bring the store and the index up to date and open them.

        Parameters
        ----------
        base : whose passages are searched.
        data_dir : where store, index and exported model live; made when it does not exist.
        model : folder of a sentence-transformers model; the packaged MiniLM when empty.
        exact_below : a corpus of fewer passages is scanned exactly instead of through Chroma, whose import alone
            takes half a second; worth it for a process that answers one question.
        progress : told a fraction and a sentence before each step that may take seconds.
        owner : whose imported passages are searched along with the shipped ones.

        Raises
        ------
        StoreInUse
            another process owns `data_dir`.
        StoreDamaged, StoreError
            the rows cannot be read, or the disk cannot be written.
        LiteratureError
            a passage file is wrong.
        ModelNotInstalled
            `model` is not a model.
        """
        lock = DataDirLock(data_dir).acquire()
        try:
            with Store(data_dir / FILE_NAME) as store:
                current = corpus_hash(base.root)
                changed = store.corpus_hash != current
                if changed:
                    progress(0.0, "Reading the literature")
                    store.sync(base.shipped_sources, base.passages, corpus_hash=current)
                passages = store.passages(owner)
                sources = merge_sources(base.sources, store.user_sources(owner))
                imported = store.user_passage_ids(owner)
                if not passages:
                    return cls(base, passages, embedder=None, index=None, lock=lock)
                progress(0.1, "Opening the embedding model (exported once, which takes a few seconds)")
                embedder = open_embedder(data_dir / "models", model)
                if changed:
                    wanted = {text_hash(embedded_text(passage)) for passage in passages}
                    unknown = wanted - store.vectors(embedder.name, sorted(wanted)).keys()
                    store.put_vectors(embedder.name, read_shipped(base.root, embedder.name, unknown))
                progress(0.5, f"Opening the index of {len(passages)} passages (new ones are embedded once)")
                index: DenseIndex | ExactIndex
                if len(passages) < exact_below:
                    index = ExactIndex.open(store, embedder, passages)
                else:
                    index = DenseIndex.open(data_dir / "index", store, embedder, passages)
            return cls(base, passages, embedder=embedder, index=index, lock=lock, sources=sources, imported=imported)
        except BaseException:
            lock.release()
            raise

    def with_library(self, base: KnowledgeBase, store: Store, owner: str = LOCAL_OWNER) -> LiteratureRetriever:
        """The passages of this retriever and those that `owner` imported into `store`, without copying its index.

        Parameters
        ----------
        base : the knowledge that was joined with the owner's.
        store : where the owner's rows are; vectors of new passages are computed and kept there.

        The result needs no closing, and works as long as this retriever is open.
        """
        from knowledge.ingest.library import Library

        own = Library(store, owner).passages()
        if not own or self._embedder is None or self._index is None:
            return self
        imported = frozenset(passage.passage_id for passage in own)
        in_both = len(imported & self._passages.keys())
        return LiteratureRetriever(
            base,
            [*self._passages.values(), *own],
            embedder=self._embedder,
            index=JoinedIndex(self._index, ExactIndex.open(store, self._embedder, own), in_both),
            sources=merge_sources(base.sources, store.user_sources(owner)),
            imported=imported,
        )

    @property
    def count(self) -> int:
        """Passages in the dense index."""
        return self._index.count if self._index is not None else 0

    @property
    def embedder_name(self) -> str:
        """The embedding model in use; empty when there is nothing to search."""
        return self._embedder.name if self._embedder is not None else ""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A unit vector for each text, by the model of the search; all empty when there is nothing to search."""
        if self._embedder is None:
            return [[] for _ in texts]
        return [[float(value) for value in vector] for vector in self._embedder.embed(texts)]

    def close(self) -> None:
        """Close the index and give up the data directory."""
        if self._index is not None:
            self._index.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> LiteratureRetriever:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self,
        query: str,
        *,
        k: int = 6,
        view: EvidenceView | None = None,
        drugs: Sequence[str] = (),
        areas: Sequence[str] = (),
        per_source: int = 2,
    ) -> tuple[RetrievedPassage, ...]:
        """The `k` passages nearest to `query`, best first; fewer, or none, when there is nothing near.

        A query about something else altogether finds nothing, unless `drugs` or `areas` say what is wanted.

        Parameters
        ----------
        query : free text. Drugs it names by brand are also looked for by their canonical name.
        k : how many at most.
        view : passages published after `as_of` and passages of or about excluded trials never appear.
        drugs : canonical names; only passages about one of them, when given.
        areas : only passages of one of these areas, when given.
        per_source : how many passages of one source at most.

        Passages of retracted sources never appear. Equal scores are ordered by passage id, so the same question
        finds the same passages in the same order.
        """
        allowed = self._allowed(view or EvidenceView(), frozenset(drugs), frozenset(areas))
        if k < 1 or not query.strip() or not allowed:
            return ()
        named = frozenset(mention.drug for mention in self._base.vocabulary.find_drugs(query))
        meant = self._canonical(query, named)
        vector = None if self._embedder is None else self._embedder.embed([meant])[0]
        by_meaning = self._by_meaning(vector, allowed)
        if not (drugs or areas) and by_meaning and by_meaning[0][1] < ON_TOPIC:
            return ()
        fits = self._words.scores(meant, allowed, expand(meant))
        words = {passage_id: rank for rank, passage_id in enumerate(best_first(fits, DEPTH), start=1)}
        meaning = {passage_id: rank for rank, (passage_id, _) in enumerate(by_meaning, start=1)}
        near = {passage_id: similarity for passage_id, similarity in by_meaning if similarity >= MIN_SIMILARITY}
        near |= self._similarities(vector, sorted(words.keys() - near.keys()))
        trials = self._trials_named(query)
        best = max(fits.values(), default=1.0)
        scores = {
            key: round(
                similarity
                + WORDS * fits.get(key, 0.0) / best
                + DRUGS * self._share(key, named)
                + TRIAL * (self._trials.get(key) in trials),
                DIGITS,
            )
            for key, similarity in near.items()
        }
        found: list[RetrievedPassage] = []
        taken: Counter[str] = Counter()
        for passage_id in best_first(scores, len(scores)):
            passage = self._passages[passage_id]
            if taken[passage.source_id] >= per_source:
                continue
            taken[passage.source_id] += 1
            found.append(
                RetrievedPassage(
                    passage=passage,
                    source=self._sources[passage.source_id],
                    score=scores[passage_id],
                    reason=_reason(
                        words.get(passage_id),
                        meaning.get(passage_id),
                        [*sorted(named.intersection(passage.drugs)), *sorted(trials & {passage.trial})],
                    ),
                )
            )
            if len(found) == k:
                break
        return tuple(found)

    def _by_meaning(self, vector: NDArray[np.float32] | None, allowed: frozenset[str]) -> list[tuple[str, float]]:
        if self._index is None or vector is None:
            return []
        everything = len(allowed) == len(self._passages)
        return self._index.query(vector, DEPTH, among=None if everything else sorted(allowed))

    def _similarities(self, vector: NDArray[np.float32] | None, passage_ids: Sequence[str]) -> dict[str, float]:
        """Cosines of these passages; 0 where nothing was embedded."""
        if self._index is None or vector is None:
            return dict.fromkeys(passage_ids, 0.0)
        return self._index.similarities(vector, passage_ids)

    def _trials_named(self, query: str) -> frozenset[str]:
        """Trials that the query names; one-word names (`SELECT`) only in their own spelling."""
        asked = f" {_NOT_WORD.sub(' ', folded(query))} "
        return frozenset(
            trial
            for trial in set(self._trials.values())
            if f" {_NOT_WORD.sub(' ', folded(trial)).strip()} " in asked
            and (not trial.isalpha() or re.search(rf"(?<!\w){trial}(?!\w)", query))
        )

    def _share(self, passage_id: str, named: frozenset[str]) -> float:
        """Share of the drugs named in the query that the passage is about."""
        return len(named.intersection(self._passages[passage_id].drugs)) / len(named) if named else 0.0

    def _canonical(self, query: str, named: frozenset[str]) -> str:
        """The query with the canonical names of drugs and labels of endpoints that it calls otherwise."""
        vocabulary = self._base.vocabulary
        names = [*sorted(named), *(vocabulary.endpoints[key].label for key in vocabulary.find_endpoints(query))]
        folded = query.casefold()
        return " ".join((query, *dict.fromkeys(name for name in names if name.casefold() not in folded)))

    def _allowed(self, view: EvidenceView, drugs: frozenset[str], areas: frozenset[str]) -> frozenset[str]:
        """Ids of the passages that the view and the filters let through."""
        visible = self._visible(view)
        if not drugs and not areas:
            return visible
        return frozenset(
            passage_id
            for passage_id in visible
            if (not areas or self._passages[passage_id].area in areas)
            and (not drugs or not drugs.isdisjoint(self._passages[passage_id].drugs))
        )

    def _compute_visible(self, view: EvidenceView) -> frozenset[str]:
        """Ids of the passages that may be known: of sources not retracted, published in time, and not excluded."""
        hidden = Hidden(view, self._base, self._sources, self._documents)
        return frozenset(passage_id for passage_id, passage in self._passages.items() if not hidden.covers(passage))


def _word_text(passage: Passage, base: KnowledgeBase) -> str:
    """What BM25 sees: the text, and what the passage is about under every name people use."""
    about: Mapping[str, object] = base.vocabulary.drugs
    drugs = [base.vocabulary.drugs[name] for name in passage.drugs if name in about]
    names = [surface for drug in drugs for surface in (drug.name, drug.drug_class, *drug.brands)]
    tags = [tag.replace("_", " ") for tag in passage.tags]
    area = passage.area.replace("_", " ")
    return " ".join((passage.trial, passage.heading, passage.text, *names, *tags, area))


def _reason(words: int | None, meaning: int | None, about: Sequence[str]) -> str:
    parts = [f"words rank {words}" if words else "", f"meaning rank {meaning}" if meaning else ""]
    parts.append(f"about {', '.join(about)}" if about else "")
    return ", ".join(part for part in parts if part)
