"""Reading a user's files: found, opened and decoded without trusting any of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from knowledge.errors import LiteratureError
from knowledge.ingest.schemas import FileFormat

MAX_BYTES: Final = 50_000_000
_SUFFIXES: Final = {
    ".nbib": FileFormat.MEDLINE,
    ".xml": FileFormat.XML,
    ".nxml": FileFormat.XML,
    ".pdf": FileFormat.PDF,
    ".md": FileFormat.MARKDOWN,
    ".markdown": FileFormat.MARKDOWN,
    ".txt": FileFormat.TEXT,
    ".csv": FileFormat.ARMS,
    ".tsv": FileFormat.ARMS,
}
_ARCHIVES: Final = {
    b"PK\x03\x04": "a zip archive (or an Office document, which is one)",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
}
_TAR_AT: Final = 257
_HEAD: Final = 1024  # a PDF's mark may follow up to so many bytes of something else
# A file of records that say much about themselves comes before the PDF of the same paper, which says little.
_ORDER: Final = (
    FileFormat.MEDLINE, FileFormat.XML, FileFormat.MARKDOWN, FileFormat.PDF, FileFormat.TEXT, FileFormat.ARMS
)  # fmt: skip


def shown(path: Path | str) -> str:
    """A path as text: names that are not UTF-8 become readable, since no database or page can hold them."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_files(paths: Iterable[Path | str]) -> list[Path]:
    """The files meant by `paths`, absolute, each once: folders are searched to the bottom.

    Hidden files and folders below a folder are passed over, links to folders are not followed, and mapping files
    (`.yaml`) belong to the tables beside them. Bibliographic records come first.
    """
    found: dict[Path, None] = {}
    for path in paths:
        start = Path(os.path.abspath(path))
        if start.is_dir():
            for folder, folders, names in os.walk(start):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                kept = (name for name in sorted(names) if not name.startswith("."))
                found.update(dict.fromkeys(Path(folder, name) for name in kept if not _is_yaml(name)))
        else:
            found[start] = None
    return sorted(found, key=lambda path: (_rank(path), path))


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file of at most `max_bytes`, which is known before anything is read.

    Raises
    ------
    LiteratureError
        the file is missing, cannot be opened, is not a regular file, is empty or is too large.
    """
    name = shown(path)
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LiteratureError(f"{name}: is not a regular file.", "Give files, or folders of files.")
            if status.st_size > max_bytes:
                raise _too_large(name, status.st_size, max_bytes)
            content = stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise LiteratureError(f"{name}: there is no such file.", "Check the path.") from error
    except OSError as error:
        raise LiteratureError(
            f"{name}: cannot be read ({error.strerror or error}).", "Check its permissions."
        ) from error
    if len(content) > max_bytes:  # it grew meanwhile
        raise _too_large(name, len(content), max_bytes)
    if not content:
        raise LiteratureError(f"{name}: is empty.", "Export or download it again.")
    return content


def detect_format(path: Path, content: bytes) -> FileFormat:
    """What a file is, by its name and by how it begins.

    Raises
    ------
    LiteratureError
        an archive, a kind of file that cannot be imported, or a PDF that is none.
    """
    name = shown(path)
    for mark, what in _ARCHIVES.items():
        if content.startswith(mark):
            raise LiteratureError(f"{name}: is {what}.", "Unpack it, and import what is in it as .pdf, .xml or .txt.")
    if content[_TAR_AT : _TAR_AT + 5] == b"ustar":
        raise LiteratureError(f"{name}: is a tar archive.", "Unpack it and import what is in it.")
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise LiteratureError(
            f"{name}: is not a kind of file that can be imported.", f"There are {', '.join(sorted(_SUFFIXES))}."
        )
    if found is FileFormat.PDF and b"%PDF-" not in content[:_HEAD]:
        raise LiteratureError(f"{name}: does not begin as a PDF file does.", "Download it again.")
    if found is FileFormat.TEXT and content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"PMID- "):
        return FileFormat.MEDLINE  # PubMed saves its "PubMed" format as .txt
    return found


def decode(content: bytes, path: Path, encoding: str = "utf-8") -> str:
    """Text of a file in UTF-8, with or without a byte-order mark, or in the encoding that was declared for it.

    Raises
    ------
    LiteratureError
        naming the byte that does not fit; binary content; an encoding nobody knows.
    """
    name = shown(path)
    declared = "" if encoding.replace("_", "-").lower() in ("utf-8", "utf8", "utf-8-sig") else encoding
    if not declared and content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LiteratureError(f"{name}: is UTF-16 (bytes 0 and 1).", "Save it as UTF-8.")
    try:
        text = content.decode(declared or "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LiteratureError(
            f"{name}: is not {declared or 'UTF-8'} (byte {error.start} is 0x{content[error.start]:02x}).",
            "Save it as UTF-8, or declare its encoding, e.g. latin-1.",
        ) from error
    except LookupError as error:
        raise LiteratureError(f"{name}: there is no encoding '{encoding}'.", "Use utf-8 or latin-1.") from error
    if "\0" in text:
        raise LiteratureError(
            f"{name}: is binary, not text (zero at character {text.index(chr(0))}).", "Check the file."
        )
    return text


def _too_large(name: str, size: int, limit: int) -> LiteratureError:
    return LiteratureError(
        f"{name}: is {size / 1e6:.1f} MB, more than the limit of {limit / 1e6:g} MB.", "Split it, or raise the limit."
    )


def _is_yaml(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml"))


def _rank(path: Path) -> int:
    found = _SUFFIXES.get(path.suffix.lower())
    return _ORDER.index(found) if found is not None else len(_ORDER)
