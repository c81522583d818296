"""The commands of the bank of archetypes, registered in `cli_personas`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from knowledge.errors import InvalidInput
from ui.console import JsonFlag, open_assistant, write, write_json

Number = Annotated[int, typer.Option("-k", min=1, max=100, help="How many to show.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def list_personas(
    area: Annotated[str, typer.Option(help="Only this area, such as type_2_diabetes.")] = "", as_json: JsonFlag = False
) -> None:
    """All archetypes by area: how much of each is sourced, and how much was learned."""
    with open_assistant() as assistant:
        rows = assistant.bank.listed(area)
    if as_json:
        write_json([row.model_dump(mode="json") for row in rows])
        return
    from ui.terminal_personas import print_list

    print_list(rows)


def search(
    query: Annotated[list[str], typer.Argument(help="The cohort, in plain words.")],
    k: Number = 5,
    words: Annotated[bool, typer.Option("--words", help="Search by words (BM25) instead of meaning.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Archetypes nearest to a description, by meaning."""
    with open_assistant() as assistant:
        found = assistant.bank.search(" ".join(query), k, words=words)
    if as_json:
        write_json([item.model_dump(mode="json") for item in found])
        return
    from ui.terminal_personas import print_found

    print_found(found)


def compare(first: str, second: str, as_json: JsonFlag = False) -> None:
    """Two archetypes side by side: standardised differences, overlap, distance."""
    with open_assistant() as assistant:
        view = assistant.bank.compare(first, second)
    if as_json:
        write_json(view.model_dump(mode="json"))
        return
    from ui.terminal_personas import print_comparison

    print_comparison(view.comparison)


def similar(persona_id: str, k: Number = 10, as_json: JsonFlag = False) -> None:
    """The archetypes nearest to one, by the overlap of their distributions."""
    with open_assistant() as assistant:
        rows = assistant.bank.similar(persona_id, k)
    if as_json:
        write_json([row.model_dump(mode="json") for row in rows])
        return
    from ui.terminal_personas import print_similar

    print_similar(persona_id, rows)


def trials(
    persona_id: str,
    k: Number = 8,
    area: Annotated[str, typer.Option(help="Area of the trials, or 'all'; the archetype's own by default.")] = "",
    at_least: Annotated[int, typer.Option(min=1, max=11, help="Baseline figures a trial must print.")] = 4,
    as_json: JsonFlag = False,
) -> None:
    """Trials whose people are most like an archetype, and the one whose people are least."""
    with open_assistant() as assistant:
        found = assistant.bank.trials(persona_id, area=area, at_least=at_least, limit=k)
    if as_json:
        write_json(found.model_dump(mode="json"))
        return
    from ui.terminal_personas import print_trials

    print_trials(found)


def update(
    persona_id: str,
    observations: Annotated[Path, typer.Option(help="CSV or JSON of what was observed: personas/updating/README.md.")],
    on: Annotated[
        str, typer.Option("--date", help="Day of the observations (YYYY-MM-DD), where rows state none.")
    ] = "",
    source: Annotated[str, typer.Option(help="Where the observations are from.")] = "",
    prior_weight: Annotated[
        float | None, typer.Option(help="People (person-years for events) the archetype's own values are worth.")
    ] = None,
    half_life: Annotated[
        float | None, typer.Option(help="Years after which what is believed has half its weight; never without.")
    ] = None,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Learn from observed outcomes: a Bayesian update that is kept in the archetype's thread."""
    day = _date(on)
    with open_assistant() as assistant:
        report = assistant.bank.update(
            persona_id,
            observations,
            on=day,
            source=source,
            prior_weight=prior_weight,
            half_life_years=half_life,
            dry_run=dry_run,
        )
    if as_json:
        write_json(report.model_dump(mode="json"))
        return
    from ui.terminal_personas import print_update

    print_update(report)


def history(persona_id: str, as_json: JsonFlag = False) -> None:
    """What changed in an archetype, when and because of what; how old its newest observation is."""
    with open_assistant() as assistant:
        found = assistant.bank.history(persona_id)
    if as_json:
        write_json(found.model_dump(mode="json"))
        return
    from ui.terminal_personas import print_history

    print_history(found)


def rollback(
    persona_id: str, to: Annotated[int, typer.Option(help="Entry to go back to; 0 is the archetype as shipped.")]
) -> None:
    """Go back to what was believed after an entry. Nothing is deleted."""
    with open_assistant() as assistant:
        entry = assistant.bank.rollback(persona_id, to)
    where = "as shipped" if to == 0 else f"as after entry {to}"
    write(f"{persona_id} stands {where} again (entry {entry.seq}).")


def export(
    persona_id: str,
    out: Annotated[Path, typer.Option(help="File to write: .yaml or .json.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write an archetype, with what it inherits and has learned, to a file."""
    with open_assistant() as assistant:
        assistant.bank.export(persona_id, out, force=force)
    write(f"{persona_id} written to {out}.")


def import_file(
    file: Annotated[Path, typer.Argument(help="An archetype file, .yaml or .json.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace an imported archetype of the same id.")] = False,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Take in an archetype of one's own; it is checked whole and usable at once."""
    with open_assistant() as assistant:
        done = assistant.bank.import_file(file, replace=replace, dry_run=dry_run)
    if as_json:
        write_json(done.model_dump(mode="json"))
        return
    said = "would be imported" if dry_run else "replaced" if done.replaced else "imported"
    write(f"{done.id} ({done.name}) {said}, with {done.attributes} attributes.")
    if not dry_run:
        write(f"Look at it with: cohort personas show {done.id}")


def schema() -> None:
    """JSON Schema of an archetype file, for editors and other programs."""
    from assistant.persona_bank import PersonaBank

    write_json(PersonaBank.schema())


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' is not a date.", "Write it as YYYY-MM-DD, for example 2026-06-30.") from error
