"""Mixtures of normals: predictive distributions with the hyperparameters integrated over. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr, ndtri

from tools.response.features import FloatArray, IntArray

# Halvings of the bracket: leaves 1e-13 of its width.
BISECTIONS = 45
# Nodes of the Gauss-Hermite rule for the mean of a proportion.
HERMITE_NODES = 15


@dataclass(frozen=True)
class Prediction:
    """Joint predictive distribution of m cohort means, a mixture of J normals on the model's scale.

    Attributes
    ----------
    weights : (J,) summing to 1.
    means : (J, m); covariances : (J, m, m).
    scale : unit of the model's scale in the endpoint's unit; not used on the logit scale. On the log scale the factor
        before the exponential: events per 100 person-years, or 1 for ratios.
    proportion : True when the model's scale is the logit and the endpoint a percentage.
    log : True when the model's scale is the logarithm of a hazard, a rate or a ratio.
    """

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    scale: float
    proportion: bool
    log: bool = False

    def to_endpoint(self, latent: FloatArray) -> FloatArray:
        """From the model's scale to the endpoint's unit (percent for proportions)."""
        if self.log:
            return np.asarray(self.scale * np.exp(latent))
        return np.asarray(100.0 * expit(latent) if self.proportion else latent * self.scale)

    def mean(self) -> FloatArray:
        """Posterior predictive means (m,) in the endpoint's unit."""
        if self.log:
            variance = np.diagonal(self.covariances, axis1=1, axis2=2)
            return np.asarray(self.scale * (self.weights @ np.exp(self.means + 0.5 * variance)))
        if not self.proportion:
            return np.asarray(self.scale * (self.weights @ self.means))
        nodes, rule = np.polynomial.hermite_e.hermegauss(HERMITE_NODES)
        sd = np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        shares = expit(self.means[:, :, None] + sd[:, :, None] * nodes) @ (rule / rule.sum())
        return np.asarray(100.0 * (self.weights @ shares))

    def median(self) -> FloatArray:
        """Medians (m,) in the endpoint's unit: as many such trials would report more as less.

        The point of a prediction: it has the least mean absolute error, also where a proportion is skewed.
        """
        return np.asarray(self.quantiles(np.array([0.5]))[0])

    def quantiles(self, probabilities: FloatArray) -> FloatArray:
        """Quantiles (q, m) of each marginal in the endpoint's unit."""
        sd = np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        return self.to_endpoint(mixture_quantiles(self.weights, self.means, sd, probabilities))

    def probability_below(self, values: FloatArray) -> FloatArray:
        """P(cohort mean <= value) for each of m values in the endpoint's unit."""
        share = np.clip(values / 100.0, 1e-12, 1.0 - 1e-12)
        latent = np.log(share / (1.0 - share)) if self.proportion else values / self.scale
        if self.log:
            latent = np.log(np.maximum(values / self.scale, 1e-300))
        sd = np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        return np.asarray(self.weights @ ndtr((latent - self.means) / sd))

    def sampling_variance(self, sizes: FloatArray, individual_sd: float) -> FloatArray:
        """Variance (m,) of the mean of arms of these sizes (m,), on the model's scale.

        From the person-to-person SD (model's scale), or for proportions the binomial variance at the median; on the log
        scale sizes are hundreds of person-years, and it is one over the events at the median. So it depends on
        designs, never on results.
        """
        if self.log:
            return np.asarray(1.0 / (sizes * self.median()))
        if not self.proportion:
            return np.asarray(individual_sd**2 / sizes)
        share = np.clip(self.median() / 100.0, 0.5 / sizes, 1.0 - 0.5 / sizes)
        return np.asarray(1.0 / (sizes * share * (1.0 - share)))

    def difference(self, first: int, second: int) -> Prediction:
        """Predictive distribution of mean `first` minus mean `second`; on the log scale their ratio.

        ValueError for proportions.
        """
        if self.proportion:
            raise ValueError("differences of proportions have no normal form; use draws")
        sign = np.zeros(self.means.shape[1])
        sign[first] += 1.0
        sign[second] -= 1.0
        variance = np.einsum("a,jab,b->j", sign, self.covariances, sign)
        scale = 1.0 if self.log else self.scale
        return Prediction(self.weights, (self.means @ sign)[:, None], variance[:, None, None], scale, False, self.log)

    def draws(self, count: int) -> FloatArray:
        """Joint draws (count, m) in the endpoint's unit, the same ones every time.

        Nodes are drawn systematically in proportion to their weights; normals come from a fixed stream in mirrored
        pairs, so that calls with equal `count` and m share them (common random numbers).
        """
        where = systematic(self.weights, count)
        size = self.means.shape[1]
        normal = mirrored_normals(count, size)
        values, vectors = np.linalg.eigh(self.covariances)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :] @ np.swapaxes(vectors, 1, 2)
        latent = self.means[where] + np.einsum("nab,nb->na", root[where], normal)
        return self.to_endpoint(latent)


def mixture_quantiles(weights: FloatArray, means: FloatArray, sds: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Quantiles of mixtures of normals by bisection.

    Parameters
    ----------
    weights : (J,); means, sds : (J, m); probabilities : (q,) within (0, 1).

    Returns
    -------
    (q, m) values.
    """
    each = means[None] + sds[None] * ndtri(probabilities)[:, None, None]
    low, high = each.min(axis=1), each.max(axis=1)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        below = np.einsum("j,qjm->qm", weights, ndtr((middle[:, None, :] - means) / sds))
        under = below < probabilities[:, None]
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray(0.5 * (low + high))


def systematic(weights: FloatArray, count: int) -> IntArray:
    """Indices (count,) drawn systematically in proportion to the weights, in a fixed scrambled order."""
    positions = (np.arange(count) + 0.5) / count
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), positions), len(weights) - 1)
    order = np.random.Generator(np.random.PCG64(20261121)).permutation(count)
    return np.asarray(chosen[order], dtype=np.int64)


def mirrored_normals(count: int, size: int) -> FloatArray:
    """Standard normals (count, size) whose second half mirrors the first; column k does not depend on `size`."""
    half = -(-count // 2)
    columns = [np.random.Generator(np.random.PCG64([20261122, column])).standard_normal(half) for column in range(size)]
    drawn = np.column_stack(columns)
    return np.asarray(np.vstack([drawn, -drawn])[:count])
