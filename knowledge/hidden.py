"""Which passages an evidence view hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from knowledge.base import KnowledgeBase
from knowledge.schemas import EvidenceView, Passage, Source
from knowledge.views import NamePatterns, TrialMentions, published_by


class Hidden:
    """What an evidence view hides, as a test on a passage.

    Parameters
    ----------
    view : what may be known.
    base : its trial arms tell which sources report an excluded trial.
    sources : source id → source, of all passages.
    documents : source id → passages of an imported document. Such a document is whole: when one of its passages is
        about an excluded trial, its other passages are likely to be too and seldom say so, so all are hidden.
    """

    def __init__(
        self,
        view: EvidenceView,
        base: KnowledgeBase,
        sources: Mapping[str, Source],
        documents: Mapping[str, Sequence[Passage]],
    ) -> None:
        self._view, self._all = view, sources
        trials = base.arms.hidden_trials(view)
        arms = [arm for arm in base.arms.arms if arm.trial in trials]
        self._patterns = NamePatterns(view.exclude)
        # The sources of an excluded trial's rows report its figures, whatever else they are about.
        self._sources = frozenset(arm.source_id for arm in arms)
        registry_ids = {arm.registry_id for arm in arms if arm.registry_id}
        self._mentions = TrialMentions(trials | registry_ids, view.exclude)
        self._documents: frozenset[str] = frozenset()
        if self._patterns and documents:
            self._documents = self._hidden_documents(documents, registry_ids)

    def covers(self, passage: Passage) -> bool:
        """True when the passage may not be known: retracted, too new, of or about what is excluded."""
        source = self._all[passage.source_id]
        if source.retracted or not published_by(source, self._view.as_of):
            return True
        if not self._patterns:
            return False
        return passage.source_id in self._documents or self._is_about(passage, source)

    def _is_about(self, passage: Passage, source: Source) -> bool:
        if passage.source_id in self._sources or any(
            map(self._patterns.match, (passage.trial, passage.source_id, source.registry_id))
        ):
            return True
        return self._mentions.found_in(f"{passage.trial}\n{passage.heading}\n{passage.text}\n{source.title}")

    def _hidden_documents(self, documents: Mapping[str, Sequence[Passage]], registry_ids: set[str]) -> frozenset[str]:
        """Imported documents that are, or are about, what is excluded; the same paper may have another id here."""
        excluded = [
            source
            for key, source in self._all.items()
            if key in self._sources or self._patterns.match(source.source_id)
        ]
        pmids = {source.pmid for source in excluded} - {""}
        dois = {source.doi.casefold() for source in excluded} - {""}
        return frozenset(
            source_id
            for source_id, passages in documents.items()
            if (source := self._all[source_id]).pmid in pmids
            or source.doi.casefold() in dois
            or source.registry_id in registry_ids
            or self._patterns.match(f"pmid-{source.pmid}")
            or any(self._is_about(passage, source) for passage in passages)
        )
