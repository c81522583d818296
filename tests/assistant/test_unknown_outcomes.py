from __future__ import annotations

import pytest

from assistant.conversation import understand_conversation
from assistant.plans import draft_plan
from assistant.schemas import Status
from assistant.unknown_outcomes import unknown_outcomes
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("how many hairs per square centimetre do they lose", ("hairs",)),
        ("By how many IQ points does it raise intelligence", ("IQ points", "intelligence")),
        ("How much does bone density fall", ("bone density",)),
        ("what happens to grip strength", ("grip strength",)),
        ("effect of   2.4 mg on sleep quality in   ", ("sleep quality",)),
        ("how many kilograms do they lose", ()),
        ("how much weight do they lose", ()),
        ("how many people would respond", ()),
        ("reduction in symptoms", ()),
        ("by how many points does the score improve", ()),
    ],
)
def test_what_is_no_outcome_here(text: str, found: tuple[str, ...]) -> None:
    at = text.find("weight")
    assert unknown_outcomes(text, [(at, at + 6)] if at >= 0 else []) == found


@pytest.mark.parametrize(
    ("question", "endpoints", "unknown"),
    [
        ("How many hairs per square centimetre do adults with obesity lose on semaglutide 2.4 mg?", (), ("hairs",)),
        ("How many kilograms do adults with obesity lose on semaglutide 2.4 mg?", ("weight_change",), ()),
        (
            "By how many IQ points does escitalopram 10 mg raise intelligence in adults with major depression?",
            (),
            ("IQ points", "intelligence"),
        ),
        ("% weight change on tirzepatide 10 mg in adults with obesity", ("weight_percent_change",), ()),
    ],
)
def test_an_unknown_outcome_is_never_another(
    question: str,
    endpoints: tuple[str, ...],
    unknown: tuple[str, ...],
    shipped: KnowledgeBase,
    library: PersonaLibrary,
) -> None:
    asked = understand_conversation([question], shipped.vocabulary, library)
    assert (asked.endpoints, asked.unknown_outcomes) == (endpoints, unknown)
    draft = draft_plan(asked, shipped, library)
    assert (draft.status is Status.NOT_COVERED) == bool(unknown)
    assert all(name in draft.reply for name in unknown)


def test_beside_a_known_outcome_it_is_told(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = understand_conversation(
        ["HbA1c on semaglutide 1 mg in adults with type 2 diabetes; and how much does bone density fall?"],
        shipped.vocabulary,
        library,
    )
    draft = draft_plan(asked, shipped, library)
    assert draft.calls
    assert any("bone density" in note for note in draft.plan.notes)


def test_a_follow_up_does_not_take_the_outcome_before(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    turns = ["weight on semaglutide 2.4 mg in adults with obesity", "and what happens to hair growth?"]
    asked = understand_conversation(turns, shipped.vocabulary, library)
    assert (asked.endpoints, asked.unknown_outcomes) == ((), ("hair growth",))
    assert draft_plan(asked, shipped, library).status is Status.NOT_COVERED


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("Insulin glargine 3 kg a day in adults with type 2 diabetes: HbA1c?", Status.NEEDS_INPUT),
        ("amlodipine 5 ml in adults with hypertension", Status.NEEDS_INPUT),
        ("semaglutide 2.4 mg in adults with obesity: 15 kg loss?", Status.ANSWERED),
        ("Premature babies given metformin 500 mg: weight at 12 weeks", Status.NOT_COVERED),
        ("Infants given metformin 500 mg: weight at 12 weeks", Status.NOT_COVERED),
        ("BCG vaccine in newborns: tuberculosis at 2 years", Status.ANSWERED),
    ],
)
def test_absurd_doses_and_people(
    question: str, status: Status, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    asked = understand_conversation([question], shipped.vocabulary, library)
    assert draft_plan(asked, shipped, library).status is status
