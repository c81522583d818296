"""The parts a report is made of. Sections return them; `page.py` writes them as HTML, `markdown.py` as Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from evals.report.markup import Markup
from evals.report.numbers import NOTHING


@dataclass(frozen=True)
class Cell:
    """A cell of a table. `drawing` is shown in HTML only, so the numbers it shows stand in other cells."""

    text: str
    number: bool = False
    strong: bool = False
    small: str = ""
    link: str = ""
    code: bool = False
    drawing: Markup | None = None


Row = tuple["Cell | str", ...]


@dataclass(frozen=True)
class Table:
    """A table with its caption; the first cell of a row names it. `head` and `rows` have the same width."""

    caption: str
    head: tuple[Cell | str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    muted: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of short statements."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Pre:
    """Words of a run as they are: a question, an answer, a command."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A chart, and the table of what it shows."""

    drawing: Markup
    caption: str
    table: Table


@dataclass(frozen=True)
class Figures:
    """Charts that stand side by side where there is room."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Fold:
    """Something to open. `name` is its anchor; `plain` keeps it in the Markdown too."""

    summary: str
    blocks: tuple[Block, ...]
    name: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Part:
    """A part of a section with its own anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


Block = Table | Text | Bullets | Pre | Figures | Fold | Part


@dataclass(frozen=True)
class Section:
    """A section with its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def number(text: str, small: str = "", strong: bool = False) -> Cell:
    """A cell that is lined up on the right; a dash is no small print."""
    return Cell(text, number=True, small="" if small == NOTHING else small, strong=strong)
