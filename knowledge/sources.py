"""The source tables: `sources/<area>.csv` → `Source`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import ValidationError

from knowledge.errors import EvidenceError
from knowledge.faults import Fault, describe, raise_faults
from knowledge.schemas import Source
from knowledge.tables import area_of, read_table

SOURCE_COLUMNS = (
    "source_id",
    "title",
    "authors",
    "journal",
    "published",
    "design",
    "pmid",
    "doi",
    "registry_id",
    "seen",
    "retracted",
    "note",
)
_RETRACTED = {"": False, "no": False, "yes": True}


def load_sources(root: Path) -> dict[str, Source]:
    """Read `sources/*.csv` under `root`; source id → `Source`, in the order of the files.

    Raises
    ------
    EvidenceError
        naming file, row and column of the first 20 faults.
    """
    faults: list[Fault] = []
    sources = read_sources(root, faults)
    raise_faults(faults, EvidenceError, "source tables")
    return sources


def read_sources(root: Path, faults: list[Fault]) -> dict[str, Source]:
    """As `load_sources`, but what is wrong goes into `faults` and the rest is returned."""
    sources: dict[str, Source] = {}
    places: dict[str, str] = {}
    for path in sorted((root / "sources").glob("*.csv")):
        file = f"{path.parent.name}/{path.name}"
        for row, cells in read_table(path, SOURCE_COLUMNS, faults):
            source = _source(cells, area_of(path), file, row, faults)
            if source is None:
                continue
            if source.source_id in sources:
                message = f"'{source.source_id}' is already in {places[source.source_id]}; keep one row"
                faults.append(Fault(file, row, "source_id", message))
                continue
            sources[source.source_id] = source
            places[source.source_id] = f"{file}:{row}"
    return sources


def _source(cells: dict[str, str], area: str, file: str, row: int, faults: list[Fault]) -> Source | None:
    retracted = _RETRACTED.get(cells["retracted"].lower())
    if retracted is None:
        faults.append(Fault(file, row, "retracted", "must be empty, 'no' or 'yes'"))
        return None
    try:
        source = Source.model_validate({**cells, "retracted": retracted, "area": area})
    except ValidationError as error:
        faults += [Fault(file, row, field, text) for field, text in describe(error)]
        return None
    year, month, day = (*map(int, source.published.split("-")), 1, 1)[:3]
    try:
        date(year, month, day)
    except ValueError:
        faults.append(Fault(file, row, "published", f"'{source.published}' is not a date of the calendar"))
        return None
    if not (source.pmid or source.doi or source.registry_id or source.note):
        faults.append(Fault(file, row, "pmid", "needs a pmid, doi, registry_id, or the page's address in note"))
        return None
    return source
