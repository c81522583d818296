"""`cohort serve`, `cohort mcp` and `cohort eval`: what runs until it is stopped, or in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from knowledge.errors import InvalidInput
from ui.console import open_assistant, open_owners


def serve(
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Any but a loopback address needs API keys, and users for the chat."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    chat: Annotated[bool, typer.Option("--chat/--no-chat", help="Whether the chat page is served.")] = True,
) -> None:
    """Serve the chat at /, REST under /api/v1 (OpenAPI at /docs), MCP at /mcp and an OpenAI-compatible API under /v1."""
    from ui.server import run_server

    run_server(open_owners, host=host, port=port, chat=chat)


def mcp() -> None:
    """Speak MCP over standard input and output, for programs that start this command themselves.

    Standard output carries the protocol only; what there is to tell goes to standard error.
    """
    from ui.mcp_stdio import serve_stdio

    serve_stdio(open_assistant)


def evaluate(context: typer.Context) -> None:
    """Run the evaluation harness; arguments are passed on to `python -m evals run` (see its --help)."""
    from importlib.util import find_spec

    if find_spec("evals") is None:
        raise InvalidInput("The evaluation harness is not installed here.", "Use a checkout of the project: make eval")
    # The faces and the harness do not know each other: it runs as its own program.
    ended = subprocess.run([sys.executable, "-m", "evals", "run", *context.args], check=False)
    raise typer.Exit(ended.returncode)
