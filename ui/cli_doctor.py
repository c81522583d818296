"""`cohort doctor`: is everything here that an answer needs?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import JsonFlag, say, write, write_json

if TYPE_CHECKING:
    from assistant.service import Assistant
    from assistant.settings import Settings


def doctor(
    as_json: JsonFlag = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, help="Seconds a chat model's server may take to answer.")
    ] = 5.0,
) -> None:
    """Check environment, packages, data folder, evidence, ledger, index, models; say what to do about each fault.

    Exit code 1 when a check failed; a warning does not count.
    """
    from assistant.doctor import State, examine

    checks = []
    for check in examine(_build, timeout=timeout):
        checks.append(check)
        if as_json:
            continue
        write(f"{check.state.value:<5} {check.name:<17} {check.found}")
        if check.what_to_do:
            write(f"{'':<24}{check.what_to_do}")
    if as_json:
        write_json([check.model_dump(mode="json") for check in checks])
    raise typer.Exit(int(any(check.state is State.FAIL for check in checks)))


def _build(settings: Settings) -> Assistant:
    from assistant.bootstrap import build_assistant

    return build_assistant(settings, progress=say)
