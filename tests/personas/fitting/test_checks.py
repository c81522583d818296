"""Hidden bias is flagged, and nobody can be told from a fit; each check is also shown to be able to fail."""

from __future__ import annotations

import numpy as np
import pytest

from personas.fitting.design import make_design
from personas.fitting.families import FamilyFit
from personas.fitting.mapping import Mapping
from personas.fitting.privacy import area, attack, check_privacy
from personas.fitting.representativeness import Difference, compare
from personas.fitting.statistics import count, safe_to_share
from personas.fitting.table import PatientTable
from personas.library import PersonaLibrary
from tests.personas.fitting.cohorts import design_of, people, persona

FEW = ("age", "sex", "ethnicity", "bmi", "egfr", "hba1c", "ckd")


def test_the_reference_itself_is_representative() -> None:
    for seed in (3, 4, 5):
        found = compare(count(people(1500, seed), design_of()), persona())
        assert found.representative, (seed, found.under, found.over, found.hidden)
        assert "sbp" in found.missing


def test_what_is_the_same_for_everybody_is_no_difference() -> None:
    """A cohort defined by a disease has it throughout; rows of zeros must not become undefined numbers."""
    older = PersonaLibrary().get("t2d_ckd_older")
    names = ("age", "sex", "egfr", "ckd", "hba1c")
    rules = Mapping.model_validate({"attributes": {name: {"column": name} for name in names}})
    table = people(800, 2, names, older)
    assert compare(count(table, make_design(rules, older)), older).representative


def without_older_women(table: PatientTable, seed: int = 1) -> PatientTable:
    """Most women above 70 are missing and as many men above 70 stand in for them: neither age nor disease changes."""
    rng = np.random.default_rng(seed)
    columns = {name: column.copy() for name, column in table.columns.items()}
    old, women = columns["age"] > 70, columns["sex"] == 0
    columns["sex"][old & women & (rng.random(table.n) < 0.7)] = 1.0
    young_men = np.flatnonzero(~old & (columns["sex"] == 1))
    back = int((old & women).sum() * 0.7)
    columns["sex"][rng.choice(young_men, back, replace=False)] = 0.0
    return PatientTable(columns, table.n)


def test_a_bias_that_no_single_attribute_shows_is_flagged() -> None:
    biased = without_older_women(people(1500, 3))
    found = compare(count(biased, design_of()), persona())
    assert not any(item.flagged for item in found.differences)
    assert not found.under
    assert not found.representative
    worst = found.hidden[0]
    assert "sex" in worst.group
    assert "age" in worst.group
    assert any("71 and over, sex female" in item.group and item.upper < 1 for item in found.hidden)


def test_a_bias_of_one_attribute_is_flagged_with_its_size() -> None:
    table = people(2000, 3)
    rng = np.random.default_rng(1)
    kept = (table.columns["ethnicity"] != 1) | (rng.random(table.n) < 0.3)
    found = compare(count(table.rows(kept), design_of()), persona())
    black = next(item for item in found.under if item.group == "ethnicity: black")
    assert black.lower < 0.35 < black.upper
    assert found.differences[0].attribute == "ethnicity"
    assert found.differences[0].flagged
    shared = compare(safe_to_share(count(table.rows(kept), design_of()), 10), persona())
    assert any(item.group == "ethnicity: black" for item in shared.under)  # sites' files show it as well


def test_the_interval_of_a_difference_covers_the_truth() -> None:
    def bmi(seed: int) -> Difference:
        found = compare(count(people(600, seed, ("age", "bmi")), design_of(("age", "bmi"))), persona())
        return next(item for item in found.differences if item.attribute == "bmi")

    covered = sum(item.lower <= 0 <= item.upper for item in map(bmi, range(60)))
    assert covered >= 52  # 95 % of 60, less three standard errors


def planted(n: int, seed: int) -> PatientTable:
    """A cohort whose first person is like nobody else."""
    table = people(n, seed, FEW)
    unique = {"age": 118.0, "sex": 0.0, "ethnicity": 4.0, "bmi": 97.0, "egfr": 199.0, "hba1c": 19.5, "ckd": 1.0}
    for name, value in unique.items():
        table.columns[name][0] = value
    return table


def test_a_planted_unique_person_is_no_more_recoverable_than_the_control() -> None:
    n, splits = 600, 60
    table = planted(n, 3)
    result = attack(table, design_of(FEW), 10, splits=splits)
    control = np.array([result.person(row) for row in range(1, n)])
    assert result.person(0) <= np.percentile(control, 97.5)
    # The same attack does recover him from plain means and covariances: it has teeth.
    values = np.column_stack([table.columns[name] for name in ("age", "bmi", "egfr", "hba1c")])
    naive = np.empty(splits)
    for split in range(splits):
        members = values[result.members[split]]
        away = values[0] - members.mean(axis=0)
        covariance = np.cov(members.T)
        naive[split] = -away @ np.linalg.solve(covariance, away) - np.linalg.slogdet(covariance)[1]
    inside = result.members[:, 0]
    assert area(naive[inside], naive[~inside]) > 0.95


def test_the_report_counts_small_combinations_and_passes_a_large_cohort() -> None:
    report = check_privacy(people(1500, 3, FEW), design_of(FEW), 10)
    assert report.passed
    assert report.category_attributes == ("sex", "ethnicity", "ckd")
    assert report.combinations == 20
    assert 0 < report.small_combinations < 10
    assert report.attack.lower < 0.53
    assert report.nearest_ratio.value == pytest.approx(1.0, abs=0.03)
    assert report.strongest.value > report.attack.value


def test_a_fit_that_remembers_its_people_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Densities that peak at the members: the attack must find it."""
    from personas.fitting import privacy

    table = people(400, 3, ("age", "bmi"))
    design = design_of(("age", "bmi"))
    real = privacy.LatentModel.of
    seen: list[set[float]] = []

    class Remembering:
        def __init__(self, fit: FamilyFit, of: object) -> None:
            self.model = real(fit, of)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(self.model, name)

        def log_density(self, rows: PatientTable) -> np.ndarray:
            known = np.isin(rows.columns["bmi"], list(seen[-1]))
            return known * 5.0 + np.random.default_rng(1).normal(size=rows.n)

    def remember(rows: PatientTable, *_: object) -> tuple[PatientTable, int]:
        seen.append(set(rows.columns["bmi"]))
        return rows, 0

    monkeypatch.setattr(privacy, "without_unusual", remember)
    seen.append(set())
    monkeypatch.setattr(privacy.LatentModel, "of", staticmethod(Remembering))
    report = check_privacy(table, design, 10)
    assert report.attack.value > 0.9
    assert not report.passed


def test_area_under_the_curve_against_all_pairs() -> None:
    above, below = np.array([1.0, 2.0, 2.0]), np.array([0.0, 2.0])
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in above for b in below]
    assert area(above, below) == pytest.approx(np.mean(pairs))
    assert area(above, np.array([])) == 0.5
