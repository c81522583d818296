"""Data sets that truths cases need and that this repository does not hold: from an installed package or a folder."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from knowledge.errors import DataError
from knowledge.schemas import Frozen

DATA_SETS = Path(__file__).parent / "truths_data.yaml"


class DataSet(Frozen):
    """Where a data set is to be had."""

    loader: str = Field("", description="'module:function' of an installed package that returns a table")
    file: str = Field("", description="name of a CSV file in the folder of --data-folder")
    title: str
    source: str = Field(description="who published it, and where it was seen")
    licence: str


class NotThere(DataError):
    """A data set is neither in an installed package nor in the folder; the case is not run."""


@lru_cache(maxsize=1)
def data_sets(path: Path = DATA_SETS) -> dict[str, DataSet]:
    """All data sets that cases may name (DataError names the one that is wrong)."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    found: dict[str, DataSet] = {}
    for name, raw in content.items():
        try:
            found[name] = DataSet.model_validate(raw)
        except ValidationError as error:
            raise DataError(f"{path.name}, '{name}': {error}") from error
    return found


def table(name: str, folder: Path | None) -> Any:
    """A data set as a pandas DataFrame.

    Raises
    ------
    DataError
        No data set has this name.
    NotThere
        It has to be given with --data-folder, or a package has to be installed.
    """
    known = data_sets()
    if name not in known:
        raise DataError(f"truths_data.yaml names no data set '{name}'.", f"It names: {', '.join(known)}.")
    chosen = known[name]
    if chosen.file and folder is not None and (folder / chosen.file).is_file():
        import pandas as pd

        return pd.read_csv(folder / chosen.file)
    if chosen.loader:
        module, _, function = chosen.loader.partition(":")
        try:
            return getattr(importlib.import_module(module), function)()
        except ImportError:
            pass
    hint = f"Put {chosen.file} into a folder and name it with --data-folder." if chosen.file else ""
    raise NotThere(f"The data set '{name}' ({chosen.title}) is not here.", hint)
