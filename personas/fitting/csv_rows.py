"""Rows of a CSV file, with the row number and an error that names it when the file is broken."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from knowledge.errors import PatientDataError
from personas.fitting.records import Place

Row = tuple[Place, dict[str, str]]


def csv_rows(path: Path, delimiter: str = ",", needed: Sequence[str] = ()) -> Iterator[Row]:
    """Yield place and cells by lower-case column name, blanks trimmed; empty lines are passed over.

    Parameters
    ----------
    needed : columns without which the file is of no use, in lower case.

    Raises
    ------
    PatientDataError : no such file, empty, not UTF-8, broken CSV, a row of another width, a column missing or twice.
    """
    name = path.name
    if not path.is_file():
        raise PatientDataError(f"There is no file '{name}' in '{path.parent.name}'.", "Check the path given by --data.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            header = [cell.strip().lower() for cell in next(reader, [])]
            _check_header(header, needed, name)
            found = False
            number = 1
            for cells in reader:
                number += 1
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise PatientDataError(
                        f"{name}, row {number} has {len(cells)} cells where the header has {len(header)}.",
                        "Quote cells that contain the delimiter, or name the delimiter in the mapping file.",
                    )
                found = True
                yield Place(name, number), dict(zip(header, map(str.strip, cells), strict=True))
            if not found:
                raise PatientDataError(f"{name} has a header and no rows.", "Give a file with at least one person.")
    except UnicodeDecodeError as error:
        raise PatientDataError(f"{name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    except csv.Error as error:
        raise PatientDataError(
            f"{name}, line {reader.line_num} cannot be read as CSV ({error}).", "Close every quote."
        ) from error


def _check_header(header: list[str], needed: Sequence[str], name: str) -> None:
    if not any(header):
        raise PatientDataError(f"{name} is empty.", "Give a CSV file with a header and rows.")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise PatientDataError(f"{name}: the column '{twice[0]}' stands in the header twice.", "Rename one of them.")
    missing = [column for column in needed if column not in header]
    if missing:
        raise PatientDataError(f"{name} has no column '{missing[0]}'.", f"Its columns are: {', '.join(header[:40])}.")


def file_hash(paths: Sequence[Path]) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the files, in order: says which data, not what is in it."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:16]
