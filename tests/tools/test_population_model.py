"""Continuous-time Markov models against closed forms, msm's published fits where the data are here, and invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

from knowledge.errors import InvalidInput
from tools.population import model
from tools.population.panel import log_likelihood, probabilities_and_slopes
from tools.population.panel_data import intervals_of

quick = settings(max_examples=30, deadline=None)
ILLNESS = np.array([[0, 0.12, 0.03], [0, 0, 0.25], [0, 0, 0]])


def random_rates(seed, states):
    return np.random.default_rng(seed).uniform(0, 1.5, (states, states))


@quick
@given(st.integers(0, 9999), st.integers(2, 7), st.floats(0, 20))
def test_probabilities_sum_to_one_and_chain(seed, states, time):
    p = model.transition_probabilities(random_rates(seed, states), time)
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-10)
    half = model.transition_probabilities(random_rates(seed, states), time / 2)
    np.testing.assert_allclose(half @ half, p, atol=1e-9)


@quick
@given(st.integers(0, 9999), st.integers(2, 6), st.integers(1, 8))
def test_people_are_conserved(seed, states, years):
    rng = np.random.default_rng(seed)
    start, new = rng.uniform(0, 100, states), rng.uniform(0, 20, (years, states))
    rates = np.stack([random_rates(seed + t, states) for t in range(years)])
    found = model.expected_forecast(start, rates, new, years)
    np.testing.assert_allclose(found.occupancy.sum(axis=1), start.sum() + np.r_[0, new.sum(axis=1).cumsum()])
    np.testing.assert_allclose(found.person_years.sum(axis=1), found.occupancy[:-1].sum(axis=1) + new.sum(axis=1) / 2)
    balance = found.occupancy[:-1] + found.entries - found.moves.sum(axis=2)
    np.testing.assert_allclose(balance, found.occupancy[1:], atol=1e-8)


def test_illness_and_death_in_closed_form():
    early = np.exp(-0.15 * 5)
    advanced = 0.12 / (0.25 - 0.15) * (np.exp(-0.15 * 5) - np.exp(-0.25 * 5))
    np.testing.assert_allclose(
        model.occupancy([1, 0, 0], ILLNESS, [5])[0], [early, advanced, 1 - early - advanced], atol=1e-12
    )
    np.testing.assert_allclose(model.mean_time_in_states(ILLNESS, 0)[:2], [1 / 0.15, 0.12 / 0.15 / 0.25])


def test_forecast_against_the_differential_equations():
    new = np.array([30.0, 5.0, 0.0])
    q = model.generator(ILLNESS)
    solved = integrate.solve_ivp(lambda _t, y: y @ q + new, (0, 4), [100, 20, 0], rtol=1e-11, atol=1e-10)
    found = model.expected_forecast([100, 20, 0], ILLNESS, new, 4)
    np.testing.assert_allclose(found.occupancy[-1], solved.y[:, -1], rtol=1e-8)


@pytest.mark.parametrize("simulate", [model.simulate_people, model.simulate_counts])
def test_simulated_people_agree_with_their_expectation(simulate):
    rates = np.stack([ILLNESS, 2 * ILLNESS, ILLNESS, 0.5 * ILLNESS])
    want = model.expected_forecast([40_000, 10_000, 0], rates, [3000, 500, 0], 4)
    got = simulate([40_000, 10_000, 0], rates, [3000, 500, 0], 4, np.random.default_rng(3))
    people = want.occupancy.sum(axis=1)
    assert (got.occupancy.sum(axis=1) == people.round()).all()
    spread = np.sqrt(want.occupancy * (1 - want.occupancy / people[:, None]))
    assert (np.abs(got.occupancy - want.occupancy) <= 4.5 * spread + 1e-6).all()
    np.testing.assert_allclose(got.person_years, want.person_years, rtol=0.03)
    np.testing.assert_allclose(got.entries[:, :2], want.entries[:, :2], rtol=0.06)


def test_chance_is_the_same_followed_or_counted():
    def deaths(simulate):
        return [
            simulate([300, 0, 0], ILLNESS, [0, 0, 0], 3, np.random.default_rng(seed)).occupancy[-1, 2]
            for seed in range(400)
        ]

    one, other = deaths(model.simulate_people), deaths(model.simulate_counts)
    assert np.mean(one) == pytest.approx(np.mean(other), abs=1.5)
    assert np.std(one) == pytest.approx(np.std(other), rel=0.15)


def panel(seed=1, people=400, rates=((0, 0.5, 0.1), (0.3, 0, 0.4), (0, 0, 0))):
    """Visits once a year or so for five years; death at its exact time."""
    rng = np.random.default_rng(seed)
    q = model.generator(rates)
    rows = []
    for person in range(people):
        now, state, path = 0.0, 0, [(0.0, 0)]
        while now < 5 and q[state, state] < 0:
            now += rng.exponential(-1 / q[state, state])
            state = int(rng.choice(3, p=np.where(np.arange(3) == state, 0, q[state]) / -q[state, state]))
            path.append((now, state))
        visits = [0.0, *np.sort(rng.uniform(0.2, 5, 5))]
        died = path[-1][0] if path[-1][1] == 2 and path[-1][0] < 5 else np.inf
        seen = [(t, [s for moment, s in path if moment <= t][-1]) for t in visits if t < died]
        rows += [(person, t, s) for t, s in seen + ([(died, 2)] if np.isfinite(died) else [])]
    return np.array(rows).T


ALLOWED = [[0, 1, 1], [1, 0, 1], [0, 0, 0]]


def test_fit_finds_the_rates_that_made_the_data():
    who, when, what = panel()
    fit = model.fit_panel(who, when, what, ALLOWED, exact=[2], first_state=0)
    truth = np.log([0.5, 0.1, 0.3, 0.4])
    assert (np.abs(fit.coefficients[0] - truth) < 3.5 * fit.errors[0]).all()
    assert fit.errors.max() < 0.4
    drawn = fit.draw_rates(np.random.default_rng(1), 4000)
    assert np.log(drawn[:, 0, 1]).std() == pytest.approx(fit.errors[0, 0], rel=0.05)
    np.testing.assert_allclose(drawn.sum(axis=2), 0, atol=1e-12)


def test_gradient_is_that_of_the_likelihood():
    who, when, what = panel(people=60)
    sex = (who % 2).astype(float)
    data = intervals_of(
        who, when, np.where(np.r_[who[1:] != who[:-1], True] & (what < 2), 9, what), ALLOWED, exact=[2],
        censored={9: [0, 1]}, covariates=sex, cut_points=[2.0], first_state=0,
    )  # fmt: skip
    point = np.random.default_rng(1).normal(-1, 0.3, (3, 4))
    value = lambda x: log_likelihood(data, x.reshape(3, 4), range(4))[0]  # noqa: E731
    slope = log_likelihood(data, point, range(4))[1]
    np.testing.assert_allclose(optimize.approx_fprime(point.ravel(), value, 1e-6), slope.ravel(), atol=2e-3)


def test_equal_eigenvalues_go_another_way():
    q = model.generator([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    p, slopes = probabilities_and_slopes(q, np.array([0.5, 2.0]), [(0, 1), (1, 2)])
    np.testing.assert_allclose(p[1], model.transition_probabilities(q, 2.0), atol=1e-10)
    up = model.generator([[0, 1 + 1e-6, 0], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(slopes[0, 1], (model.transition_probabilities(up, 2.0) - p[1]) / 1e-6, atol=1e-4)


def test_survival_times_are_the_exponential_special_case():
    times = np.random.default_rng(2).exponential(4, 200)
    died = times < 5
    who, when = np.repeat(np.arange(200), 2), np.stack([np.zeros(200), np.minimum(times, 5)], axis=1).ravel()
    what = np.stack([np.zeros(200), died], axis=1).ravel()
    fit = model.fit_panel(who, when, what, [[0, 1], [0, 0]], exact=[1], first_state=0)
    assert fit.rates[0, 1] == pytest.approx(died.sum() / np.minimum(times, 5).sum(), rel=1e-6)
    assert fit.errors[0, 0] == pytest.approx(died.sum() ** -0.5, rel=1e-4)
    split = model.fit_panel(who, when, what, [[0, 1], [0, 0]], exact=[1], first_state=0, cut_points=[2])
    late = (died & (times > 2)).sum() / np.clip(np.minimum(times, 5) - 2, 0, None).sum()
    assert np.exp(split.coefficients[:, 0].sum()) == pytest.approx(late, rel=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.generator([[0, -1], [0, 0]]),
        lambda: model.generator([[0, np.nan], [0, 0]]),
        lambda: model.transition_probabilities(ILLNESS, -1),
        lambda: model.occupancy([1, 0], ILLNESS, [1]),
        lambda: model.expected_forecast([1, 0, 0], ILLNESS, [0, 0, -1], 3),
        lambda: model.expected_forecast([1, 0, 0], ILLNESS, [0, 0, 0], 0),
        lambda: model.fit_panel([1, 1], [0, 0], [1, 2], [[0, 1], [0, 0]]),
        lambda: model.fit_panel([1, 1], [0, 1], [2, 1], [[0, 1], [0, 0]]),
        lambda: model.fit_panel([1, 1], [0, 1], [1, 3], [[0, 1], [0, 0]]),
        lambda: model.fit_panel([1, 2, 1], [0, 1, 2], [1, 1, 1], [[0, 1], [0, 0]]),
        lambda: model.fit_panel([1, 1], [0, 1], [1, 2], [[0, 0], [0, 0]]),
        lambda: model.fit_panel_table([{"a": 1}], "a", "b", "c", [[0, 1], [0, 0]]),
    ],
)
def test_refuses_what_cannot_be(call):
    with pytest.raises(InvalidInput):
        call()
