"""The report as Markdown: the same sections and tables, without charts and traces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evals.report.blocks import Block, Bullets, Cell, Figures, Fold, Part, Pre, Section, Table, Text
from evals.report.markup import clean

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(title: str, lead: Sequence[str], facts: Sequence[tuple[str, str]], sections: Sequence[Section]) -> str:
    """The whole file."""
    lines = [f"# {_plain(title)}", ""]
    for sentence in lead:
        lines += [_plain(sentence), ""]
    lines += [f"- {_plain(name)}: {_plain(value)}" for name, value in facts]
    for section in sections:
        lines += ["", f"## {_plain(section.title)}"]
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        yield from ("", _plain(block.text))
    elif isinstance(block, Bullets):
        yield ""
        yield from (f"- {_plain(item)}" for item in block.items)
    elif isinstance(block, Pre):
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", block.text)), default=0))
        yield from ("", fence, clean(block.text), fence)
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Figures):
        for figure in block.figures:
            yield from _table(figure.table)
    elif isinstance(block, Part):
        yield from ("", f"### {_plain(block.title)}")
        for one in block.blocks:
            yield from _block(one)
    elif isinstance(block, Fold) and block.plain:
        yield from ("", f"**{_plain(block.summary)}**")
        for one in block.blocks:
            yield from _block(one)


def _table(table: Table) -> Iterator[str]:
    keep = [column for column, cell in enumerate(table.head) if isinstance(cell, str) or cell.drawing is None]
    head = [_cell(table.head[column]) for column in keep]
    right = [bool(table.rows) and _is_number(table.rows[0][column]) for column in keep]
    yield from ("", f"*{_plain(table.caption)}*", "", f"| {' | '.join(head)} |")
    yield f"|{'|'.join('--:' if one else '---' for one in right)}|"
    for row in table.rows:
        yield f"| {' | '.join(_cell(row[column]) for column in keep)} |"


def _cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return _plain(cell)
    text = f"`{clean(cell.text)}`" if cell.code and "`" not in cell.text and "|" not in cell.text else _plain(cell.text)
    if cell.strong:
        text = f"**{text}**"
    return f"{text} ({_plain(cell.small)})" if cell.small else text


def _is_number(cell: Cell | str) -> bool:
    return isinstance(cell, Cell) and cell.number


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(clean(text).split()))
