"""Answers and archetypes in the terminal, with rich."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from assistant.schemas import Answer
from personas.schemas import Attribute, Persona


def print_answer(answer: Answer, console: Console | None = None) -> None:
    """The whole answer, in the order people need it."""
    console = console or Console(highlight=False, soft_wrap=False)
    console.print(Markdown(answer.markdown))
    if answer.next_questions:
        console.print()
        console.print("Next you could ask:", style="bold")
        for question in answer.next_questions:
            console.print(f"  {question}", markup=False)


def print_persona(persona: Persona, console: Console | None = None) -> None:
    """Attributes with distribution and provenance."""
    # What a file says is text: without `markup=False` an imported '[/bold]' would end in a stack trace.
    console = console or Console(highlight=False, markup=False)
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
