"""Who asks: every path that computes or remembers stands behind this gate, which names the owner of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from assistant.owners import LOCAL, Owners
from knowledge.errors import CohortTwinError, InvalidInput, Misdirected, NotAllowed, NotSignedIn

if TYPE_CHECKING:
    from assistant.service import Assistant

GUARDED = ("/api/", "/v1/", "/mcp/")
OPEN = frozenset({"/api/v1/health", "/api/v1/ready"})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_WHERE_KEYS_COME_FROM = (
    "Send 'Authorization: Bearer KEY'. Whoever runs the service makes keys with: cohort keys new NAME"
)


def owner_of(request: HTTPConnection) -> str:
    """The owner whom the gate found (NotSignedIn where no gate stands before the route)."""
    owner = getattr(request.state, "owner", None)
    if not isinstance(owner, str):
        raise NotSignedIn("Nobody is known to have sent this request.", _WHERE_KEYS_COME_FROM)
    return owner


def assistant_of(request: HTTPConnection, owners: Owners) -> Assistant:
    """The assistant of whoever sent the request."""
    return owners.of(owner_of(request))


def guarded(path: str) -> bool:
    """Whether a path needs an owner."""
    return f"{path}/".startswith(GUARDED) and path not in OPEN


class Gate:
    """ASGI middleware: no key, no entry; without any key, whoever reaches this machine's loopback is `LOCAL`.

    Parameters
    ----------
    hosts : names by which the service may be called, without port; any when None. On a loopback address it keeps out
        web pages of others that have pointed a name of their own at it (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, owners: Owners, hosts: frozenset[str] | None = None) -> None:
        self._app, self._owners, self._hosts = app, owners, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in with its owner, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._enter(HTTPConnection(scope))
        except CohortTwinError as error:
            from ui.rest.problems import refusal

            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await refusal(scope["path"], error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _enter(self, request: HTTPConnection) -> None:
        host = request.headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise Misdirected(f"This service is not called '{_name(host)[:80]}'.", "Call it 127.0.0.1 or localhost.")
        path = request.scope["path"]
        request.scope.setdefault("state", {}).pop("owner", None)
        if not guarded(path):
            return
        keys = self._owners.keys
        if not keys.configured:
            # A page of another site may send requests to this machine, but not choose what the browser calls it.
            origin = request.headers.get("origin")
            if origin is not None and origin.partition("://")[2] != host:
                raise NotAllowed("The request comes from a web page of another site.", "Ask from the command line.")
            request.state.owner = LOCAL
            return
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        owner = keys.owner_of(key.strip()) if kind.lower() == "bearer" and key.strip() else None
        if owner is None:
            raise NotSignedIn("The key is missing or nobody has it.", _WHERE_KEYS_COME_FROM)
        request.state.owner = owner


def _name(host: str) -> str:
    """The host without its port."""
    return host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host


def check_host(host: str, *, keys: bool, users: bool, chat: bool = True) -> str:
    """The address to listen on. Only loopback addresses are served without API keys and, with a chat, sign-in.

    InvalidInput says what is missing.
    """
    import ipaddress

    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise InvalidInput(f"'{host}' is not an address.", "Use 127.0.0.1.") from error
    if address.is_loopback:
        return host
    missing = []
    if not keys:
        missing.append("an API key for REST and MCP (cohort keys new NAME)")
    if chat and not users:
        missing.append("a user for the chat (cohort users add NAME, or --no-chat)")
    if missing:
        raise InvalidInput(
            f"Serving on {host} would let anyone on the network ask and read runs.",
            f"First make {' and '.join(missing)}, or use 127.0.0.1.",
        )
    return host
