"""Cohorts as the faces show them, against the draws themselves."""

from __future__ import annotations

import pytest

from assistant.cohort_views import controls, view
from knowledge.errors import EmptyCohort, InvalidInput, UnknownPersona
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec


def test_prevalence_and_means_are_those_of_the_draws(library: PersonaLibrary) -> None:
    shown = view("t2d_adults", ["age>=65", "sex=female"], library)
    cohort = Cohort.build(CohortSpec(persona_id="t2d_adults", restrictions=("age>=65", "sex=female")), library, n=3000)
    assert shown.prevalence == cohort.prevalence
    assert 0.1 < shown.prevalence < 0.35
    rows = {one.row.attribute: one for one in shown.attributes}
    assert rows["age"].row.mean == cohort.mean("age")
    assert rows["sex"].row.shares["female"] == 1.0


def test_the_bins_hold_everybody(library: PersonaLibrary) -> None:
    for one in view("t2d_ckd", [], library).attributes:
        assert (one.bins == ()) == bool(one.row.shares)
        if one.bins:
            assert sum(part.share for part in one.bins) == pytest.approx(1.0)
            assert all(a.high == pytest.approx(b.low) for a, b in zip(one.bins, one.bins[1:], strict=False))


def test_shares_are_said_as_frequencies(library: PersonaLibrary) -> None:
    assert view("t2d_adults", [], library).one_in == "all"
    assert view("t2d_adults", ["age>=50"], library).one_in.endswith(" in 100")
    assert view("t2d_adults", ["age>=85"], library).one_in.startswith("1 in ")


def test_controls_name_what_can_be_restricted(library: PersonaLibrary) -> None:
    can = controls("t2d_adults", library)
    assert {"age", "bmi", "egfr", "hba1c"} <= {measure.name for measure in can.measures}
    assert can.sexes == ("female", "male")
    for name in can.conditions:
        assert 0 < view("t2d_adults", [f"{name}=yes"], library).prevalence < 1


@pytest.mark.parametrize(
    ("persona", "restrictions", "error"),
    [
        ("nobody", [], UnknownPersona),
        ("t2d_adults", ["age>=80", "age<=20"], EmptyCohort),
        ("t2d_adults", ["shoe_size>=40"], InvalidInput),
        ("t2d_adults", ["age about 40"], InvalidInput),
    ],
)
def test_what_cannot_be_shown_is_refused(
    persona: str, restrictions: list[str], error: type[Exception], library: PersonaLibrary
) -> None:
    with pytest.raises(error):
        view(persona, restrictions, library)
