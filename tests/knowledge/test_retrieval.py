"""Retrieval with the real model on a small literature: what is found, and what never is."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from knowledge.base import KnowledgeBase
from knowledge.embedding import Embedder
from knowledge.errors import StoreDamaged
from knowledge.retrieval import DRUGS, MIN_SIMILARITY, TRIAL, WORDS, LiteratureRetriever, drop_index
from knowledge.schemas import EvidenceView
from knowledge.store import FILE_NAME, embedded_text
from knowledge.words import ADDED, WordIndex, best_first, expand

REPOSITORY = Path(__file__).parents[2]
LITERATURE = {
    "pmid-1": (
        "SUSTAIN 1",
        "semaglutide",
        "HbA1c fell by 1.5 points over 30 weeks with once-weekly semaglutide 1 mg and hardly changed with placebo.",
        "Nausea was reported by a fifth of the people on semaglutide and by one in twelve on placebo.",
        "Adults with type 2 diabetes treated with diet and exercise only took part; their HbA1c was 8.1 percent.",
    ),
    "pmid-2": (
        "SUSTAIN 1-5 by age",
        "semaglutide",
        "Older and younger people lost much the same weight on semaglutide, whatever their age at the start.",
    ),
    "pmid-3": (
        "FLOW",
        "semaglutide",
        "In people with type 2 diabetes and chronic kidney disease semaglutide slowed the loss of kidney function.",
    ),
    "pmid-4": (
        "EMPA-REG OUTCOME",
        "empagliflozin",
        "Empagliflozin lowered deaths from heart disease in people with type 2 diabetes and vascular disease.",
    ),
    "pmid-5": (
        "",
        "semaglutide, liraglutide",
        "A review recalls that HbA1c fell by 1.5 points in SUSTAIN-1 and that weight fell by 4 kg in it.",
    ),
    "pmid-6": (
        "",
        "",
        "People stop taking injections when they feel sick, when the price rises or when refills are hard to get.",
    ),
    "pmid-7": (
        "BADTRIAL",
        "semaglutide",
        "HbA1c fell by 9 points within a week in this paper, which was later withdrawn by its journal.",
    ),
}


@pytest.fixture(scope="session")
def prepared(models_dir: Path, embedder: Embedder) -> Path:
    """Where the model is already exported."""
    assert (models_dir / embedder.name).is_dir()
    return models_dir


def write_literature(folder) -> KnowledgeBase:
    published = {"pmid-1": "2017-01", "pmid-2": "2018", "pmid-3": "2024-05-24", "pmid-4": "2015", "pmid-5": "2020"}
    folder.sources(
        *[
            {
                "source_id": key,
                "published": published.get(key, "2016"),
                "registry_id": {"pmid-1": "NCT02054897", "pmid-3": "NCT03819153"}.get(key, ""),
                "retracted": "yes" if key == "pmid-7" else "",
                "title": f"Title of {key}",
            }
            for key in LITERATURE
        ]
    )
    folder.arms({"registry_id": "NCT02054897"}, {"trial": "FLOW", "source_id": "pmid-3", "registry_id": "NCT03819153"})
    for key, (trial, drugs, *texts) in LITERATURE.items():
        folder.passage(key, *texts, trial=trial, drugs=drugs, area="smoking" if key == "pmid-6" else "obesity")
    return folder.load()


@pytest.fixture
def base(folder) -> KnowledgeBase:
    return write_literature(folder)


@pytest.fixture
def data_dir(tmp_path: Path, prepared: Path) -> Path:
    return link_models(tmp_path / "data", prepared)


def link_models(data_dir: Path, prepared: Path) -> Path:
    data_dir.mkdir()
    (data_dir / "models").symlink_to(prepared)
    return data_dir


@pytest.fixture(scope="module")
def retriever(make_folder, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteratureRetriever]:
    """One for all tests that only ask."""
    place = tmp_path_factory.mktemp("retrieval")
    base = write_literature(make_folder(place / "knowledge"))
    with LiteratureRetriever.open(base, link_models(place / "data", prepared)) as opened:
        yield opened


def found(retriever: LiteratureRetriever, query: str, **options: object) -> list[str]:
    return [hit.passage.source_id for hit in retriever.search(query, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("How does HbA1c change with semaglutide 1 mg?", "pmid-1"),
        ("people with CKD on semaglutide", "pmid-3"),
        ("Jardiance and dying from heart disease", "pmid-4"),
        ("why do patients quit their shots", "pmid-6"),
        ("does Ozempic work in the elderly", "pmid-2"),
        ("SUSTAIN 1", "pmid-1"),
    ],
)
def test_the_nearest_passage_comes_first_and_says_why(retriever: LiteratureRetriever, query: str, first: str) -> None:
    hits = retriever.search(query)
    assert hits[0].passage.source_id == first
    assert hits[0].source.source_id == first
    assert "rank" in hits[0].reason
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize(
    ("query", "meant", "about", "worth"),
    [
        ("people who cannot get a refill or pay the price", "", set(), 0.0),
        ("sick and heavy on semaglutide", "", {"pmid-1", "pmid-2", "pmid-3", "pmid-5"}, DRUGS),
        (
            "sick and heavy on Ozempic",
            "sick and heavy on Ozempic semaglutide",
            {"pmid-1", "pmid-2", "pmid-3", "pmid-5"},
            DRUGS,
        ),
        ("kidneys of people with diabetes in FLOW", "", {"pmid-3"}, TRIAL),
    ],
)
def test_the_score_is_cosine_plus_words_plus_what_is_asked_about(
    retriever: LiteratureRetriever, embedder: Embedder, query: str, meant: str, about: set[str], worth: float
) -> None:
    hits = retriever.search(query, k=20, per_source=5)
    vector = embedder.embed([meant or query])[0]
    rest = {
        hit.passage.passage_id: hit.score
        - float(embedder.embed([embedded_text(hit.passage)])[0] @ vector)
        - worth * (hit.passage.source_id in about)
        for hit in hits
    }
    without = [hit for hit in hits if "words rank" not in hit.reason]
    (best,) = [hit for hit in hits if "words rank 1" in hit.reason.split(",")]
    assert rest[best.passage.passage_id] == pytest.approx(WORDS, abs=1e-4)
    assert [rest[hit.passage.passage_id] for hit in without] == pytest.approx([0.0] * len(without), abs=1e-4)
    assert all(-1e-4 < left < WORDS + 1e-4 for left in rest.values())


def test_a_passage_found_by_its_words_alone_gets_its_meaning_too(
    retriever: LiteratureRetriever, embedder: Embedder
) -> None:
    """Its cosine is below what meaning alone would have to reach, and still part of its score."""
    query = "kidney function rises with vascular disease"
    (hit,) = [hit for hit in retriever.search(query, k=20) if hit.passage.source_id == "pmid-6"]
    cosine = float(embedder.embed([query])[0] @ embedder.embed([embedded_text(hit.passage)])[0])
    assert "words rank" in hit.reason
    assert 0 < cosine < MIN_SIMILARITY
    assert cosine < hit.score < cosine + WORDS + 1e-4


@pytest.mark.parametrize("query", ["", "  ", "xqzt blorf", "football results last night", "recipe for pancakes"])
def test_nothing_near_finds_nothing(retriever: LiteratureRetriever, query: str) -> None:
    assert retriever.search(query) == ()


def test_k_per_source_drugs_and_areas(retriever: LiteratureRetriever) -> None:
    query = "semaglutide in adults with type 2 diabetes: HbA1c, nausea, weight"
    assert found(retriever, query, k=10).count("pmid-1") == 2
    assert found(retriever, query, k=10, per_source=3).count("pmid-1") == 3
    assert found(retriever, query, k=10, per_source=1).count("pmid-1") == 1
    assert len(found(retriever, query, k=2)) == 2
    assert found(retriever, query, k=0) == []
    assert set(found(retriever, query, drugs=("empagliflozin",))) == {"pmid-4"}
    assert set(found(retriever, query, drugs=("liraglutide", "empagliflozin"))) == {"pmid-4", "pmid-5"}
    assert found(retriever, query, drugs=("metformin",)) == []
    assert set(found(retriever, "why do people stop", areas=("smoking",))) == {"pmid-6"}
    assert found(retriever, query, areas=("oncology",)) == []


QUERIES = (
    "HbA1c with semaglutide",
    "SUSTAIN 1 results",
    "semaglutide in older people, by age",
    "kidney disease FLOW",
    "review of semaglutide HbA1c fell by 1.5 points",
)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    ("exclude", "hidden"),
    [
        ("SUSTAIN 1", {"pmid-1", "pmid-2", "pmid-5"}),
        ("sustain-1", {"pmid-1", "pmid-2", "pmid-5"}),
        ("NCT02054897", {"pmid-1", "pmid-2", "pmid-5"}),
        ("SUSTAIN 3", {"pmid-2"}),
        ("SUSTAIN*", {"pmid-1", "pmid-2", "pmid-5"}),
        ("pmid-1", {"pmid-1"}),
        ("NCT03819153", {"pmid-3"}),
        ("flow", {"pmid-3"}),
        ("*", set(LITERATURE)),
    ],
)
def test_nothing_of_an_excluded_trial_surfaces(
    retriever: LiteratureRetriever, query: str, exclude: str, hidden: set[str]
) -> None:
    everything = set(found(retriever, query, k=20, per_source=5))
    left = set(found(retriever, query, k=20, per_source=5, view=EvidenceView(exclude=(exclude,))))
    assert not left & hidden
    if query != "SUSTAIN 1 results":  # without its trial it is about nothing that is left
        assert left >= (everything - hidden) - {"pmid-6", "pmid-4"}


def test_as_of_and_retraction(retriever: LiteratureRetriever) -> None:
    query = "semaglutide HbA1c kidney weight heart"

    def seen(day: date) -> set[str]:
        return set(found(retriever, query, k=20, per_source=5, view=EvidenceView(as_of=day)))

    assert "pmid-3" not in seen(date(2024, 5, 23))
    assert "pmid-3" in seen(date(2024, 5, 24))
    assert seen(date(2015, 12, 31)) <= {"pmid-4"}
    assert seen(date(2014, 12, 31)) == set()
    assert "pmid-7" not in seen(date(2030, 1, 1))
    assert "pmid-7" not in found(retriever, "HbA1c fell by 9 points within a week withdrawn", k=20)


def test_the_same_question_finds_the_same_in_every_index(
    base: KnowledgeBase, data_dir: Path, retriever: LiteratureRetriever
) -> None:
    first = [retriever.search(query, k=10) for query in QUERIES]
    assert [retriever.search(query, k=10) for query in QUERIES] == first
    with LiteratureRetriever.open(base, data_dir) as again:
        assert [again.search(query, k=10) for query in QUERIES] == first
    with LiteratureRetriever.open(base, data_dir, exact_below=100) as exact:
        assert [exact.search(query, k=10) for query in QUERIES] == first


def test_opening_again_is_silent_and_changes_follow_the_files(folder, base: KnowledgeBase, data_dir: Path) -> None:
    steps: list[str] = []
    LiteratureRetriever.open(base, data_dir, progress=lambda _, message: steps.append(message)).close()
    assert steps[0] == "Reading the literature"
    steps.clear()
    with capture_logs() as logs:
        LiteratureRetriever.open(base, data_dir, progress=lambda _, message: steps.append(message)).close()
    assert logs == []
    assert "Reading the literature" not in steps
    folder.passage("pmid-6", "Metformin lowers blood sugar and is cheap, old and well known to doctors everywhere.")
    (folder.root / "literature" / "smoking" / "pmid-6.md").unlink()
    with LiteratureRetriever.open(folder.load(), data_dir) as opened:
        assert opened.search("cheap metformin")[0].passage.text.startswith("Metformin")
        assert not any("injections" in hit.passage.text for hit in opened.search("stop taking injections", k=20))


def test_an_empty_literature_finds_nothing_and_needs_no_model(folder, tmp_path: Path) -> None:
    with LiteratureRetriever.open(folder.load(), tmp_path / "data") as opened:
        assert opened.search("semaglutide") == ()
    assert not (tmp_path / "data" / "models").exists()


def test_a_second_process_is_refused_within_a_second(base: KnowledgeBase, data_dir: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom knowledge.base import load_knowledge\n"
        "from knowledge.errors import StoreInUse\nfrom knowledge.retrieval import LiteratureRetriever\n"
        "base, start = load_knowledge(Path(sys.argv[1])), time.perf_counter()\n"
        "try:\n    LiteratureRetriever.open(base, Path(sys.argv[2]))\n"
        "except StoreInUse as error:\n    print(time.perf_counter() - start, error)\n"
    )
    with LiteratureRetriever.open(base, data_dir):
        done = subprocess.run(
            [sys.executable, "-c", code, str(base.root), str(data_dir)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    seconds, message = done.stdout.split(" ", 1)
    assert float(seconds) < 1.0
    assert "in use by process" in message


def test_a_failed_opening_gives_the_directory_back(base: KnowledgeBase, data_dir: Path) -> None:
    (data_dir / FILE_NAME).write_bytes(b"not a database, not at all" * 100)
    with pytest.raises(StoreDamaged):
        LiteratureRetriever.open(base, data_dir)
    (data_dir / FILE_NAME).unlink()
    code = "import sys\nfrom pathlib import Path\nfrom knowledge.lock import DataDirLock\nDataDirLock(Path(sys.argv[1])).acquire()\n"
    done = subprocess.run([sys.executable, "-c", code, str(data_dir)], cwd=REPOSITORY, check=False, timeout=30)
    assert done.returncode == 0
    LiteratureRetriever.open(base, data_dir).close()


def test_two_retrievers_of_one_process_share_the_directory(base: KnowledgeBase, data_dir: Path) -> None:
    query = "HbA1c with semaglutide"
    with LiteratureRetriever.open(base, data_dir) as first:
        expected = first.search(query)
        with LiteratureRetriever.open(base, data_dir) as second:
            assert second.search(query) == expected
        assert first.search(query) == expected


def test_a_dropped_index_is_built_again_and_the_open_one_goes_on(base: KnowledgeBase, data_dir: Path) -> None:
    with LiteratureRetriever.open(base, data_dir) as first:
        expected = first.search("HbA1c with semaglutide")
        drop_index(data_dir)
        assert first.search("HbA1c with semaglutide") == expected
        with LiteratureRetriever.open(base, data_dir) as second:
            assert second.search("HbA1c with semaglutide") == expected
            assert (second.count, second.embedder_name) == (9, first.embedder_name)


def test_many_threads_get_the_same_answers(retriever: LiteratureRetriever) -> None:
    expected = [retriever.search(query) for query in QUERIES]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(retriever.search, QUERIES * 20))
    assert answers == expected * 20


@pytest.mark.slow
def test_killed_at_any_moment_of_opening_the_next_opening_works(
    base: KnowledgeBase, data_dir: Path, retriever: LiteratureRetriever
) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom knowledge.base import load_knowledge\n"
        "from knowledge.retrieval import LiteratureRetriever\nbase = load_knowledge(Path(sys.argv[1]))\n"
        "print('go', flush=True)\nwhile True:\n"
        "    LiteratureRetriever.open(base, Path(sys.argv[2])).close()\n"
    )
    expected = [retriever.search(query) for query in QUERIES]
    chance = random.Random(11)
    for _ in range(5):
        command = [sys.executable, "-c", code, str(base.root), str(data_dir)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "go\n"
            time.sleep(chance.uniform(0.05, 1.6))
            process.kill()
        with LiteratureRetriever.open(base, data_dir) as opened:
            assert [opened.search(query) for query in QUERIES] == expected
        drop_index(data_dir)


def test_words_rank_by_what_is_rare_and_break_ties_by_id() -> None:
    words = WordIndex({"b": "nausea and weight", "a": "nausea and weight", "c": "weight of trials", "d": "kidneys"})
    everything = frozenset("abcd")
    assert words.ranking("Nausea?", everything, 10) == ["a", "b"]
    assert words.ranking("weight nausea", everything, 10) == ["a", "b", "c"]
    assert words.ranking("weight nausea", frozenset("cb"), 10) == ["b", "c"]
    assert words.ranking("weight nausea", everything, 1) == ["a"]
    assert words.ranking("kidney", everything, 10) == ["d"]
    assert words.ranking("the of and 12", everything, 10) == []
    assert words.ranking("", everything, 10) == []


def test_words_match_by_their_stems() -> None:
    words = WordIndex({"a": "adherence to tablets", "b": "discontinued after a year", "c": "weights"})
    everything = frozenset("abc")
    assert words.ranking("adherent", everything, 10) == ["a"]
    assert words.ranking("discontinuation", everything, 10) == ["b"]
    assert words.ranking("weight", everything, 10) == ["c"]


def test_added_words_find_passages_but_weigh_less() -> None:
    words = WordIndex({"a": "renal", "b": "kidney", "c": "adherence", "d": "price"})
    everything = frozenset("abcd")
    asked, added = words.scores("kidney", everything), words.scores("kidney", everything, "kidney renal")
    assert set(asked) == {"b"}
    assert added["b"] == asked["b"]
    assert added["a"] == pytest.approx(ADDED * words.scores("renal", everything)["a"])
    assert words.scores("", everything, "renal").keys() == {"a"}
    assert words.scores("kidney", frozenset("a"), "renal").keys() == {"a"}
    assert words.scores("the", everything, "of") == {}


def test_best_first_breaks_ties_by_id_and_stops_at_the_depth() -> None:
    assert best_first({"b": 1.0, "a": 1.0, "c": 2.0}, 2) == ["c", "a"]
    assert best_first({}, 5) == []


def test_many_threads_get_the_same_stems() -> None:
    words = WordIndex({str(number): f"adherence {number} discontinuation" for number in range(50)})
    query, everything = "adherent discontinued", frozenset(map(str, range(50)))
    expected = words.ranking(query, everything, 50)
    assert len(expected) == 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: words.ranking(query, everything, 50), range(200))) == [expected] * 200


def test_numbers_count_in_names_only() -> None:
    words = WordIndex({"a": "SUSTAIN 6 ended", "b": "aged 65 at 6 mg"})
    assert words.ranking("SUSTAIN 6", frozenset("ab"), 10)[0] == "a"
    assert words.ranking("adults over 65 on 6 mg", frozenset("ab"), 10) == ["b"]
    assert words.ranking("65", frozenset("ab"), 10) == []


def test_everyday_words_become_the_words_of_the_field() -> None:
    assert "chronic kidney disease" in expand("seniors with CKD")
    assert "older" in expand("seniors with CKD")
    assert expand("nausea") == "nausea"


@pytest.mark.slow
def test_the_shipped_literature_can_be_searched(shipped: KnowledgeBase, data_dir: Path) -> None:
    with LiteratureRetriever.open(shipped, data_dir) as opened:
        hits = opened.search("How would adults over 65 with type 2 diabetes and CKD react to semaglutide 1 mg weekly?")
        assert len(hits) == 6
        assert all("semaglutide" in hit.passage.drugs for hit in hits[:3])
        for trial in sorted({hit.passage.trial for hit in hits} - {""}):
            start = time.perf_counter()
            left = opened.search("semaglutide in older adults", k=50, view=EvidenceView(exclude=(trial,)))
            assert time.perf_counter() - start < 2.0
            assert all(hit.passage.trial != trial for hit in left)
