"""Small files of names with hashes (`name:hash` lines), re-read when they change and written whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from knowledge.errors import InvalidInput

LOCAL = "local"
"""The owner of a machine where nobody signs in; no key and no user can have this name."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?")


def check_owner_name(name: str) -> str:
    """A usable name of a key or user (InvalidInput)."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name[:80]}' cannot be the name of a key or a user.",
            "Use at most 64 letters, digits, dots, dashes, underscores and @.",
        )
    if name.casefold() == LOCAL:
        raise InvalidInput(f"The name '{LOCAL}' means the person at this machine.", "Choose another name.")
    return name


class HashFile:
    """Pairs of name and hash from a file, or from the text of a setting.

    Parameters
    ----------
    path : the file; it need not exist.
    given : lines that stand in the setting itself instead of in a file.
    """

    def __init__(self, path: Path, given: Iterable[str] | None = None) -> None:
        self.path = path
        self._given = None if given is None else _parse(given, "the setting")
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._pairs: tuple[tuple[str, str], ...] = ()

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(name, hash) in the order of the file; none when there is no file (InvalidInput when a line is wrong)."""
        if self._given is not None:
            return self._given
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InvalidInput(f"{self.path.name} cannot be read ({error.strerror or error}).") from error
        stamp = (status.st_mtime_ns, status.st_size)
        with self._lock:
            if stamp != self._seen:
                self._pairs = _parse(_lines(self.path), self.path.name)
                self._seen = stamp
            return self._pairs

    def write(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Replace the file's pairs; only its owner can read it."""
        if self._given is not None:
            raise InvalidInput("The names stand in the setting itself.", "Change the setting, or name a file in it.")
        text = "".join(f"{name}:{digest}\n" for name, digest in pairs)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(partial).replace(self.path)
        except OSError as error:
            raise InvalidInput(f"{self.path} cannot be written ({error.strerror or error}).") from error


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read ({error}).", "Mend it, or remove it to start anew.") from error


def _parse(lines: Iterable[str], where: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, colon, digest = text.partition(":")
        if not colon or not digest:
            raise InvalidInput(f"Line {number} of {where} is not 'name:hash'.", "Make keys with: cohort keys new NAME")
        pairs.append((check_owner_name(name), digest.strip()))
    return tuple(pairs)
