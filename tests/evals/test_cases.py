"""The case files are read as they should be, their schema is current, and the checks notice planted faults."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from assistant.schemas import Answer, Question
from assistant.service import Assistant
from evals.case_schemas import CASE_OF, AnswersCase, CaseBase, OutcomesCase
from evals.cases_io import CASES, SCHEMA, json_schema, read_cases, schema_text, suite_hash
from evals.checks import judge, leaked
from evals.schemas import Suite
from evals.suites import runners
from knowledge.errors import DataError

ALL = {case.id: case for case in read_cases()}


def _case(**changes: object) -> CaseBase:
    plain = {
        "id": "x", "source": "written for this test", "why": "to see what happens", "question": "q",
        "expect": {"status": "answered"},
    }  # fmt: skip
    return AnswersCase.model_validate(plain | changes)


def test_the_schema_beside_the_cases_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run: python -m evals schema"


@pytest.mark.parametrize("path", sorted(CASES.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_fits_the_schema(path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    own = {**schema, "anyOf": [{"$ref": f"#/$defs/{path.parent.name}"}]}
    content = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
    jsonschema.validate(content, own, cls=jsonschema.Draft202012Validator)


def test_every_suite_has_a_runner_that_bears_its_name() -> None:
    assert list(runners()) == list(Suite)
    assert all(runner.suite is suite for suite, runner in runners().items())
    assert set(CASE_OF) == set(Suite) - {Suite.ROUTING, Suite.HOLDOUT}


def test_every_suite_names_a_headline_metric() -> None:
    for suite, runner in runners().items():
        assert any(spec.headline for spec in runner.metrics), suite


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- id: x\n  question: q\n", r"answers/bad\.yaml, case 1 'x': .*source"),
        ("- {id: x, source: abc, why: because of it, question: q, expect: {status: maybe}}", "expect.status"),
        ("- {id: x, source: abc, why: because of it, question: q, expect: {status: answered}, extra: 1}", "extra"),
        ("id: x\n", "not a list"),
        ("- [\n", "not YAML"),
    ],
)
def test_a_broken_case_file_is_named(text: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=fault):
        read_cases(tmp_path)


def test_a_folder_that_is_no_suite_and_an_id_used_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "answer").mkdir()
    with pytest.raises(DataError, match="No suite is called answer"):
        read_cases(tmp_path)
    (tmp_path / "answer").rename(tmp_path / "answers")
    one = "- {id: x, source: abc, why: because of it, question: q, expect: {status: answered}}\n"
    (tmp_path / "answers" / "a.yaml").write_text(one + one, encoding="utf-8")
    with pytest.raises(DataError, match="used twice: x"):
        read_cases(tmp_path)


def test_a_word_may_stand_for_a_list_of_one() -> None:
    case = AnswersCase.model_validate(
        _case().model_dump() | {"expect": {"status": "partial", "tools": "rank_treatments"}}
    )
    assert case.expect.tools == ("rank_treatments",)
    assert [status.value for status in case.expect.status] == ["partial"]


def test_the_hash_of_a_suite_is_of_its_content_not_of_its_order() -> None:
    first, second = _case(), _case(id="y")
    assert suite_hash([first, second]) == suite_hash([second, first])
    assert suite_hash([first]) != suite_hash([_case(question="another")])


@pytest.fixture(scope="module")
def answered(assistant: Assistant) -> tuple[AnswersCase, Answer]:
    case = ALL["main-question"]
    assert isinstance(case, AnswersCase)
    return case, assistant.ask(Question(text=case.question))


def _failed(case: AnswersCase, answer: Answer) -> set[str]:
    return {check.name for check in judge(case.expect, answer) if not check.passed}


def test_the_main_case_passes(answered: tuple[AnswersCase, Answer]) -> None:
    assert _failed(*answered) == set()


def test_planted_faults_fail_the_check_that_should_notice_and_no_other(answered: tuple[AnswersCase, Answer]) -> None:
    case, answer = answered
    plan = answer.plan
    assert plan is not None
    other = answer.model_copy(update={"plan": plan.model_copy(update={"persona_id": "adults"})})
    assert _failed(case, other) == {"cohort"}
    assert _failed(case, answer.model_copy(update={"steps": answer.steps[:1]})) == {"tools"}
    assert _failed(case, answer.model_copy(update={"citations": ()})) == {"cites"}
    assert _failed(case, answer.model_copy(update={"removed": ("x",)})) == {"grounded"}
    without = tuple(e for e in answer.estimates if e.endpoint != "nausea")
    assert _failed(case, answer.model_copy(update={"estimates": without})) == {"endpoints"}


def test_a_left_out_trial_is_noticed_but_not_a_word_that_sounds_like_it(answered: tuple[AnswersCase, Answer]) -> None:
    _, answer = answered
    trial = next(e for e in ("SUSTAIN 9", "SUSTAIN 2", "SUSTAIN 7", "FLOW") if e in answer.markdown)
    assert leaked([trial], answer) == [trial]
    assert leaked([f"{trial}*"], answer) == [trial]
    said = answer.model_copy(update={"headline": "They recovered, and were selected in an emergency."})
    bare = said.model_copy(update={"sections": ()})
    assert leaked(["COVE", "SELECT", "EMERGE"], bare) == []
    asked = answer.model_copy(update={"question": f"What did {trial} find?"})
    assert leaked([trial], asked) == []


def test_outcomes_name_their_trial_first(shipped: object) -> None:
    cases = [case for case in ALL.values() if isinstance(case, OutcomesCase)]
    assert cases
    assert all(case.exclude and case.published for case in cases)
