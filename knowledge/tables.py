"""Reading the CSV tables: header, row numbers and encoding are checked here, meaning elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from knowledge.faults import Fault

AREAS = (
    "type_2_diabetes",
    "obesity",
    "hypertension",
    "dyslipidaemia",
    "heart_failure_ckd",
    "copd_asthma",
    "depression",
    "neurodegeneration",
    "musculoskeletal",
    "oncology",
    "smoking",
    "infection",
    "behaviour",
)


def area_of(path: Path) -> str:
    """`obesity` of `obesity.csv` and of `obesity.part.csv`."""
    return path.name.split(".", 1)[0]


def read_table(path: Path, columns: Sequence[str], faults: list[Fault]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (row number, cells by column) with blanks trimmed; broken rows become faults and are left out.

    Parameters
    ----------
    path : a UTF-8 CSV file, with or without a byte-order mark.
    columns : the header, in any order in the file; unknown and missing columns are faults.
    faults : receives what is wrong.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        faults.append(Fault(name, 0, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8"))
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not _header_fits(header, columns, name, faults):
            return
        width = len(header)
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != width:
                message = f"has {len(cells)} cells where the header has {width}; quote cells that contain commas"
                faults.append(Fault(name, number, "", message))
                continue
            yield number, dict(zip(header, map(str.strip, cells), strict=True))
    except csv.Error as error:
        faults.append(Fault(name, reader.line_num, "", f"cannot be read as CSV ({error})"))


def _header_fits(header: list[str], columns: Sequence[str], name: str, faults: list[Fault]) -> bool:
    """True when the header has each column once and no other."""
    before = len(faults)
    for column in dict.fromkeys(header):
        if column not in columns:
            faults.append(Fault(name, 1, column or "(empty)", "is not a known column"))
        elif header.count(column) > 1:
            faults.append(Fault(name, 1, column, "appears more than once in the header"))
    for column in columns:
        if column not in header:
            faults.append(Fault(name, 1, column, "is missing from the header"))
    return len(faults) == before
