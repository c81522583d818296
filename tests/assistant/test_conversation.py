"""Follow-ups lean on the question before, and only as far as they leave something out."""

from __future__ import annotations

import pytest

from assistant.conversation import understand_conversation
from assistant.intents import Intent
from assistant.understanding import Understanding
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary

FIRST = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"


def _after(shipped: KnowledgeBase, library: PersonaLibrary, *texts: str) -> Understanding:
    return understand_conversation(texts, shipped.vocabulary, library)


def _who(asked: Understanding) -> tuple[str, list[str]]:
    assert asked.cohort is not None
    return asked.cohort.persona_id, [str(item) for item in asked.cohort.restrictions]


def test_another_sex_keeps_everything_else(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, "and in women?")
    assert _who(asked) == ("t2d_adults", ["sex=female"])
    assert [one.label for one in asked.treatments] == ["semaglutide 1 mg once weekly"]
    assert asked.horizon_weeks == 30
    assert any("type 2 diabetes" in note for note in asked.inherited)


def test_a_second_follow_up_replaces_the_first(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert _who(_after(shipped, library, FIRST, "and in women?", "and in men?")) == ("t2d_adults", ["sex=male"])


def test_people_without_a_noun_are_understood(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert _who(_after(shipped, library, FIRST, "under 50 only")) == ("t2d_adults", ["age<50"])


def test_a_contradiction_with_the_archetype_goes_up_the_tree(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    older = FIRST.replace("adults", "adults over 65")
    assert _who(_after(shipped, library, older, "and people under 50?")) == ("t2d_adults", ["age<50"])


@pytest.mark.parametrize(
    ("text", "dose"),
    [
        ("what about double the dose?", 2.0),
        ("half the dose", 0.5),
        ("and at 2 mg?", 2.0),
        ("and 3 times the dose?", 3.0),
        ("same, but for a year", 1.0),
    ],
)
def test_doses_are_changed(text: str, dose: float, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, text)
    assert [one.dose for one in asked.treatments] == [dose]
    assert asked.ask == ""


@pytest.mark.parametrize(
    "texts",
    [
        (FIRST, "what about a higher dose?"),
        (FIRST.replace(" 1 mg weekly", ""), "double the dose"),
        (FIRST.replace("1 mg weekly", "1 mg versus dulaglutide 1.5 mg"), "double the dose"),
    ],
)
def test_one_question_is_asked_when_the_dose_is_open(
    texts: tuple[str, ...], shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    assert _after(shipped, library, *texts).ask.count("?") == 1


def test_another_drug_replaces_the_first_and_versus_adds_one(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    replaced = _after(shipped, library, FIRST, "and tirzepatide 10 mg?")
    assert [one.name for one in replaced.treatments] == ["tirzepatide"]
    compared = _after(shipped, library, FIRST, "how does that compare with tirzepatide 10 mg?")
    assert [one.name for one in compared.treatments] == ["semaglutide", "tirzepatide"]
    assert compared.intent is Intent.COMPARE


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("why do you say so?", Intent.EXPLAIN),
        ("who gains most?", Intent.RESPONDERS),
        ("and when they stop it?", Intent.STOP),
        ("describe them", Intent.DESCRIBE),
        ("any studies on that?", Intent.LITERATURE),
        ("what would that cost?", Intent.NOT_PREDICTED),
        ("should I take it then?", Intent.INDIVIDUAL_ADVICE),
    ],
)
def test_what_a_follow_up_wants(text: str, intent: Intent, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert _after(shipped, library, FIRST, text).intent is intent


def test_how_long_they_took_it_is_kept_when_they_stop(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, "what happens a year after they stop it?")
    assert asked.weeks_on == 30


@pytest.mark.parametrize("text", ["only the ones with eGFR below 60", "only those with an eGFR below 60"])
def test_a_limit_in_a_follow_up_is_never_passed_over(
    text: str, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    persona, restrictions = _who(_after(shipped, library, FIRST, text))
    assert persona == "t2d_ckd" or "egfr<60" in restrictions


def test_only_narrows_the_cohort_and_does_not_replace_it(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, "the smokers only")
    assert asked.cohort is None or asked.cohort.persona_id.startswith("t2d")


def test_what_cannot_be_read_is_asked_back(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, "and with the blue stuff?")
    assert "blue stuff" in asked.ask


def test_a_mixture_is_narrowed_as_a_whole(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    mixed = "weight on semaglutide 1 mg in 60 % adults with T2D and 40 % adults with obesity"
    asked = _after(shipped, library, mixed, "and in women?")
    assert asked.cohort is not None
    assert [part.persona_id for part in asked.cohort.mixture] == ["t2d_adults", "obesity_adults"]
    assert [str(item) for item in asked.cohort.restrictions] == ["sex=female"]


def test_a_question_that_says_everything_stands_alone(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    text = "How would smokers react to varenicline 1 mg twice daily?"
    alone, later = _after(shipped, library, text), _after(shipped, library, FIRST, text)
    assert later == alone
    assert later.inherited == ()


def test_an_unknown_drug_is_not_replaced_by_the_last_one(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, "ok and Zorbimab 5 mg?")
    assert asked.unknown_drugs == ("Zorbimab",)
    assert asked.active == []


def test_another_unit_and_the_other_arm_are_the_same_prediction(
    shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    first = "canagliflozin 300 mg in adults with type 2 diabetes: HbA1c change at 26 weeks"
    assert _after(shipped, library, first, "what is that in mmol/mol?").ask == ""
    placebo = _after(shipped, library, first, "and on placebo?")
    assert placebo.ask == ""
    assert [one.label for one in placebo.treatments] == ["canagliflozin 300 mg", "placebo"]


def test_a_drug_is_added_to_those_compared(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    first = "tirzepatide 10 mg vs semaglutide 1 mg in adults with type 2 diabetes at 40 weeks"
    ranked = _after(shipped, library, first, "add dulaglutide 1.5 mg and rank the three on HbA1c")
    assert ranked.intent is Intent.RANK
    assert [one.label for one in ranked.active] == ["tirzepatide 10 mg", "semaglutide 1 mg", "dulaglutide 1.5 mg"]


def test_an_illness_of_two_is_taken_away(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    turns = ("adults with obesity and type 2 diabetes on semaglutide 2.4 mg", "tirzepatide 10 mg?", "15 mg?")
    asked = _after(shipped, library, *turns, "how many have vomiting on it?", "and those without diabetes?")
    assert _who(asked) == ("obesity_adults", ["type_2_diabetes=no"])
    assert [one.label for one in asked.active] == ["tirzepatide 15 mg"]


def test_what_they_are_on_already_is_no_new_treatment(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _after(shipped, library, FIRST, "only those on metformin")
    assert [one.name for one in asked.active] == ["semaglutide"]
    assert [one.name for one in asked.background] == ["metformin"]
    assert [one.name for one in _after(shipped, library, FIRST, "and patients on tirzepatide?").active] == [
        "tirzepatide"
    ]
