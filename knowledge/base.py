"""The knowledge base: vocabulary, sources, evidence and passages, read once and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from knowledge.arms import EvidenceTable, load_arms
from knowledge.errors import InvalidInput
from knowledge.literature import load_passages
from knowledge.schemas import EvidenceView, Passage, Source
from knowledge.sources import load_sources
from knowledge.vocabulary import Vocabulary, load_vocabulary


@dataclass(frozen=True, eq=False)
class KnowledgeBase:
    """Everything that was read from a knowledge folder.

    Attributes
    ----------
    root : the folder.
    vocabulary : drugs and endpoints.
    sources : source id → source.
    arms : the evidence table, retracted trials already left out.
    """

    root: Path
    vocabulary: Vocabulary
    sources: dict[str, Source]
    arms: EvidenceTable
    _hashes: dict[EvidenceView, str] = field(default_factory=dict, repr=False)

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """All passages; read when first asked for, since many questions need none (LiteratureError)."""
        return load_passages(self.root, self.sources)

    def evidence_hash(self, view: EvidenceView | None = None) -> str:
        """16 hex digits of the trial arms that `view` lets through."""
        view = view or EvidenceView()
        if view not in self._hashes:
            self._hashes[view] = self.arms.view(view).hash
        return self._hashes[view]

    def source(self, source_id: str) -> Source:
        """The source with this id; InvalidInput when there is none."""
        if source_id not in self.sources:
            raise InvalidInput(
                f"There is no source '{source_id}'.", "Source ids are listed in knowledge/sources, e.g. pmid-28110911."
            )
        return self.sources[source_id]


def load_knowledge(root: Path | None = None) -> KnowledgeBase:
    """Read and validate a knowledge folder.

    Parameters
    ----------
    root : the folder; the packaged one when not given.

    Raises
    ------
    DataError, EvidenceError
        naming file and row of what is wrong.
    """
    root = root or Path(__file__).parent
    vocabulary = load_vocabulary(root)
    sources = load_sources(root)
    return KnowledgeBase(root, vocabulary, sources, load_arms(root, vocabulary, sources))
