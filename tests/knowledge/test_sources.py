"""The source tables."""

from __future__ import annotations

from datetime import date

import pytest

from knowledge.errors import EvidenceError
from knowledge.sources import SOURCE_COLUMNS, load_sources


def test_sources_carry_their_area_and_dates(folder) -> None:
    folder.sources({}, {"source_id": "pmid-2", "published": "2020-02-03"}, name="obesity.part.csv")
    folder.sources({"source_id": "pmid-3", "retracted": "yes", "published": "2019"})
    loaded = load_sources(folder.root)
    assert list(loaded) == ["pmid-3", "pmid-1", "pmid-2"]
    assert {source.area for source in loaded.values()} == {"obesity"}
    assert loaded["pmid-2"].published_by == date(2020, 2, 3)
    assert loaded["pmid-3"].retracted
    assert not loaded["pmid-2"].retracted


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"published": "2017-13"}, "published"),
        ({"published": "2017-02-30"}, "published"),
        ({"published": "spring 2017"}, "published"),
        ({"design": "opinion"}, "design"),
        ({"seen": "heard"}, "seen"),
        ({"source_id": "PMID 1"}, "source_id"),
        ({"pmid": "12a"}, "pmid"),
        ({"doi": "https://doi.org/10.1/x"}, "doi"),
        ({"retracted": "maybe"}, "retracted"),
        ({"title": ""}, "title"),
        ({"pmid": "", "registry_id": ""}, "pmid"),
    ],
)
def test_a_faulty_row_names_file_row_and_column(folder, change: dict[str, str], column: str) -> None:
    folder.sources({"source_id": "pmid-9"}, change)
    with pytest.raises(EvidenceError) as caught:
        load_sources(folder.root)
    assert f"sources/obesity.csv:3: {column}:" in str(caught.value)


def test_a_source_in_two_files_is_refused_naming_both(folder) -> None:
    folder.sources(name="hypertension.csv")
    with pytest.raises(
        EvidenceError, match=r"obesity\.csv:2: source_id: 'pmid-1' is already in sources/hypertension\.csv:2"
    ):
        load_sources(folder.root)


def test_unknown_missing_and_repeated_columns(folder) -> None:
    header = [*SOURCE_COLUMNS[1:], "colour", "title"]
    folder.write("sources/obesity.csv", ",".join(header) + "\n")
    with pytest.raises(EvidenceError) as caught:
        load_sources(folder.root)
    assert "colour: is not a known column" in str(caught.value)
    assert "source_id: is missing" in str(caught.value)
    assert "title: appears more than once" in str(caught.value)


def test_wrong_number_of_cells_wrong_encoding_and_open_quotes_are_named(folder) -> None:
    header = ",".join(SOURCE_COLUMNS)
    folder.write("sources/obesity.csv", f"{header}\npmid-1,a title, with a comma\n")
    (folder.root / "sources" / "smoking.csv").write_bytes(header.encode() + "\npmid-2,Größe".encode("latin-1"))
    folder.write("sources/depression.csv", f'{header}\npmid-3,"never closed\n')
    with pytest.raises(EvidenceError) as caught:
        load_sources(folder.root)
    assert "obesity.csv:2: has 3 cells where the header has 12" in str(caught.value)
    assert "smoking.csv: is not UTF-8" in str(caught.value)
    assert "depression.csv:2: cannot be read as CSV" in str(caught.value)


def test_byte_order_mark_and_blank_lines_are_harmless(folder) -> None:
    path = folder.sources({}, {"source_id": "pmid-2"})
    text = path.read_text(encoding="utf-8").replace("\r\n", "\r\n\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert list(load_sources(folder.root)) == ["pmid-1", "pmid-2"]
