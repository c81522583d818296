"""Integration over the hyperparameters: against dense quadrature, exact normals, and itself in another process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from tools.response.features import Arms, Layout, ResponseData
from tools.response.integration import integrate, orthogonal_design, truncated_weights
from tools.response.parameters import Priors, load_priors
from tools.response.solve import fit


def meta_analysis(y: list[float], variance: list[float]) -> tuple[ResponseData, Layout]:
    count = len(y)
    index, none = np.arange(count), np.full(count, -1)
    empty = np.empty((count, 0))
    arms = Arms(none, none, np.ones(count), np.full(count, 26.0), empty, empty)
    data = ResponseData(
        np.array(y), np.diag(variance), arms, arms, np.zeros(count, dtype=bool), index, index, index, index, index, index,
        none, none,
    )  # fmt: skip
    return data, Layout(0, 0, 0, 0, (), (), starts_at_zero=False)


def only_free(priors: Priors, *names: str) -> Priors:
    free = np.isin(priors.names, names)
    return replace(priors, sd=np.where(free, priors.sd, 0.0))


@pytest.mark.parametrize(
    ("y", "variance"),
    [
        ([-1.2, -0.4, -0.9, -0.1, -1.5, -0.8], [0.05, 0.2, 0.1, 0.02, 0.3, 0.1]),
        ([-2.6, 0.4, -0.9, 1.1], [0.02, 0.02, 0.03, 0.02]),
        ([0.3], [0.5]),
    ],
)
def test_agrees_with_dense_quadrature(y: list[float], variance: list[float]) -> None:
    """Two free heterogeneities on a fine grid: the same predictive mean, SD and quantiles."""
    data, layout = meta_analysis(y, variance)
    priors = only_free(load_priors("logit"), "study", "row")
    posterior = fit(data, layout, priors)
    predicted = posterior.predict(data.plus.take(np.array([0])))

    places = {name: priors.names.index(name) for name in ("study", "row")}
    axes = [
        np.linspace(priors.mean[i] - 5 * priors.sd[i], priors.mean[i] + 5 * priors.sd[i], 161) for i in places.values()
    ]
    study, row = (np.exp(axis) for axis in np.meshgrid(*axes, indexing="ij"))
    heterogeneity = (study**2 + row**2).ravel()
    weight = 1 / (np.array(variance) + heterogeneity[:, None])
    precision = weight.sum(axis=1) + priors.intercept_sd**-2
    centre = weight @ np.array(y) / precision
    log_density = 0.5 * np.log(weight).sum(axis=1) - 0.5 * np.log(precision)
    log_density -= 0.5 * (weight @ np.array(y) ** 2 - precision * centre**2)
    for axis, (name, i) in zip(np.meshgrid(*axes, indexing="ij"), places.items(), strict=True):
        assert name in priors.names
        log_density -= 0.5 * ((axis.ravel() - priors.mean[i]) / priors.sd[i]) ** 2
    share = np.exp(log_density - log_density.max())
    share /= share.sum()
    spread = np.sqrt(1 / precision + heterogeneity)
    mean = float(share @ centre)
    sd = float(np.sqrt(share @ (spread**2 + centre**2) - mean**2))

    got_mean = float(predicted.weights @ predicted.means[:, 0])
    got_square = float(predicted.weights @ (predicted.covariances[:, 0, 0] + predicted.means[:, 0] ** 2))
    assert got_mean == pytest.approx(mean, abs=0.03 * sd)
    assert np.sqrt(got_square - got_mean**2) == pytest.approx(sd, rel=0.05)
    latent = np.log(predicted.quantiles(np.array([0.05, 0.25, 0.5, 0.75, 0.95]))[:, 0] / 100)
    latent -= np.log1p(-np.exp(latent))
    reached = [float(share @ ndtr((value - centre) / spread)) for value in latent]
    np.testing.assert_allclose(reached, [0.05, 0.25, 0.5, 0.75, 0.95], atol=0.012)


@given(st.integers(1, 15), st.integers(2, 80))
@settings(max_examples=40, deadline=None)
def test_design_is_white(dimension: int, nodes: int) -> None:
    points = orthogonal_design(dimension, nodes)
    assert len(points) >= nodes
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(points.T @ points / len(points), np.eye(dimension), atol=1e-9)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=60))
def test_weights_are_shares_and_none_dominates_before_truncation(logs: list[float]) -> None:
    weights = truncated_weights(np.array(logs))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    # Higher density never counts less.
    order = np.argsort(logs)
    assert (np.diff(weights[order]) >= -1e-15).all()


def test_a_normal_posterior_is_integrated_exactly() -> None:
    """On an exact normal all nodes weigh the same, and mean and covariance come out exactly."""
    generator = np.random.default_rng(5)
    root = generator.normal(size=(4, 4))
    precision = root @ root.T + np.eye(4)
    centre = np.array([0.4, -1.0, 2.0, 0.1])

    def value_and_gradient(eta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        gap = eta - centre
        return float(-0.5 * gap @ precision @ gap), -precision @ gap

    nodes = integrate(lambda eta: value_and_gradient(eta)[0], value_and_gradient, np.zeros(4), np.ones(4))
    np.testing.assert_allclose(nodes.mode, centre, atol=1e-4)
    np.testing.assert_allclose(nodes.weights, 1 / len(nodes.weights), rtol=1e-3)
    np.testing.assert_allclose(nodes.weights @ nodes.eta, centre, atol=1e-3)
    gap = nodes.eta - centre
    np.testing.assert_allclose((gap * nodes.weights[:, None]).T @ gap, np.linalg.inv(precision), atol=2e-3)
    assert nodes.effective_size == pytest.approx(len(nodes.weights), rel=1e-3)


def test_the_mode_does_not_depend_on_the_start() -> None:
    data, layout = meta_analysis([-1.2, -0.4, -0.9, -0.1, -1.5, -0.8], [0.05, 0.2, 0.1, 0.02, 0.3, 0.1])
    priors = load_priors("logit")
    first = fit(data, layout, priors)
    names = [priors.names.index(name) for name in first.names]
    second = fit(data, layout, priors, start=priors.mean[names] + 1.0)
    np.testing.assert_allclose(first.mode, second.mode, atol=2e-4)


SCRIPT = """
import hashlib, numpy as np
from tools.response.features import Arms, Layout, ResponseData
from tools.response.parameters import load_priors
from tools.response.solve import fit
g = np.random.default_rng(3); n = 60; i = np.arange(n); t = i // 2
on = i % 2 == 1; c = np.where(on, i % 3, -1); d = np.where(on, i % 5, -1)
x = g.normal(size=(n, 2))
arms = Arms(c, d, np.where(on, 2.0 ** (i % 3 - 1), 1.0), 12.0 + i % 7 * 6, x, x[:, :1])
y = -np.where(on, 0.8, 0.0) + g.normal(size=30)[t] * 0.3 + g.normal(size=n) * 0.1
sd = np.where(on, t * 5 + d, -1)
data = ResponseData(y, 0.01 * np.eye(n), arms, arms, np.zeros(n, bool), t, t, i, i, i, i, sd, sd)
knots = tuple(np.log([0.5, 2.0]) for _ in range(5))
p = fit(data, Layout(3, 5, 2, 1, knots, (0,), True), load_priors("identity", 1.0))
q = p.predict(arms.take(np.arange(6))).quantiles(np.array([0.05, 0.5, 0.95]))
print(hashlib.sha256(" ".join(f"{v:.6g}" for v in q.ravel()).encode()).hexdigest())
"""


def test_numbers_are_identical_in_every_process_whatever_the_threads() -> None:
    """Six significant digits, which is what estimates carry."""
    found = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True, timeout=120
        )
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == len(hashlib.sha256().hexdigest())
