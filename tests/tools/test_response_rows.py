"""Which published rows enter, with which standard error, and what two rows have in common."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.schemas import ArmRole, Baseline, Design, Direction, Endpoint, Family, Seen, Source, Statistic, TrialArm
from tools.response.assemble import MAX_CORRELATION, prepare, sampling_covariance
from tools.response.rows import ArmLookup, Row, Selection, select_rows

CONTINUOUS = Endpoint(
    endpoint_id="hba1c_change", label="HbA1c change", family=Family.CONTINUOUS, unit="%-points",
    direction=Direction.LOWER_IS_BETTER, baseline="hba1c", limits=(-8, 4),
)  # fmt: skip
PROPORTION = Endpoint(
    endpoint_id="nausea", label="nausea", family=Family.PROPORTION, unit="%", direction=Direction.LOWER_IS_BETTER,
    limits=(0, 100),
)  # fmt: skip
SOURCES = {
    "one": Source(source_id="one", title="a trial", published="2015", design=Design.RCT, seen=Seen.FULL_TEXT),
    "pool": Source(source_id="pool", title="a pool", published="2015", design=Design.POOLED_RCT, seen=Seen.FULL_TEXT),
    "review": Source(source_id="review", title="a review", published="2015", design=Design.REVIEW, seen=Seen.FULL_TEXT),
}


def arm(**fields: Any) -> TrialArm:
    given: dict[str, Any] = {
        "row_id": "x:1", "area": "type_2_diabetes", "trial": "A 1", "source_id": "one", "arm": "drug 1 mg",
        "arm_role": ArmRole.ACTIVE, "intervention": "drug", "drug_class": "class", "n": 100,
        "endpoint": "hba1c_change", "statistic": Statistic.MEAN_CHANGE, "weeks": 26.0, "value": -1.0,
        "se_from": "missing", "locator": "table 1", "seen": Seen.FULL_TEXT, "published": "2015",
    }  # fmt: skip
    given.update(fields)
    return TrialArm(**given)


def placebo(**fields: Any) -> TrialArm:
    control = {"arm": "placebo", "arm_role": ArmRole.PLACEBO, "intervention": "placebo", "drug_class": "placebo"}
    return arm(**{**control, "value": -0.1, **fields})


def selected(*arms: TrialArm, endpoint: Endpoint = CONTINUOUS) -> Selection:
    of_endpoint = [one for one in arms if one.endpoint == endpoint.endpoint_id]
    return select_rows(of_endpoint, ArmLookup.of(arms), endpoint, SOURCES)


def test_standard_errors_are_printed_or_imputed_from_the_typical_sd() -> None:
    selection = selected(
        arm(sd=1.0, se=0.1, n=100),
        placebo(se=0.2, n=36),
        arm(trial="B 1", n=64),
        arm(trial="C 1", n=None),
    )
    by_trial = {(row.arm.trial, row.arm.arm): row for row in selection.rows}
    # Typical SD: 1.0 (100 people) and 0.2 x 6 = 1.2 (36 people); the weighted median is 1.0.
    assert selection.individual_sd == pytest.approx(1.0)
    assert selection.individual_sd_from == 2
    assert by_trial["B 1", "drug 1 mg"].se == pytest.approx(1.0 / 8)
    assert by_trial["B 1", "drug 1 mg"].imputed
    assert by_trial["A 1", "placebo"].se == 0.2
    assert selection.imputed == 1
    assert selection.skipped == {"neither standard error nor number of participants": 1}


def test_without_any_sd_a_size_alone_is_not_enough() -> None:
    selection = selected(arm(), placebo())
    assert selection.rows == ()
    assert selection.skipped == {"neither standard error nor number of participants": 2}


def test_size_is_taken_from_another_row_of_the_same_arm() -> None:
    rows = (arm(se=0.1), arm(trial="B 1", n=None), arm(trial="B 1", endpoint="weight_change", n=81))
    selection = select_rows(rows[:2], ArmLookup.of(rows), CONTINUOUS, SOURCES)
    assert selection.rows[1].se == pytest.approx(1.0 / 9)


def test_pooled_figures_and_withdrawal_trials_stay_out_but_reviews_of_one_trial_stay_in() -> None:
    selection = selected(
        arm(source_id="pool", se=0.1),
        arm(trial="Drug pooled by sex (six trials)", se=0.1),
        arm(trial="W 1", design="withdrawal", se=0.1),
        arm(trial="R 1", source_id="review", se=0.1),
    )
    assert [row.arm.trial for row in selection.rows] == ["R 1"]
    assert selection.skipped == {"pools several trials": 2, "change not counted from an untreated start": 1}


def test_one_figure_for_each_arm_and_visit() -> None:
    selection = selected(
        arm(estimand="on_treatment", value=-1.4, se=0.1),
        arm(estimand="treatment_policy", value=-1.2, se=0.1),
        arm(weeks=52.0, se=0.1),
    )
    assert sorted((row.arm.weeks, row.value) for row in selection.rows) == [(26.0, -1.2), (52.0, -1.0)]
    assert selection.skipped == {"another report of the same arm and visit": 1}


def test_differences_count_only_where_they_add_something() -> None:
    difference = {"statistic": Statistic.MEAN_DIFFERENCE, "comparator_arm": "placebo", "value": -0.9, "se": 0.15}
    both = selected(arm(se=0.1), placebo(se=0.1), arm(**difference))
    assert len(both.rows) == 2
    assert both.skipped == {"difference of two arms that are rows themselves": 1}
    lone = selected(arm(se=0.1), arm(**difference), placebo(endpoint="weight_change"))
    # The weight row is no HbA1c figure, but it says that the comparator was placebo.
    assert lone.rows[-1].against is not None
    assert lone.rows[-1].against.arm_role is ArmRole.PLACEBO
    unknown = selected(arm(**difference))
    assert unknown.rows == ()
    assert unknown.skipped == {"difference from an arm whose treatment is not known": 1}


def test_other_statistics_are_counted_and_left_out() -> None:
    ratio = arm(endpoint="nausea", statistic=Statistic.ODDS_RATIO, comparator_arm="placebo", value=2.0, se=0.2)
    selection = selected(ratio, endpoint=PROPORTION)
    assert selection.skipped == {"statistic odds_ratio is not modelled": 1}


@pytest.mark.parametrize(
    ("n", "events", "value", "logit"),
    [
        (50, 0, 0.0, math.log(0.5 / 50.5)),
        (50, 50, 100.0, math.log(50.5 / 0.5)),
        (1, 0, 0.0, math.log(0.5 / 1.5)),
        (200, None, 25.0, math.log(50.5 / 150.5)),
        (200, 50, 24.9, math.log(50.5 / 150.5)),
    ],
)
def test_proportions_become_logits(n: int, events: int | None, value: float, logit: float) -> None:
    (row,) = selected(
        arm(endpoint="nausea", statistic=Statistic.PROPORTION, n=n, events=events, value=value), endpoint=PROPORTION
    ).rows
    assert row.value == pytest.approx(logit)
    count = value * n / 100 if events is None else events
    assert row.se == pytest.approx(math.sqrt(1 / (count + 0.5) + 1 / (n - count + 0.5)))


def test_a_proportion_without_size_is_refused() -> None:
    share = arm(endpoint="nausea", statistic=Statistic.PROPORTION, n=None, value=20.0, se=2.0)
    assert selected(share, endpoint=PROPORTION).rows == ()


def row_of(trial_arm: TrialArm, se: float, against: TrialArm | None = None) -> Row:
    return Row(trial_arm, against, trial_arm.value, se, False)


def test_what_two_figures_of_a_trial_share() -> None:
    whole, part = arm(), arm(cohort="eGFR 30-59")
    difference = arm(statistic=Statistic.MEAN_DIFFERENCE, comparator_arm="placebo")
    rows = [row_of(whole, 0.1), row_of(part, 0.3), row_of(placebo(), 0.1), row_of(difference, 0.2, placebo())]
    covariance = sampling_covariance(rows)
    assert covariance[0, 1] == pytest.approx(0.01)  # the subgroup is part of the whole
    assert covariance[0, 3] == pytest.approx(0.01)  # the difference has the arm in it
    assert covariance[2, 3] == pytest.approx(-0.01)
    assert covariance[0, 2] == covariance[1, 2] == 0.0
    visits = sampling_covariance(
        [row_of(arm(weeks=12.0), 0.1), row_of(arm(weeks=24.0), 0.1), row_of(arm(weeks=96.0), 0.1)]
    )
    assert visits[0, 1] > visits[0, 2] > 0
    apart = sampling_covariance([row_of(arm(), 0.1), row_of(arm(trial="B 1"), 0.1)])
    assert apart[0, 1] == 0.0


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.floats(0.01, 3)), min_size=1, max_size=14
    )
)
@settings(deadline=None, max_examples=60)
def test_sampling_covariance_is_always_positive_definite(items: list[tuple[int, int, int, float]]) -> None:
    rows = []
    for who, when, kind, se in items:
        cohort = "all" if who == 0 else f"group {who}"
        base = {"cohort": cohort, "weeks": 12.0 * (when + 1)}
        if kind:
            one = arm(**base, statistic=Statistic.MEAN_DIFFERENCE, comparator_arm="placebo")
            rows.append(row_of(one, se, placebo()))
        else:
            rows.append(row_of(arm(**base), se))
    covariance = sampling_covariance(rows)
    np.testing.assert_allclose(covariance, covariance.T)
    np.testing.assert_allclose(np.diag(covariance), [se**2 for *_, se in items])
    assert np.linalg.eigvalsh(covariance)[0] > 0
    sds = np.sqrt(np.diag(covariance))
    off = np.abs(covariance / np.outer(sds, sds) - np.eye(len(sds)))
    assert off.max() <= MAX_CORRELATION + 1e-9


def test_arrays_do_not_depend_on_the_order_of_the_rows() -> None:
    rows = [
        arm(se=0.1, baseline=Baseline(hba1c=8.0)),
        placebo(se=0.1, baseline=Baseline(hba1c=8.1)),
        arm(trial="B 1", se=0.2, intervention="other", arm="other"),
    ]
    first = prepare(CONTINUOUS, selected(*rows), {}, {})
    second = prepare(CONTINUOUS, selected(*reversed(rows)), {}, {})
    np.testing.assert_array_equal(first.data.y, second.data.y)
    assert first.evidence_hash == second.evidence_hash
    changed = prepare(CONTINUOUS, selected(rows[0], rows[1], rows[2].model_copy(update={"value": -1.1})), {}, {})
    assert changed.evidence_hash != first.evidence_hash
