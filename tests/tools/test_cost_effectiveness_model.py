"""The equations of cost-effectiveness against closed forms, another library and their own invariants."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from knowledge.errors import InvalidInput
from tools.cost_effectiveness import model
from tools.expressions import evaluate, names_in

RATES = st.floats(0.0, 0.2)
quick = settings(max_examples=40, deadline=None)


def stochastic(rng, *shape):
    table = rng.random(shape)
    return table / table.sum(axis=-1, keepdims=True)


@quick
@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 10_000))
def test_nobody_is_lost(states, cycles, seed):
    rng = np.random.default_rng(seed)
    trace = model.cohort_trace(stochastic(rng, states), stochastic(rng, cycles, states, states), cycles)
    assert trace.min() >= 0
    np.testing.assert_allclose(trace.sum(axis=1), 1.0, rtol=1e-12)


@quick
@given(st.integers(2, 5), st.integers(1, 25), st.integers(0, 10_000))
def test_totals_are_those_of_the_trace(states, cycles, seed):
    rng = np.random.default_rng(seed)
    start, steps = stochastic(rng, states), stochastic(rng, 3, cycles, states, states)
    rewards = rng.normal(size=(3, 2, cycles + 1, states))
    found = model.cohort_totals(start, steps, rewards)
    for draw in range(3):
        trace = model.cohort_trace(start, steps[draw], cycles)
        np.testing.assert_allclose(found[draw], np.einsum("ts,kts->k", trace, rewards[draw]), rtol=1e-10, atol=1e-10)


def test_life_expectancy_is_the_fundamental_matrix():
    inner = np.array([[0.8, 0.15], [0.0, 0.9]])
    steps = np.array([[0.8, 0.15, 0.05], [0.0, 0.9, 0.1], [0.0, 0.0, 1.0]])
    begins, ends = model.point_weights(model.cycle_weights(2000, "none"), np.ones(2001), "none")
    alive = np.array([1.0, 1.0, 0.0])[None, None]
    rewards = model.state_rewards(alive, begins, ends)[:, None]
    found = model.cohort_totals([1, 0, 0], steps[None, None], rewards)[0, 0]
    assert found == pytest.approx(np.linalg.inv(np.eye(2) - inner)[0].sum(), rel=1e-9)


@pytest.mark.parametrize("correction", ["none", "beginning", "end", "half_cycle", "life_table", "simpson_composite"])
def test_corrections_bracket_the_integral(correction):
    """Discounted life years of exponential survival are 1 / (hazard + rate)."""
    hazard, rate, cycles = 0.1, 0.03, 400
    stay = math.exp(-hazard)
    steps = np.array([[stay, 1 - stay], [0, 1]])
    factors = model.discount_factors(cycles, rate, compounding="continuous")
    begins, ends = model.point_weights(model.cycle_weights(cycles, correction), factors, correction)
    rewards = model.state_rewards(np.array([[[1.0, 0.0]]]), begins, ends)[:, None]
    found = model.cohort_totals([1, 0], steps[None, None], rewards)[0, 0]
    exact = 1 / (hazard + rate)
    near = {"half_cycle": 0.02, "life_table": 0.13, "simpson_composite": 0.001}.get(correction, 0.6)
    assert found == pytest.approx(exact, abs=near)


def test_discounting_conventions():
    factors = model.discount_factors(3, 0.06)
    np.testing.assert_allclose(factors, 1.06 ** -np.arange(4))
    np.testing.assert_allclose(model.discount_factors(2, 0.06, timing="end"), 1.06 ** -np.arange(1, 4))
    np.testing.assert_allclose(model.discount_factors(2, 0.06, undiscounted_years=1), [1, 1, 1 / 1.06])
    np.testing.assert_allclose(model.discount_factors(2, 0.06, 0.5, compounding="per_cycle"), 1.03 ** -np.arange(3))
    assert np.all(model.discount_factors(5, 0.0) == 1)


@quick
@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-50, 50)), min_size=1, max_size=8), st.floats(-1e4, 1e4))
def test_frontier_holds_the_best_at_every_threshold(points, shift):
    cost, effect = (np.round(np.array(v), 3) for v in zip(*points, strict=True))
    rows = model.frontier(cost, effect)
    on = [row.index for row in rows if row.standing is model.Standing.FRONTIER]
    ratios = [row.icer for row in sorted(rows, key=lambda row: row.cost) if row.icer is not None]
    assert on
    assert all(b >= a - 1e-6 * max(1, abs(a)) for a, b in pairwise(ratios))
    for threshold in (0.0, 1.0, 100.0, 1e4, 1e6):
        benefit = model.net_monetary_benefit(cost, effect, threshold)
        assert benefit[on].max() == pytest.approx(benefit.max(), rel=1e-9, abs=1e-6)
    moved = model.frontier(cost + round(shift, 3), effect)
    if len(set(cost + round(shift, 3))) == len(set(cost)):
        assert [row.standing for row in moved] == [row.standing for row in rows]


def test_extended_dominance_is_checked_again():
    """Removing one strategy can make the one before it extendedly dominated too."""
    rows = model.frontier([0, 100, 190, 200], [0, 1.0, 1.5, 4.0])
    assert [row.standing.value for row in rows] == [
        "on the frontier", "extendedly dominated", "extendedly dominated", "on the frontier",
    ]  # fmt: skip
    assert rows[3].icer == pytest.approx(50)
    tie = model.frontier([10, 10], [1, 1])
    assert [row.standing.value for row in tie] == ["on the frontier", "dominated"]


@quick
@given(st.floats(-1e5, 1e5), st.floats(0.01, 50))
def test_icer_is_symmetric(cost, effect):
    assert model.icer(cost, effect) == model.icer(-cost, -effect)


def test_acceptability_of_a_normal_net_benefit():
    benefit = np.random.default_rng(3).normal(1000, 2000, 200_000)
    found = model.acceptability(np.stack([np.zeros_like(benefit), -benefit], 1), np.zeros((len(benefit), 2)), [0.0])
    z = 0.5
    loss = 2000 * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    assert found.probability[0, 1] == pytest.approx(stats.norm.cdf(z), abs=4 * found.standard_error[0, 1])
    assert found.evpi[0] == pytest.approx(loss, abs=4 * found.evpi_error[0])
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0)
    assert found.expected_loss[0].min() == pytest.approx(found.evpi[0])


def test_ties_share_the_probability():
    found = model.acceptability(np.zeros((5, 4)), np.ones((5, 4)), [1.0])
    np.testing.assert_allclose(found.probability, 0.25)
    assert found.evpi[0] == 0


@quick
@given(st.floats(0, 90), st.floats(0, 90), RATES, st.floats(0, 1), st.floats(0.001, 0.1))
def test_years_lost_are_the_integral(age, years, rate, weight, beta):
    scheme = model.Weighting(rate, weight, 0.1658, beta)

    def value(x):
        return ((1 - weight) + weight * 0.1658 * x * math.exp(-beta * x)) * math.exp(-rate * (x - age))

    expected = integrate.quad(value, age, age + years)[0]
    assert model.years_of_life_lost(age, years, scheme) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert model.years_lived_with_disability(age, years, 0.3, scheme) == pytest.approx(
        0.3 * expected, rel=1e-6, abs=1e-6
    )


def test_cascades():
    scheme = model.Weighting(0.03)
    death = model.Event("death", 1.0, lag=5, fatality=1.0)
    stroke = model.Event("stroke", 0.2, duration=math.inf, disability_weight=0.4, followed_by=(death,))
    found = model.cascade([stroke], 50, 30, scheme)
    assert found.deaths == pytest.approx(0.2)
    assert found.yll == pytest.approx(0.2 * math.exp(-0.15) * model.present_years(25, 0.03))
    assert found.yld == pytest.approx(0.2 * 0.4 * model.present_years(30, 0.03))
    second = model.Event("second", 1.0, lag=0, duration=10, disability_weight=0.5)
    both = model.cascade([model.Event("first", 1.0, duration=10, disability_weight=0.4, followed_by=(second,))], 50, 30)
    assert both.daly == pytest.approx(10 * model.combined_disability([0.4, 0.5]))


@quick
@given(st.sampled_from(["weibull", "loglogistic", "gamma"]), st.floats(0.3, 4), st.floats(0.3, 5))
def test_survival_falls_from_one(family, first, second):
    t = np.linspace(0, 20, 50)
    found = model.survival(family, t, first, second)
    assert found[0] == 1.0
    assert (np.diff(found) <= 1e-15).all()
    oracle = {
        "weibull": stats.weibull_min(first, scale=second),
        "loglogistic": stats.fisk(first, scale=second),
        "gamma": stats.gamma(first, scale=1 / second),
    }[family]
    np.testing.assert_allclose(found, oracle.sf(t), atol=1e-12)


def test_other_curves_and_partition():
    t = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(model.survival("exponential", t, 0.2), np.exp(-0.2 * t))
    np.testing.assert_allclose(
        model.survival("lognormal", t[1:], 0.1, 0.7), stats.lognorm(0.7, scale=math.exp(0.1)).sf(t[1:])
    )
    np.testing.assert_allclose(model.survival("gompertz", t, 0.3, 0.1), stats.gompertz(0.1 / 0.3, scale=1 / 0.3).sf(t))
    np.testing.assert_allclose(model.read_off([0, 1, 2], [1, 0.5, 0.4], [0, 0.5, 4]), [1, 0.5**0.5, 0.4 * 0.8**2])
    shares, crossed = model.partition([np.array([1, 0.6, 0.5]), np.array([1, 0.7, 0.4])])
    np.testing.assert_allclose(shares.sum(axis=-1), 1)
    assert shares.min() >= 0
    assert crossed == pytest.approx(1 / 3)


def test_mortality_laws():
    whole = model.gompertz_cumulative_hazard(60, 5, 3e-5, 0.09)
    assert whole == pytest.approx(integrate.quad(lambda x: 3e-5 * math.exp(0.09 * x), 60, 65)[0])
    parts = model.table_cumulative_hazard([60, 64.5], [4.5, 0.5], [0, 60, 62], [0.01, 0.02, 0.03])
    assert parts.sum() == pytest.approx(-2 * math.log(0.98) - 3 * math.log(0.97))


@quick
@given(st.integers(0, 1000))
def test_microsimulation_is_the_same_however_it_is_cut(seed):
    steps = np.array([[[[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0, 0, 1.0]]]])
    rewards = np.arange(33, dtype=np.float64).reshape(1, 11, 1, 3)
    whole = model.simulate_people(300, [1, 0, 0], steps, rewards, seed=seed)
    parts = [model.simulate_people(100, [1, 0, 0], steps, rewards, seed=seed, first=k) for k in (0, 100, 200)]
    joined = model.pooled(parts)
    np.testing.assert_array_equal(whole.occupancy, joined.occupancy)
    np.testing.assert_allclose(whole.total, joined.total)
    assert (whole.occupancy.sum(axis=1) == 300).all()


def test_microsimulation_with_memory_has_its_expectation():
    """Leaving after exactly two cycles in a state: three points of time are spent there."""
    steps = np.zeros((1, 3, 2, 2))
    steps[0, :, 1, 1] = 1
    steps[0, 0, 0] = steps[0, 1, 0] = [1, 0]
    steps[0, 2, 0] = [0, 1]
    rewards = np.zeros((1, 11, 1, 2))
    rewards[..., 0] = 1
    found = model.simulate_people(50, [1, 0], steps, rewards, seed=1)
    assert found.mean[0] == 3
    assert found.sd[0] == 0


def test_frailty_is_a_hazard_ratio():
    steps = np.array([[[[0.6, 0.3, 0.1], [0.0, 0.9, 0.1], [0, 0, 1.0]]]])
    rewards = np.zeros((1, 2, 1, 3))
    found = (
        model.simulate_people(200_000, [1, 0, 0], steps, rewards, seed=5, dead=2, frailty=3.0).occupancy[1] / 200_000
    )
    dying = 1 - 0.9**3
    np.testing.assert_allclose(found, [0.6 * (1 - dying) / 0.9, 0.3 * (1 - dying) / 0.9, dying], atol=0.004)


def test_treatment_gains_closed_form():
    persistence, rate, years = 0.4, 0.03, 5.0
    hazard, delta = -math.log(persistence), math.log1p(rate)
    found = model.treatment_gains(
        cost_per_year=1000, start_cost=50, utility_gain=0.04, persistence=persistence, onset_years=0,
        half_life_years=0, horizon_years=years, discount_costs=rate, discount_effects=rate,
    )  # fmt: skip
    years_on = (1 - math.exp(-(hazard + delta) * years)) / (hazard + delta)
    assert found.cost[0] == pytest.approx(50 + 1000 * years_on, rel=1e-4)
    assert found.qaly[0] == pytest.approx(0.04 * years_on, rel=1e-4)
    lasting = model.treatment_gains(
        cost_per_year=0, start_cost=0, utility_gain=1, persistence=persistence, onset_years=0, half_life_years=0.5,
        horizon_years=years, discount_costs=0, discount_effects=0,
    )  # fmt: skip
    decay = math.log(2) / 0.5
    after = (
        hazard / (decay - hazard) * ((1 - math.exp(-hazard * years)) / hazard - (1 - math.exp(-decay * years)) / decay)
    )
    assert lasting.qaly[0] == pytest.approx((1 - math.exp(-hazard * years)) / hazard + after, rel=1e-4)


def test_budget_and_population_value():
    np.testing.assert_allclose(model.budget_impact([100, 50], [10, 20, 0]), [1000, 2500, 1000])
    assert model.population_evpi(2, 100, 2.5, 0.0) == pytest.approx(500)


def test_expressions():
    names = {"p": np.array([[0.2], [0.4]]), "cycle": np.array([[1.0, 2.0, 3.0]])}
    found = evaluate("(1 - p) * (2 if cycle <= 2 else 1) + min(p, 0.3)", names)
    np.testing.assert_allclose(found, [[1.8, 1.8, 1.0], [1.5, 1.5, 0.9]])
    assert names_in("max(a, b) + c") == {"a", "b", "c"}
    for text in (
        "__import__('os')",
        "p.real",
        "open('x')",
        "p if",
        "[1]",
        "lambda: 1",
        "p" * 2000,
        "1 / 0",
        "unknown + 1",
    ):
        with pytest.raises(InvalidInput):
            evaluate(text, names)


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.check_transitions([[0.5, 0.4], [0, 1]]),
        lambda: model.check_transitions([[1.5, -0.5], [0, 1]]),
        lambda: model.check_transitions([[math.nan, 1], [0, 1]]),
        lambda: model.check_transitions([0.5, 0.5]),
        lambda: model.cohort_trace([1, 1], np.eye(2), 3),
        lambda: model.cohort_trace([1, 0], np.eye(2), 0),
        lambda: model.cycle_weights(3, "simpson_composite"),
        lambda: model.discount_factors(3, -2.0),
        lambda: model.frontier([1, math.nan], [1, 2]),
        lambda: model.frontier([], []),
        lambda: model.icer(5, 0),
        lambda: model.acceptability([[1.0]], [[1.0]], [-1]),
        lambda: model.years_of_life_lost(-1, 5),
        lambda: model.years_lived_with_disability(1, 5, 1.5),
        lambda: model.survival("weibull", [-1], 1, 1),
        lambda: model.survival("weibull", [1], -1, 1),
        lambda: model.survival("cox", [1], 1, 1),
        lambda: model.read_off([0, 1], [1, 1.2], [0.5]),
        lambda: model.gompertz_cumulative_hazard(1, 1, -1, 0.1),
        lambda: model.table_cumulative_hazard(1, 1, [0, 0], [0.1, 0.1]),
        lambda: model.simulate_people(0, [1], np.ones((1, 1, 1, 1)), np.ones((1, 2, 1, 1)), seed=1),
        lambda: model.budget_impact([1], [-1]),
        lambda: model.Event("x", 1.5),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(InvalidInput):
        call()
