"""One process: REST and chat over one `Assistant`, on a loopback address."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from knowledge.errors import InvalidInput

if TYPE_CHECKING:
    from fastapi import FastAPI

    from assistant.service import Assistant


def create_app(assistant: Assistant, *, chat: bool = True) -> FastAPI:
    """The FastAPI application: REST under /api/v1 and, unless `chat` is False, the chat at /."""
    from ui.rest import build_rest

    app = build_rest(assistant)
    if chat:
        from ui.chat import mount_chat

        app = mount_chat(app, assistant)
    return app


def check_host(host: str) -> str:
    """Only loopback addresses are served until keys and sign-in exist (InvalidInput)."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise InvalidInput(f"'{host}' is not an address.", "Use 127.0.0.1.") from error
    if not address.is_loopback:
        raise InvalidInput(
            f"Serving on {host} would let anyone on the network ask and read runs: there is no sign-in yet.",
            "Use 127.0.0.1, and put a reverse proxy with authentication in front of it.",
        )
    return host


def run_server(build: Callable[[], Assistant], *, host: str, port: int) -> None:
    """Serve until interrupted."""
    checked = check_host(host)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import uvicorn

    with build() as assistant:
        uvicorn.run(create_app(assistant), host=checked, port=port, log_level="warning", server_header=False)
