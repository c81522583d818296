"""One table from error to exit code, HTTP status and short title. Every face reads this one."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.schemas import Status
from knowledge import errors


@dataclass(frozen=True)
class Fault:
    """How an error is shown. `retry_after`: seconds after which asking again may help."""

    exit_code: int
    http_status: int
    title: str
    retry_after: int | None = None


# First match wins: subclasses stand before their bases.
_TABLE: tuple[tuple[type[errors.CohortTwinError], Fault], ...] = (
    (errors.UnknownRun, Fault(2, 404, "No such run")),
    (errors.UnknownConversation, Fault(2, 404, "No such conversation")),
    (errors.UnknownJob, Fault(2, 404, "No such job")),
    (errors.ConversationBusy, Fault(2, 409, "Conversation busy", 2)),
    (errors.Conflict, Fault(2, 409, "Conflict")),
    (errors.StaleChange, Fault(2, 412, "Changed meanwhile")),
    (errors.NotSignedIn, Fault(2, 401, "Not signed in")),
    (errors.Misdirected, Fault(2, 421, "Not the host of this service")),
    (errors.NotAllowed, Fault(2, 403, "Not allowed")),
    (errors.TooLarge, Fault(2, 413, "Too large")),
    (errors.TooMany, Fault(6, 429, "Too much at once", 5)),
    (errors.UnknownTool, Fault(2, 404, "No such tool")),
    (errors.UnknownPersona, Fault(2, 404, "No such archetype")),
    (errors.QuestionTooLong, Fault(2, 413, "Question too long")),
    (errors.UsageError, Fault(2, 422, "The request cannot be carried out")),
    (errors.StoreInUse, Fault(4, 503, "Data directory in use", 30)),
    (errors.LedgerTampered, Fault(4, 409, "Ledger tampered with")),
    (errors.StoreError, Fault(4, 500, "Store")),
    (errors.DataError, Fault(4, 500, "Shipped or imported data is wrong")),
    (errors.ModelError, Fault(5, 502, "Chat model")),
    (errors.RunCancelled, Fault(6, 499, "Cancelled")),
    (errors.TooBusy, Fault(6, 503, "Too much at once", 5)),
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

# What a caller sends is the caller's to mend: there these are no faults of the service.
_SENT: tuple[tuple[type[errors.CohortTwinError], Fault], ...] = (
    (errors.DataError, Fault(4, 422, "The file or archetype cannot be used")),
)


def fault_of(error: errors.CohortTwinError, *, sent: bool = False) -> Fault:
    """The row of the table for this error; `sent`: it is about what the caller sent along."""
    table = (*_SENT, *_TABLE) if sent else _TABLE
    return next(fault for kind, fault in table if isinstance(error, kind))
