"""`cohort personas`: the archetypes and what can be done with them. Each group of commands has its own module."""

from __future__ import annotations

from typing import Any

import typer

from ui.console import JsonFlag, open_assistant, write, write_json

personas_app = typer.Typer(help="The cohorts: tree and profiles.", no_args_is_help=True)


@personas_app.command("tree")
def personas_tree(as_json: JsonFlag = False) -> None:
    """The family tree of archetypes."""
    with open_assistant() as assistant:
        tree = assistant.persona_tree()
    if as_json:
        write_json([node.model_dump(mode="json") for node in tree])
        return

    def show(nodes: Any, depth: int) -> None:
        for node in nodes:
            write(f"{'  ' * depth}{node.id}  {node.name}")
            show(node.children, depth + 1)

    show(tree, 0)


@personas_app.command("show")
def personas_show(persona_id: str, as_json: JsonFlag = False) -> None:
    """One archetype: who they are, with the source or assumption behind each value."""
    with open_assistant() as assistant:
        persona = assistant.persona(persona_id)
    if as_json:
        write_json(persona.model_dump(mode="json", exclude_none=True))
        return
    from ui.terminal import print_persona

    print_persona(persona)
