"""REST of the archetypes: tree, profiles, list, search, comparison, likeness, trials, history. Reading only."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Query

from assistant.persona_views import ComparisonView, Found, History, Listed, Similar, TrialMatches
from assistant.schemas import PersonaNode
from assistant.service import Assistant
from personas.schemas import Persona

_PATH = "/api/v1/personas"


def add_persona_routes(app: FastAPI, assistant: Assistant) -> None:
    """All routes below /api/v1/personas. Those with a fixed name stand before the one that takes an id."""
    bank = assistant.bank

    @app.get(_PATH, tags=["personas"])
    def personas() -> list[PersonaNode]:
        """The tree of archetypes."""
        return assistant.persona_tree()

    @app.get(f"{_PATH}/list", tags=["personas"])
    def listed(area: str = Query("", max_length=60)) -> list[Listed]:
        """All archetypes, or those of an area."""
        return bank.listed(area)

    @app.get(f"{_PATH}/search", tags=["personas"])
    def search(q: str = Query(max_length=2000), k: int = Query(5, ge=1, le=100), words: bool = False) -> list[Found]:
        """Archetypes nearest to a description, by meaning or by words."""
        return bank.search(q, k, words=words)

    @app.get(f"{_PATH}/compare", tags=["personas"])
    def compare(first: str = Query(max_length=100), second: str = Query(max_length=100)) -> ComparisonView:
        """Two archetypes side by side, with a chart."""
        return bank.compare(first, second)

    @app.get(f"{_PATH}/schema", tags=["personas"])
    def schema() -> dict[str, Any]:
        """JSON Schema of an archetype file."""
        return bank.schema()

    @app.get(f"{_PATH}/{{persona_id}}", tags=["personas"])
    def persona(persona_id: str) -> Persona:
        """One archetype with provenance of every value."""
        return assistant.persona(persona_id)

    @app.get(f"{_PATH}/{{persona_id}}/similar", tags=["personas"])
    def similar(persona_id: str, k: int = Query(10, ge=1, le=100)) -> list[Similar]:
        """The nearest archetypes."""
        return bank.similar(persona_id, k)

    @app.get(f"{_PATH}/{{persona_id}}/trials", tags=["personas"])
    def trials(
        persona_id: str,
        area: str = Query("", max_length=60),
        at_least: int = Query(4, ge=1, le=11),
        k: int = Query(10, ge=1, le=100),
    ) -> TrialMatches:
        """Trials whose people are most like the archetype, and the one whose people are least."""
        return bank.trials(persona_id, area=area, at_least=at_least, limit=k)

    @app.get(f"{_PATH}/{{persona_id}}/history", tags=["personas"])
    def history(persona_id: str) -> History:
        """What the archetype has learned, when and from what."""
        return bank.history(persona_id)
