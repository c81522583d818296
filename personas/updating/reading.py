"""Files of observations: a table of summaries or of people (CSV), or summaries as JSON. Read as text, nothing guessed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import InvalidInput

LARGEST_FILE = 20_000_000  # bytes
MOST_ROWS = 200_000
MOST_COLUMNS = 200
_LONGEST_CELL = 500
SUMMARY_COLUMNS = (
    "attribute", "unit", "n", "mean", "sd", "count", "share", "level", "person_years", "date", "source"
)  # fmt: skip
_SHAPE = "One row an attribute with the columns attribute, n, mean and sd (or count), or one row a person."


@dataclass(frozen=True)
class Table:
    """A file as text.

    Attributes
    ----------
    name : the file's name.
    digest : SHA-256 of its content.
    rows : row number as a reader counts it → cells by column.
    source, on : what the file as a whole says about itself (JSON), empty otherwise.
    """

    name: str
    digest: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    source: str = ""
    on: str = ""

    @property
    def of_people(self) -> bool:
        """True when a row is a person."""
        return "attribute" not in self.columns


def read_table_of_observations(path: Path) -> Table:
    """Read a .csv or .json file.

    Raises
    ------
    InvalidInput : no such file, too large, not UTF-8, not CSV or JSON, no rows, a column twice.
    """
    if not path.is_file():
        raise InvalidInput(f"There is no file '{path}'.", "Give the path of a CSV or JSON file of observations.")
    if path.stat().st_size > LARGEST_FILE:
        raise InvalidInput(f"{path.name} is larger than {LARGEST_FILE // 1_000_000} MB.", "Summarise it first.")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path.name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    if "\x00" in text:
        raise InvalidInput(f"{path.name} holds zero bytes and is not a text file.", _SHAPE)
    digest = hashlib.sha256(raw).hexdigest()
    read = {".csv": _from_csv, ".json": _from_json}.get(path.suffix.lower())
    if read is None:
        raise InvalidInput(f"'{path.name}' is neither .csv nor .json.", _SHAPE)
    table = read(path.name, digest, text)
    if not table.rows:
        raise InvalidInput(f"{path.name} holds no observation.", _SHAPE)
    if len(table.rows) > MOST_ROWS:
        raise InvalidInput(f"{path.name} has more than {MOST_ROWS:,} rows.", "Summarise them: n, mean and sd.")
    return table


def _from_csv(name: str, digest: str, text: str) -> Table:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(header) > MOST_COLUMNS:
            raise InvalidInput(f"{name} has more than {MOST_COLUMNS} columns.", _SHAPE)
        twice = sorted({column for column in header if header.count(column) > 1})
        if twice:
            raise InvalidInput(f"{name} has the column '{twice[0]}' twice.", "Keep one.")
        rows = []
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise InvalidInput(f"{name}, row {number}: {len(cells)} cells under {len(header)} columns.", "Mend it.")
            rows.append((number, {c: _cell(cell, name, number) for c, cell in zip(header, cells, strict=True)}))
    except csv.Error as error:
        raise InvalidInput(f"{name} is not readable as CSV ({error}).", _SHAPE) from error
    return Table(name, digest, tuple(header), tuple(rows))


def _from_json(name: str, digest: str, text: str) -> Table:
    def constant(word: str) -> Any:
        raise InvalidInput(f"{name} holds {word}, which is not a number.", "Leave what was not measured out.")

    try:
        value = json.loads(text, parse_constant=constant)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON ({str(error)[:120]}).", "Mend it at that place.") from error
    source, on = "", ""
    if isinstance(value, dict):
        unknown = sorted(set(value) - {"source", "date", "observations"})
        if unknown:
            raise InvalidInput(
                f"{name} has the unknown field '{unknown[0][:60]}'.", "It takes source, date, observations."
            )
        source, on = str(value.get("source", "")), str(value.get("date", ""))
        value = value.get("observations")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidInput(
            f"{name} is not a list of observations.", 'Each is {"attribute": …, "n": …, "mean": …, "sd": …}.'
        )
    rows = []
    for number, item in enumerate(value, start=1):
        nested = [key for key, cell in item.items() if isinstance(cell, dict | list)]
        if nested:
            raise InvalidInput(f"{name}, observation {number}: '{nested[0][:60]}' is not a single value.", _SHAPE)
        cells = {str(key): "" if cell is None else _cell(_plain(cell), name, number) for key, cell in item.items()}
        rows.append((number, cells))
    columns = tuple(dict.fromkeys(column for _, cells in rows for column in cells))
    if rows and "attribute" not in columns:
        raise InvalidInput(f"{name}: the observations name no attribute.", _SHAPE)
    return Table(name, digest, columns, tuple(rows), source, on)


def _plain(cell: Any) -> str:
    return ("yes" if cell else "no") if isinstance(cell, bool) else str(cell)


def _cell(cell: str, name: str, number: int) -> str:
    if len(cell) > _LONGEST_CELL:
        raise InvalidInput(f"{name}, row {number}: a cell has more than {_LONGEST_CELL} characters.", "Shorten it.")
    return cell.strip()
