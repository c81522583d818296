"""Diffusion, choice and funnel against closed forms, another library and their own invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from knowledge.errors import InvalidInput
from tools.uptake import model

quick = settings(max_examples=40, deadline=None)
P, Q = st.floats(0.001, 0.3), st.floats(0.0, 1.0)


@quick
@given(P, Q)
def test_adoption_solves_its_equation(p, q):
    t = np.linspace(0, 20, 11)
    solved = integrate.solve_ivp(lambda _t, f: (p + q * f) * (1 - f), (0, 20), [0.0], t_eval=t, rtol=1e-9, atol=1e-11)
    found = model.adopted(t, p, q)
    np.testing.assert_allclose(found, solved.y[0], atol=1e-6)
    assert (np.diff(found) > -1e-15).all()
    assert found.max() <= 1
    assert model.adopted(-1.0, p, q) == 0


@quick
@given(P, Q, st.floats(1, 1e6))
def test_peak_is_the_highest_rate(p, q, m):
    top = model.peak(p, q, m)
    around = model.adoption_rate(np.linspace(0, 60, 4001), p, q, m)
    assert around.max() <= top.rate * (1 + 1e-9)
    assert model.adoption_rate(top.time, p, q, m) == pytest.approx(top.rate, rel=1e-9)
    assert model.adopted(top.time, p, q) == pytest.approx(top.share, abs=1e-9)


def test_diffusion_is_fitted_back():
    counts = 16895 * np.diff(model.adopted(np.arange(15), 0.0104, 0.4186))
    exact = model.fit_bass(counts)
    assert (exact.p, exact.q, exact.m) == pytest.approx((0.0104, 0.4186, 16895), rel=1e-5)
    noisy = model.fit_bass(np.random.default_rng(1).poisson(counts))
    for value, error, truth in (
        (noisy.p, noisy.p_error, 0.0104),
        (noisy.q, noisy.q_error, 0.4186),
        (noisy.m, noisy.m_error, 16895),
    ):
        assert abs(value - truth) < 4 * error
    assert model.fit_bass(counts[:8], market=16895).q == pytest.approx(0.4186, rel=1e-4)


@quick
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=6), st.floats(-500, 500))
def test_choice_shares(utilities, shift):
    v = np.array(utilities)
    shares = model.probabilities(v)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(model.probabilities(v + shift), shares, atol=1e-9)
    assert model.logsum(v) >= v.max() - 1e-9
    assert model.logsum(v + shift) == pytest.approx(model.logsum(v) + shift)
    if len(v) > 1:
        closed = np.arange(len(v)) > 0
        assert model.probabilities(v, closed)[0] == 0
        assert model.logsum(v, closed) <= model.logsum(v)


def test_free_copay_is_worth_the_closed_form():
    found = model.consumer_surplus_change([0, -1], [0, 0], -0.05)
    assert found == pytest.approx((math.log(2) - math.log(1 + math.exp(-1))) / 0.05)
    assert model.consumer_surplus_change([0, -1], [0, -1], -0.05) == 0


def chosen(rng, x, beta, available=None):
    shares = model.probabilities(x @ beta, available)
    return (shares.cumsum(axis=1) > rng.random((len(x), 1))).argmax(axis=1)


def test_logit_agrees_with_statsmodels():
    from statsmodels.discrete.conditional_models import ConditionalLogit

    rng = np.random.default_rng(2)
    x = rng.normal(size=(800, 3, 2))
    taken = chosen(rng, x, np.array([0.8, -0.5]))
    fit = model.fit_logit(x, taken, ["a", "b"])
    picked = np.zeros((800, 3))
    picked[np.arange(800), taken] = 1
    other = ConditionalLogit(picked.ravel(), x.reshape(-1, 2), groups=np.repeat(np.arange(800), 3)).fit(disp=False)
    np.testing.assert_allclose(fit.coefficients, other.params, atol=1e-4)
    np.testing.assert_allclose(fit.errors, other.bse, rtol=1e-3)
    assert fit.log_likelihood == pytest.approx(other.llf, abs=1e-4)
    assert fit.null_log_likelihood == pytest.approx(-800 * math.log(3))
    assert 0 < fit.rho_squared < 1


def test_mixed_logit_finds_the_spread_of_a_panel():
    rng = np.random.default_rng(4)
    people, each = 300, 8
    own = 1.0 + 1.5 * rng.standard_normal(people)
    x = rng.normal(size=(people * each, 3, 2))
    person = np.repeat(np.arange(people), each)
    v = x[..., 0] * own[person][:, None] - 0.7 * x[..., 1]
    taken = (model.probabilities(v).cumsum(axis=1) > rng.random((len(v), 1))).argmax(axis=1)
    fit = model.fit_logit(x, taken, ["a", "b"], random=["a"], panel=person)
    for name, truth in (("a", 1.0), ("b", -0.7), ("sd_a", 1.5)):
        error = fit.errors[fit.names.index(name)]
        assert abs(fit.by_name[name] - truth) < 4 * error
    both = model.fit_logit(x[:400], taken[:400], ["a", "b"], random=["a", "b"], panel=person[:400], draws=60)
    assert set(both.names) == {"a", "b", "sd_a", "sd_b"}


def test_mixed_shares_without_spread_are_plain():
    x = np.random.default_rng(1).normal(size=(5, 3, 2))
    plain = model.probabilities(x @ np.array([0.4, -1.0]))
    np.testing.assert_allclose(model.mixed_probabilities(x, [0.4, -1.0], [0, 0], draws=10), plain)
    mixed = model.mixed_probabilities(x, [0.4, -1.0], [1.0, 0.5], draws=500)
    np.testing.assert_allclose(mixed.sum(axis=1), 1)


def test_a_table_is_read_in_columns():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 2))
    taken = (model.probabilities(np.stack([1.2 * x[:, 0], 0.5 + 1.2 * x[:, 1]], 1))[:, 0] < rng.random(500)).astype(int)
    rows = [
        {"T1": 100 * a, "T2": 100 * b, "PICK": k + 1, "KEEP": i < 450}
        for i, ((a, b), k) in enumerate(zip(x, taken, strict=True))
    ]
    options = [{"value": 1, "terms": {"B": "T1 / 100"}}, {"value": 2, "terms": {"B": "T2 / 100", "ASC": 1}}]
    found = model.fit_logit_table(rows, "PICK", options, keep="KEEP == 1")
    attributes = np.stack([np.stack([x[:450, 0], np.zeros(450)], 1), np.stack([x[:450, 1], np.ones(450)], 1)], 1)
    direct = model.fit_logit(attributes, taken[:450], ["B", "ASC"])
    np.testing.assert_allclose(found.coefficients, direct.coefficients, atol=1e-6)


SHARE = st.floats(0.0, 1.0)


@quick
@given(st.integers(0, 100_000), SHARE, SHARE, SHARE, st.floats(0.01, 1.0), st.floats(0.4, 2.0), st.integers(0, 1000))
def test_nobody_is_lost_in_the_funnel(people, eligible, covered, yearly, persistence, shape, seed):
    months = 30
    counts = model.run_funnel(
        np.random.default_rng(seed), [people], [eligible], [covered], model.monthly_start([yearly], months),
        model.monthly_stay([persistence], months, shape),
    )  # fmt: skip
    assert (counts.eligible <= people).all()
    assert (counts.covered <= counts.eligible).all()
    ever = counts.started.cumsum(axis=-1)
    assert (ever[..., -1] <= counts.covered).all()
    assert (counts.on_treatment <= ever).all()
    assert (counts.on_treatment >= 0).all()


@pytest.mark.parametrize("shape", [1.0, 0.6])
def test_funnel_has_its_expectation(shape):
    months = 24
    start, stay = model.monthly_start([0.3], months), model.monthly_stay([0.4], months, shape)
    counts = model.run_funnel(np.random.default_rng(1), np.full((400, 1), 10_000), [0.5], [0.8], start, stay)
    new, on = model.expected_funnel([10_000], [0.5], [0.8], start, stay)
    np.testing.assert_allclose(counts.started.mean(axis=0), new, rtol=0.03)
    np.testing.assert_allclose(counts.on_treatment.mean(axis=0)[..., 3:], on[..., 3:], rtol=0.02)
    assert new[..., :12].sum() == pytest.approx(10_000 * 0.4 * 0.3)


def test_diffusion_in_the_funnel_reaches_its_ceiling():
    months = 600
    start = model.diffusion_start([0.3], [0.03], [0.38], months)
    new, _ = model.expected_funnel([1000], [1], [1], start, np.ones((1, months)))
    assert new.sum() == pytest.approx(300, rel=1e-3)
    assert new[..., :60].sum() == pytest.approx(300 * float(model.adopted(5.0, 0.03, 0.38)), rel=1e-9)


@quick
@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(-0.9, 0.0))
def test_a_higher_copay_draws_fewer(low, high, elasticity):
    low, high = sorted((low, high))
    assert model.copay_factor(high, 50, elasticity) <= model.copay_factor(low, 50, elasticity) + 1e-12
    assert model.copay_factor(50, 50, elasticity) == 1


def test_odds():
    assert model.odds_times(0.2, 1.0) == pytest.approx(0.2)
    assert model.odds_times(0.5, 3.0) == pytest.approx(0.75)


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.adopted(1, 0, 0.3),
        lambda: model.adopted(math.nan, 0.1, 0.3),
        lambda: model.peak(0.1, -1),
        lambda: model.fit_bass([1, 2, 3]),
        lambda: model.fit_bass([0] * 10),
        lambda: model.fit_bass([-1] * 10),
        lambda: model.probabilities([0, math.nan]),
        lambda: model.probabilities([0, 1], [False, False]),
        lambda: model.consumer_surplus_change([0], [1], 0.1),
        lambda: model.fit_logit(np.zeros((3, 2, 1)), [0, 0, 5], ["a"]),
        lambda: model.fit_logit(np.zeros((30, 2, 2)), [0] * 30, ["a", "b"]),
        lambda: model.fit_logit(np.zeros((30, 2, 1)), [0] * 30, ["a"], random=["z"]),
        lambda: model.fit_logit_table([], "c", []),
        lambda: model.copay_factor(-1, 50, -0.1),
        lambda: model.monthly_start(1.5, 3),
        lambda: model.monthly_stay(0.0, 3),
        lambda: model.run_funnel(np.random.default_rng(1), [-5], [1], [1], np.ones((1, 2)), np.ones((1, 2))),
        lambda: model.run_funnel(np.random.default_rng(1), [5], [1.2], [1], np.ones((1, 2)), np.ones((1, 2))),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(InvalidInput):
        call()
