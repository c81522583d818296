"""The mapping file: which field of the data is which attribute, in which unit."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from knowledge.errors import PatientDataError
from knowledge.faults import describe
from knowledge.ingest.user_yaml import read_user_yaml
from knowledge.schemas import Frozen

Format = Literal["csv", "synthea", "fhir", "omop"]
Section = Literal["demographics", "biomarkers", "comorbidities", "behaviours"]

# Spellings of "nothing was recorded". What else is not a number is an error, not a missing value.
MISSING = ("", "na", "n/a", "nan", "null", "none", ".")
_SOURCES = ("column", "birth_date", "observation", "condition")
_README = "See personas/fitting/README.md."


@lru_cache(maxsize=1)
def _ucum() -> dict[str, str]:
    path = Path(__file__).parent / "ucum.yaml"
    return {
        str(code): str(name) for code, name in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader).items()
    }


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class AttributeMap(Frozen):
    """Where one attribute comes from: exactly one of `column`, `birth_date`, `observation` and `condition`."""

    column: str = ""
    birth_date: bool = False
    observation: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()
    unit: str = ""
    unit_column: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    levels: tuple[str, ...] = ()
    ordered: bool = False
    range: tuple[float, float] | None = None
    recorded: Literal["rounded", "completed"] | None = None
    take: Literal["latest", "earliest", "mean"] = "latest"
    section: Section | None = None

    _lists = field_validator("observation", "condition", "levels", mode="before")(_as_list)

    @model_validator(mode="after")
    def _one_source(self) -> AttributeMap:
        named = [name for name in _SOURCES if getattr(self, name)]
        if len(named) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_SOURCES)}; it has {' and '.join(named) or 'none'}")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("the range must run from the smaller to the larger value")
        return self


class Include(Frozen):
    """Whom to take: people with one of these conditions."""

    condition: tuple[str, ...] = ()

    _lists = field_validator("condition", mode="before")(_as_list)


class Mapping(Frozen):
    """A mapping file."""

    format: Format | None = None
    id: str = ""
    as_of: date | None = None
    delimiter: str = ","
    missing: tuple[str, ...] = ()
    units: dict[str, str] = Field(default_factory=dict)
    include: Include = Include()
    restrictions: tuple[str, ...] = ()
    attributes: dict[str, AttributeMap] = Field(min_length=1)

    _lists = field_validator("missing", "restrictions", mode="before")(_as_list)

    @property
    def observation_codes(self) -> frozenset[str]:
        """Codes of the measurements that are wanted."""
        return frozenset(code for item in self.attributes.values() for code in item.observation)

    @property
    def condition_codes(self) -> frozenset[str]:
        """Codes of the conditions that are wanted."""
        codes = {code for item in self.attributes.values() for code in item.condition}
        return frozenset(codes | set(self.include.condition))

    def unit(self, written: str) -> str:
        """The unit as units.yaml knows it: by this file's `units`, else by its UCUM code."""
        return self.units.get(written) or _ucum().get(written, written)

    def is_missing(self, text: str) -> bool:
        """True when the cell says that nothing was recorded."""
        plain = text.strip().lower()
        return plain in MISSING or plain in {item.strip().lower() for item in self.missing}


def read_mapping_file(path: Path) -> Mapping:
    """Read a mapping file.

    Raises
    ------
    PatientDataError : no such file, not YAML, or a field that is wrong; names file, line or field.
    """
    if not path.is_file():
        raise PatientDataError(f"There is no mapping file '{path.name}'.", _README)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PatientDataError(f"{path.name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    raw = read_user_yaml(text, path.name, error=PatientDataError)
    if raw.get("delimiter") == "tab":
        raw["delimiter"] = "\t"
    try:
        mapping = Mapping.model_validate(raw)
    except ValidationError as error:
        where, what = describe(error)[0]
        raise PatientDataError(f"{path.name}: {where or 'the file'}: {what}.", _README) from error
    needs_date = [name for name, item in mapping.attributes.items() if not item.column]
    if needs_date and mapping.as_of is None:
        raise PatientDataError(
            f"{path.name}: as_of is missing, and {needs_date[0]} depends on it.",
            "Give the day at which the cohort is looked at, for example 'as_of: 2024-12-31'.",
        )
    if len(mapping.delimiter) != 1:
        raise PatientDataError(f"{path.name}: delimiter: must be one character or 'tab'.", _README)
    return mapping
