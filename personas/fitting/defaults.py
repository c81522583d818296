"""The settings of the fit, from defaults.yaml."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from knowledge.errors import PersonaError

_FILE = Path(__file__).parent / "defaults.yaml"


@lru_cache(maxsize=1)
def _table() -> dict[str, float]:
    raw: Any = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    try:
        return {name: float(row["value"]) for name, row in raw.items() if row["source"]}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PersonaError(f"{_FILE.name} cannot be read: {error}.", "Restore the file.") from error


def default(name: str) -> float:
    """The value of a setting (its unit and reason stand in the file)."""
    return _table()[name]
