"""Markdown: front matter, headings, paragraphs. What a heading names is a section."""

from __future__ import annotations

import re
from typing import Any, Final

from knowledge.errors import LiteratureError
from knowledge.ingest.designs import is_retracted
from knowledge.ingest.records import (
    Block,
    Record,
    Section,
    author_line,
    doi_of,
    pmid_of,
    publication_date,
    registry_ids_in,
)
from knowledge.ingest.text import clean, shortened
from knowledge.ingest.user_yaml import read_user_yaml
from knowledge.schemas import Design, Seen

_FENCE: Final = "---"
_ATX: Final = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_SETEXT: Final = re.compile(r" {0,3}(=+|-{2,})\s*")
_CODE: Final = re.compile(r" {0,3}(```+|~~~+)")
_MARKS: Final = (
    (re.compile(r"!?\[([^\[\]]{0,500})\]\([^()]{0,1000}\)"), r"\1"),  # links and images
    (re.compile(r"\[\[(?:[^\[\]|]{0,300}\|)?([^\[\]]{0,300})\]\]"), r"\1"),  # wiki links
    (re.compile(r"</?[A-Za-z][^<>]{0,200}>|<!--.{0,1000}?-->"), " "),
    (re.compile(r"(\*\*|__)(?=\S)(.{1,500}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)"), r"\1"),
    (re.compile(r"`([^`]+)`"), r"\1"),
    (re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?"), ""),
    (re.compile(r"^\s*(?:>\s?)+"), ""),
)
_RULE: Final = re.compile(r"\s*(?:[-*_]\s*){3,}|\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*:?-*:?\s*")
_TITLE_CHARACTERS: Final = 250
_LONGEST_LINE: Final = 20_000  # longer ones are not searched for marks: patterns would take time that grows faster


def parse_markdown(text: str, name: str, stem: str) -> Record:
    """The record of a Markdown file.

    Front matter between two lines of `---` may state title, authors, journal, published, design, pmid, doi,
    registry_id, seen, area, trial, tags and retracted; other keys are passed over. Without it, the first heading of
    the first level is the title.

    Parameters
    ----------
    text : the file.
    name : under which it is reported.
    stem : the title when the file states none.

    Raises
    ------
    LiteratureError
        naming the line of front matter that cannot be used.
    """
    lines = text.splitlines()
    front, start = _front_matter(lines, name)
    title, sections = _sections(lines, start)
    stated = clean(_text(front, "title"))
    title = shortened(stated or title or clean(stem) or "Note", _TITLE_CHARACTERS)
    return Record(title=title, sections=tuple(sections), line=1, **_metadata(front, title, name))


def _front_matter(lines: list[str], name: str) -> tuple[dict[str, Any], int]:
    """Front matter and the index of the first line after it; a `---` that is never closed is a rule."""
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, 0
    end = next((index for index, line in enumerate(lines[1:], start=1) if line.rstrip() in (_FENCE, "...")), None)
    if end is None:
        return {}, 0
    return read_user_yaml("\n".join(lines[1:end]), name, first_line=2), end + 1


def _metadata(front: dict[str, Any], title: str, name: str) -> dict[str, Any]:
    published = _text(front, "published") or _text(front, "date")
    parts = [*published.split("T")[0].replace("/", "-").split("-"), "", ""][:3]
    metadata: dict[str, Any] = {
        "authors": author_line(_list(front, "authors") or _list(front, "author")),
        "journal": clean(_text(front, "journal")),
        "published": publication_date(*parts),
        "pmid": pmid_of(_text(front, "pmid")),
        "doi": doi_of(_text(front, "doi")),
        "registry_ids": registry_ids_in(_text(front, "registry_id")),
        "trial": clean(_text(front, "trial")),
        "area": _text(front, "area"),
        "tags": tuple(_list(front, "tags")),
        "retracted": _text(front, "retracted").casefold() in ("yes", "true") or is_retracted((), title),
        "bibliographic": bool(_text(front, "title") and published),
    }
    checks = {"published": published, "pmid": _text(front, "pmid"), "doi": _text(front, "doi")}
    for key, written in checks.items():
        if written and not metadata[key]:
            raise LiteratureError(f"{name}:1: {key}: '{written[:60]}' is none.", "Correct it, or leave it out.")
    for key, kind in (("design", Design), ("seen", Seen)):
        written = _text(front, key).casefold().replace(" ", "_")
        if not written:
            continue
        if written not in {one.value for one in kind}:
            known = ", ".join(one.value for one in kind)
            raise LiteratureError(f"{name}:1: {key}: '{written[:60]}' is not one of {known}.", "Correct it.")
        metadata[key] = kind(written)
    return metadata


def _text(front: dict[str, Any], key: str) -> str:
    value = front.get(key, "")
    return value.strip() if isinstance(value, str) else ""


def _list(front: dict[str, Any], key: str) -> list[str]:
    value = front.get(key, "")
    parts = (
        value if isinstance(value, list) else re.split(r"\s*;\s*|\s+and\s+", value) if isinstance(value, str) else []
    )
    return [text for part in parts if isinstance(part, str) and (text := clean(part))]


def _sections(lines: list[str], start: int) -> tuple[str, list[Section]]:
    """The first heading of level 1, and the sections with the lines on which their paragraphs begin."""
    title, heading = "", ""
    sections: list[Section] = []
    blocks: list[Block] = []
    paragraph: list[str] = []
    began = 0
    fence = ""

    def end_paragraph() -> None:
        text = clean(" ".join(paragraph))
        if text:
            blocks.append(Block(text, f"line {began}"))
        paragraph.clear()

    def begin_section(level: int, name: str) -> None:
        nonlocal title, heading
        end_paragraph()
        if blocks:
            sections.append(Section(heading, tuple(blocks)))
            blocks.clear()
        name = _plain(name)
        if level == 1 and not title:
            title, name = name, ""
        heading = name

    for number, line in enumerate(lines[start:], start=start + 1):
        code = _CODE.match(line)
        if fence or code:
            if code and not fence:
                end_paragraph()
                fence = code.group(1)[:3]
            elif code and code.group(1).startswith(fence):
                fence = ""
            continue
        if len(line) > _LONGEST_LINE:
            began = number if not paragraph else began
            paragraph.append(clean(line))
            continue
        atx, setext = _ATX.fullmatch(line), _SETEXT.fullmatch(line)
        if atx:
            begin_section(len(atx.group(1)), atx.group(2))
        elif setext and len(paragraph) == 1 and not paragraph[0].startswith("|"):
            name = paragraph.pop()
            begin_section(1 if setext.group(1)[0] == "=" else 2, name)
        elif not line.strip() or _RULE.fullmatch(line):
            if not line.lstrip().startswith("|"):  # the line below the header of a table
                end_paragraph()
        else:
            if not paragraph:
                began = number
            plain = _plain(line)
            if line.lstrip().startswith("|"):  # a row of a table reads as a sentence
                plain = "; ".join(filter(None, map(str.strip, plain.strip("| ").split("|")))) + "."
            paragraph.append(plain)
    end_paragraph()
    if blocks:
        sections.append(Section(heading, tuple(blocks)))
    return title, sections


def _plain(line: str) -> str:
    for pattern, kept in _MARKS:
        line = pattern.sub(kept, line)
    return clean(line)
