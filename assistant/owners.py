"""Whose assistant: each owner has one of their own, and there is no other way to anything that is theirs.

An owner is a person or program behind an API key or a sign-in; `LOCAL` is whoever sits at this machine. Ledger,
conversations, own archetypes and imported files stand in a folder of the owner's, and an owner's assistant knows no other.
Shared is only what belongs to nobody: the shipped knowledge, its index and fits, the embedding model, the day's budget.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from assistant.keys import KeyBook
from assistant.secrets_file import LOCAL, check_owner_name
from assistant.sign_in import UserBook

if TYPE_CHECKING:
    from assistant.service import Assistant
    from assistant.settings import Settings
    from knowledge.ingest.schemas import ImportReport, LibraryStats

__all__ = ["LOCAL", "Owners", "OwnersHouse", "folder_of"]

FOLDER = "owners"
OPEN_AT_ONCE = 32  # assistants kept open beside the local one; a further one closes the one used longest ago


def folder_of(data_dir: Path, name: str) -> Path:
    """Where an owner's things are: the data directory itself for `LOCAL`, else a folder named by a hash of the name.

    InvalidInput when nobody can have the name.
    """
    if name == LOCAL:
        return data_dir
    return data_dir / FOLDER / hashlib.sha256(check_owner_name(name).encode()).hexdigest()[:32]


class OwnersHouse(Protocol):
    """What `bootstrap` gives: assistants of owners over what they share."""

    @property
    def settings(self) -> Settings:
        """Of the service."""

    def open(self, name: str, before: Assistant | None = None) -> Assistant:
        """The owner's assistant; `before` is the one it takes the place of, whose ledger and conversations go on."""

    def import_files(self, name: str, paths: Sequence[Path], **options: object) -> ImportReport:
        """Take files into the owner's library."""

    def forget_files(self, name: str, paths: Sequence[Path]) -> int:
        """Take out what files brought."""

    def library(self, name: str) -> tuple[LibraryStats, list[str]]:
        """How much the owner has imported, and from which files."""

    def close(self) -> None:
        """Give back what is shared."""


class Owners:
    """Assistants by owner. Safe between threads."""

    def __init__(self, house: OwnersHouse, open_at_once: int = OPEN_AT_ONCE) -> None:
        self._house = house
        self._most = open_at_once
        self._lock = threading.RLock()
        self._importing = threading.Lock()
        self._recent: OrderedDict[str, Assistant] = OrderedDict()
        # One that somebody still works with is found again, also when it is no longer among the recent ones: two
        # assistants of one owner would not know of each other's running conversations.
        self._alive: WeakValueDictionary[str, Assistant] = WeakValueDictionary()
        self.settings = house.settings
        self.keys = KeyBook(house.settings)
        self.users = UserBook(house.settings)
        self._local = house.open(LOCAL)

    @property
    def local(self) -> Assistant:
        """The assistant of whoever sits at this machine."""
        return self._local

    def of(self, name: str) -> Assistant:
        """The owner's assistant, opened when it is not. Ask for it with each request, and do not keep it.

        InvalidInput when nobody can have the name.
        """
        if name == LOCAL:
            return self._local
        with self._lock:
            found = self._alive.get(name)
            if found is None:
                found = self._house.open(name)
            self._remember(name, found)
            return found

    def import_evidence(
        self,
        name: str,
        paths: Sequence[Path],
        *,
        mapping: Path | None = None,
        area: str = "",
        dry_run: bool = False,
        progress: Callable[[float, str], None] = lambda _share, _text: None,
    ) -> ImportReport:
        """Take files into an owner's library (see `Assistant.import_evidence`); they are used from now on."""
        with self._importing:
            report = self._house.import_files(
                name, paths, mapping=mapping, area=area, dry_run=dry_run, progress=progress
            )
            if not dry_run and report.taken:
                self._renew(name)
        return report

    def forget_evidence(self, name: str, paths: Sequence[Path]) -> int:
        """Take out what these files brought; the number of files forgotten."""
        with self._importing:
            forgotten = self._house.forget_files(name, paths)
            if forgotten:
                self._renew(name)
        return forgotten

    def library(self, name: str) -> tuple[LibraryStats, list[str]]:
        """How much an owner has imported, and from which files."""
        return self._house.library(name)

    def close(self) -> None:
        """Close all assistants and give the data directory back."""
        with self._lock:
            for assistant in [*self._alive.values(), self._local]:
                assistant.memory.close()
            self._recent.clear()
            self._alive.clear()
        self._house.close()

    def __enter__(self) -> Owners:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _renew(self, name: str) -> None:
        """Another assistant takes the place of the owner's: it knows what was imported. Runs under way end on the old."""
        with self._lock:
            renewed = self._house.open(name, before=self.of(name))
            if name == LOCAL:
                self._local = renewed
            else:
                self._remember(name, renewed)

    def _remember(self, name: str, assistant: Assistant) -> None:
        self._alive[name] = assistant
        self._recent[name] = assistant
        self._recent.move_to_end(name)
        while len(self._recent) > self._most:
            self._recent.popitem(last=False)
