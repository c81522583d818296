"""The knowledge base: vocabulary, sources, evidence and passages, read once and never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from knowledge.arms import EvidenceTable, load_arms
from knowledge.errors import InvalidInput
from knowledge.literature import load_passages
from knowledge.merging import merge_arms, merge_sources
from knowledge.schemas import EvidenceView, Passage, Source, TrialArm
from knowledge.sources import load_sources
from knowledge.vocabulary import Vocabulary, load_vocabulary


@dataclass(frozen=True, eq=False)
class KnowledgeBase:
    """Everything that was read from a knowledge folder.

    Attributes
    ----------
    root : the folder.
    vocabulary : drugs and endpoints.
    sources : source id → source, with what a user imported.
    arms : the evidence table, with what a user imported; retracted trials already left out.
    shipped : the sources of the folder alone, when others were joined to them.
    """

    root: Path
    vocabulary: Vocabulary
    sources: dict[str, Source]
    arms: EvidenceTable
    shipped: Mapping[str, Source] | None = field(default=None, repr=False)
    _hashes: dict[EvidenceView, str] = field(default_factory=dict, repr=False)

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """All passages of the folder; read when first asked for, since many questions need none (LiteratureError)."""
        return load_passages(self.root, self.shipped_sources)

    @property
    def shipped_sources(self) -> Mapping[str, Source]:
        """Source id → source, of the folder alone."""
        return self.sources if self.shipped is None else self.shipped

    def with_arms(self, arms: Iterable[TrialArm], sources: Mapping[str, Source]) -> KnowledgeBase:
        """The same knowledge with a user's trial arms and sources joined to it.

        Parameters
        ----------
        arms : imported arms; those that cannot be used are left out, and `arms.warnings` says which and why.
        sources : the imported sources, source id → source. One that is retracted takes its trials out, also shipped
            ones.
        """
        merged = merge_sources(self.sources, sources)
        table = merge_arms(self.arms, arms, merged, self.vocabulary)
        return KnowledgeBase(self.root, self.vocabulary, merged, table, self.shipped_sources)

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


def load_knowledge(
    root: Path | None = None,
    *,
    extra_arms: Iterable[TrialArm] = (),
    extra_sources: Mapping[str, Source] | None = None,
) -> KnowledgeBase:
    """Read and validate a knowledge folder.

    Parameters
    ----------
    root : the folder; the packaged one when not given.
    extra_arms, extra_sources : what a user imported, joined as by `KnowledgeBase.with_arms`.

    Raises
    ------
    DataError, EvidenceError
        naming file and row of what is wrong.
    """
    root = root or Path(__file__).parent
    vocabulary = load_vocabulary(root)
    sources = load_sources(root)
    base = KnowledgeBase(root, vocabulary, sources, load_arms(root, vocabulary, sources))
    extra_arms = tuple(extra_arms)
    return base.with_arms(extra_arms, extra_sources or {}) if extra_arms or extra_sources else base
