"""MCP over streamable HTTP at /mcp of the application; a session belongs to the key that opened it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import HTTPConnection
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ui.auth import assistant_of, owner_of
from ui.mcp_server import build_server

if TYPE_CHECKING:
    from fastapi import FastAPI

    from assistant.owners import Owners

PATH = "/mcp"
SESSIONS = 1000  # open at once
IDLE = 30 * 60.0  # seconds after which a session nobody uses is closed


def mount_mcp(app: FastAPI, owners: Owners) -> None:
    """Serve MCP at /mcp. The session manager runs in the application's lifespan (`app.state.lifespans`)."""
    server = build_server(lambda request: assistant_of(request, owners))
    manager = StreamableHTTPSessionManager(server, session_idle_timeout=IDLE, max_sessions=SESSIONS)
    app.router.routes.append(Route(PATH, endpoint=_Endpoint(manager)))
    app.state.lifespans.append(manager.run)


class _Endpoint:
    """Tells the manager whose request it is: a session answers only to the owner who opened it."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        owner = owner_of(HTTPConnection(scope))
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=owner, scopes=[]))
        await self._manager.handle_request(scope, receive, send)
