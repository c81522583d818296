"""Doses: units, frequencies, reference doses and the doses nobody has given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.errors import ImpossibleDose, InvalidInput
from knowledge.schemas import Drug, EvidenceView
from tools.response.doses import DoseRange, check_dose, convert_dose
from tools.response.engine import engine_for

WEEKLY = Drug(name="semaglutide", drug_class="GLP-1 RA", dose_unit="mg", frequency="once weekly", max_dose=2.4)
DAILY = Drug(name="metformin", drug_class="biguanide", dose_unit="mg", frequency="twice daily")
STUDIED = DoseRange(reference=1.0, low=0.5, high=2.0)


@pytest.mark.parametrize(
    ("dose", "unit", "frequency", "drug", "expected"),
    [
        (1.0, "mg", "once weekly", WEEKLY, 1.0),
        (500.0, "ug", "once weekly", WEEKLY, 0.5),
        (0.4, "mg", "once daily", WEEKLY, 2.8),
        (2.0, "g", "once daily", DAILY, 1000.0),
        (850.0, "mg", "", DAILY, 850.0),
        (10.0, "U", "once weekly", WEEKLY, None),
    ],
)
def test_conversion(dose: float, unit: str, frequency: str, drug: Drug, expected: float | None) -> None:
    got = convert_dose(dose, unit, frequency, drug)
    assert got is None if expected is None else got == pytest.approx(expected)


@given(st.floats(1e-3, 1e3))
def test_units_of_mass_are_one_scale(dose: float) -> None:
    assert convert_dose(dose * 1000, "ug", "", WEEKLY) == pytest.approx(convert_dose(dose, "mg", "", WEEKLY))


@pytest.mark.parametrize("dose", [0.0, -1.0])
def test_no_dose_is_refused(dose: float) -> None:
    with pytest.raises(ImpossibleDose, match=r"0\.5 to 2 mg once weekly"):
        check_dose(WEEKLY, dose, "mg", "", STUDIED)


def test_above_the_highest_known_dose_is_refused_with_the_studied_range() -> None:
    with pytest.raises(ImpossibleDose, match=r"2\.5 mg.*2\.4 mg.*0\.5 to 2 mg once weekly"):
        check_dose(WEEKLY, 2.5, "mg", "", STUDIED)
    assert check_dose(WEEKLY, 2.4, "mg", "", STUDIED) == pytest.approx(2.4)


def test_above_one_and_a_half_times_the_evidence_is_refused() -> None:
    unlimited = WEEKLY.model_copy(update={"max_dose": None})
    assert check_dose(unlimited, 3.0, "mg", "once weekly", STUDIED) == pytest.approx(3.0)
    with pytest.raises(ImpossibleDose, match=r"1\.5 times.*\(3 mg\)"):
        check_dose(unlimited, 3.1, "mg", "once weekly", STUDIED)


def test_less_than_half_of_the_lowest_dose_is_refused_with_the_studied_range() -> None:
    assert check_dose(WEEKLY, 0.25, "mg", "", STUDIED) == pytest.approx(0.25)
    with pytest.raises(
        ImpossibleDose, match=r"0\.01 mg is less than half.*0\.5 mg once weekly.*0\.5 to 2 mg once weekly"
    ):
        check_dose(WEEKLY, 0.01, "mg", "", STUDIED)


def test_a_weekly_dose_given_daily_is_seven_times_as_much() -> None:
    with pytest.raises(ImpossibleDose, match="once daily"):
        check_dose(WEEKLY, 1.0, "mg", "once daily", STUDIED)


def test_foreign_unit_is_refused_and_says_which_one_to_use() -> None:
    with pytest.raises(InvalidInput, match="given in mg; 'U' cannot be converted"):
        check_dose(WEEKLY, 1.0, "U", "", STUDIED)


def test_without_evidence_the_vocabulary_still_limits() -> None:
    with pytest.raises(ImpossibleDose, match=r"at most 2\.4 mg"):
        check_dose(WEEKLY, 10.0, "mg", "", None)
    assert check_dose(WEEKLY, 1.0, "", "", None) == pytest.approx(1.0)


def test_a_dose_that_nothing_can_check_is_not_used(shipped) -> None:
    engine = engine_for(shipped, EvidenceView())
    asked = engine.treatment("lisinopril", 2000, "mg")
    assert asked.dose is None
    assert asked.label == "lisinopril"
    assert any("2000 mg" in warning and "not used" in warning for warning in asked.warnings)
    with pytest.raises(ImpossibleDose):
        engine.treatment("lisinopril", -1, "mg")


def test_no_highest_dose_lies_below_a_studied_one(shipped) -> None:
    """As far as both are doses at the drug's usual frequency, which conversion takes care of."""
    beyond = []
    for arm in shipped.arms.arms:
        drug = shipped.vocabulary.drugs.get(arm.intervention)
        if drug is None or drug.max_dose is None or arm.dose is None:
            continue
        given = convert_dose(arm.dose, arm.dose_unit or drug.dose_unit, arm.frequency or "", drug)
        if given is not None and given > drug.max_dose * (1 + 1e-6):
            beyond.append(f"{drug.name} {given:g} > {drug.max_dose:g}: {arm.trial}")
    assert not beyond
