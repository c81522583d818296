from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grounding import Fact, facts_from, remove_untraceable, untraceable
from assistant.language import number
from assistant.numerals import unit_family
from tools.schemas import Estimate, Kind, Level, ToolResult, Validation


def _result(point: float, lower: float, upper: float, unit: str = "%-points") -> ToolResult:
    return ToolResult(
        title="t",
        estimates=(
            Estimate(
                id="hba1c_change.mean", quantity="HbA1c change", endpoint="hba1c_change", unit=unit, horizon_weeks=30,
                population="adults", point=point, lower=lower, upper=upper, kind=Kind.PREDICTIVE, of=Level.COHORT_MEAN,
                validation=Validation.VERIFIED, n_trials=12,
            ),
        ),
    )  # fmt: skip


FACTS = facts_from("over 30 weeks at 1 mg", [_result(-1.42, -1.83, -1.0), _result(-0.6, -1.83, 0.4)], [])


@pytest.mark.parametrize(
    "text",
    [
        "Expect HbA1c to fall by about 1.4 %-points (90 % of such trials would report −1.8 to −1.0).",
        "A reduction of 1.42 percentage points after 30 weeks.",
        "HbA1c changes by -1.4 points in 12 trials.",
        "SUSTAIN 6, PIONEER 5 and stage 3a are names, GLP-1 too [pmid-28110911], see [3] and `r-12ab34`.",
        "1. an ordered list\n2. is no claim",
        "Expect HbA1c to fall by about 1.4 %-points (90 % of such trials would report −1.8 to 0.4 %-points).",
        "| HbA1c change (%-points) | −1.4 (−1.8 to 0.4) |",
    ],
)
def test_traceable_text_passes(text: str) -> None:
    assert untraceable(text, FACTS) == []


@pytest.mark.parametrize(
    ("text", "numeral"),
    [
        ("HbA1c falls by 1.5 points.", "1.5 points"),
        ("HbA1c rises by 1.4 points.", "1.4 points"),
        ("HbA1c changes by +1.4 points.", "+1.4 points"),
        ("HbA1c falls by 1.4 kg.", "1.4 kg"),
        ("| HbA1c change | 1.4 %-points |", "1.4 %-points"),
        ("report −1.8 to 1.0 %-points", "1.0 %-points"),
        ("About 77 in 100 reach it.", "77 in 100"),
        ("After 31 weeks.", "31 weeks"),
        ("The interval is 1.0 mmHg at least.", "1.0 mmHg"),
    ],
)
def test_planted_numbers_are_caught(text: str, numeral: str) -> None:
    assert [fault.numeral for fault in untraceable(text, FACTS)] == [numeral]


def test_the_sentence_goes_and_the_rest_stays() -> None:
    text = "HbA1c falls by 1.4 points. It costs 999 dollars. Nothing else."
    kept, removed = remove_untraceable(text, untraceable(text, FACTS))
    assert removed == ("It costs 999 dollars.",)
    assert "999" not in kept
    assert kept.startswith("HbA1c falls by 1.4 points.")
    assert kept.endswith("Nothing else.")
    assert "removed" in kept


@given(
    value=st.floats(-40, 40).filter(lambda v: abs(v) > 0.2),
    places=st.integers(1, 2),
    shift=st.floats(0.2, 30),
)
def test_any_rounding_passes_and_any_shift_is_caught(value: float, places: int, shift: float) -> None:
    facts = [Fact(value, "kg", change=True)]
    assert untraceable(f"weight changes by {number(value, places)} kg", facts) == []
    wrong = value + shift if value > 0 else value - shift
    assert len(untraceable(f"weight changes by {number(wrong, places)} kg", facts)) == 1
    assert len(untraceable(f"weight changes by {number(-value, places)} kg", facts)) == 1


def test_nothing_written_is_no_fault() -> None:
    assert untraceable("", FACTS) == []


@pytest.mark.parametrize(
    ("unit", "family"),
    [("mL/min/1.73m2 per year", "mL/min/year"), ("mL/min/1.73m2", "mL/min"), ("%", "percent"), ("furlongs", "")],
)
def test_units_are_known_by_their_family(unit: str, family: str) -> None:
    assert unit_family(unit) == family


def test_less_than_and_more_than_are_read_as_written() -> None:
    facts = [Fact(0.3, "percent")]
    assert untraceable("a probability of less than 1 %", facts) == []
    assert len(untraceable("a probability of more than 1 %", facts)) == 1


def test_two_years_are_no_interval() -> None:
    said = "Control peaked in 2013-14 at 54 % of people."
    assert untraceable(said, facts_from("", [ToolResult(title="t", warnings=(said,))], [])) == []
