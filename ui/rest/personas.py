"""The archetypes, to be read: tree, profiles, list, search, comparison, likeness, trials, history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field

from assistant.persona_views import ComparisonView, Found, History, Listed, Similar, TrialMatches
from assistant.schemas import PersonaNode
from knowledge.schemas import Frozen
from personas.schemas import CohortSpec, Persona
from ui.rest.caching import cached, cached_model
from ui.rest.deps import Mine
from ui.rest.pages import Cursor, Limit, link_next, page, read_cursor

PersonaId = Annotated[str, Path(max_length=100, description="id of the archetype", examples=["t2d_ckd_older"])]


class Words(Frozen):
    """A description of people."""

    text: str = Field(max_length=2000)


_WORDS: dict[str, Any] = {
    "one": {"summary": "A cohort in words", "value": {"text": "women over 65 with type 2 diabetes and kidney disease"}}
}


def add_persona_routes(routes: APIRouter) -> None:
    """Reading below /personas. Routes with a fixed name stand before the one that takes an id."""

    @routes.get("/personas", tags=["personas"])
    def personas(assistant: Mine) -> list[PersonaNode]:
        """The tree of archetypes."""
        return assistant.persona_tree()

    @routes.get("/personas/list", tags=["personas"])
    def list_personas(
        request: Request,
        response: Response,
        assistant: Mine,
        area: Annotated[str, Query(max_length=60)] = "",
        limit: Limit = 1000,
        cursor: Cursor = "",
    ) -> list[Listed]:
        """All archetypes, or those of an area."""
        rows, after = assistant.bank.listed(area), read_cursor(cursor)
        place = next((number for number, row in enumerate(rows, start=1) if row.id == after), 0)
        shown, more = page(rows[place:], limit)
        if more:
            link_next(request, response, shown[-1].id)
        return shown

    @routes.get("/personas/search", tags=["personas"])
    def search_personas(
        assistant: Mine,
        q: Annotated[str, Query(max_length=2000, examples=["adolescents with obesity"])],
        k: Annotated[int, Query(ge=1, le=100)] = 5,
        words: bool = False,
    ) -> list[Found]:
        """Archetypes nearest to a description, by meaning or by words."""
        return assistant.bank.search(q, k, words=words)

    @routes.post("/personas/resolve", tags=["personas"])
    def resolve_cohort(assistant: Mine, words: Annotated[Words, Body(openapi_examples=_WORDS)]) -> CohortSpec:
        """The cohort that words describe: what was understood, and which words nobody could place."""
        return assistant.bank.resolve(words.text)

    @routes.get("/personas/compare", tags=["personas"])
    def compare_personas(
        assistant: Mine,
        first: Annotated[str, Query(max_length=100, examples=["t2d_ckd"])],
        second: Annotated[str, Query(max_length=100, examples=["t2d_adults"])],
    ) -> ComparisonView:
        """Two archetypes side by side, with a chart."""
        return assistant.bank.compare(first, second)

    @routes.get("/personas/schema", tags=["personas"], response_model=dict[str, Any])
    def persona_schema(assistant: Mine) -> dict[str, Any]:
        """JSON Schema of an archetype."""
        return assistant.bank.schema()

    @routes.get("/personas/{persona_id}", tags=["personas"], response_model=Persona)
    def persona(request: Request, persona_id: PersonaId, assistant: Mine) -> Response:
        """One archetype with provenance of every value. Its ETag is what a change needs in If-Match."""
        return cached_model(request, assistant.persona(persona_id))

    @routes.get(
        "/personas/{persona_id}/file",
        tags=["personas"],
        response_class=Response,
        responses={200: {"description": "The file", "content": {"application/yaml": {"schema": {"type": "string"}}}}},
    )
    def persona_file(
        request: Request, persona_id: PersonaId, assistant: Mine, form: Literal["yaml", "json"] = "yaml"
    ) -> Response:
        """One archetype as a file, with everything it inherits and has learned."""
        text = assistant.bank.export_text(persona_id, form)
        return cached(request, text.encode(), f"application/{form}")

    @routes.get("/personas/{persona_id}/similar", tags=["personas"])
    def similar_personas(
        persona_id: PersonaId, assistant: Mine, k: Annotated[int, Query(ge=1, le=100)] = 10
    ) -> list[Similar]:
        """The nearest archetypes."""
        return assistant.bank.similar(persona_id, k)

    @routes.get("/personas/{persona_id}/trials", tags=["personas"])
    def persona_trials(
        persona_id: PersonaId,
        assistant: Mine,
        area: Annotated[str, Query(max_length=60)] = "",
        at_least: Annotated[int, Query(ge=1, le=11)] = 4,
        k: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> TrialMatches:
        """Trials whose people are most like the archetype, and the one whose people are least."""
        return assistant.bank.trials(persona_id, area=area, at_least=at_least, limit=k)

    @routes.get("/personas/{persona_id}/history", tags=["personas"])
    def persona_history(persona_id: PersonaId, assistant: Mine) -> History:
        """What the archetype has learned, when and from what."""
        return assistant.bank.history(persona_id)
