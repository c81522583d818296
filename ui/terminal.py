"""Answers and archetypes in the terminal, with rich."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

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
    console = console or Console(highlight=False)
    console.print(persona.name, style="bold")
    console.print(persona.summary)
    if persona.restrictions:
        console.print("Membership: " + ", ".join(persona.restrictions), markup=False)
    table = Table("Attribute", "Distribution", "Unit", "Where from")
    for name, attribute in persona.attributes.items():
        source = attribute.source
        where = f"{source.source_id}, {source.locator}" if source else f"assumed: {attribute.assumption}"
        table.add_row(name.replace("_", " "), _parameters(attribute), attribute.unit, where)
    console.print(table)


def _parameters(attribute: Attribute) -> str:
    if attribute.levels:
        return ", ".join(f"{level} {100 * share:.0f} %" for level, share in attribute.levels.items())
    if attribute.probability is not None:
        return f"{100 * attribute.probability:.0f} %"
    if attribute.mean is not None:
        return f"{attribute.distribution.value.replace('_', ' ')}, mean {attribute.mean:g}, SD {attribute.sd:g}"
    return f"{attribute.distribution.value}, {attribute.lower:g} to {attribute.upper:g}"
