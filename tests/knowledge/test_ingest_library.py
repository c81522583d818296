"""The library: what enters, what is known already, what a change replaces, and what a search finds of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from knowledge.base import KnowledgeBase
from knowledge.embedding import Embedder
from knowledge.errors import InvalidInput, StoreInUse
from knowledge.ingest.ingestor import Ingestor, open_ingestor
from knowledge.ingest.library import Library
from knowledge.ingest.schemas import FileReport, FileStatus, ImportReport
from knowledge.literature import corpus_hash
from knowledge.retrieval import LiteratureRetriever
from knowledge.schemas import Design, EvidenceView, Seen
from knowledge.store import FILE_NAME, Store

PROSE = (
    "Once-weekly semaglutide lowered HbA1c in adults with type 2 diabetes and chronic kidney disease over a year. "
    "The fall was larger in people whose blood sugar had been high at the start, and smaller in those with little "
    "kidney function left. Body weight fell by four kilograms. Nausea was the most frequent reason to stop, above all "
    "in the first two months of treatment. Nobody had severe low blood sugar unless insulin was given as well."
)
FULL = (
    "We enrolled four hundred adults in twelve clinics and followed them for fifty-two weeks. Each took semaglutide by "
    "injection once a week, the dose rising every four weeks until one milligram was reached. Kidney function was "
    "measured at every visit by cystatin. Those who stopped were asked why and were followed to the end nonetheless, "
    "so that the analysis holds everybody who began, whatever they took later on."
)


def nbib(pmid: str = "500", title: str = "Semaglutide in kidney disease", text: str = PROSE, **fields: str) -> str:
    lines = [f"PMID- {pmid}", f"TI  - {title}", "DP  - 2020 Mar 4", "TA  - J Test", "AU  - Doe J", f"AB  - {text}"]
    return "\n".join([*lines, *(f"{tag.ljust(4)}- {value}" for tag, value in fields.items())]) + "\n"


def jats(pmid: str = "", doi: str = "", text: str = FULL, title: str = "Semaglutide in kidney disease") -> str:
    ids = "".join(f'<article-id pub-id-type="{k}">{v}</article-id>' for k, v in (("pmid", pmid), ("doi", doi)) if v)
    return (
        f"<article><front><article-meta>{ids}<title-group><article-title>{title}</article-title></title-group>"
        f"<pub-date><year>2020</year></pub-date></article-meta></front><body><sec><title>Methods</title><p>{text}</p></sec>"
        "</body></article>"
    )


@dataclass
class Desk:
    """A knowledge folder with one shipped source, a library folder and an open ingestor."""

    base: KnowledgeBase
    folder: Path
    data_dir: Path
    ingestor: Ingestor

    def put(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def take(self, **options: bool) -> ImportReport:
        return self.ingestor.import_paths([self.folder], **options)

    def one(self, name: str, text: str | bytes) -> FileReport:
        (report,) = self.ingestor.import_paths([self.put(name, text)]).files
        return report

    @property
    def library(self) -> Library:
        return self.ingestor.library


@pytest.fixture
def desk(folder, tmp_path: Path) -> Iterator[Desk]:
    folder.passage("pmid-1", "HbA1c fell by 1.5 points over 30 weeks with once-weekly semaglutide.", trial="SUSTAIN 1")
    base = folder.load()
    (tmp_path / "library").mkdir()
    with open_ingestor(tmp_path / "data", base, today=date(2024, 5, 1)) as ingestor:
        yield Desk(base, tmp_path / "library", tmp_path / "data", ingestor)


def test_a_record_becomes_a_source_and_passages(desk: Desk) -> None:
    report = desk.one("refs.nbib", nbib(PT="Randomized Controlled Trial", SI="ClinicalTrials.gov/NCT12345678"))
    assert (report.status, report.sources, report.passages, report.reason) == (FileStatus.TAKEN, 1, 1, "")
    source = desk.library.sources()["pmid-500"].source
    assert (source.title, source.authors, source.published) == ("Semaglutide in kidney disease", "Doe J", "2020-03-04")
    assert (source.design, source.seen, source.registry_id) == (Design.RCT, Seen.ABSTRACT, "NCT12345678")
    assert (source.area, source.note, source.retracted) == ("obesity", "imported from refs.nbib", False)
    (passage,) = desk.library.passages()
    assert passage.source_id == "pmid-500"
    assert passage.passage_id.startswith("pmid-500#u")
    assert (passage.text, passage.heading) == (PROSE, "Semaglutide in kidney disease – Abstract")
    assert (passage.drugs, passage.locator, passage.published) == (("semaglutide",), "abstract", "2020-03-04")


def test_passage_ids_depend_on_the_text_alone(desk: Desk, folder, tmp_path: Path) -> None:
    desk.one("refs.nbib", nbib())
    (first,) = desk.library.passages()
    with open_ingestor(tmp_path / "other", desk.base) as other:
        other.import_paths([desk.put("else/where.nbib", nbib(title="Another title"))])
        (second,) = other.library.passages()
    assert first.passage_id == second.passage_id


def test_the_same_folder_again_imports_nothing(desk: Desk) -> None:
    desk.put("a.nbib", nbib("1001") + "\n" + nbib("1002", text=FULL))
    desk.put("deep/er/b.md", f"# Note\n\n{PROSE.replace('kidney', 'liver')}")
    first = desk.take()
    assert (first.taken, first.sources, first.passages) == (2, 3, 3)
    rows = desk.library.store.rows("SELECT * FROM sources ORDER BY source_id")
    second = desk.take()
    assert (second.taken, second.duplicates, second.sources, second.passages) == (0, 2, 0, 0)
    assert all("has not changed" in one.reason for one in second.files)
    assert desk.library.store.rows("SELECT * FROM sources ORDER BY source_id") == rows


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(desk: Desk) -> None:
    desk.put("a.nbib", nbib())
    desk.put("b.nbib", nbib())
    desk.put("c.xml", "<nothing/>")
    desk.put("d.md", f"# Note\n\n{FULL}")
    planned = desk.take(dry_run=True)
    assert planned.dry_run
    for table in ("sources", "passages", "imports", "import_rows", "arms"):
        assert desk.library.store.rows(f"SELECT * FROM {table} WHERE 1") == []
    done = desk.take()
    assert [(one.path, one.status, one.passages) for one in planned.files] == [
        (one.path, one.status, one.passages) for one in done.files
    ]
    assert (done.taken, done.duplicates, done.skipped) == (2, 1, 1)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("same.md", f"# Another title\n\n{PROSE}", "its text is already in pmid-500"),
        ("same.nbib", nbib(text=FULL), "pmid-500 is already in the library"),
        ("doi.nbib", nbib("", text=FULL, LID="10.1000/ABC [doi]"), "pmid-500 is already in the library"),
        ("shipped.nbib", nbib("1", text=FULL), "pmid-1 is already in the library"),
        ("copy.nbib", nbib(LID="10.1000/abc [doi]"), "has the same content"),
        (
            "words.md",
            "# X\n\nHbA1c fell by 1.5 points over 30 weeks  with once-weekly SEMAGLUTIDE.",
            "already in pmid-1",
        ),
    ],
)
def test_what_is_known_by_pmid_doi_or_text_is_a_duplicate(desk: Desk, name: str, text: str, reason: str) -> None:
    desk.one("refs.nbib", nbib(LID="10.1000/abc [doi]"))
    report = desk.one(name, text)
    assert report.status is FileStatus.DUPLICATE
    assert reason in report.reason
    assert list(desk.library.sources()) == ["pmid-500"]
    assert desk.one(name, text).status is FileStatus.DUPLICATE


def test_full_text_is_added_to_a_known_abstract_once(desk: Desk) -> None:
    desk.one("refs.nbib", nbib(LID="10.1000/abc [doi]"))
    report = desk.one("paper.xml", jats(doi="10.1000/abc"))
    assert (report.status, report.sources, report.passages) == (FileStatus.TAKEN, 0, 1)
    assert report.notes == ("paper.xml adds full text to pmid-500.",)
    assert {passage.source_id for passage in desk.library.passages()} == {"pmid-500"}
    assert desk.library.sources()["pmid-500"].source.seen is Seen.FULL_TEXT
    again = desk.one("copy.xml", jats(doi="10.1000/abc", text=FULL.replace("twelve", "thirteen")))
    assert again.status is FileStatus.DUPLICATE


def test_full_text_of_a_shipped_source_joins_it(desk: Desk) -> None:
    report = desk.one("paper.xml", jats(pmid="1", title="Another spelling of the title"))
    assert (report.status, report.passages) == (FileStatus.TAKEN, 1)
    assert desk.library.passages()[0].trial == "SUSTAIN 1"
    own = desk.library.sources()["pmid-1"].source
    assert (own.title, own.seen) == ("A trial of semaglutide", Seen.FULL_TEXT)
    desk.library.store.sync(desk.base.sources, desk.base.passages)
    assert desk.library.store.sources() == {"pmid-1": desk.base.sources["pmid-1"]}


def test_a_bibliographic_record_describes_what_a_pdf_could_not(desk: Desk, make_pdf) -> None:
    lines = "\n".join(FULL.replace(". ", ".\n").splitlines())
    first = desk.one("scan_7.pdf", make_pdf(f"doi:10.1000/abc\n{lines}"))
    assert first.status is FileStatus.TAKEN
    poor = desk.library.sources()["doi-10.1000-abc"]
    assert (poor.source.published, poor.described) == ("2024-05-01", False)
    assert "states no date of publication" in poor.source.note
    report = desk.one("refs.nbib", nbib(LID="10.1000/abc [doi]"))
    assert report.notes == ("refs.nbib describes doi-10.1000-abc.",)
    better = desk.library.sources()["doi-10.1000-abc"]
    assert (better.source.title, better.source.published) == ("Semaglutide in kidney disease", "2020-03-04")
    assert (better.source.pmid, better.described) == ("500", True)
    assert desk.one("more.nbib", nbib(text=FULL)).status is FileStatus.DUPLICATE


def test_in_one_import_records_come_before_the_pdf_of_the_same_paper(desk: Desk, make_pdf) -> None:
    desk.put("a.pdf", make_pdf("doi:10.1000/abc\n" + FULL.replace(". ", ".\n")))
    desk.put("z.nbib", nbib(LID="10.1000/abc [doi]"))
    assert desk.take().sources == 1
    assert [own.source.source_id for own in desk.library.sources().values()] == ["pmid-500"]


def test_a_changed_file_replaces_what_it_had_brought(desk: Desk) -> None:
    desk.put("refs.nbib", nbib() + "\n" + nbib("501", text=FULL))
    assert desk.take().sources == 2
    desk.put("refs.nbib", nbib("501", text=FULL.replace("four hundred", "five hundred")))
    (report,) = desk.take().files
    assert (report.status, report.sources, report.passages) == (FileStatus.TAKEN, 0, 1)
    assert list(desk.library.sources()) == ["pmid-501"]
    assert ["five hundred" in passage.text for passage in desk.library.passages()] == [True]
    desk.put("refs.nbib", "nothing of use")
    (broken,) = desk.take().files
    assert broken.status is FileStatus.SKIPPED
    assert list(desk.library.sources()) == ["pmid-501"]
    assert desk.one("copy.nbib", nbib("501", text=FULL)).status is FileStatus.DUPLICATE


def test_what_another_file_also_has_comes_back_when_the_first_loses_it(desk: Desk) -> None:
    desk.put("a.nbib", nbib() + "\n" + nbib("501", text=FULL))
    desk.put("b.nbib", nbib(AU="Roe R"))
    assert desk.take().duplicates == 1
    desk.put("a.nbib", nbib("501", text=FULL))
    desk.take()
    assert sorted(desk.library.sources()) == ["pmid-500", "pmid-501"]


def test_text_that_a_second_file_added_stays_when_the_first_is_forgotten(desk: Desk) -> None:
    abstract, paper = (
        desk.put("refs.nbib", nbib(LID="10.1000/abc [doi]")),
        desk.put("paper.xml", jats(doi="10.1000/abc")),
    )
    desk.take()
    assert desk.ingestor.forget([abstract]) == 1
    assert list(desk.library.sources()) == ["pmid-500"]
    assert [passage.text for passage in desk.library.passages()] == [FULL]
    assert desk.ingestor.forget([paper]) == 1
    assert (desk.library.sources(), desk.library.passages(), desk.library.paths()) == ({}, [], [])
    assert desk.ingestor.forget([desk.folder]) == 0
    assert desk.take().sources == 1


def test_forgetting_a_folder_removes_all_that_came_from_it_and_its_vectors(desk: Desk, embedder: Embedder) -> None:
    desk.put("in/a.nbib", nbib())
    desk.put("in/deep/b.md", f"# Note\n\n{FULL}")
    desk.put("inside.md", f"# Note\n\n{PROSE.replace('kidney', 'liver')}")
    desk.take()
    assert desk.ingestor.embed(embedder) == 3
    assert desk.ingestor.forget([desk.folder / "in"]) == 2
    assert len(desk.library.sources()) == 1
    assert desk.library.store.rows("SELECT count(*) FROM vectors") == [(1,)]


@pytest.mark.parametrize("notice_first", [True, False])
def test_a_notice_retracts_its_paper_whichever_comes_first(desk: Desk, notice_first: bool) -> None:
    notice = "PMID- 900\nTI  - Retraction of a paper\nPT  - Retraction of Publication\nROF - J. PMID: 500\nDP  - 2023\n"
    files = [("notice.nbib", notice), ("paper.nbib", nbib())]
    for name, text in files if notice_first else reversed(files):
        desk.one(name, text)
    sources = desk.library.sources()
    assert sources["pmid-500"].source.retracted
    assert sources["pmid-900"].source.retracted
    desk.one("paper.nbib", nbib(AU="Roe R"))
    assert desk.library.sources()["pmid-500"].source.retracted


def test_a_record_may_say_that_a_known_paper_was_retracted(desk: Desk) -> None:
    desk.one("old.nbib", nbib())
    report = desk.one("new.nbib", nbib(PT="Retracted Publication"))
    assert report.status is FileStatus.TAKEN
    assert report.notes == ("new.nbib says that pmid-500 was retracted.",)
    assert desk.library.sources()["pmid-500"].source.retracted
    shipped = desk.one("shipped.nbib", nbib("1", PT="Retracted Publication"))
    assert shipped.status is FileStatus.TAKEN
    assert desk.base.with_arms((), desk.library.store.user_sources()).arms.arms == ()


def test_records_without_text_are_left_out_with_a_note(desk: Desk) -> None:
    report = desk.one("refs.nbib", "PMID- 7\nTI  - A title alone\n")
    assert report.status is FileStatus.SKIPPED
    assert report.reason == "'A title alone' has no abstract or text and is left out."
    assert desk.library.sources() == {}


def test_stats_count_what_there_is(desk: Desk) -> None:
    assert desk.ingestor.stats().model_dump(exclude={"last_import"}) == {
        "owner": "local", "files": 0, "files_with_faults": 0, "sources": 0, "retracted": 0, "passages": 0, "arms": 0,
        "trials": 0, "by_format": {},
    }  # fmt: skip
    desk.put("refs.nbib", nbib() + "\nrubbish\n\n" + nbib("501", text=FULL, PT="Retracted Publication"))
    desk.put("note.md", f"# N\n\n{PROSE.replace('kidney', 'liver')}")
    desk.take()
    stats = desk.ingestor.stats()
    assert (stats.files, stats.files_with_faults, stats.sources, stats.retracted, stats.passages) == (2, 1, 3, 1, 3)
    assert stats.by_format == {"medline": 1, "markdown": 1}
    assert stats.last_import


def test_progress_and_acknowledgements_come_in_order(desk: Desk) -> None:
    for number in range(3):
        desk.put(f"{number}.nbib", nbib(str(600 + number), text=PROSE.replace("four", str(number))))
    heard: list[tuple[float, str]] = []
    seen: list[tuple[str, int]] = []
    desk.ingestor.import_paths(
        [desk.folder],
        progress=lambda share, message: heard.append((share, message)),
        acknowledge=lambda report: seen.append((Path(report.path).name, len(desk.library.paths()))),
    )
    assert [share for share, _ in heard] == [0.0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert heard[0][1] == "Reading 0.nbib"
    assert seen == [("0.nbib", 1), ("1.nbib", 2), ("2.nbib", 3)]


def test_owners_do_not_see_each_other(desk: Desk) -> None:
    desk.one("refs.nbib", nbib())
    theirs = Ingestor(desk.library.store, desk.base, owner="roe")
    assert theirs.import_paths([desk.folder]).taken == 1
    assert (len(theirs.library.sources()), len(desk.library.sources())) == (1, 1)
    theirs.forget([desk.folder])
    assert (len(theirs.library.sources()), len(desk.library.sources())) == (0, 1)
    store = desk.library.store
    assert [len(store.passages()), len(store.passages("roe")), len(store.passages("nobody"))] == [1, 0, 0]
    with pytest.raises(InvalidInput, match="owner of a library needs a name"):
        Ingestor(store, desk.base, owner=" ")
    with pytest.raises(InvalidInput, match="'cooking' is not an area"):
        Ingestor(store, desk.base, area="cooking")


def test_syncing_what_is_shipped_leaves_what_is_imported(desk: Desk) -> None:
    desk.one("refs.nbib", nbib())
    desk.one("paper.xml", jats(pmid="1"))
    imported = desk.library.passages()
    store = desk.library.store
    store.sync(desk.base.sources, desk.base.passages, corpus_hash="a")
    assert len(store.passages()) == 3
    store.sync({}, [], corpus_hash="b")
    assert list(store.passages()) == imported == desk.library.passages()
    assert sorted(store.sources()) == ["pmid-1", "pmid-500"]


def test_another_process_that_owns_the_directory_is_respected(desk: Desk) -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom pathlib import Path\nfrom knowledge.base import load_knowledge\n"
        "from knowledge.errors import StoreInUse\nfrom knowledge.ingest.ingestor import open_ingestor\n"
        "try:\n    open_ingestor(Path(sys.argv[1]), load_knowledge(Path(sys.argv[2]))).__enter__()\n"
        "except StoreInUse as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", code, str(desk.data_dir), str(desk.base.root)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert "in use by process" in done.stdout
    assert StoreInUse.__name__ not in done.stderr


@pytest.fixture
def searchable(desk: Desk, models_dir: Path, embedder: Embedder) -> Callable[[], LiteratureRetriever]:
    assert (models_dir / embedder.name).is_dir()
    (desk.data_dir / "models").symlink_to(models_dir)

    def opened(**options: object) -> LiteratureRetriever:
        return LiteratureRetriever.open(desk.base, desk.data_dir, **options)  # type: ignore[arg-type]

    return opened


def test_a_search_finds_what_was_imported_beside_what_is_shipped(
    desk: Desk, searchable: Callable[..., LiteratureRetriever], embedder: Embedder
) -> None:
    desk.one("refs.nbib", nbib())
    desk.one("note.md", f"---\ntitle: How they were followed\npublished: 2022-02-02\n---\n{FULL}")
    assert desk.ingestor.embed(embedder) == 2
    assert desk.ingestor.embed(embedder) == 0
    for exact_below in (0, 100):
        with searchable(exact_below=exact_below) as retriever:
            assert retriever.count == 3
            hits = retriever.search("semaglutide and kidney function in adults with diabetes")
            assert {"pmid-500", "pmid-1"} <= {hit.source.source_id for hit in hits}
            assert next(hit for hit in hits if hit.source.source_id == "pmid-500").source.authors == "Doe J"
            assert retriever.search("cystatin at every visit")[0].source.title == "How they were followed"
    with Store(desk.data_dir / FILE_NAME) as store:
        assert store.corpus_hash == corpus_hash(desk.base.root)
    with searchable(owner="roe") as retriever:
        assert retriever.count == 1
    desk.ingestor.forget([desk.folder])
    with searchable() as retriever:
        assert retriever.count == 1
        assert {hit.source.source_id for hit in retriever.search("semaglutide and kidney function")} <= {"pmid-1"}


def test_as_of_exclusion_and_retraction_hold_for_what_was_imported(
    desk: Desk, searchable: Callable[..., LiteratureRetriever]
) -> None:
    about = " In SUSTAIN 1 the same was seen, with once-weekly semaglutide."
    desk.one("a.nbib", nbib("500"))
    desk.one("review.xml", jats(doi="10.1000/review", text=f"{PROSE.replace('year', 'month')} {FULL}{about}"))
    desk.one("same_trial.xml", jats(pmid="1", text=FULL.replace("twelve", "thirty")))
    desk.one("registered.nbib", nbib("501", text=PROSE.replace("year", "season"), SI="ClinicalTrials.gov/NCT00000001"))
    desk.one("gone.nbib", nbib("502", text=PROSE.replace("year", "decade"), PT="Retracted Publication"))
    desk.one("undated.md", f"# Undated\n\n{PROSE.replace('year', 'week')}")
    with searchable() as retriever:

        def found(**view: object) -> set[str]:
            hits = retriever.search(
                "semaglutide kidney function HbA1c weeks clinics", k=50, per_source=9, view=EvidenceView(**view)
            )
            return {hit.source.source_id.split("-")[0] + hit.source.pmid for hit in hits}

        everything = {"pmid500", "pmid1", "pmid501", "doi", "user"}
        assert found() == everything
        assert found(as_of=date(2024, 4, 30)) == everything - {"user"}
        assert found(as_of=date(2020, 3, 4)) == {"pmid500", "pmid1", "pmid501"}
        assert found(as_of=date(2020, 3, 3)) == {"pmid1"}
        # The review names the trial in its last passage only; its figures may be the trial's in all of them.
        for name in ("SUSTAIN 1", "NCT00000001"):
            assert found(exclude=(name,)) == {"pmid500", "user"}
        assert found(exclude=("pmid-1",)) == everything - {"pmid1"}
        assert found(exclude=("doi-10.1000-review",)) == everything - {"doi"}


def test_the_paper_of_an_excluded_source_is_hidden_under_another_id_too(
    desk: Desk, searchable: Callable[..., LiteratureRetriever]
) -> None:
    desk.one("paper.xml", jats(doi="10.1000/abc"))
    desk.one("refs.nbib", nbib(LID="10.1000/abc [doi]"))  # now the document has the PMID too
    assert [own.source.pmid for own in desk.library.sources().values()] == [""]
    desk.one("scan.md", f"---\ndoi: 10.1000/xyz\npublished: 2020\n---\n{FULL.replace('twelve', 'ninety')}")
    with searchable() as retriever:
        query = "adults followed in clinics, semaglutide by injection once a week"
        assert {hit.source.source_id for hit in retriever.search(query)} >= {"doi-10.1000-abc", "doi-10.1000-xyz"}
        view = EvidenceView(exclude=("doi-10.1000-abc",))
        assert "doi-10.1000-abc" not in {hit.source.source_id for hit in retriever.search(query, view=view)}
