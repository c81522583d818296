"""Records on disk: appended one a line as they are made, so that a run that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from pydantic import ValidationError

from evals.schemas import Record

FILE: Final = "records.jsonl"
LARGEST: Final = 200_000_000  # bytes; a file that has grown beyond is written anew with what the last run used


class RecordStore:
    """An append-only file of records by key. One writer; a line that was cut short by a kill is dropped.

    Parameters
    ----------
    folder : made when it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._places: dict[str, tuple[int, int]] = {}
        end = self._read()
        self._file = self._path.open("ab")
        if self._file.tell() > end:
            self._file.truncate(end)

    def __enter__(self) -> RecordStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def put(self, record: Record) -> None:
        """Append a record and see it on disk; its key must be new (ValueError)."""
        if record.key in self._places:
            raise ValueError(f"{record.case_id} was run twice")
        line = record.model_dump_json().encode() + b"\n"
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._places[record.key] = (start, len(line))

    def get(self, key: str) -> Record:
        """The record of this key (KeyError)."""
        start, length = self._places[key]
        with self._path.open("rb") as file:
            file.seek(start)
            return Record.model_validate_json(file.read(length))

    def forget(self, keys: Collection[str]) -> None:
        """These are to be run again: what is stored under them no longer counts."""
        for key in keys:
            self._places.pop(key, None)

    def compact(self, keep: Collection[str], largest: int = LARGEST) -> None:
        """Write the file anew with only these keys, once it has grown beyond `largest` bytes."""
        if self._file.tell() <= largest:
            return
        partial = self._path.with_suffix(".part")
        with partial.open("wb") as file:
            for key in sorted(set(keep) & self._places.keys()):
                file.write(self.get(key).model_dump_json().encode() + b"\n")
        self._file.close()
        partial.replace(self._path)
        self._places.clear()
        self._read()
        self._file = self._path.open("ab")

    def _read(self) -> int:
        """Index what is there; where the last whole line ends."""
        end = 0
        if not self._path.exists():
            return end
        for start, line in _whole_lines(self._path):
            key = _key_of(line)
            if key:
                self._places[key] = (start, len(line))
            end = start + len(line)
        return end


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    start = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield start, line
            start += len(line)


def _key_of(line: bytes) -> str:
    """The key of a line; empty when the line is no record (of another version, or damaged)."""
    try:
        content: Any = json.loads(line)
        return Record.model_validate(content).key
    except (ValueError, ValidationError):
        return ""
