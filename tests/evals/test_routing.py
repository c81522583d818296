"""The questions are sound, the halves are stable, the scores notice planted faults, and the planner meets its marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.routing import Router, Share, Verdict, failure, load_first_scores, of_half, report, scores
from evals.routing_cases import Act, Cohort, Half, RoutingCase, check_names, comparable, load_routing_cases
from knowledge.base import KnowledgeBase
from knowledge.errors import DataError
from personas.library import PersonaLibrary

CASES = load_routing_cases()


@pytest.fixture(scope="module")
def router(shipped: KnowledgeBase, library: PersonaLibrary) -> Router:
    return Router(shipped, library)


@pytest.fixture(scope="module")
def verdicts(router: Router) -> list[Verdict]:
    return [router.judge(case) for case in CASES]


def test_there_are_enough_questions_of_every_kind() -> None:
    assert len(CASES) >= 250
    assert {act for case in CASES for act in case.do} == set(Act)
    assert sum(bool(case.after) for case in CASES) >= 20
    for half in Half:
        assert len([case for case in CASES if case.half is half]) >= 100


def test_every_name_in_the_cases_exists(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert check_names(CASES, shipped, library) == []


def test_a_half_never_changes() -> None:
    case = RoutingCase.model_validate({"question": "and in women?", "kind": "x", "do": "ask"})
    assert case.half is Half.DEVELOPMENT
    assert case.model_copy(update={"after": ("How would smokers react?",)}).half is Half.TEST


def test_broken_and_doubled_cases_are_named(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text('kind:\n- {q: "x", do: fly}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"routing\.yaml, kind 1"):
        load_routing_cases(path)
    path.write_text('kind:\n- {q: "x", do: ask}\n- {q: "x", do: ask}\n', encoding="utf-8")
    with pytest.raises(DataError, match="twice"):
        load_routing_cases(path)


def test_cohorts_and_doses_are_read_from_the_short_form() -> None:
    case = RoutingCase.model_validate(
        {"question": "q", "kind": "k", "do": "simulate", "who": "a [x>5, y=no] | b", "drugs": ["c d 1.5 mg", "e ?"]}
    )
    assert case.who == (Cohort(persona_id="a", restrictions=frozenset({"x>=5", "y=no"})), Cohort(persona_id="b"))
    assert [(one.name, one.dose, one.unit, one.scored) for one in case.drugs] == [
        ("c d", 1.5, "mg", True),
        ("e", None, "", False),
    ]
    assert comparable("age > 65") == "age>=65"


@pytest.mark.parametrize(
    ("wrong", "slot"),
    [
        ({"who": (Cohort(persona_id="obesity_adults"),)}, "cohort"),
        ({"drugs": ["dulaglutide 1 mg"]}, "intervention"),
        ({"drugs": ["semaglutide 2 mg"]}, "dose"),
        ({"see": ["nausea"]}, "endpoint"),
        ({"weeks": 52}, "horizon"),
        ({"do": "compare"}, ""),
    ],
)
def test_a_planted_fault_is_noticed(wrong: dict[str, object], slot: str, router: Router) -> None:
    question = "semaglutide 1 mg in adults with type 2 diabetes, a1c after 30 weeks"
    right: dict[str, object] = {
        "question": question, "kind": "x", "do": "simulate", "who": "t2d_adults", "drugs": ["semaglutide 1 mg"],
        "see": ["hba1c_change"], "weeks": 30,
    }  # fmt: skip
    assert router.judge(RoutingCase.model_validate(right)).right
    if "who" in wrong:
        wrong = {"who": "obesity_adults"}
    verdict = router.judge(RoutingCase.model_validate(right | wrong))
    assert not verdict.right
    assert verdict.act_right is bool(slot)
    assert not slot or not verdict.slots[slot]
    assert question in failure(verdict)


def test_the_shares_carry_their_intervals() -> None:
    share = Share(name="x", k=95, n=100)
    assert share.value == 0.95
    assert "88.8 to 97.8 %" in str(share)


def test_the_planner_meets_its_marks_in_both_halves(verdicts: list[Verdict]) -> None:
    for half in Half:
        found = {share.name: share.value for share in scores(of_half(verdicts, half))}
        assert found["tool choice"] >= 0.95, half
        for slot in ("cohort", "intervention", "dose", "endpoint", "horizon"):
            assert found[f"slot {slot}"] >= 0.92, (half, slot)
        assert found["refuses where due"] >= 0.95, half
        assert found["refuses wrongly"] <= 0.05, half


def test_first_scores_are_of_sets_that_exist() -> None:
    counted = {kind: sum(case.kind == kind for case in CASES) for kind in {case.kind for case in CASES}}
    for first in load_first_scores():
        assert counted[first.name] == first.n
        assert first.k <= first.n


def test_the_report_names_both_halves_and_no_test_question(verdicts: list[Verdict]) -> None:
    text = report(verdicts)
    for half in Half:
        assert f"{half}" in text
    missed = [verdict.case.question for verdict in of_half(verdicts, Half.TEST) if not verdict.right]
    assert not any(question in text for question in missed)
