"""The MCP server: tools of the registry, archetypes, sources and runs as resources, prompts by role. Any transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mcp import types
from mcp.server.lowlevel import Server

from ui.mcp_calls import Finder, call
from ui.mcp_prompts import get_prompt, list_prompts
from ui.mcp_resources import complete, list_resources, read_resource, templates
from ui.mcp_tools import list_tools

if TYPE_CHECKING:
    from assistant.service import Assistant

INSTRUCTIONS = (
    "Cohort Twin predicts how a cohort would react to a treatment, from published trials. Use `ask` for a question in plain "
    "words, the other tools for one calculation. Every number it returns was computed or quoted from a source: repeat it as "
    "it stands, with its interval, its unit and the confidence sentence, and add none of your own. Results are about groups "
    "of people, never advice for a person. Archetypes are resources (persona://ID), so are sources, passages and runs."
)


def build_server(find: Callable[[Any], Assistant]) -> Server[Any, Any]:
    """The server.

    Parameters
    ----------
    find : the assistant of whoever sent a request: given the HTTP request, or None over stdio. Called with each request.
    """
    from importlib.metadata import version

    server: Server[Any, Any] = Server("cohort-twin", version=version("cohort-twin"), instructions=INSTRUCTIONS)
    asker = Finder(server, find)

    def answer(
        kind: type[Any], handler: Callable[[Assistant, Any], types.ServerResult | Awaitable[types.ServerResult]]
    ) -> None:
        async def handle(request: Any) -> types.ServerResult:
            return await asker.run(handler, request)

        server.request_handlers[kind] = handle

    answer(types.ListToolsRequest, list_tools)
    answer(types.ListResourcesRequest, list_resources)
    answer(types.ListResourceTemplatesRequest, templates)
    answer(types.ReadResourceRequest, read_resource)
    answer(types.ListPromptsRequest, list_prompts)
    answer(types.GetPromptRequest, get_prompt)
    answer(types.CompleteRequest, complete)

    async def call_tool(request: types.CallToolRequest) -> types.ServerResult:
        return await call(asker, request)

    server.request_handlers[types.CallToolRequest] = call_tool
    return server
