"""Arm tables from CSV files in the long format that network-meta-analysis packages use: one row an arm (and visit)."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from knowledge.errors import DataError
from tools.response.features import FloatArray
from tools.response.tables.table import ArmTable

_MISSING: Final = {"", "na", "nan", "<na>", "null", "none"}
_TRUE: Final = {"true", "1", "yes", "t"}
_FALSE: Final = {"false", "0", "no", "f"}
_KEY_VALUE = re.compile(r"\s*([^=;]+?)\s*=\s*([^;]*)")
_DEFAULT_ENDPOINT: Final = "outcome"
LARGEST_FILE: Final = 50_000_000


def read_tables(path: Path, mapping: Path | None = None) -> list[ArmTable]:
    """The tables of a CSV file, one for each endpoint, in the order of the file.

    A row that cannot be used (no result, no standard error or size, an impossible count, an arm stated twice, a
    difference whose arms are not told) is left out, and the table's notes say how many and why.

    Parameters
    ----------
    path : the CSV file.
    mapping : a YAML file with `columns` and `covariates`, our name: the table's name (or a list of names).

    Raises
    ------
    DataError : the file cannot be read, lacks a column that is needed, mixes units within an endpoint, or has words
        where numbers belong; names file, row and column.
    """
    rows = _rows(path)
    names = _Columns.of(list(rows[0]), path, mapping)
    order = list(dict.fromkeys(names.text(row, "endpoint") or _DEFAULT_ENDPOINT for row in rows))
    tables = []
    for endpoint in order:
        members = [
            (number, row)
            for number, row in enumerate(rows, start=2)
            if (names.text(row, "endpoint") or _DEFAULT_ENDPOINT) == endpoint
        ]
        table = _Reader(path, names, endpoint).table(members)
        if len(table):
            tables.append(table)
    if not tables:
        raise DataError(
            f"{path.name} holds no arm that a backtest can use.",
            "Each row needs a study, a treatment, and events with n, or a value with se (or sd with n).",
        )
    return tables


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("columns.yaml").read_text(encoding="utf-8"))
    return loaded


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataError(f"There is no file {path}.", "Name a CSV file with one row for each arm.")
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{path.name} is larger than 50 MB.", "Give the arms of one review or one field at a time.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = [{str(key): (value or "").strip() for key, value in row.items() if key} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} is not a readable CSV file: {error}.", "Save it as CSV in UTF-8.") from error
    if not rows:
        raise DataError(f"{path.name} has no rows.", "Give a CSV file with a header and one row for each arm.")
    return rows


class _Columns:
    """Which column of a file holds what."""

    def __init__(self, columns: Mapping[str, str], covariates: Mapping[str, str]) -> None:
        self.columns, self.covariates = columns, covariates

    @classmethod
    def of(cls, header: Sequence[str], path: Path, mapping: Path | None) -> _Columns:
        own = _mapping(mapping) if mapping is not None else {}
        by_name = {_plain(name): name for name in header}

        def find(section: str) -> dict[str, str]:
            found = {}
            for name, aliases in _shipped()[section].items():
                wanted = own.get(section, {}).get(name)
                if wanted is not None:
                    listed = [wanted] if isinstance(wanted, str) else list(wanted)
                    hits = [by_name[_plain(alias)] for alias in listed if _plain(alias) in by_name]
                    if not hits:
                        raise DataError(
                            f"{path.name} has no column '{listed[0]}', which the mapping names for {name}.",
                            f"Its columns are {', '.join(header)}.",
                        )
                else:
                    hits = [by_name[_plain(alias)] for alias in aliases if _plain(alias) in by_name]
                if hits:
                    found[name] = hits[0]
            extra = set(own.get(section, {})) - set(_shipped()[section])
            if section == "covariates":
                for name in sorted(extra):
                    column = own[section][name]
                    if _plain(str(column)) not in by_name:
                        raise DataError(f"{path.name} has no column '{column}'.", f"It has {', '.join(header)}.")
                    found[name] = by_name[_plain(str(column))]
            elif extra:
                raise DataError(
                    f"A mapping knows no '{sorted(extra)[0]}'.", f"It knows {', '.join(_shipped()[section])}."
                )
            return found

        columns, covariates = find("columns"), find("covariates")
        for needed in ("study", "agent"):
            if needed not in columns:
                raise DataError(
                    f"{path.name} has no column for {'the study' if needed == 'study' else 'the treatment'}.",
                    f"Name it in a mapping file (columns: {{{needed}: …}}). The columns are {', '.join(header)}.",
                )
        return cls(columns, covariates)

    def text(self, row: Mapping[str, str], name: str) -> str:
        column = self.columns.get(name)
        value = row.get(column, "") if column else ""
        return "" if value.casefold() in _MISSING else value


def _mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"There is no mapping file {path}.", "Give a YAML file with 'columns' and 'covariates'.")
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} is not readable YAML: {' '.join(str(error).split())}.", "Mend it there."
        ) from error
    known = {"columns", "covariates"}
    if not isinstance(loaded, dict) or set(loaded) - known or any(not isinstance(v, dict) for v in loaded.values()):
        raise DataError(
            f"{path.name} is not a mapping.", "It has 'columns' and 'covariates', each our name: your name."
        )
    return loaded


class _Reader:
    """Rows of one endpoint → a table."""

    def __init__(self, path: Path, names: _Columns, endpoint: str) -> None:
        self._path, self._names, self._endpoint = path, names, endpoint

    def table(self, rows: Sequence[tuple[int, Mapping[str, str]]]) -> ArmTable:
        kept, notes = self._usable(rows)
        units = {self._names.text(row, "unit") for _, row in kept} - {""}
        if len(units) > 1:
            raise DataError(
                f"{self._path.name}: the figures on {self._endpoint} are in {' and '.join(sorted(units))}.",
                "State them in one unit, or give each unit an endpoint of its own.",
            )
        number = {name: self._numbers(kept, name) for name in ("dose", "weeks", "n", "events", "value", "se", "sd")}
        proportion = bool(len(kept)) and bool(np.isfinite(number["events"]).all() and np.isfinite(number["n"]).all())
        se = np.where(np.isfinite(number["se"]), number["se"], number["sd"] / np.sqrt(number["n"]))
        value = 100.0 * number["events"] / number["n"] if proportion else number["value"]
        agent = [self._names.text(row, "agent") for _, row in kept]
        table = ArmTable(
            endpoint=self._endpoint,
            unit="%" if proportion else next(iter(units), ""),
            proportion=proportion,
            study=np.array([self._names.text(row, "study") for _, row in kept], dtype=str),
            arm=np.array(
                [self._names.text(row, "arm") or a for (_, row), a in zip(kept, agent, strict=True)], dtype=str
            ),
            agent=np.array(agent, dtype=str),
            drug_class=np.array([self._names.text(row, "drug_class") for _, row in kept], dtype=str),
            control=np.array([self._control(number, row) for number, row in kept], dtype=bool),
            dose=number["dose"],
            weeks=number["weeks"],
            n=number["n"],
            value=value,
            se=se,
            events=number["events"],
            kind=np.array([self._names.text(row, "statistic") for _, row in kept], dtype=str),
            covariates=self._covariates(kept),
        )
        return _finish(table, notes)

    def _usable(
        self, rows: Sequence[tuple[int, Mapping[str, str]]]
    ) -> tuple[list[tuple[int, Mapping[str, str]]], dict[str, int]]:
        kept, notes = [], dict[str, int]()
        differences = _shipped()["differences"]
        seen = set()
        for number, row in rows:
            get = {name: self._number(number, row, name) for name in ("events", "n", "value", "se", "sd", "weeks")}
            key = tuple(self._names.text(row, name) for name in ("study", "arm", "agent", "dose", "weeks"))
            why = ""
            if not self._names.text(row, "study") or not self._names.text(row, "agent"):
                why = "without study or treatment"
            elif any(word in self._names.text(row, "statistic").casefold() for word in differences):
                why = "that are differences of arms"
            elif np.isfinite(get["events"]) and np.isfinite(get["n"]):
                if not 0 <= get["events"] <= get["n"] or get["n"] < 1:
                    why = "with more events than participants, or none of them"
            elif not np.isfinite(get["value"]):
                why = "without a result"
            elif not (get["se"] > 0 or (get["sd"] > 0 and get["n"] >= 1)):
                why = "without a standard error above nought"
            if not why and key in seen:
                why = "of an arm and visit that is there already"
            if why:
                notes[why] = notes.get(why, 0) + 1
            else:
                seen.add(key)
                kept.append((number, row))
        return kept, notes

    def _number(self, number: int, row: Mapping[str, str], name: str) -> float:
        text = self._names.text(row, name)
        if not text:
            return float("nan")
        try:
            value = _dose(text) if name == "dose" else float(text)
        except ValueError as error:
            column = self._names.columns[name]
            raise DataError(
                f"{self._path.name}, row {number}: '{text[:40]}' in column '{column}' is not a number.",
                "Write numbers with a point, and leave the cell empty where there is none.",
            ) from error
        return value if np.isfinite(value) else float("nan")

    def _numbers(self, rows: Sequence[tuple[int, Mapping[str, str]]], name: str) -> FloatArray:
        return np.array([self._number(number, row, name) for number, row in rows], dtype=float)

    def _control(self, number: int, row: Mapping[str, str]) -> bool:
        said = self._names.text(row, "control").casefold()
        if said in _TRUE or said in _FALSE:
            return said in _TRUE
        if said:
            raise DataError(
                f"{self._path.name}, row {number}: '{said[:40]}' does not say whether the arm is a control.",
                "Write true or false.",
            )
        return self._names.text(row, "agent").casefold() in _shipped()["controls"]

    def _covariates(self, rows: Sequence[tuple[int, Mapping[str, str]]]) -> dict[str, FloatArray]:
        found = {}
        for name, column in self._names.covariates.items():
            values = [_float(row.get(column, "")) for _, row in rows]
            found[name] = np.array(values, dtype=float)
        others = [dict(_KEY_VALUE.findall(self._names.text(row, "other"))) for _, row in rows]
        for key in sorted({key for other in others for key in other}):
            texts = [other.get(key, "").strip() for other in others]
            numbers = np.array([_float(text) for text in texts])
            told = [text for text in texts if text.casefold() not in _MISSING]
            if np.isfinite(numbers).sum() == len(told):
                found[_plain(key)] = numbers
                continue
            # Words: one column for each of a few levels but the most frequent, which the others are compared with.
            levels = sorted(set(told), key=lambda level: (-told.count(level), level))
            for level in levels[1:_MOST_LEVELS]:
                flags = [np.nan if text.casefold() in _MISSING else float(text == level) for text in texts]
                found[f"{_plain(key)} {_plain(level)}"] = np.array(flags)
        return {name: values for name, values in found.items() if np.isfinite(values).any()}


_MOST_LEVELS: Final = 5


def _finish(table: ArmTable, notes: Mapping[str, int]) -> ArmTable:
    """Study covariates averaged over the arms of a study; values at visits made changes from the value at the start."""
    from dataclasses import replace

    said = [f"{count} rows {why} were left out." for why, count in notes.items()]
    covariates = {}
    for name, values in table.covariates.items():
        mean = np.array(values)
        for study in np.unique(table.study):
            own = (table.study == study) & np.isfinite(values)
            if own.any():
                mean[table.study == study] = values[own].mean()
        covariates[name] = mean
    table = replace(table, covariates=covariates)
    start = table.weeks == 0
    if not table.proportion and start.any():
        begun = {
            (study, arm): value
            for study, arm, value in zip(table.study[start], table.arm[start], table.value[start], strict=True)
        }
        keys = list(zip(table.study, table.arm, strict=True))
        first = np.array([begun.get(key, np.nan) for key in keys])
        kept = ~start & np.isfinite(first)
        said.append("Values at visits were made changes from the value at the start.")
        table = replace(table, value=table.value - first).take(kept)
        table = replace(
            table, covariates={**table.covariates, "baseline": first[kept]}, kind=np.full(len(table), "change")
        )
    return replace(table, notes=tuple(said))


def _dose(text: str) -> float:
    """A dose; that of a fixed combination ('15;92') is the geometric mean, so that twice of both is twice the dose."""
    parts = [float(part) for part in re.split(r"[;/+]", text)]
    return parts[0] if len(parts) == 1 else float(np.prod(parts)) ** (1.0 / len(parts))


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
