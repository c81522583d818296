"""The tools, as the registry declares them: listed with their schemas, and run."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Body, Path, Request, Response

from assistant.service import Assistant
from knowledge.schemas import Frozen
from tools.schemas import ToolResult
from ui.rest.asking import Askers
from ui.rest.caching import cached, cached_model
from ui.rest.deps import Mine, Owner, Seed, View

ToolName = Annotated[str, Path(max_length=100, description="name of the tool", examples=["search_literature"])]
EXAMPLES: dict[str, Any] = {
    "search": {"summary": "search_literature", "value": {"query": "adherence to weekly injections"}},
    "response": {
        "summary": "simulate_treatment_response",
        "value": {
            "cohort": {"persona_id": "t2d_ckd_older"},
            "treatment": {"intervention": "semaglutide", "dose": 1.0, "dose_unit": "mg"},
            "horizon_weeks": 30,
        },
    },
    "cohort": {
        "summary": "describe_cohort",
        "value": {"cohort": {"persona_id": "t2d_adults", "restrictions": ["age>=65"]}},
    },
}


class ToolCard(Frozen):
    """A tool as listed: what it is for and how far to believe it."""

    name: str
    description: str
    validation: str
    version: str
    input_schema: dict[str, Any]


class ToolCards(Frozen):
    """All tools."""

    tools: tuple[ToolCard, ...]


def add_tool_routes(routes: APIRouter) -> None:
    """Everything below /tools."""

    @routes.get("/tools", tags=["tools"], response_model=list[ToolCard])
    def tools(request: Request, assistant: Mine) -> Response:
        """All tools with their input schemas."""
        listed = ToolCards(tools=tuple(_card(assistant, declared.name) for declared in assistant.registry))
        return cached(request, b"[" + b",".join(card.model_dump_json().encode() for card in listed.tools) + b"]")

    @routes.get("/tools/{name}", tags=["tools"], response_model=ToolCard)
    def tool(request: Request, name: ToolName, assistant: Mine) -> Response:
        """One tool with its input schema."""
        return cached_model(request, _card(assistant, name))

    @routes.post("/tools/{name}", tags=["tools"], response_model=ToolResult)
    async def run_tool(
        request: Request,
        name: ToolName,
        assistant: Mine,
        owner: Owner,
        view: View,
        arguments: Annotated[dict[str, Any] | None, Body(openapi_examples=EXAMPLES)] = None,
        seed: Seed = 1,
    ) -> Response:
        """Run one tool; the body is its input. The result may have more fields than are listed here."""
        askers: Askers = request.app.state.askers

        def work() -> str:
            return assistant.run_tool(name, arguments or {}, seed=seed, view=view).model_dump_json()

        with askers.one(owner):
            content = await to_thread.run_sync(work, limiter=askers.threads)
        return Response(content, media_type="application/json")


def _card(assistant: Assistant, name: str) -> ToolCard:
    declared = assistant.registry[name]
    return ToolCard(
        name=declared.name,
        description=declared.description,
        validation=declared.validation.value,
        version=declared.version,
        input_schema=declared.input_model.model_json_schema(),
    )
