"""What the faces show of imports and searches, gathered for them."""

from __future__ import annotations

from knowledge.ingest.schemas import FileFormat, FileReport, FileStatus, ImportReport, LibraryStats

__all__ = ["FileFormat", "FileReport", "FileStatus", "ImportReport", "LibraryStats"]
