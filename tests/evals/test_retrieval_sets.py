from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.retrieval.sets import read_set
from knowledge.errors import DataError

PUBMEDQA = {
    "21645374": {
        "QUESTION": "Do mitochondria play a role?",
        "CONTEXTS": ["Cells die in leaves.", "They were stained."],
    },
    "16418930": {"QUESTION": "Is the E chart as good?", "CONTEXTS": ["Visual acuity was compared in children."]},
}
SHORT, LONG = "Milvexian inhibits factor XIa.", "In people, Milvexian inhibits factor XIa. It is a small molecule."


def bioasq(number: int, body: str, pmids: list[str], *snippets: tuple[str, str]) -> dict[str, object]:
    return {
        "id": f"q{number}",
        "type": "factoid",
        "body": body,
        "pmids": pmids,
        "snippets": [{"pmid": pmid, "text": text} for pmid, text in snippets],
    }


def write(path: Path, *records: object) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return path


def test_pubmedqa_asks_each_abstract_for_itself(tmp_path: Path) -> None:
    found = read_set(write(tmp_path / "pqa.json", PUBMEDQA))
    assert found.name == "PubMedQA"
    assert found.documents["21645374"] == ("Cells die in leaves.", "They were stained.")
    assert {(q.question_id, q.text, q.relevant) for q in found.questions} == {
        (pmid, record["QUESTION"], frozenset({pmid})) for pmid, record in PUBMEDQA.items()
    }


def test_bioasq_groups_snippets_by_article(tmp_path: Path) -> None:
    found = read_set(
        write(
            tmp_path / "golden.jsonl",
            bioasq(
                1, "What inhibits XIa?", ["1", "404"], ("1", SHORT), ("1", LONG), ("2", "Another article altogether.")
            ),
            bioasq(2, "What else?", ["3"], ("3", "A text about\u2028something else."), ("1", LONG)),
        )
    )
    assert found.documents["1"] == (LONG,)  # the short one is part of it
    assert found.documents["3"] == ("A text about something else.",)
    assert [q.relevant for q in found.questions] == [{"1", "2"}, {"1", "3"}]
    assert found.left_out == 1  # of 404 the file has no text


def test_a_question_that_comes_again_wants_both_years_articles(tmp_path: Path) -> None:
    first = bioasq(1, "What inhibits XIa?", ["1"], ("1", LONG))
    again = bioasq(2, "what inhibits XIa? ", ["2"], ("2", "Asundexian inhibits it too."))
    (question,) = read_set(write(tmp_path / "golden.jsonl", first, again)).questions
    assert question.question_id == "q1"
    assert question.relevant == {"1", "2"}


def test_what_cannot_be_found_is_not_asked_for(tmp_path: Path) -> None:
    tiny = bioasq(1, "Which gene?", ["1"], ("1", "BRCA1"))
    found = read_set(write(tmp_path / "golden.jsonl", tiny, bioasq(2, "And which else?", ["2"], ("2", LONG))))
    assert [question.question_id for question in found.questions] == ["q2"]
    assert found.left_out == 1


def test_the_halves_are_decided_by_the_id_alone(tmp_path: Path) -> None:
    questions = [bioasq(n, f"Question number {n}?", ["1"], ("1", LONG)) for n in range(400)]
    halves = {q.question_id: q.development for q in read_set(write(tmp_path / "a.jsonl", *questions)).questions}
    assert 150 < sum(halves.values()) < 250
    fewer = read_set(write(tmp_path / "b.jsonl", *questions[::-7])).questions
    assert all(halves[question.question_id] == question.development for question in fewer)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("set.csv", "a,b", "set.csv.*is no retrieval set"),
        ("set.json", "{", "set.json is not JSON"),
        ("set.json", "[]", "set.json: the record is wrong"),
        ("set.json", '{"12": {"QUESTION": "Why so?"}}', "12.CONTEXTS is wrong"),
        ("set.jsonl", '{"id": "1"}', "line 1: body is wrong"),
        ("set.jsonl", "\n{", "line 2 is not JSON"),
        ("set.jsonl", "", "no question"),
        ("set.jsonl", '{"id": "1", "body": "Why?", "pmids": ["x"], "snippets": []}', "pmids.0 is wrong"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_set(tmp_path / name)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_set(tmp_path / "none.json")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_set(tmp_path / "binary.jsonl")
