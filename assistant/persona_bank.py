"""The bank of archetypes for every face: list, search, compare, match with trials, learn, import, export."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assistant.schemas import PersonaNode
from knowledge.errors import CohortNotCovered, InvalidInput
from personas.updating.layered import OVERLAY, LayeredLibrary

if TYPE_CHECKING:
    from assistant.persona_views import (
        ComparisonView,
        Entry,
        Found,
        History,
        Imported,
        Listed,
        Similar,
        TrialMatches,
        UpdateReport,
    )
    from knowledge.base import KnowledgeBase
    from knowledge.embedding import Embedder
    from personas.library import PersonaLibrary
    from personas.schemas import CohortSpec
    from personas.updating.learner import Learner


def open_library(data_dir: Path) -> LayeredLibrary:
    """The shipped archetypes under what the user of this data directory has imported and learned."""
    return LayeredLibrary(data_dir / OVERLAY)


def persona_tree(library: PersonaLibrary) -> list[PersonaNode]:
    """The archetypes as a tree."""

    def branch(persona_id: str) -> PersonaNode:
        children = tuple(branch(child) for child in library.children(persona_id))
        persona = library.get(persona_id)
        return PersonaNode(id=persona_id, name=persona.name, assumed_share=persona.assumed_share, children=children)

    return [branch(persona_id) for persona_id in library.ids() if library.get(persona_id).parent is None]


class PersonaBank:
    """What can be done with the archetypes of one data directory, whose lock the caller holds.

    Parameters
    ----------
    library : the one the assistant asks, so that what is learned or imported is used at once.
    embedder : name of the embedding model, empty for the packaged one.
    open_embedder : gives the model where it is open already; else the data directory's own is opened for each search.
    """

    def __init__(
        self,
        data_dir: Path,
        library: LayeredLibrary,
        knowledge: KnowledgeBase,
        embedder: str = "",
        open_embedder: Callable[[], Embedder] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._open_embedder = open_embedder
        self.changing = threading.RLock()  # held by whoever looks at an archetype and then changes it
        self.library = library
        self.knowledge = knowledge
        self.embedder = embedder

    def listed(self, area: str = "") -> list[Listed]:
        """All archetypes, or those of an area (InvalidInput when it has none), by area and name."""
        from personas.bank.schemas import Listed
        from personas.library import provenance_summary

        rows = [
            Listed(
                id=persona.id,
                name=persona.name,
                area=persona.area,
                parent=persona.parent,
                origin="imported" if self.library.is_imported(persona.id) else "shipped",
                attributes=len(persona.attributes),
                sourced_share=provenance_summary(persona)[2],
                learned=self.library.learned_count(persona.id),
            )
            for persona in self.library
        ]
        chosen = [row for row in rows if area in ("", row.area)]
        if not chosen:
            areas = ", ".join(sorted({row.area for row in rows}))
            raise InvalidInput(f"There is no archetype of the area '{area}'.", f"There are: {areas}.")
        return sorted(chosen, key=lambda row: (row.area != "general", row.area, row.name))

    def search(self, query: str, k: int = 5, *, words: bool = False) -> list[Found]:
        """Archetypes nearest to a description, by meaning; by words when asked or when there is no model."""
        from personas.bank.search import search_personas

        def open_it() -> Embedder:
            from knowledge.embedding import open_embedder

            if self._open_embedder is not None:
                return self._open_embedder()
            return open_embedder(self.data_dir / "models", self.embedder)

        opened = None if words else open_it
        return [*search_personas(query, self.library, k, opened, self.data_dir / OVERLAY)]

    def compare(self, first: str, second: str) -> ComparisonView:
        """Two archetypes attribute by attribute (UnknownPersona)."""
        from assistant.persona_views import ComparisonView, comparison_chart
        from personas.bank.contrast import compare

        result = compare(self.library.get(first), self.library.get(second))
        return ComparisonView(comparison=result, chart=comparison_chart(result))

    def similar(self, persona_id: str, k: int = 10) -> list[Similar]:
        """The archetypes nearest to one (UnknownPersona)."""
        from personas.bank.contrast import similar

        persona = self.library.get(persona_id)
        others = [other for other in self.library if other.id != persona_id]
        return [*similar(persona, others)[:k]]

    def trials(self, persona_id: str, *, area: str = "", at_least: int = 4, limit: int = 10) -> TrialMatches:
        """Trial populations by distance from an archetype (UnknownPersona, InvalidInput)."""
        from personas.bank.matching import match_trials

        arms, sources = self.knowledge.arms.arms, self.knowledge.sources
        persona = self.library.get(persona_id)
        return match_trials(persona, arms, sources, area=area, at_least=at_least, limit=limit)

    def update(
        self,
        persona_id: str,
        observations: Path,
        *,
        on: date | None = None,
        source: str = "",
        prior_weight: float | None = None,
        half_life_years: float | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """Learn from observed outcomes; see `personas.updating.learner.Learner.update`."""
        return self._learner().update(
            persona_id,
            observations,
            on=on,
            source=source,
            prior_weight=prior_weight,
            half_life_years=half_life_years,
            dry_run=dry_run,
        )

    def history(self, persona_id: str) -> History:
        """What changed in an archetype, when and because of what (UnknownPersona, LedgerTampered)."""
        return self._learner().history(persona_id)

    def rollback(self, persona_id: str, to: int) -> Entry:
        """Back to what was believed after entry `to`; 0 for the archetype as shipped."""
        return self._learner().rollback(persona_id, to)

    def export(self, persona_id: str, out: Path, *, force: bool = False) -> Path:
        """Write an archetype to a file (UnknownPersona, InvalidInput)."""
        from personas.bank.files import export_archetype

        return export_archetype(self.library.get(persona_id), out, force=force)

    def export_text(self, persona_id: str, form: Literal["yaml", "json"] = "yaml") -> str:
        """An archetype as the text of a file (UnknownPersona)."""
        from personas.bank.files import export_text

        return export_text(self.library.get(persona_id), form)

    def import_file(self, file: Path, *, replace: bool = False, dry_run: bool = False) -> Imported:
        """Take in an archetype; see `personas.bank.files.import_archetype`."""
        from personas.bank.files import import_archetype

        return import_archetype(file, self.library, self.knowledge.sources, replace=replace, dry_run=dry_run)

    def remove(self, persona_id: str, *, dry_run: bool = False) -> None:
        """Take an imported archetype out; see `personas.bank.removing.remove_archetype`."""
        from personas.bank.removing import remove_archetype

        remove_archetype(persona_id, self.library, dry_run=dry_run)

    def resolve(self, text: str) -> CohortSpec:
        """The cohort that words describe (CohortNotCovered, EmptyCohort, InvalidInput)."""
        from personas.resolve import resolve_cohort

        found = resolve_cohort(text, self.library)
        if found is None:
            raise CohortNotCovered(
                f"Nobody is described by '{text.strip()[:80]}'.", "For example: women over 65 with type 2 diabetes."
            )
        return found

    @staticmethod
    def schema() -> dict[str, Any]:
        """JSON Schema of an archetype file."""
        from personas.bank.file_schema import archetype_json_schema

        return archetype_json_schema()

    def _learner(self) -> Learner:
        from personas.updating.learner import Learner

        return Learner(self.library, self.knowledge.sources)
