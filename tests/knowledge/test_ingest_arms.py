"""Tables of trial arms: whatever other packages call things, the figures arrive as they are, once."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.ingest.ingestor import Ingestor, open_ingestor
from knowledge.ingest.library import UserLibrary, read_library, user_arms
from knowledge.ingest.schemas import FileReport, FileStatus
from knowledge.schemas import ArmRole, EvidenceView, Statistic, TrialArm
from knowledge.store import FILE_NAME, Store

ROW = {
    "study": "Mine 2021",
    "treatment": "semaglutide",
    "dose": "1",
    "n": "100",
    "mean": "-1.5",
    "sd": "1.1",
    "time": "30",
    "outcome": "hba1c_change",
}


@dataclass
class Desk:
    """A knowledge folder, a library folder and a data directory."""

    base: KnowledgeBase
    library: Path
    data_dir: Path

    def table(self, *rows: Mapping[str, str], name: str = "arms.csv", delimiter: str = ",") -> Path:
        columns: Sequence[str] = list(dict.fromkeys(column for row in rows for column in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        path = self.library / name
        path.write_text(text.getvalue(), encoding="utf-8")
        return path

    def take(self, path: Path | None = None, **options: object) -> FileReport:
        with open_ingestor(self.data_dir, self.base, **options) as ingestor:
            return ingestor.import_paths([path or self.library]).files[0]

    def arms(self) -> tuple[TrialArm, ...]:
        with Store(self.data_dir / FILE_NAME) as store:
            return user_arms(store)

    def merged(self) -> KnowledgeBase:
        library = read_library(self.data_dir)
        return load_knowledge(self.base.root, extra_arms=library.arms, extra_sources=library.sources)


@pytest.fixture
def desk(folder, tmp_path: Path) -> Desk:
    (tmp_path / "library").mkdir()
    return Desk(folder.load(), tmp_path / "library", tmp_path / "data")


def test_a_table_in_long_format_becomes_trial_arms(desk: Desk) -> None:
    desk.table(
        {**ROW, "pmid": "555", "year": "2021", "mean age": "61.5", "notes": "x"},
        {**ROW, "treatment": "Placebo", "dose": "", "mean": "-0.2", "sd": "1.0", "pmid": "555", "year": "2021"},
    )
    report = desk.take()
    assert (report.status, report.arms, report.sources, report.faults) == (FileStatus.TAKEN, 2, 1, ())
    assert report.notes == (
        "Columns that are not used: notes.",
        "The dose of semaglutide is taken to be in mg.",
        "The statistic of hba1c_change is taken to be mean_change.",
    )
    active, placebo = desk.arms()
    assert (active.trial, active.arm, active.intervention, active.drug_class) == (
        "Mine 2021", "semaglutide 1 mg", "semaglutide", "GLP-1 RA",
    )  # fmt: skip
    assert (active.dose, active.dose_unit, active.n, active.weeks, active.value) == (1.0, "mg", 100, 30.0, -1.5)
    assert (active.se, active.se_from, active.sd) == (pytest.approx(0.11), "sd", 1.1)
    assert (active.arm_role, active.statistic, active.area) == (ArmRole.ACTIVE, Statistic.MEAN_CHANGE, "obesity")
    assert (active.baseline.age, active.locator, active.published) == (61.5, "row 2", "2021")
    assert active.source_id == "pmid-555"
    assert (placebo.arm_role, placebo.dose, placebo.arm) == (ArmRole.PLACEBO, None, "placebo")
    for arm in (active, placebo):
        assert TrialArm.model_validate(arm.model_dump()) == arm
        assert arm.row_id.startswith("user-arms-")


FORMATS = {
    "gemtc": "study,treatment,mean,std.dev,sampleSize\nGem 1,semaglutide 1 mg,-1.5,1.1,100\n",
    "gemtc with standard errors": "study,treatment,mean,std.err\nGem 1,Ozempic 1mg once weekly,-1.5,0.11\n",
    "multinma": "studyc,trtc,y,se,n\nGem 1,Semaglutide 1 MG QW,-1.5,0.11,100\n",
    "MBNMAtime": '"studyID","time","y","se","treatment","n"\n"Gem 1",30,-1.5,0.11,"sema 1 mg",100\n',
    "MBNMAdose": "studyID;agent;dose;y;se;n;class\nGem 1;semaglutide;1;-1.5;0.11;100;GLP1\n",
    "netmeta": "studlab\ttreat\tn\tmean\tsd\nGem 1\tsemaglutide 1.0 mg\t100.0\t-1.5\t1.1\n",
    "R writes NA": "study,treatment,dose,mean,se,sd,n\nGem 1,semaglutide,1,-1.5,0.11,NA,NA\n",
}


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS.keys())
def test_what_network_meta_analysis_packages_write_is_read(desk: Desk, text: str) -> None:
    (desk.library / "data.csv").write_text(text)
    (desk.library / "mapping.yaml").write_text("constants: {endpoint: a1c, published: 2020}")
    report = desk.take()
    assert (report.arms, report.faults) == (1, ())
    (arm,) = desk.arms()
    assert (arm.trial, arm.intervention, arm.dose, arm.dose_unit) == ("Gem 1", "semaglutide", 1.0, "mg")
    assert (arm.value, arm.endpoint, arm.statistic) == (-1.5, "hba1c_change", Statistic.MEAN_CHANGE)
    assert arm.se == pytest.approx(0.11)
    assert arm.published == "2020"


def test_proportions_and_rates_are_computed_from_counts(desk: Desk) -> None:
    counts = {"study": "Count 1", "treatment": "semaglutide 1 mg", "r": "20", "n": "80", "E": "50"}
    desk.table({**counts, "outcome": "nausea"}, {**counts, "outcome": "low_glucose"}, {**counts, "outcome": "death"})
    (desk.library / "mapping.yaml").write_text("constants: {area: obesity}")
    assert desk.take().faults == ()
    nausea, low_glucose, death = desk.arms()
    assert (nausea.value, nausea.statistic, nausea.events) == (25.0, Statistic.PROPORTION, 20)
    assert nausea.se == pytest.approx(100 * (0.25 * 0.75 / 80) ** 0.5)
    assert (low_glucose.value, low_glucose.statistic) == (40.0, Statistic.RATE)
    assert (death.value, death.statistic) == (25.0, Statistic.PROPORTION)


def test_a_mapping_file_renames_translates_and_converts(desk: Desk) -> None:
    desk.table({"who": "Mapped 1", "given": "S-1", "months": "6", "delta": "-16.4", "spread": "12", "count": "50"})
    (desk.library / "arms.mapping.yaml").write_text(
        "columns: {trial: who, intervention: given, weeks: months, value: delta, sd: spread, n: count}\n"
        "constants: {endpoint: hba1c_change, dose: 1, dose_unit: mg, doi: 10.1000/abc, locator: table 2}\n"
        "values: {intervention: {s-1: semaglutide}}\n"
        "factors: {weeks: 4.345, value: 0.0915, sd: 0.0915}\n"
    )
    assert desk.take().faults == ()
    (arm,) = desk.arms()
    assert (arm.weeks, arm.value, arm.sd) == (pytest.approx(26.07), pytest.approx(-1.5006), pytest.approx(1.098))
    assert (arm.source_id, arm.locator) == ("doi-10.1000-abc", "table 2")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("columns: {value: nowhere}", r"arms\.csv:1: has no column 'nowhere', which the mapping names"),
        ("columns: {valu: mean}", r"mapping\.yaml: columns\.valu is not a column; there are age"),
        ("factors: {weeks: many}", r"mapping\.yaml: factors\.weeks must be a number other than 0"),
        ("factors: {trial: 2}", r"factors\.trial is not a column of quantities"),
        ("columns: [a]", r"mapping\.yaml: columns must be a mapping"),
        ("values: {trial: x}", r"values\.trial must be a mapping"),
        ("missing: NA", r"missing must be a list"),
        ("rows: 5", r"rows is not a part of a mapping"),
        ("columns: {a", r"mapping\.yaml:\d: is not valid YAML"),
        ("encoding: klingon", r"there is no encoding 'klingon'"),
    ],
)
def test_a_mapping_file_that_is_wrong_is_named(desk: Desk, mapping: str, message: str) -> None:
    desk.table(ROW)
    (desk.library / "mapping.yaml").write_text(mapping)
    report = desk.take()
    assert report.status is FileStatus.SKIPPED
    assert re.search(message, report.reason), report.reason


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mean": "NaN"}, "mean: 'NaN' is not a number"),
        ({"mean": "inf"}, "mean: 'inf' is not a number"),
        ({"mean": "low"}, "mean: 'low' is not a number"),
        ({"mean": "-1,5"}, "mean: '-1,5' is not a number"),
        ({"mean": ""}, "mean: is empty; it is needed in every row"),
        ({"mean": "-15"}, "mean: -15 %-points is outside the limits -8 to 4"),
        ({"sd": "nan"}, "sd: 'nan' is not a number"),
        ({"sd": "-1"}, "sd: -1 must be greater than 0"),
        ({"n": "many"}, "n: 'many' is not a whole number"),
        ({"n": "10.5"}, "n: '10.5' is not a whole number"),
        ({"time": "NaN"}, "time: 'NaN' is not a number"),
        ({"dose": "NaN"}, "dose: 'NaN' is not a number"),
        ({"dose": "1000"}, "treatment: the dose 1000 of semaglutide is above 2.4 mg; state dose_unit"),
        ({"treatment": "wonderdrug"}, "treatment: 'wonderdrug' is not in the drug vocabulary"),
        (
            {"treatment": "semagltuide"},
            "treatment: 'semagltuide' is not in the drug vocabulary. Did you mean semaglutide",
        ),
        (
            {"treatment": "semaglutide + metformin"},
            "treatment: 'semaglutide + metformin' names semaglutide and metformin",
        ),
        ({"treatment": "semaglutide tapered"}, "treatment: 'semaglutide tapered' is semaglutide and something else"),
        ({"treatment": ""}, "treatment: is empty"),
        ({"outcome": "happiness"}, "outcome: There is no endpoint called 'happiness'"),
        ({"outcome": ""}, "outcome: is empty; state it in a mapping file"),
        ({"study": ""}, "study: is empty"),
        ({"pmid": "PMC9"}, "pmid: 'PMC9' is none"),
        ({"doi": "nature"}, "doi: 'nature' is none"),
        ({"year": "soon"}, "year: 'soon' is none"),
        ({"source_id": "pmid-404"}, "source_id: 'pmid-404' is not a source of the library"),
        ({"area": "cooking"}, "area: 'cooking' is not an area"),
    ],
)
def test_a_wrong_row_is_named_and_the_others_are_kept(desk: Desk, change: dict[str, str], fault: str) -> None:
    good = {**ROW, "treatment": "placebo", "dose": ""}
    desk.table(good, {**ROW, **change}, {**good, "study": "Other 2022"})
    report = desk.take()
    assert (report.status, report.arms) == (FileStatus.TAKEN, 2)
    (found,) = report.faults
    assert "arms.csv:3: " in found
    assert fault in found
    assert {arm.trial for arm in desk.arms()} == {"Mine 2021", "Other 2022"}


def test_rows_of_another_length_are_named(desk: Desk) -> None:
    path = desk.table(ROW)
    path.write_text(path.read_text() + "only,three,cells\n\n")
    report = desk.take()
    assert report.arms == 1
    assert "arms.csv:3: has 3 cells where the header has 8" in report.faults[0]


def test_a_corrected_table_replaces_what_it_had_brought(desk: Desk) -> None:
    other = {**ROW, "study": "Other 2022"}
    desk.table(ROW, {**other, "mean": "NaN"})
    first = desk.take()
    assert (first.arms, len(first.faults)) == (1, 1)
    again = desk.take()
    assert (again.status, again.arms, len(again.faults)) == (FileStatus.DUPLICATE, 0, 1)
    desk.table({**ROW, "mean": "-1.4"}, other)
    corrected = desk.take()
    assert (corrected.status, corrected.arms, corrected.faults) == (FileStatus.TAKEN, 2, ())
    assert [(arm.trial, arm.value) for arm in desk.arms()] == [("Mine 2021", -1.4), ("Other 2022", -1.5)]
    desk.table(other)
    assert desk.take().status is FileStatus.TAKEN
    assert [arm.trial for arm in desk.arms()] == ["Other 2022"]


def test_a_new_mapping_reads_an_unchanged_table_again(desk: Desk) -> None:
    desk.table({**ROW, "treatment": "S"})
    assert desk.take().status is FileStatus.SKIPPED
    (desk.library / "mapping.yaml").write_text("values: {intervention: {S: semaglutide}}")
    assert desk.take().arms == 1
    assert desk.take().status is FileStatus.DUPLICATE
    (desk.library / "mapping.yaml").write_text("values: {intervention: {S: semaglutide}}\nconstants: {cohort: men}")
    assert desk.take().arms == 1
    assert [arm.cohort for arm in desk.arms()] == ["men"]


def test_a_figure_that_is_shipped_is_a_duplicate_under_whatever_source(desk: Desk) -> None:
    same = {**ROW, "study": "sustain-1", "pmid": "999"}
    desk.table(same, {**same, "time": "12"})
    report = desk.take()
    assert (report.arms, report.duplicates, report.faults) == (1, 1, ())
    assert [arm.weeks for arm in desk.arms()] == [12.0]
    merged = desk.merged().arms
    assert merged.trials() == ("SUSTAIN 1",)
    assert [arm.weeks for arm in merged.arms] == [30.0, 12.0]
    assert merged.view(EvidenceView(exclude=("SUSTAIN 1",))).arms == ()


@pytest.mark.parametrize("known_by", [{"nct": "nct00000001"}, {"pmid": "1"}])
def test_a_shipped_trial_is_known_by_registry_id_and_source_too(desk: Desk, known_by: dict[str, str]) -> None:
    desk.table({**ROW, "study": "Sorli 2017", **known_by})
    assert (desk.take().status, desk.arms()) == (FileStatus.DUPLICATE, ())


def test_a_figure_that_was_imported_twice_counts_once_and_must_agree(desk: Desk) -> None:
    desk.table(ROW, name="a.csv")
    desk.table(ROW, {**ROW, "time": "52"}, name="b.csv")
    desk.table({**ROW, "mean": "-1.7"}, name="c.csv")
    with open_ingestor(desk.data_dir, desk.base) as ingestor:
        a, b, c = ingestor.import_paths([desk.library]).files
    assert (a.arms, b.arms, b.duplicates, c.arms) == (1, 1, 1, 0)
    assert c.status is FileStatus.SKIPPED
    assert "c.csv:2: mean: -1.7 is not the -1.5 of the same figure in user-a-" in c.faults[0]


def test_a_figure_comes_back_from_the_second_table_when_the_first_is_forgotten(desk: Desk) -> None:
    first = desk.table({**ROW, "pmid": "555"}, name="a.csv")
    desk.table({**ROW, "pmid": "555"}, name="b.csv")
    (desk.library / "notes.md").write_text(f"---\npmid: 555\n---\n{'Semaglutide was liked by all who took it. ' * 9}")
    with open_ingestor(desk.data_dir, desk.base) as ingestor:
        assert ingestor.import_paths([desk.library]).arms == 1
        ingestor.forget([first])
        assert ingestor.library.arms() == ()
        assert ingestor.import_paths([desk.library / "b.csv"]).arms == 1


def test_studies_that_only_have_a_number_are_those_of_their_table(desk: Desk) -> None:
    desk.table({**ROW, "study": "1"}, name="a.csv")
    desk.table({**ROW, "study": "1", "mean": "-1.2"}, name="b.csv")
    with open_ingestor(desk.data_dir, desk.base) as ingestor:
        assert ingestor.import_paths([desk.library]).arms == 2
    assert [arm.trial for arm in desk.arms()] == ["a study 1", "b study 1"]


def test_arms_without_a_date_are_not_seen_before_the_day_of_import(desk: Desk) -> None:
    from datetime import date

    desk.table(ROW)
    desk.take(today=date(2024, 5, 1))
    merged = desk.merged().arms
    assert "Mine 2021" not in merged.view(EvidenceView(as_of=date(2024, 4, 30))).trials()
    assert "Mine 2021" in merged.view(EvidenceView(as_of=date(2024, 5, 1))).trials()
    desk.table({**ROW, "mean": "-1.4"})
    desk.take(today=date(2025, 5, 1))
    assert [arm.published for arm in desk.arms()] == ["2024-05-01"]


def test_merging_says_what_cannot_be_used(desk: Desk) -> None:
    desk.table(ROW, {**ROW, "treatment": "placebo", "dose": ""}, {**ROW, "outcome": "nausea", "mean": "20"})
    (desk.library / "mapping.yaml").write_text("constants: {area: obesity}")
    desk.take()
    good, placebo, nausea = desk.arms()
    strange = good.model_copy(update={"intervention": "wonderdrug", "row_id": "user-x:9", "trial": "Strange"})
    endless = nausea.model_copy(update={"endpoint": "happiness", "row_id": "user-x:8"})
    lost = placebo.model_copy(update={"source_id": "pmid-404", "row_id": "user-x:7"})
    library = read_library(desk.data_dir)
    merged = desk.base.with_arms([good, placebo, strange, endless, lost], library.sources)
    assert merged.arms.warnings == (
        "The trial Strange that you imported is used without 1 figure (user-x:9): 'wonderdrug' is not in the drug "
        "vocabulary.",
        "The trial Mine 2021 that you imported is used without 1 figure (user-x:8): 'happiness' is not in the endpoint "
        "vocabulary.",
        "The trial Mine 2021 that you imported is used without 1 figure (user-x:7): its source pmid-404 is not there.",
    )
    assert merged.arms.arms == (*desk.base.arms.arms, good, placebo)
    assert merged.evidence_hash() != desk.base.evidence_hash()
    assert desk.base.with_arms([], {}).evidence_hash() == desk.base.evidence_hash()
    assert merged.source(good.source_id).title == "Mine 2021: trial arms of arms.csv"
    assert merged.shipped_sources == desk.base.sources
    assert good.source_id not in merged.shipped_sources


def test_the_class_of_a_drug_is_that_of_the_vocabulary(desk: Desk) -> None:
    desk.table(ROW)
    desk.take()
    (arm,) = desk.arms()
    merged = desk.base.with_arms([arm.model_copy(update={"drug_class": "old"})], read_library(desk.data_dir).sources)
    assert merged.arms.arms[-1].drug_class == "GLP-1 RA"


def test_an_imported_retraction_takes_a_shipped_trial_out(desk: Desk) -> None:
    (desk.library / "notice.nbib").write_text("PMID- 77\nTI  - Retraction notice: it\nROF - J. PMID: 1\nDP  - 2024\n")
    report = desk.take()
    assert report.status is FileStatus.TAKEN
    assert "pmid-1 was retracted, as a notice in this file says." in report.notes
    merged = desk.merged()
    assert merged.arms.arms == ()
    assert merged.arms.warnings == ("The trial SUSTAIN 1 is left out because its source pmid-1 was retracted.",)
    assert merged.source("pmid-1").retracted
    assert not merged.shipped_sources["pmid-1"].retracted


def test_nothing_imported_is_an_empty_library_and_makes_no_file(tmp_path: Path) -> None:
    assert read_library(tmp_path / "data") == UserLibrary()
    assert not (tmp_path / "data").exists()


@pytest.fixture(scope="module")
def shared_desk(make_folder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ingestor, Path]]:
    place = tmp_path_factory.mktemp("arms")
    with open_ingestor(place / "data", make_folder(place / "knowledge").load()) as ingestor:
        yield ingestor, place / "table.csv"


cells = st.text(alphabet="abz019.,-\"' \n;NaEe%é", max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.fixed_dictionaries({column: cells | st.just(value) for column, value in ROW.items()}), max_size=4)
)
def test_whatever_stands_in_a_table_it_is_taken_or_named(
    shared_desk: tuple[Ingestor, Path], rows: list[dict[str, str]]
) -> None:
    ingestor, path = shared_desk
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    (report,) = ingestor.import_paths([path]).files
    filled = sum(any(cell.strip() for cell in row.values()) for row in rows)
    stored = [arm for arm in ingestor.library.arms() if arm.row_id.startswith("user-table-")]
    assert len(stored) + report.duplicates + len({fault.split(": ")[0] for fault in report.faults}) >= filled
    for arm in stored:
        TrialArm.model_validate(arm.model_dump())
