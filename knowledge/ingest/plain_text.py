"""Plain text: paragraphs between blank lines, headings where a line is one."""

from __future__ import annotations

from typing import Final

from knowledge.ingest.designs import is_retracted
from knowledge.ingest.headings import heading_of, is_back_matter
from knowledge.ingest.records import Block, Record, Section, registry_ids_in
from knowledge.ingest.text import clean, join_lines, shortened

_TITLE_CHARACTERS: Final = 200
_HEADING_CHARACTERS: Final = 60


def parse_text(text: str, stem: str) -> Record:
    """The record of a text file; its first line is the title when it stands alone and is short, else the file's name."""
    lines = text.splitlines()
    title = clean(stem) or "Note"
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    begin = 0
    if first is not None:
        line = clean(lines[first])
        alone = first + 1 >= len(lines) or not lines[first + 1].strip()
        if alone and 3 <= len(line) <= _TITLE_CHARACTERS and not heading_of(line) and not line.endswith("."):
            title, begin = line, first + 1
    return Record(
        title=shortened(title, _TITLE_CHARACTERS),
        sections=tuple(_sections(lines, begin)),
        line=1,
        registry_ids=registry_ids_in("", text[:20_000]),
        retracted=is_retracted((), title),
    )


def _sections(lines: list[str], begin: int) -> list[Section]:
    sections: list[Section] = []
    blocks: list[Block] = []
    paragraph: list[str] = []
    heading, began, kept = "", 0, True

    def end_paragraph() -> None:
        joined = join_lines("\n".join(paragraph))
        if joined and kept:
            blocks.append(Block(joined, f"line {began}"))
        paragraph.clear()

    for number, line in enumerate(lines[begin:], start=begin + 1):
        found = heading_of(line) or _capitals(line)
        if found and not paragraph:
            if blocks:
                sections.append(Section(heading, tuple(blocks)))
                blocks = []
            heading, kept = found, not is_back_matter(found)
        elif not line.strip():
            end_paragraph()
        else:
            if not paragraph:
                began = number
            paragraph.append(line.strip())
    end_paragraph()
    if blocks:
        sections.append(Section(heading, tuple(blocks)))
    return sections


def _capitals(line: str) -> str:
    """A short line in capitals is a heading."""
    line = clean(line)
    letters = [character for character in line if character.isalpha()]
    short = len(letters) > 3 and len(line) <= _HEADING_CHARACTERS
    return line.rstrip(":").capitalize() if short and line.isupper() and not line.endswith(".") else ""
