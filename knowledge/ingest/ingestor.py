"""Importing files into a user's library: one file, one transaction, one line of the report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knowledge.base import KnowledgeBase
from knowledge.errors import DataError, InvalidInput
from knowledge.ingest import files
from knowledge.ingest.arm_mapping import DEFAULTS, default_mapping, load_mapping, mapping_beside
from knowledge.ingest.importing import ImportRun, UserFile
from knowledge.ingest.library import Library
from knowledge.ingest.schemas import FileFormat, FileReport, FileStatus, ImportReport, LibraryStats
from knowledge.lock import DataDirLock
from knowledge.store import FILE_NAME, LOCAL_OWNER, Store, embedded_text, text_hash
from knowledge.tables import AREAS

if TYPE_CHECKING:
    from knowledge.embedding import Embedder

PARSERS: Final = 1  # raise it when a parser reads more than before: unchanged files are then read again
EMBEDDED_AT_ONCE: Final = 512  # passages whose vectors are written together: some ten seconds of work
Progress = Callable[[float, str], None]
Acknowledge = Callable[[FileReport], None]


def _silent(*_: object) -> None:
    """Nobody is listening."""


class Ingestor:
    """Takes files into the library of one owner.

    Each file is one transaction: after a crash, every file that was acknowledged is in the library whole, and no other
    file is in it in part. A file that cannot be used is reported and passed over. One whose content was imported
    before is passed over fast; one that has changed replaces what it had brought.

    Parameters
    ----------
    store : where the rows are; the caller holds the lock of the data directory (`open_ingestor` does both).
    base : what is shipped: vocabulary, sources, passages, trial arms.
    owner : whose library it is.
    max_bytes : larger files are refused before they are read.
    encoding : of text files, when it is not UTF-8.
    mapping : mapping file for tables of trial arms; the one beside a table when not given.
    area : of documents that state none; guessed from the drugs they name when empty.
    today : day of import, the publication date of what states none.

    Raises
    ------
    InvalidInput
        `area` is none of the areas, or `owner` is empty.
    """

    def __init__(
        self,
        store: Store,
        base: KnowledgeBase,
        *,
        owner: str = LOCAL_OWNER,
        max_bytes: int = files.MAX_BYTES,
        encoding: str = "utf-8",
        mapping: Path | None = None,
        area: str = "",
        today: date | None = None,
    ) -> None:
        if area and area not in AREAS:
            raise InvalidInput(f"'{area}' is not an area.", f"There are {', '.join(AREAS)}.")
        self.library = Library(store, owner)
        self._store, self._base = store, base
        self._max_bytes, self._encoding, self._mapping, self._area = max_bytes, encoding, mapping, area
        self._today = today or datetime.now(UTC).date()

    def import_paths(
        self,
        paths: Iterable[Path | str],
        *,
        dry_run: bool = False,
        progress: Progress = _silent,
        acknowledge: Acknowledge = _silent,
    ) -> ImportReport:
        """Import files, and folders of files to the bottom.

        Parameters
        ----------
        paths : files and folders.
        dry_run : write nothing; the report says what would be done.
        progress : told the share of the files that is done, and what comes next.
        acknowledge : told what became of a file, once that is on disk.

        Raises
        ------
        StoreError, StoreDamaged
            the rows cannot be written or read. What was acknowledged stays.
        """
        found = files.find_files(paths)
        run = ImportRun(self._base, self.library, today=self._today, area=self._area, dry_run=dry_run)
        reports: list[FileReport] = []
        for number, path in enumerate(found):
            progress(number / len(found), f"Reading {files.shown(path.name)}")
            reports.append(self._import(path, run))
            acknowledge(reports[-1])
        progress(1.0, f"Read {len(found)} {'file' if len(found) == 1 else 'files'}")
        return ImportReport(files=tuple(reports), dry_run=dry_run)

    def embed(self, embedder: Embedder, *, progress: Progress = _silent) -> int:
        """Compute the vectors of imported passages that have none; the number of them.

        Not needed: opening a retriever does it too, but tells nothing while it lasts. What was written before a crash
        need not be computed again.
        """
        texts = {text_hash(text): text for text in map(embedded_text, self.library.passages())}
        missing = sorted(texts.keys() - self._store.vectors(embedder.name, sorted(texts)).keys())
        for start in range(0, len(missing), EMBEDDED_AT_ONCE):
            progress(start / len(missing), f"Reading {len(missing) - start} passages for their meaning")
            keys = missing[start : start + EMBEDDED_AT_ONCE]
            vectors = embedder.embed([texts[key] for key in keys])
            self._store.put_vectors(embedder.name, dict(zip(keys, vectors, strict=True)))
        progress(1.0, f"Read {len(missing)} passages for their meaning")
        return len(missing)

    def forget(self, paths: Iterable[Path | str]) -> int:
        """Remove what these files, and files below these folders, brought; the number of files forgotten.

        The files need not be there any more, and are not touched.
        """
        starts = [files.shown(Path(path).absolute()).rstrip("/") for path in paths]
        return sum(
            self.library.forget(path)
            for path in self.library.paths()
            if any(path == start or path.startswith(f"{start}/") for start in starts)
        )

    def stats(self) -> LibraryStats:
        """How much the owner has imported."""
        return self.library.stats()

    def _import(self, path: Path, run: ImportRun) -> FileReport:
        name = files.shown(path)
        file: UserFile | None = None
        try:
            file = self._read(path, name)
            return run.unchanged(file) or run.take(file)
        except DataError as error:
            return FileReport(
                path=name,
                file_format=file.file_format if file else None,
                status=FileStatus.SKIPPED,
                reason=str(error),
                faults=(error.message,),
            )

    def _read(self, path: Path, name: str) -> UserFile:
        content = files.read_bytes(path, self._max_bytes)
        file_format = files.detect_format(path, content)
        decides: list[Any] = [PARSERS, file_format.value, self._encoding, self._area]
        mapping, encoding = None, self._encoding
        if file_format is FileFormat.ARMS:
            beside = self._mapping or mapping_beside(path)
            mapping = load_mapping(beside) if beside else default_mapping()
            encoding = mapping.encoding or encoding
            decides.append(files.read_bytes(beside or DEFAULTS))
        total = hashlib.sha256(repr(decides).encode("utf-8", "surrogatepass"))
        total.update(content)
        return UserFile(path, name, content, encoding, file_format, total.hexdigest(), mapping)


@contextmanager
def open_ingestor(data_dir: Path, base: KnowledgeBase, **options: Any) -> Iterator[Ingestor]:
    """An `Ingestor` on a data directory, which is locked meanwhile and made when it does not exist.

    Parameters
    ----------
    data_dir : as for `LiteratureRetriever.open`; a retriever that is open sees what was imported when it is opened
        anew.
    base : what is shipped.
    options : of `Ingestor`.

    Raises
    ------
    StoreInUse
        another process owns the directory.
    StoreError, StoreDamaged
        the rows cannot be read or written.
    """
    with DataDirLock(data_dir), Store(data_dir / FILE_NAME) as store:
        yield Ingestor(store, base, **options)
