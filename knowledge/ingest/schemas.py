"""What an import reports."""

from __future__ import annotations

from enum import StrEnum

from knowledge.schemas import Frozen


class FileFormat(StrEnum):
    """What can be imported."""

    MEDLINE = "medline"
    XML = "xml"  # PubMed or JATS, told apart by the root element
    PDF = "pdf"
    MARKDOWN = "markdown"
    TEXT = "text"
    ARMS = "arms"


class FileStatus(StrEnum):
    """What became of a file."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"


class FileReport(Frozen):
    """What became of one file.

    Attributes
    ----------
    path : absolute.
    file_format : None when it was not recognised.
    status, reason : the reason is a sentence, empty for a file that was taken without remark.
    sources, passages, arms : rows that were added.
    duplicates : publications and trial arms of the file that the library already has.
    faults : what is wrong in the file, each with line or row; what they name was left out.
    notes : what was assumed or left aside.
    """

    path: str
    file_format: FileFormat | None = None
    status: FileStatus
    reason: str = ""
    sources: int = 0
    passages: int = 0
    arms: int = 0
    duplicates: int = 0
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ImportReport(Frozen):
    """What an import did, or with `dry_run` would have done, file by file."""

    files: tuple[FileReport, ...]
    dry_run: bool = False

    def of(self, status: FileStatus) -> tuple[FileReport, ...]:
        """The files with this status."""
        return tuple(report for report in self.files if report.status is status)

    @property
    def taken(self) -> int:
        """Files that added something."""
        return len(self.of(FileStatus.TAKEN))

    @property
    def duplicates(self) -> int:
        """Files that held nothing new."""
        return len(self.of(FileStatus.DUPLICATE))

    @property
    def skipped(self) -> int:
        """Files that could not be used."""
        return len(self.of(FileStatus.SKIPPED))

    @property
    def sources(self) -> int:
        """Sources that were added."""
        return sum(report.sources for report in self.files)

    @property
    def passages(self) -> int:
        """Passages that were added."""
        return sum(report.passages for report in self.files)

    @property
    def arms(self) -> int:
        """Trial arms that were added."""
        return sum(report.arms for report in self.files)


class LibraryStats(Frozen):
    """How much an owner has imported."""

    owner: str
    files: int
    files_with_faults: int
    sources: int
    retracted: int
    passages: int
    arms: int
    trials: int
    by_format: dict[str, int]
    last_import: str = ""
