"""Drift: charts ring as rarely as stated while predictions hold, and soon when they do not."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from evals.drift import HORIZON, assess, hit, missed, standardised
from evals.drift_charts import CLIP, crossings, error_limit, error_paths, miss_limit, miss_paths
from evals.observations import FollowedUp

Z90 = 1.6448536269514722
START = date(2026, 1, 1)


def followed(observed: float, day: int = 0, **fields: object) -> FollowedUp:
    """A prediction of 0 with standard deviation 1, and what was observed of it."""
    base: dict[str, object] = {
        "run_id": f"r-{day:04d}",
        "estimate_id": "hba1c_change.mean",
        "endpoint": "hba1c_change",
        "unit": "%-points",
        "asked": START,
        "observed_on": START + timedelta(days=day),
        "point": 0.0,
        "lower": -Z90,
        "upper": Z90,
        "level": 0.9,
        "observed": observed,
        "tolerance": 1.0,
        "probability": 0.6826894921370859,  # of a standard normal within 1
    }
    return FollowedUp.model_validate(base | fields)


def test_a_path_is_the_sum_that_never_falls_below_zero() -> None:
    z = np.random.default_rng(2).normal(size=40)
    z[7] = 9.0
    high = low = 0.0
    expected = []
    for one in np.clip(z, -CLIP, CLIP):
        high, low = max(0.0, high + one - 0.5), max(0.0, low - one - 0.5)
        expected.append(max(high, low))
    assert error_paths(z) == pytest.approx(expected)


def test_the_steps_of_misses_are_log_likelihood_ratios() -> None:
    p0, odds = 0.1, 3.0
    p1 = odds * p0 / (1 - p0 + odds * p0)
    assert miss_paths([1], [p0])[0] == pytest.approx(math.log(p1 / p0))
    assert miss_paths([1, 0], [p0, p0])[1] == pytest.approx(math.log(p1 / p0) + math.log((1 - p1) / (1 - p0)))
    assert miss_paths([0, 0], [p0, p0])[1] == 0.0


def test_an_alarm_is_the_day_of_crossing_not_each_day_above() -> None:
    assert crossings(np.array([0.0, 2.0, 3.0, 1.0, 2.5]), 1.5) == [1, 4]
    assert crossings(np.array([2.0]), 2.0) == []


def in_control(seed: int, stretches: int, figures: int = 1) -> tuple[NDArray[np.bool_], ...]:
    """Which of so many stretches of 100 runs ring, by chart; `figures` a run that are partly the same."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((stretches, HORIZON, 1))
    z = math.sqrt(0.6) * shared + math.sqrt(0.4) * rng.standard_normal((stretches, HORIZON, figures))
    outside, off = np.abs(z) > Z90, np.abs(z) > 1.0
    rate = 0.05 / 3
    wrong = 1 - 0.6826894921370859
    return (
        (error_paths(z.mean(axis=2)) > error_limit(HORIZON, rate)).any(axis=1),
        (miss_paths(outside.mean(axis=2), np.full(HORIZON, 0.1)) > miss_limit([0.1], HORIZON, rate)).any(axis=1),
        (miss_paths(off.mean(axis=2), np.full(HORIZON, wrong)) > miss_limit([wrong], HORIZON, rate)).any(axis=1),
    )


@pytest.mark.parametrize("figures", [1, 4])
def test_false_alarms_are_as_rare_as_stated(figures: int) -> None:
    stretches = 6000
    rang = in_control(seed=77, stretches=stretches, figures=figures)
    any_chart = int(np.logical_or.reduce(rang).sum())
    assert binomtest(any_chart, stretches, 0.05, alternative="greater").pvalue > 0.01, any_chart / stretches
    if figures == 1:  # and the charts are not merely deaf
        for one in rang:
            assert 0.004 < one.mean() < 0.022


def runs_until_alarm(chart: int, draw: object, seed: int = 5) -> list[int]:
    """Runs until the chart rings, in 30 stretches."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(30):
        observed = draw(rng)  # type: ignore[operator]
        report = assess([followed(float(one), day) for day, one in enumerate(observed)])
        days = report.charts[chart].alarms
        found.append((days[0] - START).days + 1 if days else HORIZON + 1)
    return found


def test_a_shift_of_one_standard_deviation_is_found_in_about_fifteen_runs() -> None:
    waits = runs_until_alarm(0, lambda rng: rng.normal(1.0, 1.0, 60))
    assert np.median(waits) <= 18
    assert max(waits) <= 60
    assert np.median(runs_until_alarm(0, lambda rng: rng.normal(-1.0, 1.0, 60))) <= 18


def test_intervals_half_as_wide_as_they_should_be_are_found_in_two_dozen() -> None:
    assert np.median(runs_until_alarm(1, lambda rng: rng.normal(0.0, 2.0, 60))) <= 25


def test_inflated_confidence_rings_its_own_chart_and_no_other() -> None:
    rng = np.random.default_rng(8)
    figures = [followed(float(one), day, probability=0.95) for day, one in enumerate(rng.normal(0, 1, 60))]
    report = assess(figures)
    assert {chart.name: bool(chart.alarms) for chart in report.charts} == {
        "Errors": False,
        "Intervals": False,
        "Confidence": True,
    }
    assert report.alarm
    assert report.overall.brier is not None
    assert report.overall.brier_expected is not None
    assert report.overall.brier > 3 * report.overall.brier_expected


def test_predictions_that_hold_ring_nothing_and_are_described() -> None:
    rng = np.random.default_rng(4)
    report = assess([followed(float(one), day) for day, one in enumerate(rng.normal(0, 1, 60))])
    assert not report.alarm
    assert [one.runs for one in report.windows] == [20, 20, 20]
    overall = report.overall
    assert overall.covered == pytest.approx(0.9, abs=0.1)
    assert overall.covered_low < overall.covered < overall.covered_high
    assert overall.spread == pytest.approx(1.0, abs=0.25)
    assert overall.hits == pytest.approx(0.68, abs=0.15)
    text = report.text()
    assert "inside the 90 % interval" in text
    assert "at most 5 % of stretches of 100 runs" in text
    assert type(report).model_validate_json(report.model_dump_json()) == report


def test_a_skewed_interval_and_the_outcomes_own_error_count() -> None:
    assert standardised(followed(2.0, upper=2 * Z90)) == pytest.approx(1.0)
    assert standardised(followed(-2.0, upper=2 * Z90)) == pytest.approx(-2.0)
    assert standardised(followed(2.0, se=math.sqrt(3))) == pytest.approx(1.0)
    assert missed(followed(1.7))
    assert not missed(followed(1.7, se=0.5))
    assert standardised(followed(1.0, upper=0.0, lower=-2 * Z90)) == pytest.approx(1.0)
    assert hit(followed(0.9)) is True
    assert hit(followed(1.1)) is False
    assert hit(followed(0.9, probability=None)) is None


def test_figures_of_one_run_are_one_step() -> None:
    figures = [followed(2.0, 0), followed(-2.0, 0, estimate_id="weight_change.mean", endpoint="weight_change")]
    report = assess(figures)
    assert [step.value for step in report.charts[0].steps] == [0.0]
    assert report.overall.figures == 2
    assert [one.name for one in report.endpoints] == ["hba1c_change", "weight_change"]
