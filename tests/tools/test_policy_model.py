"""The chain's equations: closed forms, conservation, and other tools as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import InvalidInput
from tools.capacity.model import mmc
from tools.cost_effectiveness.model import treatment_gains
from tools.policy.model import (
    VisitPlan,
    by_month,
    change_course,
    clinic_wait,
    first_order,
    grid,
    monthly_profile,
    utility_years,
    visits_until,
    years_on,
)

SHARES = st.floats(0.01, 1.0)


def plan(initiation=1.0, early=12.0, later=4.0, early_years=0.25):
    return VisitPlan(np.array([initiation]), np.array([early]), np.array([later]), early_years)


@given(SHARES, st.floats(0, 3), st.floats(0, 3), st.floats(0, 0.2))
def test_years_on_is_the_integral(share, begin, length, discount):
    t = np.linspace(begin, begin + length, 4001)
    expected = np.trapezoid(share**t * (1 + discount) ** -t, t)
    assert years_on(share, begin, begin + length, discount=discount) == pytest.approx(expected, abs=1e-5)


def test_years_on_without_stopping_is_time():
    assert years_on(1.0, 0.5, 2.0) == pytest.approx(1.5)
    assert years_on(0.5, 0.0, 1.0) == pytest.approx(0.5 / np.log(2))
    assert years_on(0.5, 1.0, 0.5) == 0


@given(SHARES, st.floats(0, 4), st.floats(0, 4))
def test_years_on_adds_up(share, first, second):
    whole = years_on(share, 0.0, first + second)
    assert whole == pytest.approx(years_on(share, 0.0, first) + years_on(share, first, first + second), abs=1e-12)


def test_visits_of_who_stays_follow_the_guideline():
    # One at the start, three in three months, then one each three months: 1 + 3 + 3 in a year.
    assert visits_until(1.0, 1.0, plan()) == pytest.approx(7.0)
    assert visits_until(1.0, 0.0, plan()) == pytest.approx(1.0)
    assert visits_until(1.0, -0.1, plan()) == 0


@given(SHARES, SHARES, st.floats(0, 3), st.floats(0, 3))
def test_visits_grow_with_time_and_persistence(one, other, early, late):
    low, high = sorted((one, other))
    first, second = sorted((early, late))
    assert visits_until(low, first, plan()) <= visits_until(low, second, plan()) + 1e-12
    assert visits_until(low, second, plan()) <= visits_until(high, second, plan()) + 1e-12


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 1.0), st.floats(0.05, 3.0), st.floats(0.1, 3.0), st.floats(0.0, 0.1))
def test_utility_is_that_of_the_cost_effectiveness_tool(share, half_life, onset, discount):
    years = 2.0
    t = grid(years)
    course = change_course(-10.0, np.minimum(t / onset, 1.0), share, 1.0, np.log(2) / half_life, t)
    other = treatment_gains(
        cost_per_year=0.0, start_cost=0.0, utility_gain=0.05, persistence=share, onset_years=onset,
        half_life_years=half_life, horizon_years=years, discount_costs=0.0, discount_effects=discount,
    )  # fmt: skip
    assert utility_years(course, -0.005, discount=discount)[0] == pytest.approx(other.qaly[0], rel=2e-3)


def test_utility_without_stopping_is_a_triangle_and_a_box():
    t = grid(1.0)
    course = change_course(-8.0, np.minimum(t / 0.5, 1.0), 1.0, 0.7, 5.0, t)
    assert utility_years(course, -0.01)[0] == pytest.approx(0.08 * 0.75, rel=1e-6)
    assert (course.stopped == 0).all()


@settings(deadline=None, max_examples=40)
@given(st.floats(-30, -1), st.floats(0.05, 0.99), st.floats(0, 1), st.floats(0, 50))
def test_everyone_is_the_mixture_of_who_stays_and_who_stops(effect, share, plateau, rate):
    t = grid(1.0)
    course = change_course(effect, t, share, plateau, rate, t)
    mixed = course.on * course.persistent + (1 - course.on) * course.stopped
    np.testing.assert_allclose(course.everyone, mixed, atol=1e-9)
    # Who stopped keeps something between nothing and all of the change of those who stay.
    assert (course.stopped <= 1e-9).all()
    assert (course.stopped >= course.persistent.min() - 1e-9).all()


def test_what_is_lost_at_once_is_gone_and_what_never_returns_stays():
    t = grid(1.0)
    flat = np.concatenate([[1.0], np.ones(len(t) - 1)])
    at_once = change_course(-10.0, flat, 0.5, 1.0, np.inf, t)
    assert at_once.stopped[0, -1] == 0
    assert at_once.everyone[0, -1] == pytest.approx(-5.0)
    never = change_course(-10.0, flat, 0.5, 0.0, 3.0, t)
    assert never.everyone[0, -1] == pytest.approx(-10.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 24), st.floats(0.05, 1.0), st.integers(0, 10_000))
def test_months_sum_to_what_each_starter_uses(months, share, people):
    profile = monthly_profile(lambda when: visits_until(np.array([share]), when, plan()), months)
    started = np.zeros((1, 1, months))
    started[0, 0, 0] = people
    total = by_month(started, profile).sum()
    assert total == pytest.approx(people * visits_until(share, (months - 0.5) / 12, plan()), rel=1e-9)


def test_by_month_is_linear_and_never_before_the_start():
    rng = np.random.default_rng(3)
    started, profile = rng.integers(0, 50, (4, 3, 6)).astype(float), rng.random((4, 6))
    np.testing.assert_allclose(by_month(2 * started, profile), 2 * by_month(started, profile))
    by_hand = sum(started[2, 1, m] * profile[2, 4 - m] for m in range(5))
    assert by_month(started, profile)[2, 1, 4] == pytest.approx(by_hand)
    late = np.zeros((1, 1, 6))
    late[..., 4] = 7
    assert (by_month(late, profile[:1])[..., :4] == 0).all()


def test_waits_are_those_of_the_capacity_tool():
    wait, busy = clinic_wait([80.0, 0.0, 200.0], 30.0, 2, 40.0)
    assert wait[0] == pytest.approx(mmc(2.0, 2.0, 2).wait_mean)
    assert wait[1] == 0
    assert np.isinf(wait[2])
    np.testing.assert_allclose(busy, [0.5, 0.0, 1.25])


def test_shares_of_variance_of_a_sum_are_known():
    rng = np.random.default_rng(5)
    x = {"a": rng.standard_normal(20_000), "b": rng.uniform(-1, 1, 20_000), "c": np.ones(20_000)}
    found = {one.name: one for one in first_order(x, 2 * x["a"] + 3 * x["b"])}
    assert found["a"].share == pytest.approx(4 / 7, abs=0.02)
    assert found["b"].share == pytest.approx(3 / 7, abs=0.02)
    assert found["a"].high - found["a"].low == pytest.approx(4 * 1.645, rel=0.05)
    assert "c" not in found
    assert first_order(x, np.full(20_000, 3.0)) == ()
    assert first_order({"a": x["a"][:50]}, x["a"][:50]) == ()


def test_shares_of_variance_agree_with_exact_sobol_indices():
    """Y = X1 + X2² + X1·X2 of standard normals: V = 1 + 2 + 1, first orders 1/4 and 2/4."""
    rng = np.random.default_rng(6)
    one, two = rng.standard_normal((2, 50_000))
    found = {d.name: d.share for d in first_order({"one": one, "two": two}, one + two**2 + one * two)}
    assert found["one"] == pytest.approx(0.25, abs=0.02)
    assert found["two"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    "call",
    [
        lambda: years_on(0.0, 0, 1),
        lambda: years_on(1.2, 0, 1),
        lambda: years_on(float("nan"), 0, 1),
        lambda: years_on(0.5, -1, 1),
        lambda: years_on(0.5, 0, float("inf")),
        lambda: years_on(0.5, 0, 1, discount=-1.5),
        lambda: visits_until(0.5, 1, plan(later=-1)),
        lambda: grid(0.0),
        lambda: grid(float("nan")),
        lambda: change_course(-1, [0, 1], 0.5, 1, -2, [0, 1]),
        lambda: change_course(float("nan"), [0, 1], 0.5, 1, 2, [0, 1]),
        lambda: change_course(-1, [0, 1, 2], 0.5, 1, 2, [0, 1]),
        lambda: change_course(-1, [0, 1, 2], 0.5, 1, 2, [0, 1, 3]),
        lambda: by_month(np.ones((2, 1, 3)), np.ones((2, 2))),
        lambda: monthly_profile(lambda _when: np.ones(1), 0),
        lambda: clinic_wait([1.0], 0.0, 2, 40),
        lambda: clinic_wait([-1.0], 20, 2, 40),
    ],
)
def test_hostile_inputs_are_refused(call):
    with pytest.raises(InvalidInput):
        call()
