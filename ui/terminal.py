"""Answers and archetypes in the terminal, with rich; plain lines where nobody is at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assistant.schemas import Answer, Event
from personas.schemas import Attribute, Persona
from ui.console import terminal, write
from ui.exports.blocks import Grid, Item, blocks_of, plain


def print_answer(answer: Answer, console: Console | None = None) -> None:
    """The whole answer, in the order people need it."""
    if console is None and not sys.stdout.isatty():
        for line in plain_lines(answer):
            write(line)
        return
    from rich.markdown import Markdown

    console = console or Console(highlight=False, soft_wrap=False)
    console.print(Markdown(answer.markdown))
    if answer.next_questions:
        console.print()
        console.print("Next you could ask:", style="bold")
        for question in answer.next_questions:
            console.print(f"  {question}", markup=False)


def plain_lines(answer: Answer) -> Iterator[str]:
    """The answer without styles: a paragraph or point is one line, so that pipes can search and cut."""
    listing = False
    for block in blocks_of(answer.markdown):
        if not (listing and isinstance(block, Item)):
            yield ""
        listing = isinstance(block, Item)
        if isinstance(block, Grid):
            rows = [[plain(cell) for cell in row] for row in (block.header, *block.rows)]
            widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
            for row in rows:
                yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        elif isinstance(block, Item):
            yield f"{'  ' * block.depth}{block.mark or ' '} {plain(block.runs)}"
        else:
            yield plain(block.runs)
    if answer.next_questions:
        yield ""
        yield "Next you could ask:"
        yield from (f"  {question}" for question in answer.next_questions)


def progress_line(event: Event) -> str:
    """What a run is doing, in a few words."""
    if event.plan is not None:
        return event.plan.population or "Planning …"
    name = event.tool.replace("_", " ")
    return f"{name} …" if event.step is None else f"{name} {'done' if event.step.ok else 'gave nothing'}"


def print_persona(persona: Persona, console: Console | None = None) -> None:
    """Attributes with distribution and provenance."""
    # What a file says is text: without `markup=False` an imported '[/bold]' would end in a stack trace.
    console = console or terminal()
    # An archetype's words are shown as they are: brackets in them are no markup.
    console.print(persona.name, style="bold", markup=False)
    console.print(persona.summary, markup=False)
    if persona.restrictions:
        console.print("Membership: " + ", ".join(persona.restrictions), markup=False)
    table = Table("Attribute", "Distribution", "Unit", "Where from")
    for name, attribute in persona.attributes.items():
        source = attribute.source
        where = f"{source.source_id}, {source.locator}" if source else f"assumed: {attribute.assumption}"
        cells = (name.replace("_", " "), _parameters(attribute), attribute.unit, where)
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def _parameters(attribute: Attribute) -> str:
    if attribute.levels:
        return ", ".join(f"{level} {100 * share:.0f} %" for level, share in attribute.levels.items())
    if attribute.probability is not None:
        return f"{100 * attribute.probability:.0f} %"
    if attribute.zeros is not None:
        above = f"above it mean {attribute.mean:g}, SD {attribute.sd:g}, lognormal"
        return f"{100 * attribute.zeros:.0f} % at 0, {above}"
    if attribute.mean is not None:
        return f"{attribute.distribution.value.replace('_', ' ')}, mean {attribute.mean:g}, SD {attribute.sd:g}"
    return f"{attribute.distribution.value}, {attribute.lower:g} to {attribute.upper:g}"
