"""Reads the case files of all suites and hashes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from evals.case_schemas import CASE_OF, CaseBase
from evals.schemas import Suite
from knowledge.errors import DataError

CASES = Path(__file__).parent / "cases"
SCHEMA = CASES / "schema.json"


def read_cases(folder: Path = CASES, suites: Collection[Suite] | None = None) -> list[CaseBase]:
    """The cases of `<folder>/<suite>/*.yaml`, by suite, file name and place.

    Raises
    ------
    DataError
        A file is no list of cases, a case is wrong (file and place are named), a folder is no suite, or an id is there
        twice.
    """
    known = {suite.value for suite in CASE_OF}
    strange = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in known)
    if strange:
        raise DataError(f"No suite is called {', '.join(strange)}.", f"Suites: {', '.join(sorted(known))}.")
    cases = [
        case for suite in CASE_OF for path in sorted((folder / suite).glob("*.yaml")) for case in read_file(path, suite)
    ]
    twice = sorted({case.id for case in cases if sum(other.id == case.id for other in cases) > 1})
    if twice:
        raise DataError(f"Case ids used twice: {', '.join(twice)}.")
    return [case for case in cases if suites is None or case.suite in suites]


def read_file(path: Path, suite: Suite) -> Iterable[CaseBase]:
    """The cases of one file, in its order (DataError names file and place)."""
    where = f"{path.parent.name}/{path.name}"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except yaml.YAMLError as error:
        raise DataError(f"{where} is not YAML ({error}).") from error
    if not isinstance(content, list):
        raise DataError(f"{where} is not a list of cases.")
    for position, raw in enumerate(content, start=1):
        try:
            yield CASE_OF[suite].model_validate(raw)
        except ValidationError as error:
            named = f" '{raw['id']}'" if isinstance(raw, dict) and "id" in raw else ""
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'case'}: {fault['msg']}" for fault in error.errors()
            )
            raise DataError(f"{where}, case {position}{named}: {faults}") from error


def suite_hash(cases: Sequence[CaseBase]) -> str:
    """Content hash of cases; scores name it. The order of the cases does not matter."""
    lines = sorted(case.model_dump_json() for case in cases)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def json_schema() -> dict[str, Any]:
    """JSON Schema of the case files: a file is a list of cases of one suite, `#/$defs/<suite>`."""
    adapters = [
        (suite.value, "validation", TypeAdapter(list[kind]))  # type: ignore[valid-type]
        for suite, kind in CASE_OF.items()
    ]
    lists, merged = TypeAdapter.json_schemas(adapters)  # type: ignore[arg-type]
    definitions = dict(merged.get("$defs", {}))
    definitions |= {suite: found for (suite, _), found in lists.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cases of the evaluation suites",
        "anyOf": [{"$ref": f"#/$defs/{suite.value}"} for suite in CASE_OF],
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is kept beside the cases."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
