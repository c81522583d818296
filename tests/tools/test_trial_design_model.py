"""Power and size against statsmodels, simulation and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from knowledge.errors import InvalidInput
from tools.trial_design import model

EFFECTS = st.floats(0.05, 2.0)
POWERS = st.floats(0.3, 0.99)
ALPHAS = st.sampled_from([0.001, 0.01, 0.025, 0.05, 0.1, 0.2])


@settings(deadline=None, max_examples=60)
@given(EFFECTS, st.integers(2, 2000), st.integers(2, 2000), ALPHAS, st.sampled_from([1, 2]))
def test_t_power_is_that_of_statsmodels(effect, n_treated, n_control, alpha, sides):
    ours = float(model.t_test_power(effect, n_treated, n_control, alpha, sides))
    alternative = "two-sided" if sides == 2 else "larger"
    theirs = TTestIndPower().power(effect, n_control, alpha, n_treated / n_control, alternative=alternative)
    if np.isfinite(theirs):
        assert ours == pytest.approx(float(theirs), abs=2e-6)


@settings(deadline=None, max_examples=40)
@given(EFFECTS, POWERS, ALPHAS, st.sampled_from([0.5, 1.0, 2.0]))
def test_the_size_is_the_smallest_that_reaches_the_power(effect, power, alpha, ratio):
    treated, control = model.t_test_size(effect, power + (1 - power) * alpha, alpha, 2, ratio)
    goal = power + (1 - power) * alpha
    assert float(model.t_test_power(effect, treated, control, alpha)) >= goal
    if control > 2:
        fewer = max(math.ceil(ratio * (control - 1)), 2)
        assert float(model.t_test_power(effect, fewer, control - 1, alpha)) < goal


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.integers(5, 3000))
def test_power_without_an_effect_is_the_error_of_the_test(control, n):
    assert float(model.proportions_power(control, control, n, n)) == pytest.approx(0.05, abs=1e-9)
    assert float(model.t_test_power(0.0, n, n)) == pytest.approx(0.05, abs=1e-6)


def test_power_of_proportions_is_what_simulated_trials_show():
    rng = np.random.default_rng(1)
    n, p, q, trials = 250, 0.25, 0.15, 60_000
    x, y = rng.binomial(n, p, trials) / n, rng.binomial(n, q, trials) / n
    pooled = (x + y) / 2
    z = (x - y) / np.sqrt(pooled * (1 - pooled) * 2 / n)
    share = float((np.abs(z) > stats.norm.ppf(0.975)).mean())
    assert float(model.proportions_power(p, q, n, n)) == pytest.approx(share, abs=0.01)


def test_events_agree_with_simulated_log_rank_statistics():
    events = model.logrank_events(0.6, 0.9)
    assert events == math.ceil(4 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.9)) ** 2 / math.log(0.6) ** 2)
    assert float(model.logrank_power(0.6, events)) == pytest.approx(0.9, abs=0.003)
    assert float(NormalIndPower().power(abs(math.log(0.6)), events / 4, 0.05, ratio=0)) == pytest.approx(
        float(model.logrank_power(0.6, events)), abs=1e-9
    )


@given(st.floats(0.01, 3), st.floats(0, 5), st.floats(0.1, 5), st.floats(0, 1))
def test_event_probability_is_the_integral(hazard, accrual, follow_up, dropout):
    found = model.event_probability(hazard, accrual, follow_up, dropout)
    entry = (np.arange(4000) + 0.5) / 4000 * accrual
    seen = hazard / (hazard + dropout) * -np.expm1(-(hazard + dropout) * (follow_up + accrual - entry))
    assert found == pytest.approx(float(seen.mean()), rel=1e-4, abs=1e-9)
    assert 0 <= found <= 1


def test_assurance_of_a_normal_prior_has_a_closed_form():
    mean, sd, n, person = 0.4, 0.25, 100, 1.0
    draws = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000, mean, sd)
    error = person * math.sqrt(2 / n)
    found, _ = model.assurance(lambda effects: model.normal_power(effects / error, 0.025, 1), draws)
    exact = stats.norm.cdf((mean - 1.959964 * error) / math.hypot(sd, error))
    assert found == pytest.approx(float(exact), abs=1e-4)


@given(st.integers(10, 10_000), st.floats(0, 0.95), st.floats(0, 0.95))
def test_a_better_score_never_needs_more_people(n, first, second):
    low, high = sorted((first, second))
    assert model.adjusted_size(n, high) <= model.adjusted_size(n, low) <= n


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.t_test_size(0.0),
        lambda: model.t_test_size(float("nan")),
        lambda: model.t_test_size(1e-8),
        lambda: model.t_test_size(0.5, power=0.01),
        lambda: model.t_test_size(0.5, alpha=0.7),
        lambda: model.t_test_power(0.5, 1, 5),
        lambda: model.proportions_power(1.2, 0.3, 10, 10),
        lambda: model.proportions_size(0.3, 0.3),
        lambda: model.logrank_events(1.0),
        lambda: model.logrank_events(-1.0),
        lambda: model.logrank_events(0.5, treated_share=1.0),
        lambda: model.event_probability(-1, 1, 1),
        lambda: model.event_probability(1, 0, 0),
        lambda: model.adjusted_size(10, 1.0),
        lambda: model.exact_upper_bound(5, 3),
        lambda: model.results_differ(1, 0, 2, 0),
        lambda: model.assurance(lambda e: e, []),
        lambda: model.assurance(lambda e: e, [float("nan")]),
    ],
)
def test_what_cannot_be_computed_is_refused(call):
    with pytest.raises(InvalidInput):
        call()
