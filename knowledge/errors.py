"""Every error the product raises on purpose.

CohortTwinError
├── UsageError                 the caller can mend it
│   ├── EmptyQuestion
│   ├── QuestionTooLong
│   ├── InvalidInput           a field of a tool, REST body or command is wrong
│   ├── UnknownDrug
│   ├── UnknownEndpoint
│   ├── UnknownPersona
│   ├── UnknownTool
│   ├── UnknownRun
│   ├── UnknownConversation
│   ├── ConversationBusy       another question of it is being answered
│   ├── UnknownJob
│   ├── Conflict               what is there stands against it
│   ├── StaleChange            it was changed by somebody else since it was read
│   ├── NotSignedIn            no key, or a wrong one
│   ├── NotAllowed             the request comes from where it must not
│   │   └── Misdirected        by a host name that is not the service's
│   ├── TooLarge               the body of a request
│   ├── TooMany                one owner asks for too much at once
│   ├── CohortNotCovered       no archetype covers the cohort
│   ├── EmptyCohort            the restrictions leave nobody
│   ├── ImpossibleDose
│   ├── PrivacyRefused         a fit would tell too much about single people
│   └── NoEvidence             known drug, known endpoint, nothing published about the pair
├── DataError                  shipped or imported data is wrong; names file and row
│   ├── EvidenceError
│   ├── LiteratureError
│   ├── PatientDataError       a table of patients given by the user, or its mapping file
│   └── PersonaError
├── StoreError
│   ├── StoreInUse             another process owns the data directory
│   ├── StoreDamaged
│   └── LedgerTampered
├── ModelError                 the chat model
│   ├── ModelNotInstalled
│   ├── ModelUnavailable
│   │   └── ProviderDown       it did not answer, after retries; another model may take over
│   └── ModelMisbehaved
├── ToolFailed                 a tool stopped on a fault of its own
├── RunCancelled               whoever asked has left
├── TooBusy                    all owners together ask for too much at once
└── LimitReached               time, calls or budget
"""

from __future__ import annotations


class CohortTwinError(Exception):
    """Root of the tree. `message` is a full sentence a user can act on.

    Parameters
    ----------
    message : what is wrong.
    hint : what to do next; appended when shown.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(CohortTwinError):
    """The caller can mend it."""


class EmptyQuestion(UsageError):
    """Nothing was asked."""


class QuestionTooLong(UsageError):
    """The question is longer than the limit."""


class InvalidInput(UsageError):
    """A field of a tool input, REST body or command is wrong."""


class UnknownDrug(UsageError):
    """The intervention is not in the vocabulary."""


class UnknownEndpoint(UsageError):
    """The endpoint is not in the vocabulary."""


class UnknownPersona(UsageError):
    """No archetype has this id."""


class UnknownTool(UsageError):
    """No tool has this name."""


class UnknownRun(UsageError):
    """The ledger has no such run."""


class UnknownConversation(UsageError):
    """No conversation has this name."""


class ConversationBusy(UsageError):
    """Another question of the conversation is being answered."""


class UnknownJob(UsageError):
    """No job has this id."""


class Conflict(UsageError):
    """What is there already stands against it."""


class StaleChange(UsageError):
    """It was changed by somebody else since it was read, or the caller did not say which state is meant."""


class NotSignedIn(UsageError):
    """No key, or one that nobody has."""


class NotAllowed(UsageError):
    """The request comes from a place it must not come from."""


class Misdirected(NotAllowed):
    """The request calls the service by a host name that is not its own."""


class TooLarge(UsageError):
    """The body of a request is larger than the limit."""


class TooMany(UsageError):
    """One owner has too much under way."""


class CohortNotCovered(UsageError):
    """No archetype covers the cohort that was asked about."""


class EmptyCohort(UsageError):
    """The restrictions leave nobody, or too few to speak of."""


class ImpossibleDose(UsageError):
    """A dose that nobody has given."""


class NoEvidence(UsageError):
    """Drug and endpoint are known, but nothing published joins them."""


class PrivacyRefused(UsageError):
    """A fit from data would tell too much about single people."""


class DataError(CohortTwinError):
    """Shipped or imported data is wrong; the message names file and row."""


class EvidenceError(DataError):
    """A row of an evidence or source table."""


class LiteratureError(DataError):
    """A passage file."""


class PatientDataError(DataError):
    """A table of patients given by the user, or its mapping file; names file and row."""


class PersonaError(DataError):
    """An archetype file."""


class StoreError(CohortTwinError):
    """The store on disk."""


class StoreInUse(StoreError):
    """Another process owns the data directory."""


class StoreDamaged(StoreError):
    """The rows themselves (not the rebuildable index) cannot be read."""


class LedgerTampered(StoreError):
    """A ledger row no longer matches its hash."""


class ModelError(CohortTwinError):
    """The chat model."""


class ModelNotInstalled(ModelError):
    """The provider's package is missing."""


class ModelUnavailable(ModelError):
    """No key, no server, or the provider is down."""


class ProviderDown(ModelUnavailable):
    """The provider did not answer, after retries; another model may take over."""


class ModelMisbehaved(ModelError):
    """The model's reply cannot be used."""


class ToolFailed(CohortTwinError):
    """A tool stopped on a fault of its own; the question is not to blame."""


class RunCancelled(CohortTwinError):
    """Whoever asked has left; the run was stopped."""


class TooBusy(CohortTwinError):
    """All owners together have too much under way; later there is room again."""


class LimitReached(CohortTwinError):
    """Time, calls or budget."""
