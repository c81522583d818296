"""The tools as MCP lists them: the declarations of the registry, and `ask`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp import types

from assistant.schemas import Answer, Question

if TYPE_CHECKING:
    from assistant.service import Assistant

ASK = "ask"
_HOW_FAR = {
    "calibrated": "Backtested against published outcomes; confidence is a measured frequency.",
    "validated": "Reproduces published results; no calibrated confidence.",
    "verified": "Reproduces known exact results.",
    "scenario": "A what-if only; not checked against outcomes.",
}


def list_tools(assistant: Assistant, _request: Any) -> types.ServerResult:
    """All tools with the schemas of what goes in and what comes out."""
    tools = [
        types.Tool(
            name=declared.name,
            title=declared.name.replace("_", " ").capitalize(),
            description=f"{declared.description} ({declared.validation.value}: {_HOW_FAR[declared.validation.value]})",
            inputSchema=declared.input_model.model_json_schema(),
            outputSchema=declared.result_model.model_json_schema(mode="serialization"),
            annotations=types.ToolAnnotations(
                readOnlyHint=True, destructiveHint=False, idempotentHint=True, openWorldHint=False
            ),
        )
        for declared in assistant.registry
    ]
    return types.ServerResult(types.ListToolsResult(tools=[_ask(assistant), *tools]))


def _ask(assistant: Assistant) -> types.Tool:
    return types.Tool(
        name=ASK,
        title="Ask about a cohort",
        description=(
            "Ask in plain words how a cohort would react to a treatment, for example: 'How would adults over 65 with type 2 "
            "diabetes react to semaglutide 1 mg weekly over 30 weeks?' Gives a grounded answer with intervals, evidence and a "
            "calibrated confidence. Name a conversation, or give earlier questions, to ask a follow-up. The run is recorded."
        ),
        inputSchema=Question.model_json_schema(),
        outputSchema=Answer.model_json_schema(mode="serialization"),
        # Each call adds a run to the ledger and takes nothing away.
        annotations=types.ToolAnnotations(
            readOnlyHint=False,
            destructiveHint=False,
            idempotentHint=False,
            openWorldHint=assistant.settings.model != "offline",
        ),
    )
