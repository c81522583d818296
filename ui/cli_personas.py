"""`cohort personas`: the archetypes and what can be done with them. Each group of commands has its own module."""

from __future__ import annotations

from typing import Any

import typer

from ui import cli_personas_bank as bank
from ui.cli_personas_fit import fit, merge
from ui.cli_personas_sample import personas_sample
from ui.console import JsonFlag, open_assistant, write, write_json

personas_app = typer.Typer(help="The cohorts: tree, profiles, virtual patients.", no_args_is_help=True)
personas_app.command("sample")(personas_sample)
personas_app.command("fit")(fit)
personas_app.command("merge")(merge)


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
            assumed = f"{100 * node.assumed_share:.0f} % of its values assumed"
            write(f"{'  ' * depth}{node.id}  {node.name}  ({assumed})")
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
    write(f"{100 * persona.assumed_share:.0f} % of its {len(persona.values)} values are assumptions without a source.")


personas_app.command("list")(bank.list_personas)
personas_app.command("search")(bank.search)
personas_app.command("compare")(bank.compare)
personas_app.command("similar")(bank.similar)
personas_app.command("trials")(bank.trials)
personas_app.command("update")(bank.update)
personas_app.command("history")(bank.history)
personas_app.command("rollback")(bank.rollback)
personas_app.command("export")(bank.export)
personas_app.command("import")(bank.import_file)
personas_app.command("schema")(bank.schema)
