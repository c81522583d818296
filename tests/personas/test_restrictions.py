from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.errors import EmptyCohort, InvalidInput
from personas.restrictions import bounds_of, entails, parse_restriction, parse_restrictions
from personas.schemas import Persona, Restriction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age>=65", Restriction(attribute="age", operator=">=", value=65)),
        (" Age ≥ 65 ", Restriction(attribute="age", operator=">=", value=65)),
        ("eGFR < 60", Restriction(attribute="egfr", operator="<", value=60)),
        ("sex = Female", Restriction(attribute="sex", operator="=", value="female")),
        ("hba1c>=53 mmol/mol", Restriction(attribute="hba1c", operator=">=", value=7.0)),
        ("HbA1c > 9 %", Restriction(attribute="hba1c", operator=">", value=9)),
        ("weight<=220lb", Restriction(attribute="weight", operator="<=", value=99.8)),
        ("LDL >= 2,6 mmol/l", Restriction(attribute="ldl", operator=">=", value=101)),
        ("body mass index>27", Restriction(attribute="bmi", operator=">", value=27)),
        ("hypertension==yes", Restriction(attribute="hypertension", operator="=", value="yes")),
    ],
)
def test_one_restriction(text: str, expected: Restriction) -> None:
    assert parse_restriction(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a restriction"),
        ("older", "is not a restriction"),
        ("age>>65", "is a number in years"),
        ("sex=female=male", "is not a restriction"),
        ("age!=65", "is not a restriction"),
        ("age>=old", "is a number in years"),
        ("age>=200", "Nobody has an age of 200 years"),
        ("age>=-5", "Nobody has an age of -5 years"),
        ("hba1c>=53", "Did you mean 53 mmol/mol"),
        ("hba1c>=53 mg", "is not a unit of HbA1c"),
        ("30<=egfr<60", "two restrictions"),
        ("income>=5 dollars", "gives a unit"),
    ],
)
def test_what_is_no_restriction_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_restriction(text)


def test_a_range_is_two_restrictions() -> None:
    assert [str(item) for item in parse_restrictions("30 <= eGFR < 60; sex=female")] == [
        "egfr>=30",
        "egfr<60",
        "sex=female",
    ]
    assert [str(item) for item in parse_restrictions(["48 <= hba1c <= 75 mmol/mol"])] == ["hba1c>=6.5", "hba1c<=9"]
    assert parse_restrictions("age>=65 and age>=65, ") == parse_restrictions(["age>=65"])


@pytest.mark.parametrize(
    "texts", [["age>=65", "age<40"], ["age>65", "age<=65"], ["sex=female", "sex=male"], ["age>=30", "age<40", "age>50"]]
)
def test_a_contradiction_names_both_sides(texts: list[str]) -> None:
    with pytest.raises(EmptyCohort, match="Nobody can meet both") as caught:
        parse_restrictions(texts)
    assert sum(text in caught.value.message for text in texts) == 2


NUMBERS = st.integers(min_value=20, max_value=100)
OPERATORS = st.sampled_from([">=", "<=", ">", "<"])


@given(OPERATORS, NUMBERS)
def test_text_and_restriction_are_the_same_thing(operator: str, value: int) -> None:
    item = parse_restriction(f"age{operator}{value}")
    assert str(item) == f"age{operator}{value}"
    assert parse_restriction(str(item)) == item


@given(st.lists(st.tuples(OPERATORS, NUMBERS), min_size=1, max_size=4), OPERATORS, NUMBERS)
def test_entailment_is_what_it_says(said: list[tuple[str, int]], operator: str, value: int) -> None:
    """Against a fine grid of ages: entailed exactly when no age meets all of `said` and not `wanted`."""
    items = [parse_restriction(f"age{sign}{number}") for sign, number in said]
    wanted = parse_restriction(f"age{operator}{value}")
    compare = {">=": float.__ge__, "<=": float.__le__, ">": float.__gt__, "<": float.__lt__}

    def meets(age: float, item: Restriction) -> bool:
        return compare[item.operator](age, float(item.value))

    grid = [step / 2 for step in range(241)]
    inside = [age for age in grid if all(meets(age, item) for item in items)]
    if not inside:
        with pytest.raises(EmptyCohort):
            entails(items, wanted)
    else:
        assert entails(items, wanted) == all(meets(age, wanted) for age in inside)


def test_an_unknown_attribute_lists_those_there_are(people: Persona) -> None:
    with pytest.raises(InvalidInput, match=r"no attribute 'income'.*adherence_pdc, age, bmi"):
        bounds_of(people, [Restriction(attribute="income", operator=">=", value=5)])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Restriction(attribute="age", operator=">=", value="old"), "is a number in years"),
        (Restriction(attribute="age", operator="=", value=65), "exactly 65"),
        (Restriction(attribute="sex", operator="=", value="x"), "no level 'x'.*female, male"),
        (Restriction(attribute="sex", operator=">=", value="female"), "have no order"),
        (Restriction(attribute="hypertension", operator="=", value="maybe"), "is yes or no"),
        (Restriction(attribute="hypertension", operator=">=", value=1), "is yes or no"),
        (Restriction(attribute="age", operator=">=", value=200), "Nobody has an age of 200"),
    ],
)
def test_a_restriction_must_fit_its_attribute(people: Persona, item: Restriction, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        bounds_of(people, [item])


def test_levels_become_positions(people: Persona) -> None:
    bounds = bounds_of(people, parse_restrictions(["nyha>=II", "nyha<IV", "hypertension=yes", "ethnicity=hispanic"]))
    assert (bounds["nyha"].lower, bounds["nyha"].upper, bounds["nyha"].upper_open) == (1, 2, False)
    assert bounds["hypertension"].lower == bounds["hypertension"].upper == 1
    assert bounds["ethnicity"].lower == 2


def test_obesity_is_a_bmi_of_30(people: Persona) -> None:
    assert bounds_of(people, parse_restrictions("obesity=yes"))["bmi"].lower == 30
    assert bounds_of(people, parse_restrictions("obesity=no"))["bmi"].upper_open
    with pytest.raises(EmptyCohort, match="bmi"):
        bounds_of(people, parse_restrictions("obesity=yes, bmi<27"))
