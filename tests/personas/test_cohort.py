from __future__ import annotations

import numpy as np
import pytest

from knowledge.errors import EmptyCohort, InvalidInput, UnknownPersona
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.schemas import CohortSpec


@pytest.fixture(scope="module")
def cohort(library: PersonaLibrary) -> Cohort:
    spec = CohortSpec(persona_id="people_older", restrictions=parse_restrictions(["30<=egfr<60", "sex=female"]))
    return Cohort.build(spec, library, n=5000, seed=3)


def test_means_and_shares(cohort: Cohort) -> None:
    egfr, ckd = cohort.mean("egfr"), cohort.mean("ckd")
    assert egfr is not None
    assert ckd is not None
    assert 30 <= egfr < 60
    assert ckd == pytest.approx(cohort.share("ckd", "yes"))
    assert cohort.share("sex", "female") == 1.0
    assert cohort.share("sex", "male") == 0.0
    shares = [cohort.share("nyha", level) or 0.0 for level in ("I", "II", "III", "IV")]
    assert sum(shares) == pytest.approx(1.0)
    assert cohort.mean("sex") is None
    assert cohort.mean("income") is None
    assert cohort.share("income", "high") is None


def test_a_level_that_is_not_there_is_named(cohort: Cohort) -> None:
    with pytest.raises(InvalidInput, match=r"sex has no level 'x'.*female, male"):
        cohort.share("sex", "x")
    with pytest.raises(InvalidInput, match="use its mean"):
        cohort.share("egfr", "high")


def test_the_label_is_the_specs_or_says_it_in_words(cohort: Cohort, library: PersonaLibrary) -> None:
    assert cohort.label == "Older people, limited to women, eGFR 30 to below 60"
    named = Cohort.build(CohortSpec(persona_id="people", label="Folk"), library, n=10)
    assert named.label == "Folk"


def test_summary(cohort: Cohort) -> None:
    rows = {row.attribute: row for row in cohort.summary()}
    assert list(rows) == list(cohort.persona.attributes)
    egfr = rows["egfr"]
    assert (egfr.label, egfr.unit, egfr.section) == ("eGFR", "mL/min/1.73m2", "biomarkers")
    assert (egfr.source_id, egfr.locator, egfr.grade, egfr.assumption) == ("pmid-2", "table 2", "observational", "")
    assert egfr.mean == pytest.approx(cohort.mean("egfr"))
    assert egfr.lower == pytest.approx(np.percentile(cohort.patients.columns["egfr"], 5))
    assert egfr.upper == pytest.approx(np.percentile(cohort.patients.columns["egfr"], 95))
    assert egfr.shares == {}
    assert rows["age"].assumption == "made up"
    assert rows["ethnicity"].mean is None
    assert rows["ethnicity"].lower is None
    assert sum(rows["ethnicity"].shares.values()) == pytest.approx(1.0)
    assert set(rows["ckd"].shares) == {"no", "yes"}


def test_size_seed_and_prevalence(cohort: Cohort, library: PersonaLibrary) -> None:
    assert cohort.patients.n == 5000
    assert cohort.seed == 3
    assert cohort.effective_sample_size == 5000
    assert 0.05 < cohort.prevalence < 0.3
    again = Cohort.build(cohort.spec, library, n=5000, seed=3)
    assert (again.patients.columns["age"] == cohort.patients.columns["age"]).all()
    assert Cohort.build(cohort.spec, library).patients.n == 4000


def test_errors_pass_through(library: PersonaLibrary) -> None:
    with pytest.raises(UnknownPersona):
        Cohort.build(CohortSpec(persona_id="nobody"), library)
    young = CohortSpec(persona_id="people_older", restrictions=parse_restrictions(["age<40"]))
    with pytest.raises(EmptyCohort):
        Cohort.build(young, library)
