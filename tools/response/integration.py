"""Integrating over the hyperparameters instead of plugging one set in.

The log posterior of the hyperparameters is approximated around its mode by a normal that is stretched separately on
either side of each principal axis (Rue, Martino and Chopin 2009, integrated nested Laplace approximations, section
6.5). Points of an orthogonal quasi-Monte-Carlo design are mapped through it and reweighted by importance, the weights
truncated (Ionides 2008). Nothing is random from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaincinv

from tools.response.features import FloatArray

# About this many nodes, whatever the number of hyperparameters.
NODES = 48
# Step of the finite-difference Hessian and of the probes along each axis, in posterior SDs or prior SDs.
HESSIAN_STEP = 0.05
PROBE = 1.5
# The mode is found to this many decimals of a log hyperparameter, far below its posterior SD, so that rounding noise
# of the linear algebra does not move the nodes.
MODE_DECIMALS = 4


@dataclass(frozen=True)
class Nodes:
    """Where to evaluate the posterior and how much each point counts.

    Attributes
    ----------
    eta : (J, H) log hyperparameters; weights : (J,) summing to 1.
    mode : (H,).
    converged : whether the optimiser was content.
    """

    eta: FloatArray
    weights: FloatArray
    mode: FloatArray
    converged: bool

    @property
    def effective_size(self) -> float:
        """Kish's effective number of nodes."""
        return float(1.0 / np.sum(self.weights**2))


def integrate(
    value: Callable[[FloatArray], float],
    value_and_gradient: Callable[[FloatArray], tuple[float, FloatArray]],
    prior_mean: FloatArray,
    prior_sd: FloatArray,
    start: FloatArray | None = None,
    nodes: int = NODES,
) -> Nodes:
    """Nodes and weights for a log posterior density over H log hyperparameters.

    Parameters
    ----------
    value, value_and_gradient : log density (up to a constant), and with its gradient.
    prior_mean, prior_sd : (H,); hyperparameters with `prior_sd` 0 stay fixed.
    start : (H,) where the optimiser starts; the prior mean when absent.
    nodes : about how many.
    """
    free = np.flatnonzero(prior_sd > 0)
    if not len(free):
        return Nodes(prior_mean[None, :].copy(), np.ones(1), prior_mean.copy(), True)
    unit = prior_sd[free]

    def place(point: FloatArray) -> FloatArray:
        eta = prior_mean.copy()
        eta[free] = point
        return eta

    def objective(scaled: FloatArray) -> tuple[float, FloatArray]:
        density, slope = value_and_gradient(place(scaled * unit))
        return -density, -slope[free] * unit

    first = prior_mean if start is None else start
    # Six prior SDs either way: beyond that the prior has less mass than the arithmetic has digits.
    centre = prior_mean[free] / unit
    found = minimize(
        objective,
        first[free] / unit,
        args=(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(float(middle) - 6.0, float(middle) + 6.0) for middle in centre],
        options={"maxiter": 200, "ftol": 1e-12, "gtol": 1e-5},
    )
    mode = np.round(found.x * unit, MODE_DECIMALS)

    hessian = np.empty((len(free), len(free)))
    for index in range(len(free)):
        step = np.zeros(len(free))
        step[index] = HESSIAN_STEP
        ahead = objective(mode / unit + step)[1]
        behind = objective(mode / unit - step)[1]
        hessian[index] = (ahead - behind) / (2 * HESSIAN_STEP)
    curvature, axes = np.linalg.eigh(0.5 * (hessian + hessian.T))
    # The prior alone has curvature 1 in these units; a tenth of it bounds a flat or saddle direction.
    spread = 1.0 / np.sqrt(np.maximum(curvature, 0.1))
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), np.arange(len(free))] < 0, -1.0, 1.0)

    top = value(place(mode))
    stretch = np.empty((2, len(free)))
    for index in range(len(free)):
        for side, sign in enumerate((-1.0, 1.0)):
            probe = mode + sign * PROBE * spread[index] * axes[:, index] * unit
            drop = max(top - value(place(probe)), 1e-3)
            stretch[side, index] = np.clip(PROBE / np.sqrt(2 * drop), 0.5, 2.0)

    standard = orthogonal_design(len(free), nodes)
    scale = np.where(standard < 0, stretch[0], stretch[1])
    points = mode + ((standard * scale * spread) @ axes.T) * unit
    eta = np.array([place(point) for point in points])
    log_weight = np.array([value(point) for point in eta])
    log_weight += 0.5 * np.sum(standard**2, axis=1) + np.sum(np.log(scale), axis=1)
    return Nodes(eta, truncated_weights(log_weight), place(mode), bool(found.success))


def truncated_weights(log_weight: FloatArray) -> FloatArray:
    """Normalised importance weights, none above the mean times the root of their number (Ionides 2008)."""
    weight = np.exp(log_weight - log_weight.max())
    weight = np.minimum(weight, weight.mean() * np.sqrt(len(weight)))
    return np.asarray(weight / weight.sum())


def orthogonal_design(dimension: int, nodes: int) -> FloatArray:
    """Points (J, dimension) whose mean is 0 and covariance 1, like draws of a standard normal.

    Directions are columns of random orthogonal matrices from a fixed seed, radii the stratified quantiles of the chi
    distribution, each point paired with its mirror image; J is at least `nodes`, and even.
    """
    pairs = max(-(-nodes // 2), dimension)
    blocks = -(-pairs // dimension)
    # With one block the pairs would lie in as many directions as there are axes; fewer pairs than that cannot be white.
    pairs = blocks * dimension if dimension > 1 else pairs
    generator = np.random.Generator(np.random.PCG64(20261120))
    directions = []
    for _ in range(blocks):
        turn, _upper = np.linalg.qr(generator.standard_normal((dimension, dimension)))
        directions.append(turn.T)
    direction = np.vstack(directions)[:pairs] if dimension > 1 else np.ones((pairs, 1))
    quantile = (generator.permutation(pairs) + 0.5) / pairs
    radius = np.sqrt(2.0 * gammaincinv(dimension / 2.0, quantile))
    half = direction * radius[:, None]
    covariance = half.T @ half / pairs
    values, vectors = np.linalg.eigh(covariance)
    half = half @ (vectors / np.sqrt(values)) @ vectors.T
    return np.vstack([half, -half])
