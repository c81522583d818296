"""One process: REST, chat, MCP and an OpenAI-compatible endpoint over the same owners."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ui.auth import LOOPBACK_HOSTS
from ui.auth import check_host as check_address

if TYPE_CHECKING:
    from fastapi import FastAPI

    from assistant.owners import Owners

THREADS_AT_ONCE = 256  # connections; more are told to come back


def create_app(owners: Owners, *, chat: bool = True, hosts: frozenset[str] | None = None) -> FastAPI:
    """The application.

    Parameters
    ----------
    owners : whose assistants answer.
    chat : also the chat, at /.
    hosts : names by which the service may be called; any when None.
    """
    from ui.rest import build_rest
    from ui.rest.app import close_paths

    app = build_rest(owners, hosts)
    if find_spec("ui.openai_api") is not None:
        from ui.openai_api import add_openai_routes

        add_openai_routes(app, owners)
    close_paths(app)
    if find_spec("ui.mcp_http") is not None:
        from ui.mcp_http import mount_mcp

        mount_mcp(app, owners)
    if chat:
        from ui.chat import mount_chat

        app = mount_chat(app, owners)
    return app


def check_host(host: str, owners: Owners, *, chat: bool = True) -> str:
    """The address to listen on (InvalidInput: not loopback, and keys or sign-in are missing)."""
    return check_address(host, keys=owners.keys.configured, users=owners.users.configured, chat=chat)


def run_server(build: Callable[[], Owners], *, host: str, port: int, chat: bool = True) -> None:
    """Serve until interrupted."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import uvicorn

    with build() as owners:
        checked = check_host(host, owners, chat=chat)
        # Whoever calls a loopback address by a name of their own is a web page that must not be here.
        keyless = not owners.keys.configured
        app = create_app(owners, chat=chat, hosts=LOOPBACK_HOSTS if keyless else None)
        uvicorn.run(
            app,
            host=checked,
            port=port,
            log_level="warning",
            server_header=False,
            limit_concurrency=THREADS_AT_ONCE,
            timeout_graceful_shutdown=5,
        )
