"""PDF: the text of its pages, by pypdf. What has no text (scans) or is locked is refused with a reason."""

from __future__ import annotations

import io
import logging
import re
import struct
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from knowledge.errors import LiteratureError
from knowledge.ingest.designs import is_retracted
from knowledge.ingest.headings import heading_of, is_back_matter
from knowledge.ingest.records import Block, Record, Section, doi_of, registry_ids_in
from knowledge.ingest.sentences import split_sentences
from knowledge.ingest.text import clean, join_lines, shortened
from knowledge.schemas import Seen

MAX_PAGES: Final = 3000
MAX_SECONDS: Final = 120.0  # a page may be made to take for ever; whole books take less
MAX_TOKENS: Final = 500_000  # of one page's drawing commands, some ten seconds; a page of text has a few thousand
_MIN_WORDS: Final = 20  # fewer on all pages together: a scan with a stamp
_RUNNING_SHARE: Final = 0.4  # a line that heads or ends so many pages is no text
_EDGE_LINES: Final = 3
_MIN_PAGES: Final = 3
_TITLE_CHARACTERS: Final = 250
_NO_TITLE: Final = re.compile(
    r"(?i)\b(?:microsoft word|untitled|doi:|pii:|\.docx?|\.indd|\.tex|\.pdf|\.qxd)|^[\W\d_]*$|^\S+$"
)
_DIGITS: Final = re.compile(r"\d+")


def parse_pdf(content: bytes, name: str, stem: str) -> Record:
    """The record of a PDF: title and DOI as far as the file tells, one block for each page of each section.

    Parameters
    ----------
    content : the file.
    name : under which it is reported.
    stem : the title when the file states none.

    Raises
    ------
    LiteratureError
        encrypted, damaged, without text, too many pages, or more than two minutes of work.
    """
    pages, info = _read(content, name)
    lines = _without_running_lines(
        [[clean_line for line in page.splitlines() if (clean_line := line.strip())] for page in pages]
    )
    if sum(len(line.split()) for page in lines for line in page) < _MIN_WORDS:
        raise LiteratureError(
            f"{name}: has no text on its {len(pages)} pages (scanned?).", "Run text recognition (OCR) on it first."
        )
    title = _title(info.get("/Title", ""), lines, stem)
    first_page = " ".join(lines[0]) if lines else ""
    stated = " ".join(info.get(key, "") for key in ("/doi", "/DOI", "/WPS-ARTICLEDOI", "/Subject", "/Title"))
    return Record(
        title=title,
        sections=tuple(_sections(lines)),
        line=0,
        authors=clean(info.get("/Author", ""))[:200],
        doi=doi_of(stated) or _only_doi(first_page),
        registry_ids=registry_ids_in("", " ".join(" ".join(page) for page in lines[:2])),
        seen=Seen.FULL_TEXT,
        retracted=is_retracted((), title),
    )


def _read(content: bytes, name: str) -> tuple[list[str], dict[str, str]]:
    """Text of each page and the entries of the information dictionary."""
    from pypdf import PdfReader, apply_configuration
    from pypdf.errors import DependencyError, PyPdfError

    # What pypdf raises on broken files, beside its own errors (its documentation: "other exceptions").
    broken = (
        PyPdfError, DependencyError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError,
        RuntimeError, OSError, EOFError, MemoryError, struct.error, zlib.error,
    )  # fmt: skip
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # each oddity of each page would be logged
    try:
        with apply_configuration(stream_parsing_work_maximum_count=MAX_TOKENS):
            return _read_open(PdfReader(io.BytesIO(content), strict=False), name)
    except broken as error:
        raise LiteratureError(
            f"{name}: is damaged, or not a PDF that can be read ({type(error).__name__}: {clean(str(error))[:100]}).",
            "Download it again, or print it to a new PDF.",
        ) from error
    finally:
        logger.setLevel(level)


def _read_open(reader: Any, name: str) -> tuple[list[str], dict[str, str]]:
    if reader.is_encrypted and not _opens_without_password(reader):
        raise LiteratureError(f"{name}: is encrypted.", "Save it without a password.")
    count = len(reader.pages)
    if count > MAX_PAGES:
        raise LiteratureError(f"{name}: has {count} pages, more than {MAX_PAGES}.", "Split it.")
    return list(_texts(reader, name)), _information(reader)


def _opens_without_password(reader: Any) -> bool:
    """Files that only restrict printing open with an empty password; AES ones need a package that is not installed."""
    from pypdf.errors import DependencyError

    try:
        return bool(reader.decrypt(""))
    except (DependencyError, NotImplementedError):
        return False


def _texts(reader: Any, name: str) -> Iterator[str]:
    """Text of each page; a page that draws too much (a map, a scatter plot) counts as one without text."""
    from pypdf.errors import LimitReachedError

    deadline = time.monotonic() + MAX_SECONDS

    def check(*_: object) -> None:
        """Called by pypdf before each drawing command, so that no page can go on for ever."""
        if time.monotonic() > deadline:
            raise LiteratureError(f"{name}: takes more than {MAX_SECONDS:g} s to read.", "Print it to a new PDF.")

    for page in reader.pages:
        check()
        try:
            text = page.extract_text(visitor_operand_before=check)
        except LimitReachedError:
            text = ""
        yield text


def _information(reader: Any) -> dict[str, str]:
    info = reader.metadata or {}
    return {str(key): clean(str(info[key])) for key in info if isinstance(info[key], str)}


def _without_running_lines(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pages without the lines that head or end many of them; page numbers may differ."""
    if len(pages) < _MIN_PAGES:
        return [list(page) for page in pages]
    seen = Counter(key for page in pages for key in {_running_key(line) for line in _edges(page)})
    running = {key for key, count in seen.items() if count >= max(_MIN_PAGES, _RUNNING_SHARE * len(pages))}
    return [
        [
            line
            for position, line in enumerate(page)
            if not ((position < _EDGE_LINES or position >= len(page) - _EDGE_LINES) and _running_key(line) in running)
        ]
        for page in pages
    ]


def _edges(page: Sequence[str]) -> list[str]:
    return [*page[:_EDGE_LINES], *page[-_EDGE_LINES:]]


def _running_key(line: str) -> str:
    return _DIGITS.sub("0", line).casefold()


def _title(stated: str, pages: Sequence[Sequence[str]], stem: str) -> str:
    """The title that the file states when it looks like one, else its first words, else the file's name."""
    if len(stated.split()) > 2 and not _NO_TITLE.search(stated):
        return shortened(stated, _TITLE_CHARACTERS)
    for line in (line for page in pages[:1] for line in page[:15]):
        if len(line.split()) > 3 and not _NO_TITLE.search(line) and not doi_of(line) and line[0].isupper():
            return shortened(clean(line), _TITLE_CHARACTERS)
    return clean(stem) or "PDF"


def _only_doi(text: str) -> str:
    """The DOI on the first page; none when there are several, since one of them is of another paper."""
    found = {doi_of(word).casefold(): doi_of(word) for word in re.split(r"[\s;]+", text)} if "10." in text else {}
    found.pop("", None)
    return next(iter(found.values())) if len(found) == 1 else ""


def _sections(pages: Sequence[Sequence[str]]) -> Iterator[Section]:
    """Sections up to the reference list; a sentence that runs on to the next page is kept whole there."""
    placed: list[tuple[str, int, str]] = []
    heading, kept = "", True
    for number, page in enumerate(pages, start=1):
        for line in page:
            found = heading_of(line)
            if found:
                heading, kept = found, not is_back_matter(found)
            elif kept:
                placed.append((heading, number, line))
    for heading, lines in groupby(placed, key=lambda one: one[0]):
        blocks: list[Block] = []
        carried = ""
        for number, on_page in groupby(lines, key=lambda one: one[1]):
            sentences = split_sentences(join_lines("\n".join((carried, *(line for _, _, line in on_page)))))
            ended = not sentences or sentences[-1].endswith((".", "!", "?", ":", ";"))
            carried = "" if ended else sentences.pop()
            if sentences:
                blocks.append(Block(" ".join(sentences), f"page {number}"))
            last = number
        if carried:
            blocks.append(Block(carried, f"page {last}"))
        if blocks:
            yield Section(heading, tuple(blocks))
