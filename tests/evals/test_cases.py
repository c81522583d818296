"""The cases are sound, and the checks notice planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.schemas import Answer, Question
from assistant.service import Assistant
from evals.checks import judge, leaked
from evals.report import markdown
from evals.runner import load_cases, run_case
from evals.schemas import Case, Check
from knowledge.base import KnowledgeBase
from knowledge.errors import DataError

CASES = {case.id: case for case in load_cases()}


def test_there_are_at_least_ten_cases_each_with_a_reason() -> None:
    assert len(CASES) >= 10
    assert all(len(case.why) > 20 for case in CASES.values())


def test_every_published_value_is_in_the_evidence_base_at_its_source(shipped: KnowledgeBase) -> None:
    for case in CASES.values():
        for published in case.expect.published:
            endpoint = published.estimate_id.split(".")[0]
            assert any(
                arm.source_id == published.source and arm.endpoint == endpoint and arm.value == published.value
                for arm in shipped.arms.arms
            ), (case.id, published)


def test_a_broken_case_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("- id: x\n  question: q\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"bad\.yaml, case 1"):
        load_cases(tmp_path)


@pytest.fixture(scope="module")
def answered(assistant: Assistant) -> tuple[Case, Answer]:
    case = CASES["main-question"]
    return case, assistant.ask(Question(text=case.question))


def _failed(case: Case, answer: Answer) -> set[str]:
    checks: list[Check] = judge(case, answer)[0]
    return {check.name for check in checks if not check.passed}


def test_the_main_case_passes(answered: tuple[Case, Answer]) -> None:
    assert _failed(*answered) == set()


def test_planted_faults_fail_the_check_that_should_notice(answered: tuple[Case, Answer]) -> None:
    case, answer = answered
    plan = answer.plan
    assert plan is not None
    assert "cohort" in _failed(
        case, answer.model_copy(update={"plan": plan.model_copy(update={"persona_id": "adults"})})
    )
    assert "tools" in _failed(case, answer.model_copy(update={"steps": answer.steps[:1]}))
    assert "cites" in _failed(case, answer.model_copy(update={"citations": ()}))
    assert "grounded" in _failed(case, answer.model_copy(update={"removed": ("x",)}))
    without = tuple(e for e in answer.estimates if e.endpoint != "nausea")
    assert "endpoints" in _failed(case, answer.model_copy(update={"estimates": without}))


def test_a_leak_of_a_left_out_trial_is_noticed(answered: tuple[Case, Answer]) -> None:
    case, answer = answered
    assert leaked(case.model_copy(update={"exclude": ("semaglutide",)}), answer) == ["semaglutide"]


def test_the_report_shows_held_out_outcomes(assistant: Assistant) -> None:
    result = run_case(CASES["step-1-obesity"], assistant)
    assert result.outcomes, [check for check in result.checks if not check.passed]
    text = markdown([result], "hash", "offline")
    assert "step-1-obesity" in text
    assert "-14.9" in text
