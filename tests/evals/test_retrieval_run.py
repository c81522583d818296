"""A small set through the product's own parts, with the real model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evals.__main__ import app
from evals.retrieval.corpus import Corpus, as_passages
from evals.retrieval.run import HYBRID, METRICS, WAYS, SetScores, compare, headline, markdown, passed, run_retrieval
from evals.retrieval.sets import RetrievalSet, read_set
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.embedding import open_embedder
from knowledge.errors import DataError
from knowledge.retrieval import LiteratureRetriever
from knowledge.store import FILE_NAME, Store

RECORDS = {
    "1": (
        "Does semaglutide lower body weight?",
        ["Adults with obesity took Wegovy or placebo.", "Body weight fell by 15 percent with semaglutide."],
    ),
    "2": (
        "Do leaves of the lace plant die by mitochondria?",
        ["Programmed cell death makes holes in leaves. " * 20, "Mitochondria were stained in the lace plant. " * 20],
    ),
    "3": (
        "Is visual acuity worse with the Landolt C than with Snellen E?",
        ["Children with squint read both charts.", "Visual acuity was lower with the Landolt C chart."],
    ),
    "4": (
        "Is syncope during bathing in infants a form of water urticaria?",
        ["Infants fainted in the bath; aquagenic urticaria was looked for and found in three."],
    ),
    "5": (
        "Can tailored interventions raise mammography use?",
        ["Women got tailored letters about mammography screening that fitted what they believed."],
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the exported model and the set beside it."""
    folder = tmp_path_factory.mktemp("retrieval")
    content = {pmid: {"QUESTION": question, "CONTEXTS": texts} for pmid, (question, texts) in RECORDS.items()}
    (folder / "set.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def found(place: Path) -> RetrievalSet:
    return read_set(place / "set.json")


@pytest.fixture(scope="module")
def corpus(place: Path, base: KnowledgeBase, found: RetrievalSet) -> Corpus:
    with Store(place / FILE_NAME) as store:
        return Corpus(found, base, store, open_embedder(place / "models"))


def test_passages_hold_every_word_once_and_the_drugs_they_name(found: RetrievalSet, base: KnowledgeBase) -> None:
    passages = as_passages(found, base)
    assert len({passage.passage_id for passage in passages}) == len(passages) > len(RECORDS)
    for pmid, (_, texts) in RECORDS.items():
        own = [passage for passage in passages if passage.source_id == f"pmid-{pmid}"]
        assert " ".join(passage.text for passage in own).split() == " ".join(texts).split()
    assert {passage.drugs for passage in passages if passage.source_id == "pmid-1"} == {("semaglutide", "placebo")}
    assert not any(question in passage.text for question, _ in RECORDS.values() for passage in passages)


@pytest.mark.parametrize("pmid", RECORDS)
def test_each_way_of_searching_finds_the_document(corpus: Corpus, pmid: str) -> None:
    question = RECORDS[pmid][0]
    for search in (corpus.by_words, corpus.by_meaning, corpus.by_both):
        ranking = search(question)
        assert ranking[0] == pmid
        assert len(set(ranking)) == len(ranking)


def test_words_and_meaning_are_single_lists(corpus: Corpus) -> None:
    """What shares no word is not found by words; meaning ranks everything."""
    assert corpus.by_words("xqzt") == []
    assert set(corpus.by_meaning("a weekly injection against adiposity")) == set(RECORDS)
    assert corpus.by_meaning("a weekly injection against adiposity")[0] == "1"


def test_hybrid_is_the_search_of_the_product(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = run_retrieval([place / "set.json"], data_dir=place)
    assert before.scores[HYBRID]["recall@1"] == [1.0] * len(RECORDS)
    assert not any(before.silenced)
    monkeypatch.setattr(LiteratureRetriever, "search", lambda *_args, **_options: ())
    (after,) = run_retrieval([place / "set.json"], data_dir=place)
    assert after.scores[HYBRID]["recall@1"] == [0.0] * len(RECORDS)
    assert {way: after.scores[way] for way in WAYS if way != HYBRID} == {
        way: before.scores[way] for way in WAYS if way != HYBRID
    }


def test_a_question_about_something_else_is_searched_here_and_refused_elsewhere(corpus: Corpus) -> None:
    assert corpus.silenced("who won the world cup in football")
    assert corpus.by_both("who won the world cup in football with a plant")
    assert not corpus.silenced(RECORDS["1"][0])


def scores(hybrid: list[float], bm25: list[float], dense: list[float]) -> SetScores:
    columns = dict(zip(WAYS, (bm25, dense, hybrid), strict=True))
    return SetScores(
        name="Tiny",
        documents=4,
        passages=4,
        left_out=0,
        questions=tuple("abcd"),
        development=(True, False, True, False),
        scores={way: dict.fromkeys(METRICS, column) for way, column in columns.items()},
        silenced=(False, False, False, True),
    )


def test_comparisons_by_half() -> None:
    result = scores([1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1])
    everything, development, held_out = (compare(result, half)[0] for half in ("all", "development", "held out"))
    assert (everything.n, development.n, held_out.n) == (4, 2, 2)
    assert everything.means == {"BM25": 0.5, "dense": 0.5, HYBRID: 0.75}
    assert everything.gain == 0.25
    assert development.means[HYBRID] == 1
    assert held_out.means[HYBRID] == held_out.means["dense"] == 0.5
    over = everything.over["BM25"]
    assert over.mean == 0.25
    assert over.lower == 0 < over.upper


def test_the_verdict() -> None:
    better = scores([1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1])
    equal = scores([1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0])
    worse = scores([1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0])
    assert passed([better])
    assert passed([better, equal])
    assert not passed([equal])
    assert not passed([better, worse])
    assert "nowhere worse" in headline([better, equal])
    assert "Hybrid is worse" in headline([better, worse])
    assert "recall@1 on Tiny (-0.2500)" in headline([better, worse])


def test_the_table_has_a_row_for_each_metric_and_half() -> None:
    lines = markdown([scores([1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1])]).splitlines()
    rows = [line for line in lines if line.startswith("| Tiny")]
    assert len(rows) == 3 * len(METRICS)
    assert any("refuses 1 of them" in line and "hybrid has recall@1 0.7500" in line for line in lines)
    assert "| recall@1 | 0.5000 | 0.5000 | 0.7500 | +0.2500 (+0.0000 to " in rows[0]


def test_the_command_writes_the_report(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    arguments = ["retrieval", "--set", str(place / "set.json"), "--data", str(place), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    content = json.loads((out / "retrieval.json").read_text(encoding="utf-8"))
    assert content[0]["scores"]["dense"]["nDCG@10"] == [1.0] * len(RECORDS)
    assert content[0]["comparisons"][0]["means"] == {"BM25": 1.0, "dense": 1.0, "hybrid": 1.0}
    assert (out / "retrieval.md").read_text(encoding="utf-8").startswith("# Retrieval on public sets")
    assert "| PubMedQA | 5 | recall@1 | 1.0000 | 1.0000 | 1.0000 |" in result.output
    assert result.exit_code == 1  # nowhere worse, but with nothing to gain not better on average either


def test_the_command_refuses_what_is_no_set(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["retrieval", "--set", str(tmp_path / "none.json")])
    assert isinstance(result.exception, DataError)
    assert CliRunner().invoke(app, ["retrieval"]).exit_code == 2
