"""A foreign corpus in the product's own parts: its passages, its word index, its vectors, its search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from evals.retrieval.sets import SHORTEST_DOCUMENT, RetrievalSet
from knowledge.base import KnowledgeBase
from knowledge.embedding import Embedder
from knowledge.index import ExactIndex
from knowledge.ingest.chunking import chunk
from knowledge.ingest.records import Block, Section
from knowledge.ingest.text import clean
from knowledge.retrieval import DEPTH, ON_TOPIC, LiteratureRetriever
from knowledge.schemas import Design, Passage, Seen, Source
from knowledge.store import Store
from knowledge.words import WordIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARGIN: Final = 0.1  # how much nearer a question may be than the same under canonical names
_EXACT: Final = 100.0  # a drug in its right spelling, as an import tags passages
AREA: Final = "public set"
_PUBLISHED: Final = "1900"  # the sets do not all say when; nothing here depends on it


def as_passages(found: RetrievalSet, base: KnowledgeBase) -> tuple[Passage, ...]:
    """The documents, cut into passages and tagged with the drugs they name as an import does it.

    They have no title: PubMedQA's are the questions, and BioASQ's are not in the file.
    """
    passages: list[Passage] = []
    for pmid, paragraphs in found.documents.items():
        blocks = tuple(Block(clean(paragraph), "abstract") for paragraph in paragraphs)
        for position, one in enumerate(chunk([Section("", blocks)])):
            if len(one.text) >= SHORTEST_DOCUMENT:
                mentions = base.vocabulary.find_drugs(one.text)
                passages.append(
                    Passage(
                        passage_id=f"pmid-{pmid}#{position}",
                        source_id=f"pmid-{pmid}",
                        area=AREA,
                        heading="",
                        locator=one.locator,
                        text=one.text,
                        drugs=tuple(dict.fromkeys(m.drug for m in mentions if m.score == _EXACT)),
                        published=_PUBLISHED,
                    )
                )
    return tuple(passages)


def as_sources(found: RetrievalSet) -> dict[str, Source]:
    """Source id → source of each document."""
    return {
        f"pmid-{pmid}": Source(
            source_id=f"pmid-{pmid}",
            title=f"PMID {pmid}",
            published=_PUBLISHED,
            design=Design.OBSERVATIONAL,
            pmid=pmid,
            seen=Seen.ABSTRACT,
        )
        for pmid in found.documents
    }


class Remembering:
    """An embedder that computes the questions once, many at a time, for all ways of searching.

    Parameters
    ----------
    embedder : the product's.
    texts : what will be asked for one by one.
    """

    def __init__(self, embedder: Embedder, texts: Sequence[str]) -> None:
        self._embedder = embedder
        self._known = dict(zip(texts, embedder.embed(texts), strict=True))

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._embedder.name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), d)."""
        import numpy as np

        if any(text not in self._known for text in texts):
            return self._embedder.embed(texts)
        return np.stack([self._known[text] for text in texts])


class Corpus:
    """Three ways to search one set of documents; each gives PMIDs, best first, each once.

    Words and meaning are the product's two lists by themselves, on the question as it stands; both together is the
    product's whole search. Searched without being told where to look, the product finds nothing for a question that is
    near no passage, as it takes it for one about something else. That is a judgement on the question, not a ranking:
    here the search is told to look in the set, and `silenced` says which questions it would otherwise have refused.

    Parameters
    ----------
    found : the set.
    base : vocabulary of the product; none of its passages is searched.
    store : where vectors are kept.
    embedder : the product's.
    """

    def __init__(self, found: RetrievalSet, base: KnowledgeBase, store: Store, embedder: Embedder) -> None:
        self.passages = as_passages(found, base)
        self._pmids = {passage.passage_id: passage.source_id.removeprefix("pmid-") for passage in self.passages}
        self._index = ExactIndex.open(store, embedder, self.passages)
        self._embedder = Remembering(embedder, [question.text for question in found.questions])
        self._retriever = LiteratureRetriever(
            base, self.passages, embedder=self._embedder, index=self._index, sources=as_sources(found)
        )
        self._words = WordIndex({passage.passage_id: passage.text for passage in self.passages})

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(self._pmids)

    def by_words(self, question: str) -> list[str]:
        """BM25 alone."""
        return self._documents(self._words.ranking(question, self._all, DEPTH))

    def by_meaning(self, question: str) -> list[str]:
        """Cosine similarity of vectors alone, exact."""
        hits = self._index.query(self._embedder.embed([question])[0], DEPTH)
        return self._documents([passage_id for passage_id, _ in hits])

    def by_both(self, question: str) -> list[str]:
        """`LiteratureRetriever.search`, one passage a document."""
        hits = self._retriever.search(question, k=DEPTH, per_source=1, areas=(AREA,))
        return self._documents([hit.passage.passage_id for hit in hits])

    def silenced(self, question: str) -> bool:
        """Whether the search finds nothing when it is not told where to look."""
        nearest = self._index.query(self._embedder.embed([question])[0], 1)
        # The search looks for the question under canonical names; only near the threshold need it be asked.
        if nearest[0][1] >= ON_TOPIC + _MARGIN:
            return False
        return not self._retriever.search(question, k=1)

    def _documents(self, passage_ids: Sequence[str]) -> list[str]:
        """Documents in the order of their best passage."""
        return list(dict.fromkeys(self._pmids[passage_id] for passage_id in passage_ids))
