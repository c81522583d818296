"""What returns after stopping, as numbers: a share that grows to a plateau, fitted to withdrawal trials.

The share of the on-treatment change that has come back t weeks after the last dose is

    share(t) = plateau * (1 - exp(-rate * t)),

the exponential recovery of drug effects (Dayneka, Garg and Jusko 1993, turnover models), used for weight after
incretins by Budini et al (eClinicalMedicine 2026). The plateau is hierarchical: mean + class + drug + trial, so that a
drug that nobody has stopped in a trial borrows from its class, with a wider interval. Given the rate and the three
standard deviations everything is normal and solved exactly; those four are integrated over a grid. Arrays in, arrays
out, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tools.response.features import FloatArray

# Nodes for the logarithm of the rate, over this many prior SDs either way, and for that of each standard deviation.
RATE_NODES, RATE_REACH = 61, 3.0
SD_NODES = 5
LEVELS = ("class", "drug", "trial")
STREAM = 7


@dataclass(frozen=True)
class ReturnPriors:
    """Priors of the return after stopping.

    Attributes
    ----------
    mean, sd : of the plateau (share).
    rate_median, rate_log_sd : of the rate (1/week), log-normal.
    spread : by level of `LEVELS`, (median, SD of the logarithm) of the standard deviation of the plateau.
    """

    mean: float
    sd: float
    rate_median: float
    rate_log_sd: float
    spread: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class StopObservation:
    """How much had come back in one arm at one time.

    Attributes
    ----------
    share : of the change at the time of stopping, 0 nothing, 1 all of it; se : its standard error.
    weeks : since the last dose.
    drug_class, drug, trial : whose.
    """

    share: float
    se: float
    weeks: float
    drug_class: str
    drug: str
    trial: str


@dataclass(frozen=True)
class PlateauPosterior:
    """Joint posterior of rate and plateau of one drug in one new trial, over N grid nodes.

    Attributes
    ----------
    weights : (N,) posterior weights. rates : (N,) 1/week.
    means, sds : (N,) of the plateau given the node.
    """

    weights: FloatArray
    rates: FloatArray
    means: FloatArray
    sds: FloatArray

    def draws(self, count: int, seed: int) -> tuple[FloatArray, FloatArray]:
        """`count` joint draws of plateau (share) and rate (1/week), each (count,); the same for the same seed."""
        # A stream of its own, so that these draws say nothing of others made from the same seed.
        generator = np.random.default_rng([seed, STREAM])
        nodes = generator.choice(len(self.weights), size=count, p=self.weights)
        plateau = self.means[nodes] + self.sds[nodes] * generator.standard_normal(count)
        return plateau, self.rates[nodes]

    def half_life(self, probabilities: FloatArray) -> FloatArray:
        """Quantiles (q,) of the weeks until half of what comes back is back."""
        order = np.argsort(-self.rates, kind="stable")
        cumulative = np.cumsum(self.weights[order]) - 0.5 * self.weights[order]
        logs = np.interp(probabilities, cumulative, np.log(np.log(2.0) / self.rates[order]))
        return np.asarray(np.exp(logs))


def returned(plateau: FloatArray, rate: FloatArray, weeks: float | FloatArray) -> FloatArray:
    """Share that has come back `weeks` after the last dose; 0 at the last dose and before it."""
    return np.asarray(plateau * -np.expm1(-rate * np.maximum(weeks, 0.0)))


def fit_plateau(
    observations: Sequence[StopObservation], priors: ReturnPriors, drug_class: str, drug: str
) -> PlateauPosterior:
    """Posterior of what comes back after a drug is stopped in one new trial.

    Parameters
    ----------
    observations : of one endpoint; may be empty, then the priors speak.
    priors : of the plateau and the rate.
    drug_class, drug : asked about; without observations of their own they get the spread of classes and of drugs.

    Raises
    ------
    ValueError : a standard error that is not positive, or a time that is not after the last dose.
    """
    if any(not one.se > 0 or not one.weeks > 0 for one in observations):
        raise ValueError("standard errors and weeks after stopping must be positive")
    rates, spreads, log_prior = _grid(priors)
    if len(observations) == 0:
        total = priors.sd**2 + np.sum(spreads**2, axis=1)
        weights = _normalised(log_prior)
        return PlateauPosterior(weights, rates, np.full(len(rates), priors.mean), np.sqrt(total))
    labels = [(one.drug_class, one.drug, one.trial) for one in observations]
    same = _same(labels, labels)
    own = _same([(drug_class, drug, "")], labels)[:, 0, :]
    own[2] = 0.0  # The trial asked about is a new one.
    count = len(observations)
    weeks = np.array([one.weeks for one in observations])
    growth = -np.expm1(-rates[:, None] * weeks)
    variances = spreads**2
    plateaus = priors.sd**2 + np.einsum("nl,lij->nij", variances, same)
    shared = priors.sd**2 + np.einsum("nl,lj->nj", variances, own)
    covariance = growth[:, :, None] * plateaus * growth[:, None, :]
    covariance += np.diag(np.array([one.se for one in observations]) ** 2)
    residual = np.array([one.share for one in observations]) - priors.mean * growth
    cross = shared * growth
    solved = np.linalg.solve(covariance, np.stack([residual, cross], axis=2))
    means = priors.mean + np.einsum("ni,ni->n", cross, solved[:, :, 0])
    left = priors.sd**2 + variances.sum(axis=1) - np.einsum("ni,ni->n", cross, solved[:, :, 1])
    _, log_determinant = np.linalg.slogdet(covariance)
    fit = np.einsum("ni,ni->n", residual, solved[:, :, 0])
    log_likelihood = -0.5 * (fit + log_determinant + count * np.log(2.0 * np.pi))
    return PlateauPosterior(_normalised(log_prior + log_likelihood), rates, means, np.sqrt(np.maximum(left, 0.0)))


def _grid(priors: ReturnPriors) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rates (N,), standard deviations (N, 3) and log prior weights (N,) of all nodes."""
    steps = np.linspace(-RATE_REACH, RATE_REACH, RATE_NODES)
    nodes, weights = np.polynomial.hermite_e.hermegauss(SD_NODES)
    rates, spreads, logs = [], [], []
    for step, *chosen in product(range(RATE_NODES), *([range(SD_NODES)] * len(LEVELS))):
        rates.append(priors.rate_median * np.exp(priors.rate_log_sd * steps[step]))
        spreads.append(
            [
                median * np.exp(log_sd * nodes[node])
                for (median, log_sd), node in zip(priors.spread, chosen, strict=True)
            ]
        )
        logs.append(-0.5 * steps[step] ** 2 + sum(np.log(weights[node]) for node in chosen))
    return np.array(rates), np.array(spreads), np.array(logs)


def _same(first: Sequence[tuple[str, ...]], second: Sequence[tuple[str, ...]]) -> FloatArray:
    """(levels, first, second): 1 where both have the same class, drug, trial."""
    return np.array([[[float(a[level] == b[level]) for b in second] for a in first] for level in range(len(LEVELS))])


def _normalised(logs: FloatArray) -> FloatArray:
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())
