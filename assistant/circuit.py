"""What went wrong at a provider, and whether it is worth asking it again.

A circuit breaker (M. Nygard, Release It!): after some failures in a row the provider is left alone for a while; then one
question tries it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from assistant.accounting import UsageBook

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

FAILURES = 3
REST_SECONDS = 60.0
_BUSY = 429
_CLIENT_FAULT = 400
_SERVER_FAULT = 500
_REQUEST_TIMEOUT = 408


class Trouble(StrEnum):
    """Kinds of failure that call for different answers."""

    BUSY = "too many requests"
    DOWN = "no answer"
    STALLED = "no answer in time"
    REFUSED = "request refused"
    BROKEN = "unusable answer"

    @property
    def passing(self) -> bool:
        """Whether asking again at once may help; a stalled provider has had its time already."""
        return self in (Trouble.BUSY, Trouble.DOWN)

    @property
    def outage(self) -> bool:
        """Whether the provider, not the request, is to blame."""
        return self is not Trouble.REFUSED and self is not Trouble.BROKEN


def trouble_of(error: BaseException) -> Trouble:
    """Which kind of failure a provider's own exception is: by its HTTP status, else by the names of its classes."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        if status == _BUSY:
            return Trouble.BUSY
        if status >= _SERVER_FAULT:
            return Trouble.DOWN
        if status == _REQUEST_TIMEOUT:
            return Trouble.STALLED
        if status >= _CLIENT_FAULT:
            return Trouble.REFUSED
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    if "Timeout" in names:
        return Trouble.STALLED
    if "RateLimit" in names:
        return Trouble.BUSY
    if "Connect" in names or "TransportError" in names:
        return Trouble.DOWN
    if "Authentication" in names or "PermissionDenied" in names or "NotFound" in names:
        return Trouble.REFUSED
    return Trouble.BROKEN


class Circuit:
    """Open after `failures` outages in a row, for `rest_seconds`; then one question may try. Safe between threads."""

    def __init__(
        self, failures: int = FAILURES, rest_seconds: float = REST_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._rest = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._closed_again = 0.0

    def allows(self) -> bool:
        """Whether to ask the provider. Past the rest only the first caller is let through until it reports."""
        with self._lock:
            if self._in_a_row < self._failures:
                return True
            if self._clock() < self._closed_again:
                return False
            self._closed_again = self._clock() + self._rest
            return True

    def failed(self) -> None:
        """An outage."""
        with self._lock:
            self._in_a_row += 1
            self._closed_again = self._clock() + self._rest

    def worked(self) -> None:
        """An answer came."""
        with self._lock:
            self._in_a_row = 0


@dataclass(frozen=True)
class Backing:
    """What stands behind the chat model of an assistant, across questions."""

    fallback: Callable[[], BaseChatModel] | None = None
    circuit: Circuit = field(default_factory=Circuit)
    book: UsageBook = field(default_factory=UsageBook)
