"""The Markdown of an answer as blocks that every format can draw. Raw HTML in it stays text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.exports.words import clean

if TYPE_CHECKING:
    from markdown_it.token import Token


@dataclass(frozen=True)
class Run:
    """A piece of text in one style; `href` is an http(s) address or empty."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    href: str = ""


Runs = tuple[Run, ...]


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    runs: Runs


@dataclass(frozen=True)
class Item:
    """A line of a list; `mark` is its bullet or number, `depth` counts from 0."""

    runs: Runs
    mark: str = "•"
    depth: int = 0


@dataclass(frozen=True)
class Grid:
    """A table: header cells and rows of cells."""

    header: tuple[Runs, ...]
    rows: tuple[tuple[Runs, ...], ...]


Block = Paragraph | Item | Grid


def blocks_of(markdown: str) -> tuple[Block, ...]:
    """Markdown as blocks, in order."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return tuple(_blocks(parser.parse(clean(markdown))))


def plain(runs: Sequence[Run]) -> str:
    """The text without its styles."""
    return "".join(run.text for run in runs)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    lists: list[int] = []  # next number of each open list; 0: bullets
    rows: list[list[Runs]] = []
    header = 0
    fresh = False  # the first paragraph of an item carries its mark
    for token in tokens:
        match token.type:
            case "bullet_list_open":
                lists.append(0)
            case "ordered_list_open":
                lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
            case "list_item_open":
                fresh = True
            case "table_open":
                rows = []
            case "thead_close":
                header = len(rows)
            case "tr_open":
                rows.append([])
            case "inline":
                runs = tuple(_runs(token.children or ()))
                if rows and token.level >= 4 and _in_table(tokens, token):
                    rows[-1].append(runs)
                elif lists:
                    mark = ("•" if not lists[-1] else f"{lists[-1]}.") if fresh else ""
                    if fresh and lists[-1]:
                        lists[-1] += 1
                    fresh = False
                    yield Item(runs, mark, len(lists) - 1)
                else:
                    yield Paragraph(runs)
            case "table_close":
                yield Grid(tuple(rows[0]) if header else (), tuple(tuple(row) for row in rows[header:]))
                rows, header = [], 0
            case "code_block" | "fence":
                yield Paragraph((Run(token.content.rstrip("\n"), code=True),))


def _in_table(tokens: Sequence[Token], token: Token) -> bool:
    position = next(index for index, other in enumerate(tokens) if other is token)
    return tokens[position - 1].type in ("th_open", "td_open")


def _runs(children: Sequence[Token]) -> Iterator[Run]:
    bold = italic = 0
    href = ""
    for child in children:
        match child.type:
            case "strong_open":
                bold += 1
            case "strong_close":
                bold -= 1
            case "em_open":
                italic += 1
            case "em_close":
                italic -= 1
            case "link_open":
                address = str(child.attrs.get("href", ""))
                href = address if address.startswith(("https://", "http://")) else ""
            case "link_close":
                href = ""
            case "softbreak":
                yield Run(" ", bool(bold), bool(italic), href=href)
            case "hardbreak":
                yield Run("\n", bool(bold), bool(italic), href=href)
            case "image":
                yield Run(child.content, bool(bold), bool(italic))
            case _:
                if child.content:
                    yield Run(child.content, bool(bold), bool(italic), child.type == "code_inline", href)
