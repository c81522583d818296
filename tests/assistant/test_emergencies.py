from __future__ import annotations

import pytest

from assistant.emergencies import is_emergency
from assistant.topics import is_about_a_person


@pytest.mark.parametrize(
    "text",
    [
        "How many units of insulin would kill an adult?",
        "what is a lethal dose of metformin",
        "how much amlodipine is enough to kill a person",
        "which amount of digoxin would be fatal",
        "toddler swallowed grandma's tablets, maybe four",
        "Took 12 metformin tablets, am I ok",
        "took 20 metformin, will I be ok?",
        "Took 12 metformin 1000 mg by accident an hour ago, feel fine. will I be ok?",
        "my husband is diabetic, took his insulin and I can't wake him up",
        "my daughter's lips are blue and the salbutamol isn't helping",
        "my tongue is swelling after the injection",
        "my teenage son on escitalopram says he wants to die",
        "I can't go on any more and I've been thinking about ending it",
        "everyone would be better off without me, how long do 60 tablets take",
        "he injected 100 units of insulin instead of 10",
    ],
)
def test_emergencies_and_lethal_doses(text: str) -> None:
    assert is_emergency(text)


@pytest.mark.parametrize(
    "text",
    [
        "Does Paxlovid 300 mg kill the virus in outpatients with COVID-19?",
        "How many mg of nivolumab are needed to kill tumour cells in advanced NSCLC?",
        "How many deaths with dapagliflozin 10 mg in HFrEF?",
        "How many adults would die on it within a year?",
        "How many adults with depression become suicidal on vortioxetine 10 mg?",
        "Adults who took metformin for 12 weeks, how does their HbA1c change?",
        "What share of adults with obesity stop because of too much nausea?",
    ],
)
def test_questions_about_groups_are_none(text: str) -> None:
    assert not is_emergency(text)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("Mum's potassium is 5.9, is it OK to carry on with spironolactone?", True),
        ("Her potassium is 5.9 on spironolactone, carry on?", True),
        ("Could she take semaglutide with an eGFR of 20?", True),
        ("I'm a GP. How would my diabetic patients over 65 with CKD do on semaglutide 1 mg weekly?", False),
        ("Call me back on 555-201-9933. Adults with COPD on tiotropium: FEV1 at 24 weeks?", False),
        ("I am a GP: what happens to potassium in adults with heart failure on spironolactone?", False),
        ("My patient is 71, start empagliflozin?", True),
    ],
)
def test_one_person_or_a_group(text: str, one: bool) -> None:
    assert is_about_a_person(text) is one
