"""One table from error to exit code, HTTP status and short title. Every face reads this one."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.schemas import Status
from knowledge import errors


@dataclass(frozen=True)
class Fault:
    """How an error is shown."""

    exit_code: int
    http_status: int
    title: str


# First match wins: subclasses stand before their bases.
_TABLE: tuple[tuple[type[errors.CohortTwinError], Fault], ...] = (
    (errors.UnknownRun, Fault(2, 404, "No such run")),
    (errors.UnknownConversation, Fault(2, 404, "No such conversation")),
    (errors.ConversationBusy, Fault(2, 409, "Conversation busy")),
    (errors.UnknownTool, Fault(2, 404, "No such tool")),
    (errors.UnknownPersona, Fault(2, 404, "No such archetype")),
    (errors.QuestionTooLong, Fault(2, 413, "Question too long")),
    (errors.UsageError, Fault(2, 422, "The request cannot be carried out")),
    (errors.StoreInUse, Fault(4, 503, "Data directory in use")),
    (errors.LedgerTampered, Fault(4, 409, "Ledger tampered with")),
    (errors.StoreError, Fault(4, 500, "Store")),
    (errors.DataError, Fault(4, 500, "Shipped or imported data is wrong")),
    (errors.ModelError, Fault(5, 502, "Chat model")),
    (errors.LimitReached, Fault(6, 504, "Limit reached")),
    (errors.CohortTwinError, Fault(1, 500, "Error")),
)

EXIT_CODES = {
    Status.ANSWERED: 0,
    Status.PARTIAL: 0,
    Status.REDIRECTED: 3,
    Status.NEEDS_INPUT: 3,
    Status.NOT_COVERED: 3,
}
"""Exit code of `cohort ask` by status: 3 says that nothing was predicted."""


def fault_of(error: errors.CohortTwinError) -> Fault:
    """The row of the table for this error."""
    return next(fault for kind, fault in _TABLE if isinstance(error, kind))
