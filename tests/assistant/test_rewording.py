"""An edited plan comes out of the question that is written from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.intents import Intent
from assistant.rewording import Pico, pico_of, preview, reword, who_gains, why
from assistant.schemas import Plan
from assistant.understanding import understand
from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, UnknownEndpoint
from personas.library import PersonaLibrary

MAIN = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"


def plain(plan_of: str, shipped: KnowledgeBase, library: PersonaLibrary) -> Pico:
    return pico_of(preview([plan_of], shipped, library).plan, shipped.vocabulary)


def test_the_fields_of_a_question_give_the_same_plan_again(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    first = preview([MAIN], shipped, library).plan
    again = reword(pico_of(first, shipped.vocabulary), shipped, library)
    assert again.will_run
    assert again.differences == ()
    assert again.plan == first


@pytest.mark.parametrize(
    ("edit", "field", "expected"),
    [
        ({"intervention": "semaglutide 2 mg once weekly"}, "interventions", ("semaglutide 2 mg once weekly",)),
        ({"horizon_weeks": 52}, "horizon_weeks", 52.0),
        ({"comparator": "usual care"}, "comparator", "usual care"),
        ({"outcomes": ("nausea", "discontinuation_adverse_event")}, "outcomes",
         ("nausea", "stopped treatment because of adverse events")),
        ({"population": "women over 70 with type 2 diabetes"}, "population",
         "Older adults with type 2 diabetes, limited to women, age 70 and over"),
        ({"comparator": "liraglutide 1.8 mg once daily"}, "interventions",
         ("semaglutide 1 mg once weekly", "liraglutide 1.8 mg once daily")),
    ],
)  # fmt: skip
def test_an_edit_reaches_the_plan(
    edit: dict[str, object], field: str, expected: object, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    wanted = plain(MAIN, shipped, library).model_copy(update=edit)
    read = reword(wanted, shipped, library)
    assert read.will_run, read
    assert read.differences == ()
    assert getattr(read.plan, field) == expected
    for other in {"interventions", "horizon_weeks", "outcomes", "population"} - {field}:
        assert getattr(read.plan, other) == getattr(preview([MAIN], shipped, library).plan, other)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(st.integers(0, 10_000), max_size=3),
    dose=st.sampled_from(["0.25", "0.5", "1.7", "2.4", "7.2"]),
    weeks=st.integers(2, 300),
)
def test_any_dose_horizon_and_outcomes_reach_the_plan(
    chosen: list[int], dose: str, weeks: int, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    known = sorted(shipped.vocabulary.endpoints)
    names = list(dict.fromkeys(known[index % len(known)] for index in chosen))
    pico = Pico(
        population="adults with type 2 diabetes",
        intervention=f"semaglutide {dose} mg once weekly",
        outcomes=tuple(names),
        horizon_weeks=weeks,
    )
    read = reword(pico, shipped, library)
    assert read.will_run, (read, names)
    assert read.plan.interventions == (f"semaglutide {float(dose):g} mg once weekly",)
    assert read.plan.horizon_weeks == weeks
    # What is not read as asked is said.
    labels = {shipped.vocabulary.endpoint(name).label for name in names}
    assert set(read.plan.outcomes) == labels or read.differences


def test_every_outcome_can_be_chosen(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    base = Pico(population="adults with type 2 diabetes", intervention="semaglutide 1 mg once weekly")
    lost = []
    for name, endpoint in shipped.vocabulary.endpoints.items():
        read = reword(base.model_copy(update={"outcomes": (name,)}), shipped, library)
        if read.plan.outcomes != (endpoint.label,):
            lost.append(name)
    assert len(lost) <= len(shipped.vocabulary.endpoints) // 20, lost


def test_a_field_cannot_smuggle_in_a_second_question(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    pico = plain(MAIN, shipped, library).model_copy(update={"population": "adults with\n type 2 diabetes?"})
    assert "\n" not in reword(pico, shipped, library).question
    assert reword(pico, shipped, library).question.count("?") == 1


def test_what_cannot_be_read_is_said(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    pico = Pico(population="adults with type 2 diabetes", intervention="zorbamycin 5 mg")
    read = reword(pico, shipped, library)
    assert not read.will_run
    assert "zorbamycin" in read.differences[0]


@pytest.mark.parametrize("field", ["population", "intervention"])
def test_an_empty_field_is_refused(field: str, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    with pytest.raises(InvalidInput, match=f"The {field} is empty"):
        reword(plain(MAIN, shipped, library).model_copy(update={field: " ?"}), shipped, library)


def test_an_unknown_outcome_is_refused(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    with pytest.raises(UnknownEndpoint):
        reword(plain(MAIN, shipped, library).model_copy(update={"outcomes": ("happiness",)}), shipped, library)


def test_a_preview_reads_a_follow_up_in_its_conversation(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    plan = preview([MAIN, "and in women?"], shipped, library).plan
    assert "women" in plan.population
    assert plan.interventions == ("semaglutide 1 mg once weekly",)


@pytest.mark.parametrize(("asks", "intent"), [(who_gains, Intent.RESPONDERS), (why, Intent.EXPLAIN)])
@pytest.mark.parametrize(
    "question", [MAIN, "How would women with hypertension react to amlodipine 10 mg over 8 weeks?"]
)
def test_the_buttons_ask_what_they_say(
    asks: Callable[[Plan], str], intent: Intent, question: str, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    plan = preview([question], shipped, library).plan
    asked = asks(plan)
    assert understand(asked, shipped.vocabulary, library).intent is intent
    read = preview([asked], shipped, library).plan
    assert (read.population, read.interventions, read.horizon_weeks) == (
        plan.population, plan.interventions, plan.horizon_weeks,
    )  # fmt: skip
    assert asks(Plan(population="")) == ""
