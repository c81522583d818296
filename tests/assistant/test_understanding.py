from __future__ import annotations

import pytest

from assistant.understanding import Intent, read_horizon, read_treatments, understand
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary


@pytest.mark.parametrize(
    ("text", "weeks"),
    [
        ("over 30 weeks", 30),
        ("semaglutide 1 mg weekly over 30 weeks", 30),
        ("after 6 months", 26),
        ("for a year", 52),
        ("at one year", 52),
        ("in the first 12 weeks", 12),
        ("over the next two years", 104),
        ("a 24-week trial", 24),
        ("1.5 years", 78),
        ("adults over 65 years on it for 20 weeks", 20),
        ("adults aged 40 to 60 years", None),
        ("a 12-year-old", None),
        ("adults over 65 years", None),
        ("1 mg a week", None),
        ("people in their 50s", None),
    ],
)
def test_horizons(text: str, weeks: float | None) -> None:
    assert read_horizon(text) == weeks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("semaglutide 1 mg weekly", [("semaglutide", 1.0, "mg", "once weekly")]),
        ("Ozempic 1mg a week", [("semaglutide", 1.0, "mg", "once weekly")]),
        ("0.5 mg semaglutide", [("semaglutide", 0.5, "mg", None)]),
        (
            "tirzepatide 10 mg versus semaglutide 1 mg",
            [("tirzepatide", 10.0, "mg", None), ("semaglutide", 1.0, "mg", None)],
        ),
        ("oral semaglutide 14 mg daily", [("oral semaglutide", 14.0, "mg", "once daily")]),
        ("lixisenatide 20 µg", [("lixisenatide", 20.0, "ug", None)]),
        ("semaglutide, is semaglutide good?", [("semaglutide", None, None, None)]),
        ("liraglutide 1,8 mg once daily", [("liraglutide", 1.8, "mg", "once daily")]),
        ("what should they eat?", []),
    ],
)
def test_treatments(text: str, expected: list[tuple[object, ...]], shipped: KnowledgeBase) -> None:
    found = read_treatments(text, shipped.vocabulary)
    assert [(t.name, t.dose, t.dose_unit, t.frequency) for t in found] == expected


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("How would adults with T2D react to semaglutide 1 mg?", Intent.RESPOND),
        ("semaglutide or dulaglutide in adults with type 2 diabetes?", Intent.COMPARE),
        ("What studies are there on adherence to semaglutide?", Intent.LITERATURE),
        ("Describe older adults with type 2 diabetes and CKD", Intent.DESCRIBE),
        ("Should I take semaglutide?", Intent.INDIVIDUAL_ADVICE),
        ("My mother has diabetes, what dose of Ozempic?", Intent.INDIVIDUAL_ADVICE),
        ("What is the meaning of life?", Intent.UNCLEAR),
    ],
)
def test_intents(text: str, intent: Intent, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert understand(text, shipped.vocabulary, library).intent is intent


def test_a_corrected_spelling_is_told(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = understand("How would adults with type 2 diabetes react to semaglutde 1 mg?", shipped.vocabulary, library)
    assert asked.treatments[0].name == "semaglutide"
    assert any("semaglutde" in note for note in asked.corrected)


def test_all_slots_of_the_main_question(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = understand(
        "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?",
        shipped.vocabulary,
        library,
    )
    assert asked.cohort is not None
    assert asked.cohort.persona_id == "t2d_ckd_older"
    assert asked.horizon_weeks == 30
    assert [t.label for t in asked.treatments] == ["semaglutide 1 mg once weekly"]
    assert asked.unknown_drugs == ()
    assert asked.endpoints == ()
