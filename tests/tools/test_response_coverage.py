"""Does it keep its word? Simulated evidence: coverage of predictive intervals, dose order, shrinkage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from tools.response.features import Arms, Layout, ResponseData
from tools.response.model import ResponseModel
from tools.response.parameters import load_priors
from tools.response.solve import fit

DATASETS = 500
LEVELS = (0.5, 0.8, 0.9)
KNOTS = (np.log(np.array([0.5, 2.0])), np.log(np.array([0.5])), np.log(np.array([2.0])))


def simulated_design(generator: np.random.Generator, trials: int) -> tuple[Arms, dict[str, NDArray[np.int64]]]:
    """Two-armed placebo-controlled trials of three drugs of two classes; the last one is to be predicted."""
    count = 2 * trials
    active = np.arange(count) % 2 == 1
    trial = np.arange(count) // 2
    drug_of_trial = generator.integers(0, 3, trials)
    drug = np.where(active, drug_of_trial[trial], -1)
    drug_class = np.where(active, np.array([0, 0, 1])[drug], -1)
    ratio = np.where(active, generator.choice([0.5, 1.0, 2.0], trials)[trial], 1.0)
    for index, knots in enumerate(KNOTS):
        allowed = np.concatenate([[1.0], np.exp(knots)])
        ratio = np.where((drug == index) & ~np.isin(ratio, allowed), 1.0, ratio)
    weeks = generator.choice([12.0, 26.0, 52.0], trials)[trial]
    covariate = generator.normal(size=trials)[trial][:, None]
    arms = Arms(drug_class, drug, ratio, weeks, covariate, covariate)
    each = np.arange(count)
    levels = {"trial": trial, "study": trial, "arm": each, "study_drug": np.where(active, trial, -1)}
    return arms, levels


def to_data(
    arms: Arms, levels: dict[str, NDArray[np.int64]], y: NDArray[np.float64], sampling: NDArray[np.float64]
) -> ResponseData:
    return ResponseData(
        y, sampling, arms, arms, np.zeros(len(y), dtype=bool), levels["trial"], levels["study"], levels["arm"],
        levels["arm"], levels["arm"], levels["arm"], levels["study_drug"], levels["study_drug"],
    )  # fmt: skip


@pytest.mark.slow
def test_predictive_intervals_cover_what_they_promise() -> None:
    """Data from the model with hyperparameters from their priors; the arms of a fresh trial are predicted.

    Simulation-based calibration (Talts et al 2018, arXiv 1804.06788): each indicator is exact in expectation, so over
    500 datasets the share inside may stray by 3.3 binomial SDs (1 in 1000), and the ranks of the truth are uniform.
    """
    generator = np.random.default_rng(20261120)
    layout = Layout(2, 3, 1, 1, KNOTS, (0,), starts_at_zero=True)
    priors = replace(load_priors("identity", 1.0), intercept_sd=1.0, active_sd=1.0)
    inside = {level: np.zeros(3) for level in LEVELS}
    tenths = np.linspace(0.1, 0.9, 9)
    ranks = np.zeros((10, 2))
    for _ in range(DATASETS):
        arms, levels = simulated_design(generator, 13)
        count = len(arms)
        sampling = np.diag(generator.uniform(0.02, 0.1, count))
        whole = ResponseModel(to_data(arms, levels, np.zeros(count), sampling), layout, priors)
        eta = whole.priors.mean + whole.priors.sd * generator.standard_normal(len(whole.names))
        _, covariance = whole._covariance(eta)
        y = np.linalg.cholesky(covariance) @ generator.standard_normal(count)
        known, new = np.arange(count - 2), np.arange(count - 2, count)
        data = to_data(
            arms.take(known), {name: index[known] for name, index in levels.items()}, y[known],
            sampling[np.ix_(known, known)],
        )  # fmt: skip
        posterior = fit(data, layout, priors)
        # Without the conformal widening: it is there for data that are not from the model, and these are.
        predicted = posterior.predict(arms.take(new), sampling_variance=np.diag(sampling)[new])
        predicted = replace(predicted, covariances=predicted.covariances / posterior.widening**2)
        rank = (predicted.quantiles(tenths) < y[new]).sum(axis=0)
        ranks[rank, [0, 1]] += 1
        difference = predicted.difference(1, 0)
        for level, hits in inside.items():
            edges = np.array([0.5 - level / 2, 0.5 + level / 2])
            low, high = predicted.quantiles(edges)
            hits[:2] += (low <= y[new]) & (y[new] <= high)
            low, high = difference.quantiles(edges)
            hits[2] += low[0] <= y[new[1]] - y[new[0]] <= high[0]
    for level, hits in inside.items():
        margin = 3.3 * np.sqrt(level * (1 - level) / DATASETS)
        np.testing.assert_allclose(hits / DATASETS, level, atol=margin)
    for column in ranks.T:
        assert chisquare(column).pvalue > 0.001


def dose_trials(effects: dict[float, float], se: float) -> tuple[ResponseData, Layout]:
    """Four trials, each with placebo and every dose."""
    doses = [0.0, *effects]
    count = 4 * len(doses)
    trial = np.arange(count) // len(doses)
    dose = np.array(doses)[np.arange(count) % len(doses)]
    active = dose > 0
    empty = np.empty((count, 0))
    drug = np.where(active, 0, -1)
    arms = Arms(drug, drug, np.where(active, dose, 1.0), np.full(count, 26.0), empty, empty)
    y = np.array([effects.get(float(one), 0.0) for one in dose])
    levels = {"trial": trial, "study": trial, "arm": np.arange(count), "study_drug": np.where(active, trial, -1)}
    knots = np.array([np.log(one) for one in effects if one != 1.0])
    return to_data(arms, levels, y, se**2 * np.eye(count)), Layout(1, 1, 0, 0, (knots,), (), starts_at_zero=True)


@given(st.floats(-1.5, -0.2), st.floats(0.2, 2.0))
@settings(max_examples=8, deadline=None)
def test_more_is_more_where_the_evidence_says_so(top: float, half: float) -> None:
    """Evidence on an Emax curve: expected effects grow with dose over the studied range, between the doses too."""
    effects = {dose: top * dose / (dose + half) for dose in (0.25, 0.5, 1.0, 2.0)}
    data, layout = dose_trials(effects, 0.05)
    ratio = np.exp(np.linspace(np.log(0.25), np.log(2.0), 12))
    empty = np.empty((12, 0))
    zero = np.zeros(12, dtype=np.int64)
    predicted = fit(data, layout, load_priors("identity", 1.0)).expected(
        Arms(zero, zero, ratio, np.full(12, 26.0), empty, empty)
    )
    assert (np.diff(predicted) < 0).all()


def test_an_unseen_drug_and_an_extreme_cohort_have_wider_intervals() -> None:
    generator = np.random.default_rng(7)
    arms, levels = simulated_design(generator, 14)
    y = -1.0 * (arms.drug >= 0) + 0.1 * generator.standard_normal(len(arms))
    layout = Layout(2, 3, 1, 1, KNOTS, (0,), starts_at_zero=True)
    posterior = fit(to_data(arms, levels, y, 0.01 * np.eye(len(arms))), layout, load_priors("identity", 1.0))

    def width(drug: int, ratio: float, covariate: float, weeks: float = 26.0) -> float:
        one = Arms(
            np.zeros(1, dtype=np.int64), np.array([drug]), np.array([ratio]), np.array([weeks]),
            np.array([[covariate]]), np.array([[covariate]]),
        )  # fmt: skip
        return float(np.ptp(posterior.predict(one).quantiles(np.array([0.05, 0.95]))))

    assert width(3, 1.0, 0.0) > width(0, 1.0, 0.0)
    assert width(0, 1.0, 6.0) > 1.3 * width(0, 1.0, 0.0)
    assert width(0, 6.0, 0.0) > width(0, 1.0, 0.0)
