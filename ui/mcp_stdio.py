"""MCP over stdio: standard output carries messages of the protocol and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING

import anyio
from mcp.server.stdio import stdio_server

from ui.mcp_server import build_server

if TYPE_CHECKING:
    from assistant.service import Assistant


def serve_stdio(open_assistant: Callable[[], Assistant]) -> None:
    """Serve until the client closes standard input.

    Whatever else writes to standard output, Python or a library in C, is led to standard error.
    """
    sys.stdout.flush()
    protocol = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(protocol, "wb") as raw, redirect_stdout(sys.stderr), open_assistant() as assistant:
        anyio.run(_serve, assistant, raw)


async def _serve(assistant: Assistant, raw: object) -> None:
    server = build_server(lambda _request: assistant)
    stdout = anyio.wrap_file(TextIOWrapper(raw, encoding="utf-8", write_through=True))  # type: ignore[type-var]
    async with stdio_server(stdout=stdout) as (read, write):
        await server.run(read, write, server.create_initialization_options())
