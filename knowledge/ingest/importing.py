"""One run of an import: what a file's content comes to, and its transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from knowledge.base import KnowledgeBase
from knowledge.faults import Fault
from knowledge.ingest.arm_mapping import ArmMapping
from knowledge.ingest.arm_table import read_arm_table
from knowledge.ingest.catalogue import Catalogue, short_hash, slug
from knowledge.ingest.documents import read_documents
from knowledge.ingest.files import decode, shown
from knowledge.ingest.imported_arms import ArmTaker
from knowledge.ingest.library import Belongings, Library
from knowledge.ingest.publications import Outcome, Publisher
from knowledge.ingest.schemas import FileFormat, FileReport, FileStatus
from knowledge.schemas import Passage

SHOWN: Final = 50  # faults and notes of one file; a list that fills pages is not read


@dataclass(frozen=True)
class UserFile:
    """A file that was read.

    Attributes
    ----------
    path, name : where it is, and how that is shown.
    content, encoding : its bytes, and how to read them as text.
    content_hash : of the content and of all that decides what is made of it.
    mapping : for a table of trial arms.
    """

    path: Path
    name: str
    content: bytes
    encoding: str
    file_format: FileFormat
    content_hash: str
    mapping: ArmMapping | None = None


class ImportRun:
    """What is known during one import; each file that is taken changes it.

    Parameters
    ----------
    base : what is shipped.
    library : where the rows go.
    today : day of import.
    area : of documents that state none.
    dry_run : write nothing.
    """

    def __init__(self, base: KnowledgeBase, library: Library, *, today: date, area: str, dry_run: bool) -> None:
        self._base, self._library, self._today, self._area, self._dry_run = base, library, today, area, dry_run
        self._done: dict[str, str] = {}  # in a dry run, what the library would know by now: content hash → path
        self._load()

    def _load(self) -> None:
        """What is known, from the rows."""
        self._catalogue = Catalogue(self._base, self._library)
        self._publisher = Publisher(self._base, self._catalogue, self._today, self._area)
        self._arms = ArmTaker(self._base, self._catalogue, self._publisher, self._library.arms())

    def unchanged(self, file: UserFile) -> FileReport | None:
        """The report of a file whose content was imported without fault before; None when there is work to do."""
        before, faults = self._library.imported_as(file.name)
        if before == file.content_hash and not faults:
            return _duplicate(file, "It was imported before and has not changed.")
        twin = self._done.get(file.content_hash) or self._library.holder_of(file.content_hash)
        return _duplicate(file, f"{twin} has the same content.") if twin and twin != file.name else None

    def take(self, file: UserFile) -> FileReport:
        """Import a file, in the place of what it had brought before; of a file that has nothing right left, that stays.

        Raises
        ------
        DataError
            the file as a whole cannot be used; nothing has changed.
        StoreError
            nothing has changed on disk, and the run cannot go on.
        """
        faults: list[Fault] = []
        outcome = Outcome()
        if file.mapping is not None:
            text = decode(file.content, file.path, file.encoding)
            stem = shown(file.path.stem)
            table = read_arm_table(text, file.name, stem, file.mapping, self._base.vocabulary, faults)
            outcome.notes += table.notes
            old = self._forget(file.name)
            # Row ids must differ between files of one name, and stay the same when a file is corrected.
            row_stem = f"user-{slug(stem)[:40]}-{short_hash(file.name)[:8]}"
            self._arms.take(table.rows, shown(file.path.name), row_stem, file.name, outcome, faults)
        else:
            records = read_documents(file.content, file.path, file.file_format, file.encoding, faults)
            old = self._forget(file.name)
            for record in records:
                self._publisher.publish(record, shown(file.path.name), file.name, outcome, faults)
        faults.sort(key=lambda fault: fault.row)
        if old is not None and faults and outcome.is_empty:  # it was spoilt: what it had brought is kept
            report = _report(file, outcome, faults, None)
            if not self._dry_run:
                self._load()
            return report
        report = _report(file, outcome, faults, old)
        if not self._dry_run and (old is not None or report.status is not FileStatus.SKIPPED):
            self._library.replace(file.name, file.content_hash, file.file_format, len(faults), old, outcome.additions)
        if not faults:
            self._done[file.content_hash] = file.name
        return report

    def _forget(self, name: str) -> Belongings | None:
        """Take what the file had brought out of what is known."""
        old = self._library.belongings(name)
        if old is not None:
            left: dict[str, list[Passage]] = {}
            for passage in self._library.passages(old.touched - old.sources.keys()):
                if passage.passage_id not in old.passages:
                    left.setdefault(passage.source_id, []).append(passage)
            self._catalogue.forget(old, left)
            self._arms.forget(old.arms.keys())
        return old


def _report(file: UserFile, outcome: Outcome, faults: list[Fault], old: Belongings | None) -> FileReport:
    additions = outcome.additions
    old = old or Belongings(0)
    sources = [key for key in additions.new if key not in old.sources]
    passages = additions.passages.keys() - old.passages
    arms = [key for key, arm in additions.arms.items() if old.arms.get(key) != arm]
    described = [key for key, own in additions.sources.items() if old.sources.get(key) != own]
    gone = old.passages - additions.passages.keys() or old.arms.keys() - additions.arms.keys()
    reasons = list(dict.fromkeys(outcome.reasons))
    reason = ""
    if sources or passages or arms or described or gone:
        status = FileStatus.TAKEN
    elif reasons or additions.passages or additions.arms or additions.sources:
        status = FileStatus.DUPLICATE
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        reason = f"{reasons[0]}{more}." if reasons else "What can be used of it was imported before."
    else:
        status = FileStatus.SKIPPED
        reason = f"{faults[0]}." if faults else (outcome.notes[0] if outcome.notes else "There is nothing in it.")
    return FileReport(
        path=file.name,
        file_format=file.file_format,
        status=status,
        reason=reason,
        sources=len(sources),
        passages=len(passages),
        arms=len(arms),
        duplicates=outcome.duplicates,
        faults=_shown([str(fault) for fault in faults]),
        notes=_shown(list(dict.fromkeys(outcome.notes))),
    )


def _shown(lines: list[str]) -> tuple[str, ...]:
    return tuple(lines[:SHOWN]) + ((f"… and {len(lines) - SHOWN} more",) if len(lines) > SHOWN else ())


def _duplicate(file: UserFile, reason: str) -> FileReport:
    return FileReport(path=file.name, file_format=file.file_format, status=FileStatus.DUPLICATE, reason=reason)
