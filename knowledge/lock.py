"""One owner per data directory: two processes on one Chroma directory silently lose rows of each other."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from knowledge.errors import StoreError, StoreInUse

LOCK_NAME = "owner.lock"


@dataclass
class _Held:
    descriptor: int
    count: int


# The locks of this process: flock belongs to the open file, so a second open in the same process would be refused.
_held: dict[Path, _Held] = {}
_guard = threading.RLock()


class DataDirLock:
    """Ownership of a data directory, for as long as this object is entered.

    Re-entrant within one process: several assistants on the same directory share it. Another process is refused at
    once, and the lock of a process that was killed is free again, since the kernel drops it.

    Parameters
    ----------
    path : the data directory; made when it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = path
        self._entered = 0

    def acquire(self) -> DataDirLock:
        """Take the lock.

        Raises
        ------
        StoreInUse
            another process owns the directory; the message names its process id and command.
        StoreError
            the directory cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with _guard:
                self._key = self.path.resolve()
                if self._key in _held:
                    _held[self._key].count += 1
                else:
                    _held[self._key] = _Held(_lock_file(self._key / LOCK_NAME, self.path), 1)
                self._entered += 1
        except OSError as error:
            raise StoreError(
                f"The data directory {self.path} cannot be used ({error.strerror or error}).",
                "Make it writable, or set COHORT_DATA_DIR to another folder.",
            ) from error
        return self

    def release(self) -> None:
        """Give up one entry; the directory is free when all entries of the process are gone."""
        with _guard:
            if not self._entered:
                return
            self._entered -= 1
            held = _held.get(self._key)
            if held is None:  # a fork dropped it: the parent still owns the directory
                return
            held.count -= 1
            if held.count == 0:
                del _held[self._key]
                os.close(held.descriptor)

    def __enter__(self) -> DataDirLock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lock_file(path: Path, shown: Path) -> int:
    """Open and lock the file and write who owns it; the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = _owner(descriptor)
        os.close(descriptor)
        raise StoreInUse(
            f"The data directory {shown} is in use by {owner}.",
            "Stop that process, or set COHORT_DATA_DIR to another folder.",
        ) from error
    except OSError:
        os.close(descriptor)
        raise
    text = json.dumps({"pid": os.getpid(), "command": " ".join(sys.argv)[:300]})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("utf-8", "replace"), 0)
    return descriptor


def _owner(descriptor: int) -> str:
    """Who holds the lock, in words; the owner may not have written it yet."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        written = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {int(written['pid'])} ({written['command']})"
    return "another process"


def _forget_after_fork() -> None:
    """A forked child must not keep its parent's directory locked after the parent has ended."""
    for held in _held.values():
        with contextlib.suppress(OSError):
            os.close(held.descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
