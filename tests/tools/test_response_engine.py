"""The engine on made-up evidence: refusals, borrowing, warnings, views, caches and hostile rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.arms import EvidenceTable
from knowledge.base import KnowledgeBase
from knowledge.errors import ImpossibleDose, InvalidInput, NoEvidence, UnknownDrug, UnknownEndpoint
from knowledge.schemas import (
    ArmRole,
    Baseline,
    Design,
    Direction,
    Drug,
    Endpoint,
    EvidenceView,
    Family,
    Seen,
    Source,
    Statistic,
    TrialArm,
)  # fmt: skip
from knowledge.vocabulary import Vocabulary
from tools.response.engine import ResponseEngine, engine_for, keep_fits
from tools.response.fit import DirectoryFitCache, MemoryFitCache, fit_key
from tools.response.reach import extrapolation_warnings

DRUGS = {
    "placebo": Drug(name="placebo", drug_class="placebo"),
    "alpha": Drug(name="alpha", drug_class="first", dose_unit="mg", frequency="once daily", max_dose=40.0),
    "beta": Drug(name="beta", drug_class="first", dose_unit="mg", frequency="once daily"),
    "gamma": Drug(name="gamma", drug_class="first", dose_unit="mg", frequency="once daily"),
    "lone": Drug(name="lone", drug_class="second", dose_unit="mg", frequency="once daily"),
}
ENDPOINTS = {
    "hba1c_change": Endpoint(
        endpoint_id="hba1c_change", label="HbA1c change", family=Family.CONTINUOUS, unit="%-points",
        direction=Direction.LOWER_IS_BETTER, baseline="hba1c", mcid=0.5, mcid_source="s", limits=(-8, 4),
    ),
    "nausea": Endpoint(
        endpoint_id="nausea", label="nausea", family=Family.PROPORTION, unit="%", direction=Direction.LOWER_IS_BETTER,
        limits=(0, 100),
    ),
    "death": Endpoint(
        endpoint_id="death", label="death", family=Family.TIME_TO_EVENT, unit="HR", direction=Direction.LOWER_IS_BETTER,
        limits=(0, 100),
    ),
}  # fmt: skip
COHORT = {"baseline": 8.2, "age": 60.0, "diabetes": 1.0}
Maker = Callable[[Sequence[TrialArm]], KnowledgeBase]


def arm(trial: str, name: str, dose: float | None, value: float, **fields: Any) -> TrialArm:
    control = name == "placebo"
    given: dict[str, Any] = {
        "row_id": "x:1", "area": "type_2_diabetes", "trial": trial, "source_id": "s", "registry_id": "",
        "arm": f"{name} {dose:g}" if dose else name, "arm_role": ArmRole.PLACEBO if control else ArmRole.ACTIVE,
        "intervention": name, "drug_class": DRUGS[name].drug_class, "dose": dose, "dose_unit": "mg" if dose else "",
        "frequency": "once daily", "n": 150, "endpoint": "hba1c_change", "statistic": Statistic.MEAN_CHANGE,
        "weeks": 26.0, "value": value, "se": 0.09, "se_from": "printed", "locator": "table 1", "seen": Seen.FULL_TEXT,
        "published": "2015",
    }  # fmt: skip
    given.update(fields)
    return TrialArm(**given)


def evidence() -> list[TrialArm]:
    """Ten trials: alpha in three doses, beta in one; baseline and age differ; nausea in half of them."""
    generator = np.random.default_rng(11)
    rows: list[TrialArm] = []
    for index in range(10):
        trial = f"TRIAL {index}"
        baseline = Baseline(hba1c=7.6 + 0.15 * index, age=52.0 + 2 * index)
        shift = 0.1 * generator.standard_normal()
        drugs = [("placebo", None, -0.1), ("beta", 5.0, -0.7)] if index % 2 else [
            ("placebo", None, -0.1), ("alpha", 10.0, -0.8), ("alpha", 20.0, -1.1)
        ]  # fmt: skip
        for name, dose, effect in drugs:
            value = effect + shift + 0.07 * generator.standard_normal()
            rows.append(arm(trial, name, dose, round(value, 3), baseline=baseline))
            if index < 5:
                share = {"placebo": 5.0, "alpha": 20.0, "beta": 10.0}[name]
                proportion = {"endpoint": "nausea", "statistic": Statistic.PROPORTION, "se": None}
                rows.append(arm(trial, name, dose, share + index, baseline=baseline, **proportion))
    return rows


@pytest.fixture
def make() -> Maker:
    source = Source(source_id="s", title="made up", published="2015", design=Design.RCT, seen=Seen.FULL_TEXT)

    def build(rows: Sequence[TrialArm]) -> KnowledgeBase:
        return KnowledgeBase(
            Path("."), Vocabulary(DRUGS, ENDPOINTS), {"s": source}, EvidenceTable(tuple(rows), {"s": source})
        )

    return build


@pytest.fixture
def engine(make: Maker) -> ResponseEngine:
    return ResponseEngine(make(evidence()), cache=MemoryFitCache())


def interval(engine: ResponseEngine, name: str, dose: float | None, weeks: float = 26.0, **cohort: float) -> Any:
    treatments = [engine.treatment(name, dose), engine.treatment("placebo")]
    return engine.predict("hba1c_change", treatments, {**COHORT, **cohort}, weeks)


def width(prediction: Any, index: int = 0) -> float:
    low, high = prediction.prediction.quantiles(np.array([0.05, 0.95]))[:, index]
    return float(high - low)


def test_prediction_is_near_the_truth_and_better_than_placebo(engine: ResponseEngine) -> None:
    predicted = interval(engine, "alpha", 20.0)
    drug, placebo = predicted.prediction.median()
    assert drug == pytest.approx(-1.1, abs=0.2)
    assert placebo == pytest.approx(-0.1, abs=0.2)
    assert width(predicted) < 1.2
    assert predicted.trials_of_drug == (5, 10)
    assert predicted.trials_of_class == (10, 10)
    assert predicted.warnings == ()
    difference = predicted.prediction.difference(0, 1)
    low, high = difference.quantiles(np.array([0.05, 0.95]))[:, 0]
    assert low < -1.0 < high < -0.5


def test_size_adds_sampling_error(engine: ResponseEngine) -> None:
    treatments = [engine.treatment("alpha", 20.0), engine.treatment("placebo")]
    for endpoint in ("hba1c_change", "nausea"):
        wide, narrow = (width(engine.predict(endpoint, treatments, COHORT, 26.0, n=n)) for n in (10, 5000))
        none = width(engine.predict(endpoint, treatments, COHORT, 26.0))
        assert wide > 1.2 * narrow > none * 0.999


def test_a_drug_without_rows_borrows_from_its_class_with_a_warning(engine: ResponseEngine) -> None:
    predicted = interval(engine, "gamma", None)
    assert predicted.trials_of_drug[0] == 0
    assert "borrows from 10 trials" in predicted.warnings[0]
    assert width(predicted) > width(interval(engine, "alpha", None))


def test_no_evidence_says_what_there_is_evidence_on(make: Maker) -> None:
    proportion = {"endpoint": "nausea", "statistic": Statistic.PROPORTION, "se": None}
    rows = [*evidence(), arm("LONE", "lone", 10.0, 12.0, **proportion), arm("LONE", "placebo", None, 4.0, **proportion)]
    engine = ResponseEngine(make(rows), cache=MemoryFitCache())
    with pytest.raises(NoEvidence, match=r"lone.*second.*HbA1c change.*evidence on: nausea"):
        interval(engine, "lone", 10.0)
    assert engine.predict("nausea", [engine.treatment("lone", 10.0)], COHORT, 26.0).trials_of_drug == (1,)
    without = ResponseEngine(make(evidence()), cache=MemoryFitCache())
    with pytest.raises(NoEvidence, match="no evidence on lone at all"):
        interval(without, "lone", 10.0)


def test_endpoints_without_rows_and_unknown_names_are_refused(engine: ResponseEngine) -> None:
    with pytest.raises(NoEvidence, match="No figure on death"):
        engine.prepared("death")
    with pytest.raises(UnknownEndpoint):
        engine.prepared("happiness")
    with pytest.raises(UnknownDrug):
        engine.treatment("omega")
    with pytest.raises(InvalidInput, match="has no dose"):
        engine.treatment("placebo", 5.0)
    with pytest.raises(ImpossibleDose, match="40 mg"):
        engine.treatment("alpha", 41.0)
    with pytest.raises(ImpossibleDose, match=r"1\.5 times"):
        engine.treatment("beta", 8.0)
    with pytest.raises(InvalidInput, match="cannot be converted"):
        engine.treatment("alpha", 10.0, "U")


def test_a_dose_left_out_is_the_middle_one_and_said(engine: ResponseEngine) -> None:
    treatment = engine.treatment("beta")
    assert (treatment.dose, treatment.dose_ratio, treatment.label) == (5.0, 1.0, "beta 5 mg once daily")
    assert "No dose was stated for beta" in treatment.notes[0]


def test_beyond_the_evidence_is_said_and_widens(engine: ResponseEngine) -> None:
    inside = interval(engine, "alpha", 20.0)
    late = interval(engine, "alpha", 20.0, weeks=40.0)
    assert any("40 weeks is beyond the evidence" in warning and "26 weeks" in warning for warning in late.warnings)
    outside = interval(engine, "alpha", 20.0, age=85.0)
    said = extrapolation_warnings([(outside.endpoint, item) for item in outside.outside])
    assert any("mean age (85 years)" in warning and "52 to 70" in warning for warning in said)
    far = interval(engine, "alpha", 20.0, baseline=11.0)
    assert [(item.attribute, item.value) for item in far.outside] == [("HbA1c", 11.0)]
    assert inside.outside == ()
    assert width(far) > width(inside)
    assert width(outside) > width(inside)


def test_a_share_outside_the_trials_is_said_in_percent(make: Maker) -> None:
    rows = [
        row.model_copy(update={"baseline": row.baseline.model_copy(update={"female_pct": 40.0 + index % 7})})
        for index, row in enumerate(evidence())
    ]
    outside = interval(ResponseEngine(make(rows), cache=MemoryFitCache()), "alpha", 20.0, female=1.0)
    (said,) = extrapolation_warnings([(outside.endpoint, item) for item in outside.outside])
    assert "The cohort's share of women (100 %) lies outside the shares in the trials" in said
    assert "HbA1c change 41 to 45.5" in said


def test_influence_adds_up_and_names_the_trials_of_the_drug(engine: ResponseEngine) -> None:
    treatments = [engine.treatment("alpha", 20.0), engine.treatment("placebo")]
    found = engine.influence("hba1c_change", treatments, COHORT, 26.0, np.array([1.0, -1.0]))
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
    by_drug: dict[str, float] = {}
    for one in found:
        name = one.row.arm.intervention
        by_drug[name] = by_drug.get(name, 0.0) + one.share * one.sign
    assert by_drug["alpha"] > 0.3
    assert by_drug["placebo"] < 0


def test_a_figure_that_disagrees_is_marked(make: Maker) -> None:
    rows = evidence()
    rows.append(arm("ODD", "alpha", 20.0, 1.5, baseline=Baseline(hba1c=8.2, age=60.0)))
    engine = ResponseEngine(make(rows), cache=MemoryFitCache())
    treatments = [engine.treatment("alpha", 20.0), engine.treatment("placebo")]
    marks = {
        one.row.arm.trial: one.agrees
        for one in engine.influence("hba1c_change", treatments, COHORT, 26.0, np.array([1.0, -1.0]))
        if one.row.arm.intervention == "alpha"
    }
    assert not marks.pop("ODD")
    assert sum(marks.values()) >= len(marks) - 1


def test_views_change_the_fit_and_the_cache_keeps_them_apart(make: Maker) -> None:
    knowledge, cache = make(evidence()), MemoryFitCache()
    whole = ResponseEngine(knowledge, cache=cache)
    without = ResponseEngine(knowledge, EvidenceView(exclude=("TRIAL 0",)), cache)
    assert fit_key(whole.prepared("hba1c_change")) != fit_key(without.prepared("hba1c_change"))
    assert "TRIAL 0" not in {row.arm.trial for row in without.prepared("hba1c_change").selection.rows}
    assert (
        interval(whole, "alpha", 20.0).prediction.median()[0] != interval(without, "alpha", 20.0).prediction.median()[0]
    )
    with pytest.raises(NoEvidence, match="evidence view"):
        ResponseEngine(knowledge, EvidenceView(exclude=("TRIAL *",)), cache).prepared("hba1c_change")
    assert engine_for(knowledge, EvidenceView()) is engine_for(knowledge, EvidenceView())
    assert engine_for(knowledge, EvidenceView(exclude=("TRIAL 0",))) is not engine_for(knowledge, EvidenceView())


def test_a_fit_from_the_cache_is_the_same_to_the_last_bit(make: Maker) -> None:
    cache = MemoryFitCache(size=1)
    first = ResponseEngine(make(evidence()), cache=cache)
    fresh = interval(first, "alpha", 10.0).prediction
    second = ResponseEngine(make(list(reversed(evidence()))), cache=cache)
    assert cache.get(fit_key(second.prepared("hba1c_change"))) is not None
    stored = interval(second, "alpha", 10.0).prediction
    np.testing.assert_array_equal(fresh.means, stored.means)
    np.testing.assert_array_equal(fresh.covariances, stored.covariances)
    first.posterior("nausea")
    assert cache.get(fit_key(second.prepared("hba1c_change"))) is None


def test_fits_on_disk_are_found_again_and_damage_is_noticed(make: Maker, tmp_path: Path) -> None:
    cache = DirectoryFitCache(tmp_path / "fits")
    assert cache.get("nothing") is None
    knowledge = make(evidence())
    keep_fits(knowledge, cache)
    engine = engine_for(knowledge, EvidenceView())
    fresh = interval(engine, "alpha", 10.0).prediction
    (file,) = (tmp_path / "fits").iterdir()
    assert file.stem == fit_key(engine.prepared("hba1c_change"))
    stored = interval(ResponseEngine(make(evidence()), cache=DirectoryFitCache(tmp_path / "fits")), "alpha", 10.0)
    np.testing.assert_array_equal(fresh.means, stored.prediction.means)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert cache.get(file.stem) is None
    mended = interval(ResponseEngine(make(evidence()), cache=cache), "alpha", 10.0)
    np.testing.assert_array_equal(fresh.means, mended.prediction.means)
    assert cache.get(file.stem) is not None


PROPORTION = {"endpoint": "nausea", "statistic": Statistic.PROPORTION, "se": None}


@pytest.mark.parametrize(
    ("endpoint", "rows"),
    [
        ("hba1c_change", [arm("ONE", "alpha", 10.0, -1.0)]),
        ("hba1c_change", [arm("ONE", "alpha", 10.0, -1.0, n=1, se=None, sd=1.0), arm("TWO", "alpha", 10.0, -1.0, n=1, se=1.0)]),
        ("hba1c_change", [arm(f"T {i}", "alpha", 10.0, -0.5) for i in range(6)]),
        ("hba1c_change", [arm(f"T {i}", "alpha", 10.0, 0.0) for i in range(3)]),
        ("hba1c_change", [arm("ONE", "alpha", 10.0, -1.0, arm="a"), arm("ONE", "alpha", 10.0, -1.0, arm="b")]),
        ("hba1c_change", [arm("ONE", "alpha", 10.0, v, weeks=w) for v, w in ((-0.1, 1.0), (-7.9, 2.0), (3.9, 300.0))]),
        ("hba1c_change", [arm("ONE", "alpha", 10.0, -1.0, weeks=None), arm("TWO", "alpha", None, -1.2, weeks=None)]),
        ("nausea", [arm("ONE", "alpha", 10.0, 0.0, events=0, **PROPORTION), arm("ONE", "placebo", None, 0.0, **PROPORTION)]),
        ("nausea", [arm("ONE", "alpha", 10.0, 100.0, n=1, **PROPORTION)]),
        ("nausea", [arm(f"T {i}", "alpha", 10.0, 100.0 * (i % 2), n=3, **PROPORTION) for i in range(4)]),
    ],
)  # fmt: skip
def test_hostile_evidence_gives_finite_wide_predictions(make: Maker, endpoint: str, rows: list[TrialArm]) -> None:
    engine = ResponseEngine(make(rows), cache=MemoryFitCache())
    predicted = engine.predict(endpoint, [engine.treatment("alpha", 10.0), engine.treatment("placebo")], {}, 26.0)
    quantiles = predicted.prediction.quantiles(np.array([0.05, 0.5, 0.95]))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=0) > 0).all()
    draws = predicted.prediction.draws(200)
    assert np.isfinite(draws).all()
    if endpoint == "nausea":
        assert (quantiles >= 0).all()
        assert (quantiles <= 100).all()


def test_one_trial_leaves_much_open(make: Maker) -> None:
    one = ResponseEngine(make([row for row in evidence() if row.trial == "TRIAL 0"]), cache=MemoryFitCache())
    many = ResponseEngine(make(evidence()), cache=MemoryFitCache())
    assert width(interval(one, "alpha", 10.0)) > width(interval(many, "alpha", 10.0))
