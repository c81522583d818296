"""Virtual patients into files, in pieces: the same rows whatever the pieces, the process and the number."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.errors import EmptyCohort, InvalidInput, UnknownPersona
from personas.cohort import Cohort, sampler_of
from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.sampling import BLOCK, PersonaSampler, draw_chunks
from personas.schemas import CohortSpec, MixturePart, Persona
from personas.streaming import MAX_STREAMED, write_patients

ROOT = Path(__file__).parents[2]
OLDER = CohortSpec(persona_id="people", restrictions=parse_restrictions(["age>=75", "egfr<45"]))
MIXED = CohortSpec(
    mixture=(MixturePart(persona_id="people", weight=2), MixturePart(persona_id="people_older", weight=1)),
    restrictions=parse_restrictions("age>=60"),
)
N = 2 * BLOCK + 777


@given(rows=st.integers(1, 3 * BLOCK), n=st.integers(1, N))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("spec", [OLDER, MIXED], ids=["one", "mixture"])
def test_rows_do_not_depend_on_pieces_or_number(library: PersonaLibrary, spec: CohortSpec, rows: int, n: int) -> None:
    rows = max(rows, n // 50)  # thousands of pieces of one row show nothing more
    whole = Cohort.build(spec, library, n=N, seed=4).patients
    pieces = list(draw_chunks(sampler_of(spec, library), n, 4, rows=rows))
    assert [piece.n for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert {piece.prevalence for piece in pieces} == {whole.prevalence}
    for name, column in whole.columns.items():
        joined = np.concatenate([piece.columns[name] for piece in pieces])
        assert joined.dtype == column.dtype
        assert (joined == column[:n]).all(), name


def test_pieces_are_independent_of_each_other(people: Persona) -> None:
    first, second, third = draw_chunks(PersonaSampler.of(people, ()), 3 * BLOCK, 1, rows=BLOCK)
    for name, column in first.columns.items():
        if column.dtype == np.float64:
            assert len(np.intersect1d(column, second.columns[name])) < 5
            assert abs(np.corrcoef(second.columns[name], third.columns[name])[0, 1]) < 5 / np.sqrt(BLOCK)


def test_numbers_of_pieces_that_make_no_sense(people: Persona) -> None:
    for n, seed, rows in ((0, 1, 10), (10, -1, 10), (10, 1, 0)):
        with pytest.raises(InvalidInput):
            list(draw_chunks(PersonaSampler.of(people, ()), n, seed, rows=rows))


@pytest.mark.parametrize("spec", [OLDER, MIXED], ids=["one", "mixture"])
def test_parquet_keeps_values_units_and_labels(library: PersonaLibrary, tmp_path: Path, spec: CohortSpec) -> None:
    from pyarrow import parquet

    heard: list[float] = []
    file = tmp_path / "people.parquet"
    report = write_patients(spec, library, file, n=N, seed=3, progress=lambda share, _text: heard.append(share))
    cohort = Cohort.build(spec, library, n=N, seed=3)
    table = parquet.read_table(file)
    assert table.num_rows == report.patients == N
    assert table.column_names == list(cohort.patients.columns)
    for name, column in cohort.patients.columns.items():
        field, values = table.schema.field(name), table[name].to_numpy()
        assert field.metadata[b"unit"].decode() == cohort.patients.units[name]
        expected = cohort.patients.labels(name) if name in cohort.patients.levels else column
        assert (values == expected).all(), name
    about = json.loads(table.schema.metadata[b"cohort_twin"])
    assert CohortSpec.model_validate(about["cohort"]).restrictions == spec.restrictions
    assert (about["seed"], about["patients"]) == (3, N)
    assert about["prevalence"] == report.prevalence == cohort.prevalence
    assert report.effective_sample_size == about["effective_sample_size"] == N
    assert report.label == cohort.label
    assert heard[-1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["people.parquet"]


def test_csv_has_labels_and_a_file_of_units(library: PersonaLibrary, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_patients(OLDER, library, file, n=300, seed=3)
    cohort = Cohort.build(OLDER, library, n=300, seed=3).patients
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [float(row["age"]) for row in rows] == cohort.columns["age"].tolist()
    for name in ("sex", "hypertension", "nyha"):
        assert [row[name] for row in rows] == cohort.labels(name).tolist()
    about = json.loads((tmp_path / "people.csv-metadata.json").read_text("utf-8"))
    assert about["url"] == "people.csv"
    assert {item["name"]: item["unit"] for item in about["tableSchema"]["columns"]} == dict(cohort.units)


def test_what_cannot_be_written_is_said_and_leaves_nothing(library: PersonaLibrary, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine", encoding="utf-8")
    for path, message in (
        (tmp_path / "people.xlsx", r"'\.xlsx' is no kind of file.*\.parquet or \.csv"),
        (tmp_path / "people", "without a suffix"),
        (tmp_path / "nowhere" / "people.csv", "no folder"),
        (there / "people.csv", "no folder"),
        (there, "exists already.*--force"),
        (Path("/proc/people.parquet"), "cannot be written"),
        (Path("/proc/people.csv"), "cannot be written"),
    ):
        with pytest.raises(InvalidInput, match=message):
            write_patients(OLDER, library, path, n=10)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InvalidInput, match="is a folder"):
        write_patients(OLDER, library, tmp_path / "folder.csv", n=10, force=True)
    assert there.read_text("utf-8") == "mine"
    for n in (0, MAX_STREAMED + 1):
        with pytest.raises(InvalidInput, match="cannot be written"):
            write_patients(OLDER, library, tmp_path / "new.csv", n=n)
    with pytest.raises(InvalidInput, match="seed"):
        write_patients(OLDER, library, tmp_path / "new.csv", n=5, seed=-1)
    with pytest.raises(UnknownPersona):
        write_patients(CohortSpec(persona_id="martians"), library, tmp_path / "new.csv", n=5)
    nobody = CohortSpec(persona_id="people", restrictions=parse_restrictions("age>=96"))
    with pytest.raises(EmptyCohort):
        write_patients(nobody, library, tmp_path / "new.csv", n=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "there.csv"]


def test_a_file_half_written_is_taken_away(library: PersonaLibrary, tmp_path: Path) -> None:
    def stop(_share: float, _text: str) -> None:
        raise KeyboardInterrupt

    old = tmp_path / "people.parquet"
    old.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_patients(OLDER, library, old, n=10, force=True, progress=stop)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_full_disk_is_an_error_of_ours(library: PersonaLibrary, tmp_path: Path) -> None:
    """The limit on the size of files stands in for a full disk."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from personas.library import PersonaLibrary;"
        "from personas.schemas import CohortSpec; from personas.streaming import write_patients;"
        "from knowledge.errors import InvalidInput;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n    write_patients(CohortSpec(persona_id='people'), PersonaLibrary(Path(sys.argv[1])), Path(sys.argv[2]), n=50_000)\n"
        "except InvalidInput as error:\n    print(error)"
    )
    root = library.file_of("people").parent.parent
    for name in ("people.csv", "people.parquet"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(root), str(tmp_path / name)], capture_output=True, text=True, cwd=ROOT
        )
        assert "cannot be written: File too large" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
