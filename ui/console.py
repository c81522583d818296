"""What all commands share: the assistant, and writing to the terminal."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from assistant.owners import Owners
    from assistant.service import Assistant

_UNWRAPPED = 100_000  # characters: no line of ours is as long
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def open_assistant(*, one_question: bool = False) -> Assistant:
    """The assistant over the settings of the environment; heavy imports happen here, not before."""
    from assistant.bootstrap import build_assistant

    return build_assistant(progress=say, one_question=one_question)


def open_owners() -> Owners:
    """The assistants of all owners, for a service that several use."""
    from assistant.bootstrap import build_owners

    return build_owners(progress=say)


def terminal() -> Console:
    """Standard output for tables: a terminal's width, or, in a pipe or file, no wrapping (unless COLUMNS is set)."""
    from rich.console import Console

    if sys.stdout.isatty() or "COLUMNS" in os.environ:  # whoever sets a width wants it
        return Console(highlight=False)
    return Console(highlight=False, width=_UNWRAPPED, no_color=True, force_terminal=False)


def say(_fraction: float, message: str) -> None:
    """Long work tells a person what it is doing; a pipe stays clean."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{message} …\n")


def write(text: str) -> None:
    """To standard output, whatever its encoding: a character that it cannot show becomes '?'."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def write_json(value: Any) -> None:
    """JSON, indented, in UTF-8."""
    write(json.dumps(value, ensure_ascii=False, indent=2))
