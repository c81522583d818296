"""Refill measures against a day-by-day simulation, the package that defined them, and their own invariants."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import InvalidInput
from tools.adherence import model
from tools.adherence.model import Windows, adherence_of, arrange, discontinuation_of, measure

quick = settings(max_examples=150, deadline=None)
FOLLOWED = 200
RECORDS = st.lists(
    st.tuples(st.integers(0, 220), st.integers(1, 60), st.integers(0, 2), st.sampled_from([1, 2, 4])),
    min_size=1,
    max_size=14,
)
INSIDE = st.tuples(st.integers(0, 120), st.integers(20, 80))


def day_by_day(records, begin, end, ends, *, same=False, dose_change=False):
    """Independent: a stock that is eaten by the day. Gaps of each event of a window, in days, as sets of days.

    records : (day, supply, medication, dose) in order, none after `end`; the last is followed to `ends`.
    """
    gaps, stock = [], 0.0
    for i, (day, supply, medication, dose) in enumerate(records):
        stock += supply
        until = records[i + 1][0] if i + 1 < len(records) else ends
        dry = []
        for today in range(day, until):
            if stock >= 1 - 1e-9:
                stock -= 1.0
            elif stock > 1e-9:  # part of a day is left after a change of dose
                dry.append((today, 1 - stock))
                stock = 0.0
            else:
                dry.append((today, 1.0))
        gaps.append(dry)
        if i + 1 < len(records):
            _, _, later, new = records[i + 1]
            if same and later != medication:
                stock = 0.0
            elif dose_change:
                stock *= dose / new
    return gaps


def wanted(records, window, *, same, dose_change):
    """All measures of one patient, slowly."""
    records = sorted(records, key=lambda one: one[0])
    origin = records[0][0]
    begin, end, ended = origin + window[0], origin + window[0] + window[1], origin + FOLLOWED
    followed = [one for one in records if one[0] <= ended]
    inside = [one for one in followed if begin <= one[0] <= end]
    rules = {"same": same, "dose_change": dose_change}
    found = dict.fromkeys(model.COLUMNS, np.nan)
    if inside:
        gaps = day_by_day(inside, begin, end, end, **rules)
        total = sum(one[1] for one in inside)
        first, last = inside[0][0], inside[-1][0]
        lost = [sum(size for _, size in dry) for dry in gaps]
        if last > first:
            found["CMA1"] = (total - inside[-1][1]) / (last - first)
            found["CMA3"] = min(1, found["CMA1"])
            found["CMA5"] = 1 - sum(lost[:-1]) / (last - first)
        if end > first:
            found["CMA2"] = total / (end - first)
            found["CMA4"] = min(1, found["CMA2"])
            found["CMA6"] = 1 - sum(lost) / (end - first)
            found["PDC"] = len(covered_days(inside, end)) / (end - first)
    before = [one for one in followed if one[0] <= end]
    if before:
        gaps = day_by_day(followed, origin, ended, ended, **rules)
        weighted = 0.0
        for i, (day, *_rest) in enumerate(followed):
            until = followed[i + 1][0] if i + 1 < len(followed) else ended
            ratio = 1 - sum(size for _, size in gaps[i]) / (until - day) if until > day else 0.0
            weighted += ratio * sum(begin <= today < end for today in range(day, until))
        found["CMA9"] = weighted / (end - begin)
    return found


def covered_days(inside, end):
    stock, days = {}, set()
    for day, supply, medication, _ in inside:
        start = max(day, stock.get(medication, day))
        days |= set(range(start, start + supply))
        stock[medication] = start + supply
    return {one for one in days if one < end}


@quick
@given(RECORDS, INSIDE, st.booleans(), st.booleans())
def test_measures_are_those_of_a_day_by_day_count(records, window, same, dose_change):
    if dose_change:  # a stock is counted in whole days where doses stay as they are
        records = [(day, supply, medication, 1) for day, supply, medication, _ in records]
    patient = np.zeros(len(records))
    day, supply, medication, dose = (np.array(column, dtype=float) for column in zip(*records, strict=True))
    refills = arrange(patient, day, supply, medication, dose)
    found = adherence_of(refills, Windows(0, FOLLOWED, *window), same_medication=same, dose_change=dose_change)
    expected = wanted(records, window, same=same, dose_change=dose_change)
    for name in ("CMA1", "CMA2", "CMA3", "CMA4", "CMA5", "CMA6", "CMA9", "PDC"):
        assert found.of(name)[0] == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


@quick
@given(RECORDS, INSIDE)
def test_cma7_counts_the_days_without_supply_in_the_window(records, window):
    """With one medication and a window that the follow-up reaches into, CMA7 is the share of days with stock at hand."""
    day, supply = np.array([one[0] for one in records], float), np.array([one[1] for one in records], float)
    found = measure("CMA7", np.zeros(len(records)), day, supply, followup_days=FOLLOWED,
                    observation_start=window[0], observation_days=window[1])[0]  # fmt: skip
    origin = int(day.min())
    begin, end = origin + window[0], origin + window[0] + window[1]
    stock, dry = 0, 0
    for today in range(origin, end):
        stock += sum(int(s) for d, s in zip(day, supply, strict=True) if d == today)
        dry += begin <= today and stock == 0
        stock -= stock > 0
    assert found == pytest.approx(1 - dry / window[1])


@quick
@given(RECORDS, INSIDE, st.booleans(), st.booleans())
def test_ranges_and_order(records, window, same, dose_change):
    day, supply, medication, dose = (np.array(column, dtype=float) for column in zip(*records, strict=True))
    refills = arrange(np.zeros(len(records)), day, supply, medication, dose)
    found = adherence_of(refills, Windows(0, FOLLOWED, *window), same_medication=same, dose_change=dose_change)
    value = {name: found.of(name)[0] for name in model.COLUMNS}
    for name in ("CMA3", "CMA4", "CMA5", "CMA6", "CMA7", "CMA8", "CMA9", "PDC"):
        assert np.isnan(value[name]) or -1e-12 <= value[name] <= 1 + 1e-12, name
    if np.isfinite(value["CMA1"]):
        assert value["CMA3"] <= value["CMA1"]
    if np.isfinite(value["CMA2"]):
        assert value["CMA4"] <= value["CMA2"]
    if not (same or dose_change) and np.isfinite(value["CMA5"]):
        assert value["CMA5"] <= value["CMA3"] + 1e-12
    if not (same or dose_change) and np.isfinite(value["CMA6"]):
        assert value["CMA6"] <= value["CMA4"] + 1e-12
        assert value["PDC"] <= value["CMA6"] + 1e-12
        if len(set(medication)) == 1:
            assert value["PDC"] == pytest.approx(value["CMA6"])


@quick
@given(RECORDS, INSIDE, st.integers(0, 13), st.integers(1, 30))
def test_more_supply_never_lowers_a_measure(records, window, which, more):
    day, supply = np.array([one[0] for one in records], float), np.array([one[1] for one in records], float)

    def values(days_supply):
        refills = arrange(np.zeros(len(day)), day, days_supply)
        return adherence_of(refills, Windows(0, FOLLOWED, *window)).values[0]

    richer = supply.copy()
    richer[which % len(supply)] += more
    low, high = values(supply), values(richer)
    # CMA8 shortens its window by what is left from before, and may fall.
    for name in model.COLUMNS:
        place = model.COLUMNS.index(name)
        if name != "CMA8" and np.isfinite(low[place]):
            assert high[place] >= low[place] - 1e-12, name


@quick
@given(RECORDS, st.integers(0, 90), st.integers(0, 30))
def test_discontinuation_comes_later_with_a_longer_permissible_gap(records, gap, more):
    day, supply = np.array([one[0] for one in records], float), np.array([one[1] for one in records], float)
    refills = arrange(np.zeros(len(day)), day, supply)
    short, long = (discontinuation_of(refills, g, followup_days=FOLLOWED) for g in (gap, gap + more))
    assert 0 < short.days[0] <= long.days[0] <= FOLLOWED
    assert short.stopped[0] >= long.stopped[0]


# Events that the package's vignette prints (table 1), patients 37 and 76.
DAYS = {37: [0, 111, 158, 267, 296, 394, 490, 578], 76: [0, 36, 41, 134, 239, 295, 352, 374, 389, 578, 668]}
SUPPLY = {37: [50] * 3 + [30] * 5, 76: [30, 30, 60, 60, 60, 60, 60, 30, 30, 30, 30]}
PATIENTS = [one for one in DAYS for _ in DAYS[one]]


@pytest.mark.parametrize(
    ("name", "value"),
    [("CMA1", 1.4), ("CMA2", 0.779), ("CMA3", 1.0), ("CMA4", 0.779), ("CMA6", 0.779), ("CMA7", 0.69), ("CMA9", 0.706)],
)
def test_the_vignettes_patient(name, value):
    found = measure(
        name, PATIENTS, DAYS[37] + DAYS[76], SUPPLY[37] + SUPPLY[76], observation_start=182, observation_days=365
    )
    assert found[1] == pytest.approx(value, abs=0.0006)


def test_the_vignettes_lagged_window():
    found = measure(
        "CMA8", PATIENTS, DAYS[37] + DAYS[76], SUPPLY[37] + SUPPLY[76], observation_start=374, observation_days=294
    )
    assert found[1] == pytest.approx(0.361, abs=0.0005)


def test_order_of_records_and_kind_of_labels_do_not_matter():
    order = np.random.default_rng(1).permutation(len(PATIENTS))
    day, supply = np.array(DAYS[37] + DAYS[76]), np.array(SUPPLY[37] + SUPPLY[76])
    names = np.array([f"p{one}" for one in PATIENTS])
    in_order = measure("CMA7", PATIENTS, day, supply)
    np.testing.assert_array_equal(measure("CMA7", names[order], day[order], supply[order]), in_order)


def test_a_change_of_dose_stretches_what_is_left():
    # 30 days are left on day 30, at 4 doses a day; at 2 a day they last 60.
    day, supply, dose = [0, 30], [60, 10], [4, 2]
    plain = measure("CMA6", [1, 1], day, supply, dose=dose, followup_days=130)
    changed = measure("CMA6", [1, 1], day, supply, dose=dose, followup_days=130, dose_change=True)
    assert plain[0] == pytest.approx(70 / 130)
    assert changed[0] == pytest.approx(100 / 130)
    other = measure("CMA6", [1, 1], day, supply, medication=["a", "b"], followup_days=130, same_medication=True)
    assert other[0] == pytest.approx(40 / 130)


def test_quality_alliance_shifts_early_refills_of_one_medication():
    # The Pharmacy Quality Alliance's own example: the fill of 25 September is used from 3 October.
    fills = [datetime(2018, month, day).toordinal() for month, day in ((3, 25), (7, 5), (9, 25))]
    start = datetime(2018, 1, 1).toordinal()
    found = measure(
        "PDC",
        [1] * 3,
        np.array(fills) - start,
        [90] * 3,
        followup_days=365,
        from_first_record=False,
        observation_days=365,
    )
    treated = datetime(2019, 1, 1).toordinal() - fills[0]
    assert found[0] == pytest.approx(270 / treated)
    both = measure("PDC", [1] * 2, [0, 0], [90, 90], medication=["metformin", "glipizide"], followup_days=180)
    assert both[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"patient": [], "day": [], "supply": []}, "no refill"),
        ({"patient": [1], "day": [np.nan], "supply": [30]}, "finite"),
        ({"patient": [1], "day": [0], "supply": [0]}, "above 0"),
        ({"patient": [1], "day": [0], "supply": [np.inf]}, "above 0"),
        ({"patient": [1, 2], "day": [0], "supply": [30]}, "as many"),
        ({"patient": [1], "day": [0], "supply": [30], "dose": [-1]}, "daily dose"),
        ({"patient": [1], "day": [0], "supply": [30], "observation_start": -1}, "0 or more"),
        ({"patient": [1], "day": [0], "supply": [30], "followup_days": 0}, "longer than 0"),
        ({"patient": [1], "day": [0], "supply": [30], "observation_start": 700, "observation_days": 60}, "after the follow-up"),
    ],
)  # fmt: skip
def test_hostile_records_are_refused(arguments, part):
    with pytest.raises(InvalidInput) as refused:
        measure("CMA7", **arguments)
    assert part in str(refused.value)


def test_same_day_and_repeated_events_are_counted():
    found = measure("CMA6", [1] * 3, [0, 0, 0], [30] * 3, followup_days=100)
    assert found[0] == pytest.approx(0.9)
    assert np.isnan(measure("CMA1", [1] * 3, [0, 0, 0], [30] * 3))[0]
    with pytest.raises(InvalidInput, match="no measure"):
        measure("CMA10", [1], [0], [30])


def test_a_million_records_in_one_pass():
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(100_000), 10)
    day = np.cumsum(rng.integers(20, 50, (100_000, 10)), axis=1).ravel()
    found = adherence_of(arrange(patients, day, np.full(day.size, 30.0)), Windows(0, 365))
    assert found.values.shape == (100_000, 13)
    assert 0 < found.of("CMA7").mean() < 1
