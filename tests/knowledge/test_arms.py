"""The evidence table: what is refused, what is derived, what a view hides."""

from __future__ import annotations

import math
import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.arms import EvidenceTable
from knowledge.errors import EvidenceError
from knowledge.schemas import EvidenceView, Family, Statistic, TrialArm
from knowledge.standard_errors import derive_se, normal_quantile

CONTRAST = {
    "statistic": "mean_difference",
    "comparator_arm": "placebo",
    "sd": "",
    "ci_low": "-1.7",
    "ci_high": "-1.1",
    "value": "-1.4",
}
RATIO = {
    **CONTRAST,
    "endpoint": "death",
    "statistic": "hazard_ratio",
    "value": "0.8",
    "ci_low": "0.6",
    "ci_high": "1.1",
}
SHARE = {"endpoint": "nausea", "statistic": "proportion", "value": "20", "sd": "", "events": "26"}


def table(folder, *changes: dict[str, str]) -> EvidenceTable:
    folder.arms(*changes)
    return folder.load().arms


def only(folder, change: dict[str, str]) -> TrialArm:
    (arm,) = table(folder, change).arms
    return arm


def test_a_row_becomes_an_arm_that_full_validation_accepts(folder) -> None:
    arm = only(
        folder,
        {
            "restrictions": "age >= 65; sex=female",
            "tags": "older;women",
            "age": "70.5",
            "hba1c": "8.1",
            "baseline_value": "8.0",
        },
    )
    assert arm.row_id == "obesity:2"
    assert arm.drug_class == "GLP-1 RA"
    assert arm.restrictions == ("age>=65", "sex=female")
    assert arm.tags == ("older", "women")
    assert (arm.baseline.age, arm.baseline.hba1c, arm.baseline.endpoint, arm.baseline.bmi) == (70.5, 8.1, 8.0, None)
    assert arm.published == "2017-03"
    assert arm.study_key == "SUSTAIN 1|all"
    assert TrialArm.model_validate(arm.model_dump()) == TrialArm.model_validate(arm.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"intervention": "Ozempic"}, "intervention"),
        ({"endpoint": "blood sugar"}, "endpoint"),
        ({"source_id": "pmid-404"}, "source_id"),
        ({"arm_role": "hero"}, "arm_role"),
        ({"statistic": "median"}, "statistic"),
        ({"value": "-9"}, "value"),
        ({"value": "5"}, "value"),
        ({"value": "−1.5"}, "value"),
        ({"value": "about 1"}, "value"),
        ({"value": ""}, "value"),
        ({"value": "nan"}, "value"),
        ({"value": "inf"}, "value"),
        ({"value": "1e999"}, "value"),
        ({"sd": "1_000"}, "sd"),
        ({"se": "-0.1"}, "se"),
        ({"se": "0"}, "se"),
        ({"sd": "NaN"}, "sd"),
        ({"n": "0"}, "n"),
        ({"n": "12.5"}, "n"),
        ({"n": "many"}, "n"),
        ({"weeks": "0"}, "weeks"),
        ({"dose": "-1"}, "dose"),
        ({"dose_unit": ""}, "dose_unit"),
        ({"trial": ""}, "trial"),
        ({"arm": ""}, "arm"),
        ({"locator": ""}, "locator"),
        ({"locator": "p"}, "locator"),
        ({"seen": "rumour"}, "seen"),
        ({"estimand": "wishful"}, "estimand"),
        ({"statistic": "percent_change"}, "statistic"),
        ({"statistic": "proportion"}, "statistic"),
        ({"statistic": "hazard_ratio", "comparator_arm": "placebo", "value": "0.8"}, "statistic"),
        ({"endpoint": "weight_percent_change"}, "statistic"),
        ({"endpoint": "nausea"}, "statistic"),
        ({**SHARE, "value": "101", "events": ""}, "value"),
        ({**SHARE, "events": "131"}, "events"),
        ({**SHARE, "endpoint": "death", "value": "120", "events": ""}, "value"),
        ({"endpoint": "low_glucose", "statistic": "rate", "value": "-3", "sd": ""}, "value"),
        ({**CONTRAST, "comparator_arm": ""}, "comparator_arm"),
        ({**CONTRAST, "comparator_arm": "semaglutide 1 mg"}, "comparator_arm"),
        ({**CONTRAST, "value": "-13", "ci_low": "", "ci_high": ""}, "value"),
        ({**CONTRAST, "value": "-2"}, "value"),
        ({**CONTRAST, "ci_low": "-1", "ci_high": "-2"}, "ci_low"),
        ({**CONTRAST, "ci_low": ""}, "ci_low"),
        ({**CONTRAST, "ci_high": ""}, "ci_high"),
        ({**CONTRAST, "ci_level": "0.95"}, "ci_level"),
        ({**CONTRAST, "ci_level": "100"}, "ci_level"),
        ({**RATIO, "value": "0"}, "value"),
        ({**RATIO, "value": "800"}, "value"),
        ({**RATIO, "ci_low": "-0.6"}, "ci_low"),
        ({**RATIO, "se": "0.1"}, "se"),
        ({"restrictions": "age≥65"}, "restrictions"),
        ({"restrictions": "older"}, "restrictions"),
        ({"restrictions": "age>=old"}, "restrictions"),
        ({"restrictions": "sex>=1"}, "restrictions"),
        ({"restrictions": "age>=65;;egfr"}, "restrictions"),
        ({"age": "170"}, "age"),
        ({"female_pct": "-1"}, "female_pct"),
        ({"hba1c": "65 mmol/mol"}, "hba1c"),
        ({"baseline_value": "x"}, "baseline_value"),
    ],
)
def test_a_faulty_cell_is_refused_naming_file_row_and_column(folder, change: dict[str, str], column: str) -> None:
    folder.arms({"weeks": "12"}, change)
    with pytest.raises(EvidenceError) as caught:
        folder.load()
    assert f"evidence/obesity.csv:3: {column}:" in str(caught.value)


def test_all_faults_of_all_files_are_collected_and_twenty_shown(folder) -> None:
    folder.arms(*[{"value": "x", "weeks": str(week)} for week in range(1, 16)])
    folder.arms(*[{"n": "x", "weeks": str(week)} for week in range(1, 16)], name="obesity.more.csv")
    with pytest.raises(EvidenceError) as caught:
        folder.load()
    text = str(caught.value)
    assert "30 faults" in text
    assert "obesity.csv:16" in text
    assert "obesity.more.csv:6" in text
    assert "obesity.more.csv:7" not in text
    assert "… and 10 more" in text


def test_an_unknown_area_is_refused(folder) -> None:
    folder.arms(name="astrology.csv")
    with pytest.raises(EvidenceError, match="'astrology' is not an area"):
        folder.load()


def test_the_same_figure_twice_is_refused_naming_the_first(folder) -> None:
    folder.arms(name="obesity.csv")
    folder.arms({"value": "-1.4"}, name="obesity.later.csv")
    with pytest.raises(EvidenceError, match=r"obesity\.later\.csv:2: trial: .* as evidence/obesity\.csv:2"):
        folder.load()


def test_one_arm_against_two_comparators_is_two_figures(folder) -> None:
    assert len(table(folder, CONTRAST, {**CONTRAST, "comparator_arm": "exenatide"}).arms) == 2


@pytest.mark.parametrize(
    ("change", "se", "origin"),
    [
        ({"se": "0.2"}, 0.2, "printed"),
        ({}, 1.14 / math.sqrt(130), "sd"),
        ({"ci_low": "-1.7", "ci_high": "-1.3"}, 1.14 / math.sqrt(130), "sd"),
        ({"sd": "", "ci_low": "-1.7", "ci_high": "-1.3"}, 0.4 / (2 * 1.959964), "ci"),
        ({"sd": "", "ci_low": "-1.7", "ci_high": "-1.3", "ci_level": "90"}, 0.4 / (2 * 1.644854), "ci"),
        ({"n": ""}, None, "missing"),
        ({"sd": ""}, None, "missing"),
        (SHARE, 100 * math.sqrt(0.2 * 0.8 / 130), "events"),
        ({**SHARE, "events": ""}, 100 * math.sqrt(0.2 * 0.8 / 130), "events"),
        ({**SHARE, "events": "", "n": ""}, None, "missing"),
        ({**SHARE, "value": "0", "events": "0"}, 100 * math.sqrt((0.5 / 131) * (1 - 0.5 / 131) / 130), "events"),
        ({**SHARE, "value": "100", "events": "130"}, 100 * math.sqrt((0.5 / 131) * (1 - 0.5 / 131) / 130), "events"),
        ({**SHARE, "endpoint": "death"}, 100 * math.sqrt(0.2 * 0.8 / 130), "events"),
        (RATIO, (math.log(1.1) - math.log(0.6)) / (2 * 1.959964), "ci"),
        ({**RATIO, "ci_low": "", "ci_high": ""}, None, "missing"),
        ({**CONTRAST, "sd": "1.1", "ci_low": "", "ci_high": ""}, None, "missing"),
        ({"endpoint": "death", "statistic": "rate", "value": "5", "sd": "", "events": "25"}, 1.0, "events"),
        ({"endpoint": "low_glucose", "statistic": "rate", "value": "5", "sd": "", "events": "25"}, None, "missing"),
    ],
)
def test_standard_errors(folder, change: dict[str, str], se: float | None, origin: str) -> None:
    arm = only(folder, change)
    assert arm.se_from == origin
    assert arm.se == (None if se is None else pytest.approx(se, rel=1e-5))


@given(
    value=st.floats(-10, 10),
    se=st.floats(1e-3, 5),
    level=st.sampled_from([80.0, 90.0, 95.0, 99.0]),
    statistic=st.sampled_from([Statistic.MEAN_CHANGE, Statistic.MEAN_DIFFERENCE]),
)
def test_an_interval_gives_back_the_se_it_was_made_from(
    value: float, se: float, level: float, statistic: Statistic
) -> None:
    half = normal_quantile(level) * se
    found, origin = derive_se(
        statistic, Family.CONTINUOUS, value=value, ci=(value - half, value + half), ci_level=level
    )
    assert origin == "ci"
    assert found == pytest.approx(se, rel=1e-6)


@given(log_ratio=st.floats(-2, 2), se=st.floats(0.01, 1), level=st.sampled_from([90.0, 95.0, 99.0]))
def test_a_ratio_interval_gives_back_the_log_se(log_ratio: float, se: float, level: float) -> None:
    half = normal_quantile(level) * se
    ci = (math.exp(log_ratio - half), math.exp(log_ratio + half))
    found, _ = derive_se(Statistic.HAZARD_RATIO, Family.TIME_TO_EVENT, value=math.exp(log_ratio), ci=ci, ci_level=level)
    assert found == pytest.approx(se, rel=1e-6)


@given(n=st.integers(1, 100_000), share=st.floats(0, 1))
def test_a_proportion_always_has_a_finite_positive_se(n: int, share: float) -> None:
    events = round(n * share)
    found, _ = derive_se(Statistic.PROPORTION, Family.PROPORTION, value=100 * events / n, n=n, events=events)
    assert found is not None
    assert 0 < found <= 50
    by_value, _ = derive_se(Statistic.PROPORTION, Family.PROPORTION, value=100 * events / n, n=n)
    assert by_value == pytest.approx(found, rel=1e-6)


def test_a_trial_with_a_retracted_source_goes_whole_and_says_so(folder) -> None:
    folder.sources({}, {"source_id": "pmid-2", "retracted": "yes"})
    evidence = table(
        folder,
        {},
        {"source_id": "pmid-2", "weeks": "56"},
        {"trial": "STEP 1"},
    )
    assert evidence.trials() == ("STEP 1",)
    assert len(evidence.warnings) == 1
    assert "SUSTAIN 1" in evidence.warnings[0]
    assert "pmid-2" in evidence.warnings[0]


@pytest.fixture
def several(folder) -> EvidenceTable:
    folder.sources(
        {"registry_id": ""},
        {"source_id": "pmid-2", "published": "2019", "registry_id": ""},
        {"source_id": "pmid-3", "published": "2020-06-15", "registry_id": ""},
    )
    return table(
        folder,
        {},
        {"arm": "placebo", "arm_role": "placebo", "intervention": "placebo", "dose": "", "dose_unit": ""},
        {**SHARE},
        {"source_id": "pmid-2", "weeks": "56", "registry_id": ""},
        {"trial": "SUSTAIN 10", "source_id": "pmid-2", "registry_id": "NCT10"},
        {"trial": "SUSTAIN 1-5 by age", "source_id": "pmid-3", "registry_id": ""},
        {"trial": "SCALE", "source_id": "pmid-3", "registry_id": "NCT7", "intervention": "liraglutide"},
    )


def test_as_of_never_sees_the_future(several: EvidenceTable) -> None:
    def seen(day: date) -> set[str]:
        return {arm.source_id for arm in several.view(EvidenceView(as_of=day)).arms}

    assert seen(date(2017, 3, 1)) == set()
    assert seen(date(2017, 4, 1)) == {"pmid-1"}
    assert seen(date(2019, 12, 30)) == {"pmid-1"}
    assert seen(date(2019, 12, 31)) == {"pmid-1", "pmid-2"}
    assert seen(date(2020, 6, 15)) == {"pmid-1", "pmid-2", "pmid-3"}


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("SUSTAIN 1", {"SUSTAIN 10", "SCALE"}),
        ("sustain-1", {"SUSTAIN 10", "SCALE"}),
        ("nct00000001", {"SUSTAIN 10", "SCALE"}),
        ("SUSTAIN*", {"SCALE"}),
        ("*", set()),
        ("pmid-3", {"SUSTAIN 1", "SUSTAIN 10"}),
        ("PMID-2", {"SUSTAIN 1", "SUSTAIN 1-5 by age", "SCALE"}),
        ("SUSTAIN", {"SUSTAIN 1", "SUSTAIN 10", "SUSTAIN 1-5 by age", "SCALE"}),
        ("SUSTAIN 10", {"SUSTAIN 1", "SUSTAIN 1-5 by age", "SCALE"}),
        ("SCALE", {"SUSTAIN 1", "SUSTAIN 10", "SUSTAIN 1-5 by age"}),
        ("", {"SUSTAIN 1", "SUSTAIN 10", "SUSTAIN 1-5 by age", "SCALE"}),
    ],
)
def test_exclude(several: EvidenceTable, exclude: str, left: set[str]) -> None:
    assert set(several.view(EvidenceView(exclude=(exclude,))).trials()) == left


def test_an_excluded_trial_goes_with_rows_from_every_source(several: EvidenceTable) -> None:
    kept = several.view(EvidenceView(exclude=("NCT00000001",))).arms
    assert all(arm.trial != "SUSTAIN 1" for arm in kept)
    assert "pmid-2" in {arm.source_id for arm in kept}


def test_select_and_endpoints_of(several: EvidenceTable) -> None:
    assert len(several.select("hba1c_change")) == 6
    assert {arm.trial for arm in several.select("hba1c_change", interventions=("liraglutide",))} == {"SCALE"}
    assert several.select("hba1c_change", classes=("placebo",))[0].arm_role.is_control
    assert several.select("weight_change") == ()
    assert several.endpoints_of("semaglutide") == ("hba1c_change", "nausea")
    assert several.endpoints_of("metformin") == ()
    assert several.trials() == ("SCALE", "SUSTAIN 1", "SUSTAIN 1-5 by age", "SUSTAIN 10")


def test_the_hash_is_of_the_content_not_of_the_order(folder) -> None:
    rows = [{"weeks": str(week)} for week in range(1, 12)]
    first = table(folder, *rows).hash
    random.Random(1).shuffle(rows)
    assert table(folder, *rows).hash == first
    assert len(first) == 16
    assert table(folder, *rows[1:]).hash != first
    assert table(folder, *rows[1:], {**rows[0], "value": "-1.51"}).hash != first
    assert table(folder, *rows[1:], {**rows[0], "age": "60"}).hash != first


def test_the_hash_of_a_view_is_that_of_what_it_shows(several: EvidenceTable) -> None:
    assert several.view(EvidenceView()).hash == several.hash
    hidden = several.view(EvidenceView(exclude=("SCALE",)))
    assert hidden.hash == EvidenceTable(hidden.arms, hidden.sources).hash != several.hash
