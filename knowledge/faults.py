"""Faults in data files: collected all together, raised as one error that names file and row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from knowledge.errors import DataError

SHOWN = 20  # an error message longer than a screen is not read


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong in a data file.

    `row` counts as a spreadsheet does (the header is row 1); 0 when the whole file is meant.
    """

    file: str
    row: int
    column: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.row}" if self.row else self.file
        return f"{place}: {self.column}: {self.message}" if self.column else f"{place}: {self.message}"


def raise_faults(faults: Sequence[Fault], error: type[DataError], what: str) -> None:
    """Raise `error` with the first 20 faults, or return when there are none.

    Parameters
    ----------
    faults : what was found, in the order in which it is to be shown.
    error : the class to raise.
    what : the files meant, e.g. "evidence tables".
    """
    if not faults:
        return
    lines = [str(fault) for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"… and {len(faults) - SHOWN} more")
    noun = "fault" if len(faults) == 1 else "faults"
    raise error(
        f"The {what} have {len(faults)} {noun}:\n" + "\n".join(lines) + "\n",
        "Correct the rows named here; `python -m knowledge.check` lists every fault of every file.",
    )


def describe(error: ValidationError) -> list[tuple[str, str]]:
    """(field, message) for each fault of a pydantic error, without echoing the input."""
    return [
        (".".join(str(part) for part in fault["loc"]), fault["msg"])
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
