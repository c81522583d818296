"""Interim looks, two-stage, enrichment and borrowed controls: against published constants, simulation and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from knowledge.errors import InvalidInput
from tools.trial_design.borrowing import ControlPrior, simulate_borrowing
from tools.trial_design.enrichment import EnrichmentDesign, simulate_enrichment
from tools.trial_design.sequential import (
    crossing,
    expected_fraction,
    group_sequential,
    inflation,
    sequential_power,
)
from tools.trial_design.simon import operating_characteristics, simon_designs
from tools.trial_design.simulation import simulate_trials, variance_ratio


def simulated_crossings(fractions, critical, drift, sides, runs=200_000):
    rng = np.random.default_rng(5)
    steps = np.diff(np.concatenate([[0.0], fractions]))
    score = np.cumsum(drift * steps + np.sqrt(steps) * rng.standard_normal((runs, len(steps))), axis=1)
    z = score / np.sqrt(fractions)
    out = (np.abs(z) if sides == 2 else z) > critical
    first = np.where(out.any(axis=1), out.argmax(axis=1), -1)
    return np.array([(first == k).mean() for k in range(len(steps))])


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("drift", [0.0, 2.5])
@pytest.mark.parametrize("shape", ["pocock", "spending_obrien_fleming"])
def test_crossing_probabilities_are_what_simulated_trials_show(shape, drift, sides):
    found = group_sequential([0.3, 0.55, 1.0], 0.05, shape, sides)
    exact = crossing(found.fractions, found.critical, drift, sides)
    assert exact == pytest.approx(simulated_crossings(found.fractions, found.critical, drift, sides), abs=0.004)


@settings(deadline=None, max_examples=12)
@given(
    st.integers(1, 6),
    st.sampled_from([0.01, 0.025, 0.05, 0.1]),
    st.sampled_from(["pocock", "obrien_fleming", "spending_pocock", "spending_obrien_fleming"]),
    st.sampled_from([1, 2]),
)
def test_the_error_is_spent_to_the_last(looks, alpha, shape, sides):
    found = group_sequential(looks, alpha, shape, sides)
    assert sequential_power(found, 0.0) == pytest.approx(alpha, abs=1e-7)
    assert np.all(np.diff(found.spent) >= -1e-9)
    assert inflation(found, 0.8) >= 1 - 1e-6
    assert expected_fraction(found, 3.0) <= expected_fraction(found, 0.0) + 1e-9


def test_published_constants():
    # Jennison and Turnbull's tables for two-sided alpha 0.05.
    assert group_sequential(5, shape="pocock").critical[0] == pytest.approx(2.413, abs=0.0006)
    assert group_sequential(5, shape="obrien_fleming").critical[-1] == pytest.approx(2.040, abs=0.0006)


@pytest.mark.parametrize("looks", [0, 21, [0.5, 0.4, 1.0], [0.5], [], [float("nan"), 1.0], [0.0, 1.0]])
def test_looks_that_cannot_be_are_refused(looks):
    with pytest.raises(InvalidInput):
        group_sequential(looks)


@settings(deadline=None, max_examples=6)
@given(st.floats(0.05, 0.5), st.floats(0.15, 0.35))
def test_two_stage_designs_keep_their_errors(low, step):
    optimal, minimax = simon_designs(low, low + step, 0.1, 0.8)
    for design in (optimal, minimax):
        alpha, early, expected = operating_characteristics(design.r1, design.n1, design.r, design.n, low)
        power, _, _ = operating_characteristics(design.r1, design.n1, design.r, design.n, low + step)
        assert alpha == pytest.approx(design.alpha, abs=1e-12)
        assert alpha <= 0.1
        assert power >= 0.8
        assert (early, expected) == pytest.approx((design.early_stop, design.expected_n))
    assert optimal.expected_n <= minimax.expected_n
    assert minimax.n <= optimal.n


def test_no_two_stage_design_beats_the_ones_found():
    optimal, minimax = simon_designs(0.2, 0.55, 0.1, 0.8)
    for n in range(2, optimal.n + 1):
        for n1 in range(1, n):
            for r1 in range(n1):
                for r in range(r1, n):
                    alpha, _, expected = operating_characteristics(r1, n1, r, n, 0.2)
                    if alpha > 0.1:
                        continue
                    if operating_characteristics(r1, n1, r, n, 0.55)[0] < 0.8:
                        break
                    assert n >= minimax.n
                    assert expected >= optimal.expected_n - 1e-9


def test_two_stage_refusals():
    with pytest.raises(InvalidInput, match="below the interesting"):
        simon_designs(0.4, 0.3)
    with pytest.raises(InvalidInput, match="randomised"):
        simon_designs(0.5, 0.52)


@settings(deadline=None, max_examples=8)
@given(st.floats(0.1, 0.9), st.integers(20, 300), st.integers(20, 300), st.floats(-0.2, 0.2), st.floats(-0.5, 0.2))
def test_enrichment_keeps_the_familywise_error(prevalence, one, two, enrich_below, stop_below):
    design = EnrichmentDesign(one, two, prevalence, enrich_below, stop_below)
    runs = simulate_enrichment(design, 0.0, 0.0, 40_000, np.random.default_rng(3))
    false = float((runs.all_claimed | runs.positive_claimed).mean())
    assert false <= 0.025 + 4 * math.sqrt(0.025 * 0.975 / 40_000)


def test_enrichment_conserves_trials_and_follows_the_effect():
    design = EnrichmentDesign(100, 100, 0.4)
    rng = np.random.default_rng(4)
    runs = simulate_enrichment(design, 0.4, -0.2, 50_000, rng)
    assert not (runs.enriched & runs.stopped).any()
    assert not (runs.stopped & (runs.all_claimed | runs.positive_claimed)).any()
    assert not (runs.enriched & runs.all_claimed).any()
    assert set(np.unique(runs.participants)) <= {200.0, 400.0}
    weak = simulate_enrichment(design, 0.1, -0.2, 50_000, rng)
    assert weak.positive_claimed.mean() < runs.positive_claimed.mean()


def test_without_borrowing_the_trial_is_a_z_test():
    prior = ControlPrior(0.0, 0.2, 1.0, weight=0.0)
    runs = simulate_borrowing(prior, 120, 80, 0.45, 0.0, 100_000, np.random.default_rng(1))
    exact = stats.norm.cdf(0.45 / math.sqrt(1 / 120 + 1 / 80) - 1.959964)
    assert float(runs.success.mean()) == pytest.approx(float(exact), abs=0.02)


def test_borrowing_helps_when_it_is_right_and_is_dropped_when_it_is_far_off():
    rng = np.random.default_rng(2)
    prior = ControlPrior(0.0, 0.15, 1.0, weight=0.8)
    assert prior.effective_sample_size == pytest.approx(44.4, abs=0.1)
    plain = ControlPrior(0.0, 0.15, 1.0, weight=0.0)
    right = simulate_borrowing(prior, 100, 40, 0.5, 0.0, 40_000, rng)
    without = simulate_borrowing(plain, 100, 40, 0.5, 0.0, 40_000, rng)
    assert right.success.mean() > without.success.mean() + 0.05
    far = simulate_borrowing(prior, 100, 40, 0.0, 1.5, 40_000, rng)
    assert far.weight_after.mean() < 0.01


def test_simulated_trials_have_the_power_of_the_formula():
    from tools.trial_design.model import t_test_power

    runs = simulate_trials(50, 70, 0.5, 1.2, 0.3, 40_000, np.random.default_rng(6))
    assert float(runs.rejected().mean()) == pytest.approx(float(t_test_power(0.5 / 1.2, 50, 70)), abs=0.01)
    assert float(runs.adjusted_estimate.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(runs.adjusted_se.mean()) == pytest.approx(float(runs.adjusted_estimate.std()), rel=0.03)


def test_analysis_of_covariance_is_that_of_statsmodels():
    import statsmodels.api as sm

    from tools.trial_design.simulation import _chunk

    rng = np.random.default_rng(7)
    state = rng.bit_generator.state
    estimate, se, adjusted, adjusted_se = _chunk(30, 20, np.array([0.4]), 1.0, 0.5, rng)
    rng.bit_generator.state = state
    score = rng.standard_normal((1, 50), dtype=np.float32)[0].astype(float)
    noise = rng.standard_normal((1, 50), dtype=np.float32)[0].astype(float)
    outcome = noise * math.sqrt(0.5) + score * math.sqrt(0.5)
    treated = np.repeat([1.0, 0.0], [30, 20])
    outcome = outcome + 0.4 * treated
    plain = sm.OLS(outcome, np.column_stack([np.ones(50), treated])).fit()
    full = sm.OLS(outcome, np.column_stack([np.ones(50), treated, score])).fit()
    assert (estimate[0], se[0]) == pytest.approx((plain.params[1], plain.bse[1]), rel=1e-4)
    assert (adjusted[0], adjusted_se[0]) == pytest.approx((full.params[1], full.bse[1]), rel=1e-4)


def test_the_variance_ratio_knows_its_own_error():
    found = [variance_ratio(40, 0.5, 800, np.random.default_rng(seed)) for seed in range(60)]
    ratios, errors = np.array(found).T
    assert float(ratios.std()) == pytest.approx(float(errors.mean()), rel=0.3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate_trials(2, 50, 0, 1, 0, 10, np.random.default_rng(1)),
        lambda: simulate_trials(50, 50, 0, 0, 0, 10, np.random.default_rng(1)),
        lambda: simulate_trials(50, 50, 0, 1, 1, 10, np.random.default_rng(1)),
        lambda: simulate_trials(10**7, 10**7, 0, 1, 0, 1, np.random.default_rng(1)),
        lambda: EnrichmentDesign(2, 50, 0.5),
        lambda: EnrichmentDesign(50, 50, 1.0),
        lambda: ControlPrior(0, 0, 1),
        lambda: simulate_borrowing(ControlPrior(0, 1, 1), 0, 5, 0, 0, 5, np.random.default_rng(1)),
    ],
)
def test_hostile_inputs_are_refused(call):
    with pytest.raises(InvalidInput):
        call()
