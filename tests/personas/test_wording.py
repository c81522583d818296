from __future__ import annotations

import pytest

from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.wording import describe_cohort, describe_restrictions


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], ""),
        (["age>=70"], "age 70 and over"),
        (["age<40"], "age below 40"),
        (["age>=40", "age<=60"], "age 40 to 60"),
        (["egfr>=30", "egfr<60", "sex=female"], "women, eGFR 30 to below 60"),
        (["hba1c>9"], "HbA1c above 9 %"),
        (["hba1c>=8", "hba1c<10"], "HbA1c 8 to below 10 %"),
        (["sbp>=160"], "systolic blood pressure 160 mmHg or more"),
        (["bmi<=27"], "BMI up to 27"),
        (["hypertension=yes", "heart_failure=no"], "those with hypertension, those without heart failure"),
        (["payer=uninsured"], "the uninsured"),
        (["ethnicity=black"], "Black ethnicity"),
        (["region=north_east"], "region north east"),
        (["prefers_oral=yes"], "those with a preference for tablets"),
        (["diabetes_duration>=10"], "diabetes duration 10 years or more"),
        (["nyha>=iii"], "nyha >= iii"),
        (["nyha>=ii", "nyha<=iv", "age>=50"], "age 50 and over, nyha ii to iv"),
    ],
)
def test_restrictions_in_words(texts: list[str], words: str) -> None:
    assert describe_restrictions(parse_restrictions(texts)) == words


def test_those_under_18_are_girls_and_boys(shipped: PersonaLibrary) -> None:
    children, adults = shipped.get("children"), shipped.get("adults")
    assert describe_cohort(children, parse_restrictions("sex=female")) == "Children aged 5 to 17, limited to girls"
    assert describe_cohort(adults, parse_restrictions("sex=male")) == "Adults in the United States, limited to men"
