"""What a tool may use. Nothing else reaches it: no globals, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from knowledge.base import KnowledgeBase
from knowledge.retrieval import LiteratureRetriever
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary


def _silent(_fraction: float, _message: str) -> None:
    """Default progress callback: nobody is listening."""


@dataclass(frozen=True)
class ToolContext:
    """Seed, evidence view and libraries for one tool call.

    `retriever` is a callable so that the index opens only when a tool asks for it. Fits may be kept in `cache_dir`:
    they are functions of the evidence alone, so that a cached and a fresh one are the same.
    """

    knowledge: KnowledgeBase
    personas: PersonaLibrary
    retriever: Callable[[], LiteratureRetriever]
    seed: int = 1
    view: EvidenceView = field(default_factory=EvidenceView)
    cache_dir: Path | None = None
    progress: Callable[[float, str], None] = field(default=_silent, compare=False)

    def with_view(self, view: EvidenceView) -> ToolContext:
        """The same context under another evidence view."""
        return replace(self, view=view)
