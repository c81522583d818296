"""Virtual patients into a file, piece by piece: memory holds one piece, whatever the number of patients.

Parquet (Apache Arrow) keeps the unit of each column in the schema. CSV has no place for it, so the units stand in a
second file beside it, `NAME.csv-metadata.json`, as the W3C's "Metadata Vocabulary for Tabular Data" (2015) has it.
pyarrow is imported at first use.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from knowledge.errors import InvalidInput
from knowledge.schemas import Frozen
from personas.cohort import persona_of, sampler_of
from personas.library import PersonaLibrary
from personas.restrictions import YES_NO_LEVELS
from personas.sampling import BLOCK, Sampler, VirtualPatients, draw_chunks
from personas.schemas import CohortSpec
from personas.units import attribute_label
from personas.wording import describe_cohort

MAX_STREAMED = 100_000_000
SUFFIXES = (".parquet", ".csv")
# Rows drawn and written at a time, and in a row group of a Parquet file.
_ROWS = 32 * BLOCK


class SampleReport(Frozen):
    """What was written."""

    path: str
    label: str = Field(description="the cohort in words")
    patients: int
    attributes: int
    seed: int
    prevalence: float = Field(description="share of the archetype or mixture that meets the restrictions, 0-1")
    effective_sample_size: float = Field(description="independent rows the file is worth")
    left_out: tuple[str, ...] = Field((), description="attributes only some archetypes of a mixture have")


def write_patients(
    spec: CohortSpec,
    library: PersonaLibrary,
    path: Path,
    *,
    n: int,
    seed: int = 1,
    force: bool = False,
    progress: Callable[[float, str], None] = lambda _share, _text: None,
) -> SampleReport:
    """Draw `n` (1 to 100 million) patients and write them to `path`, a `.parquet` or a `.csv` file.

    The same seed writes the same rows, and `sampling.draw` gives them too. The file appears when it is complete.

    Raises
    ------
    InvalidInput : another suffix; a file that exists and no `force`; a place that cannot be written to; n or seed out
        of range; the restrictions.
    UnknownPersona, PersonaError, EmptyCohort : the cohort; see `Cohort.build`.
    """
    if not 1 <= n <= MAX_STREAMED:
        raise InvalidInput(f"{n} virtual patients cannot be written.", f"Ask for 1 to {MAX_STREAMED:,}.")
    _check_place(path, force)
    sampler, persona = sampler_of(spec, library), persona_of(spec, library)
    label = spec.label or describe_cohort(persona, spec.restrictions)
    report = SampleReport(
        path=str(path),
        label=label,
        patients=n,
        attributes=len(sampler.kinds),
        seed=seed,
        prevalence=sampler.prevalence,
        effective_sample_size=float(n),
        left_out=getattr(sampler, "left_out", ()),
    )
    about = {
        **report.model_dump(mode="json", exclude={"path", "left_out"}),
        "cohort": spec.model_dump(mode="json", include={"persona_id", "mixture", "restrictions"}),
        "software": f"cohort-twin {version('cohort-twin')}",
    }
    done = 0
    with _complete_or_not_at_all(path) as part, _table(part, path.suffix.lower(), sampler, about) as table:
        for patients in draw_chunks(sampler, n, seed, rows=_ROWS):
            table.add(patients)
            done += patients.n
            progress(done / n, f"{done:,} of {n:,} patients")
    if path.suffix.lower() == ".csv":
        with _complete_or_not_at_all(_sidecar(path)) as part:
            part.write_text(json.dumps(_csv_metadata(path.name, sampler, about), indent=1) + "\n", encoding="utf-8")
    return report


class _Table(Protocol):
    def add(self, patients: VirtualPatients) -> None:
        """Write rows."""


class _ArrowTable:
    """Rows as Arrow record batches, to whichever writer was opened."""

    def __init__(self, schema: Any, writer: Any, *, text: bool) -> None:
        self._schema, self._writer, self._text = schema, writer, text

    def add(self, patients: VirtualPatients) -> None:
        """Write rows."""
        import pyarrow

        arrays = [self._array(patients, field) for field in self._schema]
        self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))

    def _array(self, patients: VirtualPatients, field: Any) -> Any:
        import pyarrow

        column = patients.columns[field.name]
        levels = patients.levels.get(field.name, YES_NO_LEVELS if column.dtype == np.bool_ else ())
        if not levels or (column.dtype == np.bool_ and not self._text):
            return pyarrow.array(column)
        coded = pyarrow.DictionaryArray.from_arrays(pyarrow.array(column.astype(np.int8)), pyarrow.array(list(levels)))
        return coded.cast(pyarrow.string()) if self._text else coded


@contextmanager
def _table(file: Path, suffix: str, sampler: Sampler, about: dict[str, Any]) -> Iterator[_Table]:
    import pyarrow

    text = suffix == ".csv"
    types = {np.bool_: pyarrow.bool_(), np.float64: pyarrow.float64()}
    fields = []
    for name, kind in sampler.kinds.items():
        levels = pyarrow.dictionary(pyarrow.int8(), pyarrow.string())
        words = pyarrow.string() if text and kind is not np.float64 else types.get(kind, levels)
        fields.append(pyarrow.field(name, words, False, {"unit": sampler.units[name], "label": attribute_label(name)}))
    schema = pyarrow.schema(fields, {"cohort_twin": json.dumps(about)})
    if text:
        from pyarrow import csv

        with csv.CSVWriter(file, schema, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
            yield _ArrowTable(schema, writer, text=True)
        return
    from pyarrow import parquet

    measured = [name for name, kind in sampler.kinds.items() if kind is np.float64]
    codes = [name for name in sampler.kinds if name not in measured]
    # Measured values hardly repeat: a dictionary of them would cost memory and time, and save nothing.
    with parquet.ParquetWriter(file, schema, use_dictionary=codes, compression="zstd", compression_level=1) as writer:
        yield _ArrowTable(schema, writer, text=False)


def _csv_metadata(name: str, sampler: Sampler, about: dict[str, Any]) -> dict[str, Any]:
    columns = [
        {
            "name": column,
            "titles": attribute_label(column),
            "datatype": "number" if kind is np.float64 else "string",
            "unit": sampler.units[column],
        }
        for column, kind in sampler.kinds.items()
    ]
    context = "http://www.w3.org/ns/csvw"
    return {"@context": context, "url": name, "tableSchema": {"columns": columns}, "cohort_twin": about}


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}-metadata.json")


def _check_place(path: Path, force: bool) -> None:
    if path.suffix.lower() not in SUFFIXES:
        what = f"'{path.suffix}' is" if path.suffix else "A file without a suffix is"
        raise InvalidInput(f"{what} no kind of file that can be written.", f"End it in {' or '.join(SUFFIXES)}.")
    if path.is_dir():
        raise InvalidInput(f"'{path}' is a folder.", "Name a file in it.")
    if not path.parent.is_dir():
        raise InvalidInput(f"There is no folder '{path.parent}'.", "Make it first, or name another.")
    written = [path, _sidecar(path)] if path.suffix.lower() == ".csv" else [path]
    existing = next((file for file in written if file.exists()), None)
    if existing is not None and not force:
        raise InvalidInput(f"'{existing}' exists already.", "Name another file, or overwrite it with --force.")


@contextmanager
def _complete_or_not_at_all(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; the file takes its place in the end, or is removed when something fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidInput(f"'{path}' cannot be written: {reason}.", "Name a place with room to write to.") from error
    finally:
        with suppress(OSError):
            part.unlink()
