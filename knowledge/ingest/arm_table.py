"""Tables of trial arms as other programs keep them → the cells of our evidence table.

One row is one arm of one trial at one time (the long format of gemtc, netmeta, multinma and the MBNMA packages).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from knowledge.arm_rows import ARM_COLUMNS
from knowledge.errors import EvidenceError, UnknownEndpoint
from knowledge.faults import Fault
from knowledge.ingest.arm_mapping import ArmMapping, folded_column
from knowledge.ingest.arm_treatments import read_treatment
from knowledge.schemas import Endpoint, Family, Statistic
from knowledge.vocabulary import Vocabulary

MAX_COLUMNS: Final = 1000
_DELIMITERS: Final = ",;\t"
_WHOLE: Final = re.compile(r"(\d+)\.0+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NAMELESS: Final = re.compile(r"[\W\d_]*|.")  # a trial that is only a number, or one letter
_NEEDED: Final = ("trial", "intervention")


@dataclass(frozen=True)
class ArmRow:
    """A row of the table in our words: all cells of the evidence table, and what it says of its source."""

    row: int
    cells: dict[str, str]
    source: dict[str, str]
    theirs: Mapping[str, str]


@dataclass(frozen=True)
class ArmTable:
    """The rows of a table, and sentences on what was assumed or not used."""

    rows: tuple[ArmRow, ...]
    notes: tuple[str, ...]


def read_arm_table(
    text: str, name: str, stem: str, mapping: ArmMapping, vocabulary: Vocabulary, faults: list[Fault]
) -> ArmTable:
    """Read a table of trial arms.

    The endpoint is looked up by id, label or synonym, the treatment by name, brand or synonym; a dose may stand in
    the treatment's name. A proportion is computed from events and n, a rate from events and exposure (person-years).

    Parameters
    ----------
    text : the table, separated by commas, semicolons or tabs.
    name : under which it is reported.
    stem : the file's name without suffix; tells studies apart that only have a number.
    mapping : what their columns and values mean.
    vocabulary : drugs and endpoints.
    faults : receives, with row and column, what is wrong; such rows are left out.

    Raises
    ------
    EvidenceError
        the table as a whole cannot be used: no header, or a column that is needed is missing.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[ArmRow] = []
    notes: dict[str, None] = {}
    try:
        header = [cell.strip() for cell in next(reader, [])]
        columns = _columns(header, mapping, name)
        unused = [cell for index, cell in enumerate(header) if cell and index not in columns.values()]
        if unused:
            notes[f"Columns that are not used: {', '.join(unused[:20])}."] = None
        for number, raw in enumerate(reader, start=2):
            if not any(cell.strip() for cell in raw):
                continue
            if len(raw) != len(header):
                faults.append(Fault(name, number, "", f"has {len(raw)} cells where the header has {len(header)}"))
                continue
            before = len(faults)
            row = _Row(name, number, stem, mapping, vocabulary, faults)
            arm_row = row.read({ours: raw[index] for ours, index in columns.items()}, header, columns)
            notes.update(dict.fromkeys(row.notes))
            if len(faults) == before:
                rows.append(arm_row)
    except csv.Error as error:
        faults.append(Fault(name, reader.line_num, "", f"cannot be read as CSV ({error})"))
    return ArmTable(tuple(rows), tuple(notes))


def _delimiter(text: str) -> str:
    """The separator that divides the first line most often; a comma when none does."""
    first = next(iter(text.splitlines()), "")
    return max(_DELIMITERS, key=first.count)


def _columns(header: list[str], mapping: ArmMapping, name: str) -> dict[str, int]:
    """Our column → position in the table."""
    places: dict[str, int] = {}
    for index, cell in enumerate(header):
        places.setdefault(folded_column(cell), index)
    if len(header) > MAX_COLUMNS:
        raise EvidenceError(f"{name}:1: has {len(header)} columns.", "Give a table of trial arms in long format.")
    found: dict[str, int] = {}
    for ours, theirs in mapping.columns.items():
        place = next((places[key] for key in map(folded_column, theirs) if key in places), None)
        if place is not None:
            found[ours] = place
        elif ours in mapping.stated:
            raise EvidenceError(
                f"{name}:1: has no column '{theirs[0]}', which the mapping names.", "Correct the mapping."
            )
    for ours in _NEEDED:
        if ours not in found and ours not in mapping.constants:
            raise EvidenceError(
                f"{name}:1: has no column for {ours}.",
                f"Name it in a mapping file (columns: {{{ours}: …}}); it may be called {', '.join(mapping.columns[ours])}.",
            )
    return found


class _Row:
    """Turns the cells of one row into ours, and reports what does not fit under their names."""

    def __init__(
        self, name: str, number: int, stem: str, mapping: ArmMapping, vocabulary: Vocabulary, faults: list[Fault]
    ) -> None:
        self._name, self._number, self._stem = name, number, stem
        self._mapping, self._vocabulary, self._faults = mapping, vocabulary, faults
        self._theirs: dict[str, str] = {}
        self.notes: list[str] = []

    def read(self, raw: Mapping[str, str], header: list[str], columns: Mapping[str, int]) -> ArmRow:
        self._theirs = {ours: header[index] for ours, index in columns.items() if header[index] != ours}
        cells = dict.fromkeys((*ARM_COLUMNS, *self._mapping.columns), "")
        for ours in cells:
            cells[ours] = self._cell(ours, raw.get(ours, ""))
        for ours in ("n", "events"):
            whole = _WHOLE.fullmatch(cells[ours])
            cells[ours] = whole.group(1) if whole else cells[ours]
        endpoint = self._endpoint(cells["endpoint"])
        self._treatment(cells)
        if endpoint is not None:
            cells["endpoint"] = endpoint.endpoint_id
            self._figure(cells, endpoint)
        if cells["trial"] and _NAMELESS.fullmatch(cells["trial"]):
            cells["trial"] = f"{self._stem} study {cells['trial']}"
        cells["cohort"] = cells["cohort"] or "all"
        cells["locator"] = cells["locator"] or f"row {self._number}"
        source = {ours: text for ours, text in cells.items() if ours not in ARM_COLUMNS}
        return ArmRow(self._number, {ours: cells[ours] for ours in ARM_COLUMNS}, source, self._theirs)

    def _cell(self, ours: str, text: str) -> str:
        """Trimmed, translated, in our unit; the constant where it is empty."""
        text = text.strip()
        text = "" if text in self._mapping.missing else text
        text = self._mapping.values.get(ours, {}).get(text.casefold(), text)
        if not text:
            return self._mapping.constants.get(ours, "")
        factor = self._mapping.factors.get(ours)
        if factor is not None and _NUMBER.fullmatch(text) and math.isfinite(float(text) * factor):
            return f"{float(text) * factor:.10g}"
        return text

    def _endpoint(self, text: str) -> Endpoint | None:
        if not text:
            self._report("endpoint", "is empty; state it in a mapping file (constants: {endpoint: hba1c_change})")
            return None
        try:
            return self._vocabulary.endpoint(text)
        except UnknownEndpoint as error:
            self._report("endpoint", f"{error.message} Map it in a mapping file (values: endpoint). {error.hint}")
            return None

    def _treatment(self, cells: dict[str, str]) -> None:
        if not cells["intervention"]:
            self._report("intervention", "is empty; it is needed in every row")
            return
        treatment = read_treatment(cells, self._vocabulary)
        if isinstance(treatment, str):
            self._report("intervention", treatment)
            return
        cells.update(treatment.cells)
        self.notes += treatment.notes

    def _figure(self, cells: dict[str, str], endpoint: Endpoint) -> None:
        """Value and statistic, where they follow from the endpoint and the counts."""
        n, events, exposure = (_positive(cells[name]) for name in ("n", "events", "exposure"))
        counts = endpoint.family in (Family.PROPORTION, Family.TIME_TO_EVENT)
        if not cells["value"] and events is not None:
            if counts and n and cells["statistic"] in ("", Statistic.PROPORTION.value):
                cells["value"], cells["statistic"] = f"{100 * events / n:.10g}", Statistic.PROPORTION.value
            elif (
                endpoint.family is not Family.CONTINUOUS
                and exposure
                and cells["statistic"] in ("", Statistic.RATE.value)
            ):
                cells["value"], cells["statistic"] = f"{100 * events / exposure:.10g}", Statistic.RATE.value
        if not cells["statistic"]:
            cells["statistic"] = _usual_statistic(endpoint)
            self.notes.append(
                f"The statistic of {endpoint.endpoint_id} is taken to be {cells['statistic'] or 'unknown'}."
            )

    def _report(self, ours: str, message: str) -> None:
        self._faults.append(Fault(self._name, self._number, self._theirs.get(ours, ours), message))


def named_as_theirs(row: ArmRow, ours: str) -> str:
    """What the table calls one of our columns."""
    return row.theirs.get(ours, ours)


def _positive(text: str) -> float | None:
    """A number of at least 0, or None; what is wrong with it is reported when the row is checked as a whole."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) and value >= 0 else None


def _usual_statistic(endpoint: Endpoint) -> str:
    if endpoint.family is Family.CONTINUOUS:
        return Statistic.PERCENT_CHANGE.value if endpoint.unit == "%" else Statistic.MEAN_CHANGE.value
    return {Family.PROPORTION: Statistic.PROPORTION.value, Family.RATE: Statistic.RATE.value}.get(endpoint.family, "")
