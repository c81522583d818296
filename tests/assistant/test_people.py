"""Who a question is about, where drugs, doses and outcomes stand close to the words for people."""

from __future__ import annotations

import pytest

from assistant.lay_words import in_plain_words
from assistant.people import read_people, spelled
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary


@pytest.mark.parametrize(
    ("text", "persona", "restrictions"),
    [
        ("RA with an inadequate response to methotrexate on adalimumab", "ra_mtx_ir", []),
        ("what share of adults with gout have kidney disease", "gout_adults", []),
        (
            "bisoprolol 10 mg in heart failure with reduced ejection fraction, hospitalisations for heart failure",
            "hfref_adults",
            [],
        ),
        ("heart failure with reduced ejection fraction, bisoprolol 10 mg or ivabradine 5 mg?", "hfref_adults", []),
        ("high-dose flu vaccine in over 65s", "older_vaccination", []),
        ("most effective antidepressant in over 65s", "depression_older", []),
        ("semaglutide 1 mg in adults over 70 with type 2 diabetes", "t2d_older", ["age>=70"]),
    ],
)
def test_people(
    text: str, persona: str, restrictions: list[str], shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    found = read_people(text, shipped.vocabulary.find_drugs(text), shipped.vocabulary, library)
    assert found.cohort is not None
    assert found.cohort.persona_id == persona
    assert [str(one) for one in found.cohort.restrictions] == restrictions


def test_what_is_implied_is_told(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    text = "most effective antidepressant in over 65s"
    assert read_people(text, [], shipped.vocabulary, library).told == ("read as people with depression",)


def test_a_limit_that_nobody_placed_is_kept(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    text = "does being over 65 blunt the effect in type 2 diabetes"
    found = read_people(text, [], shipped.vocabulary, library)
    assert found.cohort is not None
    said = [str(one) for one in found.cohort.restrictions] + list(found.cohort.not_understood)
    assert any("65" in words for words in said)


def test_words_that_say_what_is_wanted_are_not_misspelled_people() -> None:
    assert spelled("find papers on diabetis") == ("find papers on diabetes", (("diabetis", "diabetes"),))


@pytest.mark.parametrize(
    ("text", "classes", "read", "told"),
    [
        ("ppl with bad knees", (), "people with knee osteoarthritis", ("bad knees",)),
        ("old people with depression", (), "older people with depression", ()),
        ("a 70 year old woman", (), "a 70 year old woman", ()),
        ("people who had a heart attack", ("statin",), "people in secondary prevention", ("who had a heart attack",)),
        ("people who had a heart attack", ("beta blocker",), "people who had a heart attack", ()),
        ("patches or vapes for smokers", (), "nicotine patch or e-cigarettes for smokers", ()),
        ("patches for pain", (), "patches for pain", ()),
    ],
)
def test_homely_words(text: str, classes: tuple[str, ...], read: str, told: tuple[str, ...]) -> None:
    plain, said = in_plain_words(text, classes)
    assert plain == read
    assert tuple(written for written, _ in said) == told
