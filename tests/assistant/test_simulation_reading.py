"""Which questions are for a simulation, what is asked back, and what a follow-up changes. No number is made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from assistant.conversation import understand_conversation
from assistant.intents import Intent
from assistant.plans import Draft, draft_plan
from assistant.rewording import pico_of, reword
from assistant.schemas import Status
from assistant.simulation_pages import pages
from assistant.simulation_reading import read_simulation
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary

OUTBREAK = (
    "Epidemic in a town of 20,000 with R0 2, latent period 3 days and infectious period 4 days: how many infections?"
)


@pytest.fixture
def plan(shipped: KnowledgeBase, library: PersonaLibrary) -> Any:
    def made(*texts: str) -> Draft:
        return draft_plan(understand_conversation(texts, shipped.vocabulary, library), shipped, library)

    return made


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return [float(value)]
    items: Sequence[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [number for item in items for number in numbers_in(item)]


def test_numbers_of_the_question_are_the_arguments_and_no_other(plan: Any) -> None:
    (call,) = plan(OUTBREAK).calls
    assert call.tool == "simulate_epidemic"
    assert sorted(numbers_in(call.arguments)) == [2.0, 3.0, 4.0, 20000.0]


def test_all_that_is_missing_is_asked_for_at_once(plan: Any) -> None:
    draft = plan("If R0 is 2.5 and half the town is vaccinated, when does the flu epidemic peak?")
    assert draft.status is Status.NEEDS_INPUT
    assert draft.calls == ()
    assert "To compute this I need" in draft.reply
    for asked in ("how many people", "latent period", "infectious, in days", "vaccine lowers"):
        assert asked in draft.reply
    assert "Read so far: R0 2.5" in draft.reply
    assert "For example" in draft.reply


def test_what_was_missing_can_be_answered_alone(plan: Any) -> None:
    draft = plan(
        "An outbreak with R0 of 2.5 in a town of 50,000: how many get infected?", "latent 3 days, infectious 5 days"
    )
    assert draft.calls[0].arguments == {
        "population": 50000, "reproduction_number": 2.5, "latent_days": 3, "infectious_days": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("question", "path", "value"),
    [("What if R0 were 3?", "reproduction_number", 3), ("and with an infectious period of a week?", "infectious_days", 7),
     ("what about a town of 90,000?", "population", 90000)],
)  # fmt: skip
def test_a_follow_up_changes_one_value(question: str, path: str, value: float, plan: Any) -> None:
    before, after = plan(OUTBREAK).calls[0].arguments, plan(OUTBREAK, question).calls[0].arguments
    assert after == before | {path: value}
    assert any("taken over from the question before" in note for note in plan(OUTBREAK, question).plan.notes)


def test_another_question_is_no_follow_up(plan: Any) -> None:
    draft = plan(OUTBREAK, "How would adults with type 2 diabetes react to semaglutide 1 mg over 30 weeks?")
    assert draft.understood.intent is Intent.RESPOND
    other = plan(OUTBREAK, "Simon two-stage design, p0 = 10 %, p1 = 30 %")
    assert other.calls[0].tool == "design_two_stage_trial"


def test_a_range_stays_one(plan: Any) -> None:
    draft = plan(
        "R0 between 2 and 3, latent period 3 days, infectious period 4 to 6 days, population 50000: attack rate?"
    )
    assert draft.calls[0].arguments["reproduction_number"] == {"distribution": "uniform", "a": 2.0, "b": 3.0}
    assert draft.calls[0].arguments["infectious_days"] == {"distribution": "uniform", "a": 4.0, "b": 6.0}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("R0 of -2 in a village of 800, latent 2 days, infectious 4 days, how large is the outbreak?", "above 0"),
        ("sample size with power 120 %, difference 5, sd 10", "power lies between"),
        ("sample size: difference 5, sd 0", "above 0"),
        ("There are 100 patients now, 10 new cases a year, 130 % die each year; how many in 5 years?", "0 and 100 %"),
    ],
)
def test_a_value_out_of_reach_is_said_so(question: str, said: str, plan: Any) -> None:
    draft = plan(question)
    assert draft.status is Status.NEEDS_INPUT
    assert said in draft.reply


def test_unlike_times_are_put_into_one_unit(plan: Any) -> None:
    asked = "Outpatient clinic, 30 patients a day, 3 doctors, 40 minutes per consultation, open 8 hours a day. Waiting time?"
    arguments = plan(asked).calls[0].arguments
    assert arguments["time_unit"] == "minutes"
    assert arguments["streams"][0]["rate"] == pytest.approx(30 / 8 / 60)
    without = plan(asked.replace(", open 8 hours a day", ""))
    assert "how many hours a day it is open" in without.reply


def test_a_week_is_not_read_out_of_and(plan: Any) -> None:
    arguments = plan("(s,S) policy with s = 40 and S = 120, weekly demand of 25, lead time 1 week").calls[0].arguments
    assert (arguments["period"], arguments["lead_time"]) == ("week", 1)


def test_other_money_needs_its_own_threshold(plan: Any) -> None:
    asked = "A pill costs €1,000 per year and adds 0.02 QALYs a year: cost per QALY?"
    assert "willingness to pay" in plan(asked).reply
    assert plan(asked.replace("€", "$")).calls


@pytest.mark.parametrize(
    "text",
    [
        "does dementia affect capacity to consent", "power of attorney for my mother", "What is the power of prayer?",
        "supply of insulin in the body of adults with type 2 diabetes", "lung capacity in adults with COPD",
        "What has been published about the cost-effectiveness of statins?", "Do adults with asthma sit in waiting rooms?",
        "bed rest for low back pain", "stocky men with type 2 diabetes on metformin 2000 mg: weight",
    ],
)  # fmt: skip
def test_words_that_only_sound_like_it_are_not_caught(text: str) -> None:
    assert read_simulation(text) is None


def test_no_drug_outcome_or_cohort_sounds_like_a_simulation(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    endpoints = shipped.vocabulary.endpoints.values()
    ends = {name for one in endpoints for name in (one.label, *one.synonyms)}
    drugs = {name for one in shipped.vocabulary.drugs.values() for name in (one.name, *one.brands)}
    people = {library.get(name).name.lower() for name in library.ids()}
    asked = [f"How would adults with gout react to colchicine over 52 weeks? Outcomes: {name}." for name in ends]
    asked += [f"How would adults with gout react to {name} 1 mg over 52 weeks?" for name in drugs]
    asked += [f"How would {name} react to semaglutide 1 mg over 52 weeks?" for name in people]
    caught = [text for text in asked if (found := read_simulation(text)) is not None and found.sure]
    assert caught == []


def test_long_and_odd_texts_are_read_in_good_time() -> None:
    for text in (
        "how many " * 400,
        "1," * 2000,
        "R0 2.5 outbreak " + "2 days " * 500,
        "cost 3 " * 500,
        "\u202f" * 4000,
    ):
        read_simulation(text[:4000])


def test_the_plan_can_be_edited_and_run(shipped: KnowledgeBase, library: PersonaLibrary, plan: Any) -> None:
    draft = plan(OUTBREAK)
    pico = pico_of(draft.plan, shipped.vocabulary)
    assert pico.population == "An outbreak: R0 2; latent period 3 days; infectious period 4 days; people 20,000"
    assert reword(pico, shipped, library).will_run
    edited = pico.model_copy(update={"population": pico.population.replace("R0 2;", "R0 3.5;")})
    read = reword(edited, shipped, library)
    assert read.will_run
    before, after = draft.calls[0].arguments, plan(read.question).calls[0].arguments
    assert after == before | {"reproduction_number": 3.5}


@pytest.mark.parametrize("tool", sorted(pages()))
def test_the_plan_of_each_page_says_what_it_runs(
    tool: str, shipped: KnowledgeBase, library: PersonaLibrary, plan: Any
) -> None:
    draft = plan(pages()[tool].example)
    again = plan(reword(pico_of(draft.plan, shipped.vocabulary), shipped, library).question)
    assert again.calls
    assert numbers_in(again.calls[0].arguments) == numbers_in(draft.calls[0].arguments)


@pytest.mark.parametrize(
    "question",
    [
        "How long would patients wait if our clinic loses one of three nurses, with 5 patients an hour and 20 minutes each?",
        "How many nurses so that 95 % of patients wait less than 10 minutes? 12 patients come per hour, a visit takes 15 minutes",
        "Survival trial HR 0.7, one-sided alpha 0.025, power 90%, how many events?",
        "Commercial plan with 800,000 members drops coverage of semaglutide for obesity to 30 %. How many adults with obesity "
        "start it in a year?",
        "SIR model, R0=1.4, infectious period 10 days, N = 250k: attack rate and peak day?",
    ],
)
def test_nothing_gets_lost_when_a_plan_is_run_again(
    question: str, shipped: KnowledgeBase, library: PersonaLibrary, plan: Any
) -> None:
    draft = plan(question)
    again = plan(reword(pico_of(draft.plan, shipped.vocabulary), shipped, library).question)
    assert numbers_in(again.calls[0].arguments) == numbers_in(draft.calls[0].arguments)
