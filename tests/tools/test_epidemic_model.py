"""The equations of epidemics against published figures, closed forms, differential equations and their invariants."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from knowledge.errors import InvalidInput
from tools.epidemic import model

quick = settings(max_examples=40, deadline=None)


def matrix_and_people(seed, groups):
    rng = np.random.default_rng(seed)
    people = rng.uniform(1, 10, groups)
    contacts = model.reciprocal(rng.uniform(0.1, 5, (groups, groups)), people)
    return contacts / np.max(np.linalg.eigvals(contacts).real), people


@quick
@given(st.integers(0, 9999), st.integers(1, 6), st.floats(1.01, 12))
def test_final_size_solves_its_relation(seed, groups, r0):
    contacts, people = matrix_and_people(seed, groups)
    size = model.final_size(r0, contacts / people, people)
    assert ((size > 0) & (size < 1)).all()
    np.testing.assert_allclose(size, 1 - np.exp(-r0 * contacts @ size), atol=1e-10)
    assert (model.final_size(r0 * 1.1, contacts / people, people) >= size).all()


@quick
@given(st.integers(0, 9999), st.integers(1, 5), st.floats(0, 0.99))
def test_no_epidemic_below_the_threshold(seed, groups, r0):
    contacts, people = matrix_and_people(seed, groups)
    assert not model.final_size(r0, contacts / people, people).any()


def test_equal_groups_are_one_group():
    size = model.final_size(2.0, np.full((4, 4), 1 / 40), [10, 10, 10, 10])
    np.testing.assert_allclose(size, model.final_size_homogeneous(2.0), atol=1e-12)


def test_unsusceptible_risk_groups_are_spared():
    size = model.final_size(3.0, [[1.0]], [1.0], [[1.0, 0.1, 0.0]], [[0.5, 0.25, 0.25]])
    assert size[0, 0] > size[0, 1] > size[0, 2] == 0
    force = 3.0 * (0.5 * size[0, 0] + 0.25 * size[0, 1])
    np.testing.assert_allclose(size[0], 1 - np.exp(-force * np.array([1, 0.1, 0])), atol=1e-12)


@quick
@given(st.floats(1.05, 8), st.floats(0.05, 20))
def test_extinction_is_a_root_and_falls_with_evenness(r, k):
    q = model.extinction_probability(r, k)
    assert 0 <= q < 1
    assert q == pytest.approx((1 + r * (1 - q) / k) ** -k, abs=1e-10)
    assert model.extinction_probability(r, 2 * k) < q
    assert model.extinction_probability(r, k, 3) == pytest.approx(q**3)


def test_extinction_with_geometric_offspring_and_controls():
    assert model.extinction_probability(4.0, 1.0) == pytest.approx(0.25)
    assert model.extinction_probability(0.9, 0.5) == 1
    assert model.extinction_probability(2.0, 0.5, individual_control=0.6) == 1
    assert model.extinction_probability(1.5, math.inf) == pytest.approx(1 - model.final_size_homogeneous(1.5))


@quick
@given(st.floats(0.5, 5), st.floats(0.1, 5), st.floats(0.05, 0.95))
def test_share_of_cases_against_sorting_them(r, k, share):
    offspring = np.arange(3000)
    cases = stats.nbinom.pmf(offspring, k, k / (k + r))[::-1]
    caused = np.cumsum(cases * offspring[::-1]) / r
    want = np.interp(share, np.r_[0, caused], np.r_[0, np.cumsum(cases)])
    assert model.share_of_cases_causing(share, r, k) == pytest.approx(want, abs=1e-6)


def test_lorenz_curve_of_infectivity():
    drawn = np.sort(np.random.default_rng(1).gamma(0.3, size=200_000))[::-1]
    assert model.transmission_by_most_infectious(0.2, 0.3) == pytest.approx(
        drawn[:40_000].sum() / drawn.sum(), abs=0.005
    )
    assert model.transmission_by_most_infectious(0.2, math.inf) == 0.2


@quick
@given(st.floats(0.2, 8), st.floats(0, 10), st.floats(0.5, 10), st.integers(1, 5), st.integers(1, 5))
def test_growth_and_reproduction_number_are_inverse(r, latent, infectious, m, n):
    growth = model.growth_rate(r, latent, infectious, m, n)
    assert (growth > 0) == (r > 1) or abs(growth) < 1e-9
    assert model.reproduction_number_from_growth(growth, latent, infectious, m, n) == pytest.approx(r, rel=1e-6)


def test_course_against_the_differential_equations():
    r0, latent, infectious = 2.2, 5.2, 2.9

    def slope(_t, y):
        s, e, i, _ = y
        new = r0 / infectious * s * i
        return [-new, new - e / latent, e / latent - i / infectious, i / infectious]

    solved = integrate.solve_ivp(slope, (0, 2000), [1 - 1e-8, 1e-8, 0, 0], rtol=1e-10, atol=1e-14, dense_output=True)
    early = solved.sol([40, 60])[2]
    assert math.log(early[1] / early[0]) / 20 == pytest.approx(model.growth_rate(r0, latent, infectious), rel=1e-3)
    assert solved.y[3, -1] == pytest.approx(model.final_size_homogeneous(r0), rel=1e-5)
    sir = integrate.solve_ivp(
        lambda _t, y: [-2.5 * y[0] * y[1], 2.5 * y[0] * y[1] - y[1]], (0, 200), [0.9, 0.01], rtol=1e-10, max_step=0.05
    )
    assert sir.y[1].max() == pytest.approx(model.peak_prevalence(2.5, 0.9, 0.01), rel=3e-4)


def test_next_generation_matrix():
    contacts, people = [[8, 5], [2.5, 10]], [100, 200]
    matrix = model.next_generation_matrix(contacts, people, 0.05, 4)
    assert matrix[0, 1] == pytest.approx(0.05 * 4 * 5 * 100 / 200)
    assert model.reproduction_number(matrix) == pytest.approx(0.2 * np.max(np.linalg.eigvals(contacts).real))
    assert model.herd_immunity_threshold(4) == 0.75


def infected(setting, biology, runs, seed=1):
    return model.simulate_runs(setting, biology, runs, np.random.default_rng(seed))


def test_simulated_size_and_growth_are_those_of_theory():
    setting = model.plain_setting([100_000_000], [[1.0]], 400, [2000])
    runs = infected(setting, model.Biology(2.0, 4.0, 3.0), 20)
    attack = runs.infections.sum(axis=(1, 2)) / 1e8
    assert attack.mean() == pytest.approx(model.final_size_homogeneous(2.0), abs=0.001)
    early = runs.incidence.mean(axis=0)
    assert math.log(early[40] / early[20]) / 20 == pytest.approx(model.growth_rate(2.0, 4.0, 3.0), rel=0.02)
    assert (runs.ended > 0).all()


def test_simulated_final_size_by_age_is_that_of_theory():
    people, contacts = np.array([2e6, 5e6, 3e6]), np.array([[8, 5, 1], [2, 7, 1.2], [0.6667, 2, 3]])
    contacts = model.reciprocal(contacts, people)
    runs = infected(model.plain_setting(people, contacts, 400, [500, 500, 500]), model.Biology(1.8, 2.0, 4.0), 10)
    want = model.final_size(1.8, contacts / people, people, scale=True)
    np.testing.assert_allclose(runs.infections.sum(axis=2).mean(axis=0) / people, want, atol=0.003)


@pytest.mark.parametrize("k", [0.16, 1.0, math.inf])
def test_simulated_extinction_is_that_of_the_branching_process(k):
    runs = infected(model.plain_setting([100_000], [[1.0]], 400, [1]), model.Biology(1.8, 2.0, 2.0, k), 600)
    died = (runs.infections.sum(axis=(1, 2)) < 2000).mean()
    want = model.extinction_probability(1.8, k)
    assert died == pytest.approx(want, abs=4 * math.sqrt(want * (1 - want) / 600) + 0.01)


def test_nobody_is_infected_twice_without_waning_and_nobody_is_lost():
    setting = model.plain_setting([500, 300], [[3, 1], [1.667, 2]], 200, [5, 0])
    for seed in range(5):
        runs = infected(setting, model.Biology(4.0, 2.0, 3.0, 0.2), 20, seed)
        assert (runs.infections.sum(axis=2) <= [500, 300]).all()
        assert (runs.infections[..., 1:] == 0).all()
        assert (runs.incidence.sum(axis=1) + 5 == runs.infections.sum(axis=(1, 2))).all()


def test_waning_immunity_keeps_an_infection_going():
    setting = model.plain_setting([100_000], [[1.0]], 700, [100])
    waning = model.Biology(3.0, 2.0, 4.0, wane_infection=90.0)
    assert infected(setting, waning, 5).incidence[:, -1].min() > 0
    assert infected(setting, model.Biology(3.0, 2.0, 4.0), 5).incidence[:, -1].max() == 0


def test_fewer_contacts_fewer_infections():
    setting = model.plain_setting([100_000], [[1.0]], 300, [50])
    sizes = [
        infected(replace(setting, factors=np.full((300, 1), kept)), model.Biology(2.5, 2, 4), 20).infections.sum()
        for kept in (1.0, 0.7, 0.5, 0.3)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.01 * sizes[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.final_size(math.nan, [[1]], [1]),
        lambda: model.final_size(2, [[1, 1]], [1]),
        lambda: model.final_size(2, [[-1.0]], [1]),
        lambda: model.final_size(2, [[1.0]], [0]),
        lambda: model.final_size(2, [[1.0]], [1], [[1, 1]], [[0.5, 0.4]]),
        lambda: model.extinction_probability(-1, 1),
        lambda: model.extinction_probability(2, 0),
        lambda: model.extinction_probability(2, 1, individual_control=1.2),
        lambda: model.share_of_cases_causing(1.5, 2, 1),
        lambda: model.growth_rate(2, 1, 0),
        lambda: model.doubling_time(0.0),
        lambda: model.peak_prevalence(2, 0.9, 0.2),
        lambda: model.reproduction_number([[math.inf]]),
        lambda: infected(model.plain_setting([100], [[1.0]], 10, [1]), model.Biology(2, -1, 3), 1),
        lambda: infected(model.plain_setting([100], [[1.0]], 10, [1]), model.Biology(2, 1, 3), 0),
        lambda: infected(
            replace(model.plain_setting([100], [[1.0]], 10, [1]), mobility=np.array([[0.5]])), model.Biology(2, 1, 3), 1
        ),
    ],
)
def test_refuses_what_cannot_be(call):
    with pytest.raises(InvalidInput):
        call()
