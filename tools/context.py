"""What a tool may use. Nothing else reaches it: no globals, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from knowledge.base import KnowledgeBase
from knowledge.retrieval import LiteratureRetriever
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from tools.execution import Executor, InThisThread


def _silent(_fraction: float, _message: str) -> None:
    """Default progress callback: nobody is listening."""


@dataclass(frozen=True)
class ToolContext:
    """Seed, evidence view and libraries for one tool call.

    `retriever` is a callable so that the index opens only when a tool asks for it. `executor` computes the pieces of a
    simulation; the numbers do not depend on which one it is.
    """

    knowledge: KnowledgeBase
    personas: PersonaLibrary
    retriever: Callable[[], LiteratureRetriever]
    seed: int = 1
    view: EvidenceView = field(default_factory=EvidenceView)
    progress: Callable[[float, str], None] = field(default=_silent, compare=False)
    executor: Executor = field(default_factory=InThisThread, compare=False)

    def with_view(self, view: EvidenceView) -> ToolContext:
        """The same context under another evidence view."""
        return replace(self, view=view)
