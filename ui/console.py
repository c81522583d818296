"""What all commands share: the assistant, and writing to the terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from assistant.service import Assistant

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def open_assistant(*, one_question: bool = False) -> Assistant:
    """The assistant over the settings of the environment; heavy imports happen here, not before."""
    from assistant.bootstrap import build_assistant

    return build_assistant(progress=say, one_question=one_question)


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
