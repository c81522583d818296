"""How a table of somebody else's becomes rows of ours: the mapping file.

A mapping file is YAML; every part may be left out:

    columns:                    # our column: theirs
      intervention: agent
      value: y
    constants:                  # our column: the same value in every row that has none
      endpoint: hba1c_change
      pmid: "28110911"
    values:                     # our column: {theirs: ours}
      intervention: {Plac: placebo, Sema 1.0: semaglutide}
    factors:                    # our column: theirs times this is in our unit
      weeks: 4.345              # their time is in months
    missing: ["NA", "."]        # how they write an empty cell
    encoding: latin-1

Looked for beside `table.csv` as `table.mapping.yaml`, then as `mapping.yaml`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from knowledge.arm_rows import ARM_COLUMNS, BASELINE_COLUMNS
from knowledge.errors import EvidenceError
from knowledge.ingest.files import decode, read_bytes, shown
from knowledge.ingest.user_yaml import read_user_yaml

SOURCE_COLUMNS: Final = ("pmid", "doi", "title", "authors", "journal", "published", "area")
COLUMNS: Final = frozenset((*ARM_COLUMNS, *SOURCE_COLUMNS, "exposure"))
SCALABLE: Final = frozenset(
    {"dose", "weeks", "value", "se", "sd", "ci_low", "ci_high", "exposure", "baseline_value", *BASELINE_COLUMNS}
)
MAX_BYTES: Final = 1_000_000
_PARTS: Final = ("columns", "constants", "values", "factors", "missing", "encoding")
_NOT_LETTERS: Final = re.compile(r"[\W_]+")
DEFAULTS: Final = Path(__file__).with_name("columns.yaml")


@dataclass(frozen=True)
class ArmMapping:
    """How to read a table of trial arms.

    Attributes
    ----------
    columns : our column → what it may be called, the first that is there counts.
    stated : our columns whose name the user stated, which must be there.
    constants, values, factors, missing, encoding : as in the mapping file; keys of `values` are casefolded.
    """

    columns: Mapping[str, Sequence[str]]
    stated: frozenset[str] = frozenset()
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    encoding: str = ""


def folded_column(name: str) -> str:
    """A column's name as it is compared: letters and digits without case."""
    return _NOT_LETTERS.sub("", name).casefold()


@lru_cache(maxsize=1)
def default_mapping() -> ArmMapping:
    """What is assumed about a table that has no mapping file."""
    content = read_user_yaml(DEFAULTS.read_text(encoding="utf-8"), DEFAULTS.name, error=EvidenceError)
    columns = {ours: tuple(theirs) for ours, theirs in content["columns"].items()}
    return ArmMapping(columns, missing=frozenset(content["missing"]))


def mapping_beside(table: Path) -> Path | None:
    """The mapping file of a table, when there is one."""
    names = (f"{table.stem}.mapping.yaml", "mapping.yaml")
    return next((path for name in names if (path := table.with_name(name)).is_file()), None)


def load_mapping(path: Path) -> ArmMapping:
    """Read a mapping file; what it leaves out is as by default.

    Raises
    ------
    EvidenceError, LiteratureError
        naming the file, and the line or entry that cannot be used.
    """
    name = shown(path)
    content = read_user_yaml(decode(read_bytes(path, MAX_BYTES), path), name, error=EvidenceError)
    for part in content:
        if part not in _PARTS:
            raise _wrong(name, part, f"is not a part of a mapping; there are {', '.join(_PARTS)}")
    default = default_mapping()
    columns = {ours: _names(name, ours, theirs) for ours, theirs in _entries(content, "columns", name).items()}
    constants = {ours: _text(name, ours, value) for ours, value in _entries(content, "constants", name).items()}
    values = {
        ours: {_text(name, ours, key).casefold(): _text(name, ours, value) for key, value in _inner(name, ours, table)}
        for ours, table in _entries(content, "values", name).items()
    }
    factors = {ours: _factor(name, ours, value) for ours, value in _entries(content, "factors", name).items()}
    missing = content.get("missing", sorted(default.missing))
    encoding = content.get("encoding", "")
    if not isinstance(missing, list) or not all(isinstance(mark, str) for mark in missing):
        raise _wrong(name, "missing", 'must be a list of marks, e.g. ["NA", "."]')
    if not isinstance(encoding, str):
        raise _wrong(name, "encoding", "must be the name of an encoding, e.g. latin-1")
    return ArmMapping(
        {**default.columns, **columns},
        frozenset(columns),
        constants,
        values,
        factors,
        frozenset(missing),
        encoding,
    )


def _entries(content: Mapping[str, Any], part: str, name: str) -> dict[str, Any]:
    found = content.get(part) or {}
    if not isinstance(found, dict):
        raise _wrong(name, part, "must be a mapping with our columns as keys")
    for ours in found:
        if ours not in COLUMNS:
            raise _wrong(name, f"{part}.{ours}", f"is not a column; there are {', '.join(sorted(COLUMNS))}")
        if part == "factors" and ours not in SCALABLE:
            raise _wrong(name, f"{part}.{ours}", "is not a column of quantities that a factor can convert")
    return found


def _names(name: str, ours: str, theirs: Any) -> tuple[str, ...]:
    found = theirs if isinstance(theirs, list) else [theirs]
    if not found or not all(isinstance(one, str) and folded_column(one) for one in found):
        raise _wrong(name, f"columns.{ours}", "must be the name of a column, or a list of names")
    return tuple(found)


def _text(name: str, ours: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, ours, "must be text or a number")
    return value.strip()


def _inner(name: str, ours: str, table: Any) -> list[tuple[Any, Any]]:
    if not isinstance(table, dict):
        raise _wrong(name, f"values.{ours}", "must be a mapping of their values to ours")
    return list(table.items())


def _factor(name: str, ours: str, value: Any) -> float:
    try:
        factor = float(value)
    except (TypeError, ValueError):
        factor = math.nan
    if not (math.isfinite(factor) and factor != 0):
        raise _wrong(name, f"factors.{ours}", "must be a number other than 0")
    return factor


def _wrong(name: str, entry: str, what: str) -> EvidenceError:
    return EvidenceError(f"{name}: {entry[:80]} {what}.", "Correct the mapping file.")
