"""Rates of a continuous-time Markov model from panel data: states of people seen at some times only.

Maximum likelihood with analytic gradient (Kalbfleisch & Lawless 1985, JASA 80:863), with states that are entered at an
exactly known time such as death, final observations of which only a set of possible states is known (censoring),
covariates on the log rates, equal rates, and rates that change at given times, as in the R package msm (Jackson 2011,
Journal of Statistical Software 38(8), doi 10.18637/jss.v038.i08).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from knowledge.errors import InvalidInput
from tools.population.panel_data import Intervals, crude_rates, intervals_of

FloatArray = npt.NDArray[np.float64]
BLOCK = 4000  # intervals handled at a time: bounds the memory of the derivatives


@dataclass(frozen=True)
class PanelFit:
    """Fitted model.

    Attributes
    ----------
    transitions : pairs (from, to) of states, numbered from 0.
    rates : (S, S) matrix Q with all covariates 0, in the first period, per unit of time.
    coefficients : (L, B) on the log rates: baseline, later periods, covariates – by group of equal rates.
    errors : (L, B) standard errors of them, infinite where the data set no limit. covariance : (L B, L B).
    """

    transitions: tuple[tuple[int, int], ...]
    groups: tuple[int, ...]
    rates: FloatArray
    coefficients: FloatArray
    errors: FloatArray
    covariance: FloatArray
    log_likelihood: float
    observations: int
    subjects: int
    gradient: float

    @property
    def minus_two_log_likelihood(self) -> float:
        """As msm prints it."""
        return -2 * self.log_likelihood

    def draw_rates(self, rng: np.random.Generator, n: int) -> FloatArray:
        """(n, S, S) draws of Q with covariates 0, from the normal approximation on the log rates.

        InvalidInput when the data do not tell all of these rates apart.
        """
        count = self.coefficients.shape[1]
        if not np.isfinite(self.covariance[:count, :count]).all():
            raise InvalidInput(
                "These data cannot tell all rates apart.", "Leave out moves that are hardly seen, or set rates equal."
            )
        logs = rng.multivariate_normal(self.coefficients[0], self.covariance[:count, :count], n)
        found = np.zeros((n, *self.rates.shape))
        for (a, b), group in zip(self.transitions, self.groups, strict=True):
            found[:, a, b] = np.exp(logs[:, group])
        found[:, range(len(self.rates)), range(len(self.rates))] = -found.sum(axis=2)
        return found


def fit_panel(
    subject: npt.ArrayLike,
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    allowed: npt.ArrayLike,
    *,
    exact: Sequence[int] = (),
    censored: Mapping[int, Sequence[int]] | None = None,
    covariates: npt.ArrayLike | None = None,
    equal: Sequence[int] | None = None,
    cut_points: Sequence[float] = (),
    first_state: int = 1,
) -> PanelFit:
    """Fit rates by maximum likelihood.

    Parameters
    ----------
    subject, time, state : (n,) who was seen when in which state; rows of one person together, in the order of time.
    allowed : (S, S) true (or above 0) where a direct move from the row's to the column's state is possible.
    exact : states whose entry time is known exactly, the state just before is not (death).
    censored : code of `state` → the states it may stand for; at a person's last observation only.
    covariates : (n, C), taken at the beginning of each interval; rates are given for 0.
    equal : group of each allowed move, row by row; moves of one group have the same rate.
    cut_points : times at which all rates may change. first_state : number of the first state in the data, 0 or 1.

    Raises
    ------
    InvalidInput
        Data that do not fit, moves that the model rules out, or an optimum that is not found.
    """
    data = intervals_of(
        subject, time, state, allowed, exact=exact, censored=censored, covariates=covariates, cut_points=cut_points,
        first_state=first_state,
    )  # fmt: skip
    groups = _groups(data, equal)
    count, levels = max(groups) + 1, data.design.shape[-1]
    start = np.zeros((levels, count))
    crude = crude_rates(data)
    for group in range(count):
        members = [crude[pair] for pair, one in zip(data.transitions, groups, strict=True) if one == group]
        start[0, group] = np.log(np.mean(members))

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        value, slope = log_likelihood(data, flat.reshape(levels, count), groups)
        return (-value, -slope.ravel()) if np.isfinite(value) else (1e10, np.zeros_like(flat))

    found = optimize.minimize(loss, start.ravel(), jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 1000})
    value, slope = log_likelihood(data, found.x.reshape(levels, count), groups)
    if not np.isfinite(value) or np.max(np.abs(slope)) > 1e-3 * max(1.0, abs(value)):
        raise InvalidInput(
            "No best rates were found for these data.", "A move that is hardly ever seen may have to be left out."
        )
    covariance = _covariance(loss, found.x)
    coefficients = found.x.reshape(levels, count)
    q = np.zeros((data.states, data.states))
    for (a, b), group in zip(data.transitions, groups, strict=True):
        q[a, b] = np.exp(coefficients[0, group])
    np.fill_diagonal(q, -q.sum(axis=1))
    return PanelFit(
        transitions=data.transitions, groups=groups, rates=q, coefficients=coefficients,
        errors=np.sqrt(np.diag(covariance)).reshape(levels, count), covariance=covariance, log_likelihood=value,
        observations=data.observations, subjects=data.subjects, gradient=float(np.max(np.abs(slope))),
    )  # fmt: skip


def log_likelihood(data: Intervals, coefficients: FloatArray, groups: Sequence[int]) -> tuple[float, FloatArray]:
    """Log-likelihood and its gradient (L, B) with respect to the coefficients on the log rates."""
    total, slope = 0.0, np.zeros_like(coefficients)
    logs = np.einsum("ukl,lr->ukr", data.design, coefficients[:, list(groups)])
    if np.max(np.abs(logs)) > 50:
        return -np.inf, slope
    rates = np.exp(logs)  # (U, K, R)
    for begin in range(0, len(data.origin), BLOCK):
        rows = slice(begin, begin + BLOCK)
        value, by_rate = _block(data, rates, rows)
        if not np.isfinite(value):
            return -np.inf, slope
        total += value
        for r, group in enumerate(groups):
            slope[:, group] += np.einsum("uk,ukl->l", by_rate[..., r], data.design)
    return total, slope


def _block(data: Intervals, rates: FloatArray, rows: slice) -> tuple[float, FloatArray]:
    """Log-likelihood of some intervals, and its slopes (U, K, R) by log rate."""
    unit, lengths, origin = data.unit[rows], data.lengths[rows], data.origin[rows]
    target, exact = data.target[rows], data.exact[rows]
    units, periods, moves = rates.shape
    n, s = len(origin), data.states
    states = np.arange(s)
    forward = np.zeros((n, s))
    forward[np.arange(n), origin] = 1.0
    slopes = np.zeros((periods, moves, n, s))
    for k in range(periods):
        for u in range(units):
            here = np.flatnonzero((unit == u) & (lengths[:, k] > 0))
            if not len(here):
                continue
            p, dp = probabilities_and_slopes(_matrix(data, rates[u, k]), lengths[here, k], data.transitions)
            before = forward[here]
            for earlier in range(k):
                slopes[earlier][:, here] = np.einsum("rna,nab->rnb", slopes[earlier][:, here], p)
            slopes[k][:, here] = np.einsum("na,rnab->rnb", before, dp) * rates[u, k][:, None, None]
            forward[here] = np.einsum("na,nab->nb", before, p)
    weight = target.astype(np.float64)  # (n, S): states the observation may stand for
    last = np.where(lengths > 0, np.arange(periods), 0).max(axis=1)
    direct = np.zeros((n, s))  # d weight / d log rate comes from the move into the exact state
    for r, (a, b) in enumerate(data.transitions):
        direct[:, a] += np.where(exact == b, rates[unit, last, r], 0.0)
    known = exact >= 0
    weight[known] = direct[known]
    likelihood = (forward * weight).sum(axis=1)
    if (likelihood <= 0).any():
        return -np.inf, np.zeros_like(rates)
    by_rate = np.zeros_like(rates)
    pushed = np.einsum("krns,ns->krn", slopes, weight / likelihood[:, None])
    for u in range(units):
        by_rate[u] = pushed[:, :, unit == u].sum(axis=2)
    for r, (a, b) in enumerate(data.transitions):
        hit = np.flatnonzero(exact == b)
        if len(hit):
            share = forward[hit, states[a]] * rates[unit[hit], last[hit], r] / likelihood[hit]
            np.add.at(by_rate[..., r], (unit[hit], last[hit]), share)
    return float(np.log(likelihood).sum()), by_rate


def probabilities_and_slopes(
    q: FloatArray, times: FloatArray, transitions: Sequence[tuple[int, int]]
) -> tuple[FloatArray, FloatArray]:
    """P(t) (n, S, S) and its derivative (R, n, S, S) by each rate, from the eigenvalues of Q.

    Where eigenvectors are (nearly) dependent, from matrix exponentials of blocks instead.
    """
    values, vectors = np.linalg.eig(q)
    if np.linalg.cond(vectors) > 1e10:
        return _by_exponential(q, times, transitions)
    inverse = np.linalg.inv(vectors)
    growth = np.exp(values[None, :] * times[:, None])
    p = np.einsum("ab,nb,bc->nac", vectors, growth, inverse).real
    middle = (values[:, None] + values[None, :]) / 2
    half = (values[:, None] - values[None, :]) / 2
    x = half[None] * times[:, None, None]
    near = np.abs(x) < 1e-6
    ratio = np.where(near, 1 + x**2 / 6, np.sinh(np.where(near, 1, x)) / np.where(near, 1, x))
    phi = np.exp(middle[None] * times[:, None, None]) * times[:, None, None] * ratio
    slopes = np.empty((len(transitions), *p.shape))
    for r, (a, b) in enumerate(transitions):
        change = inverse[:, a][:, None] * (vectors[b] - vectors[a])[None, :]
        slopes[r] = np.einsum("ab,nbc,cd->nad", vectors, phi * change[None], inverse).real
    return np.maximum(p, 0.0), slopes


def _by_exponential(
    q: FloatArray, times: FloatArray, transitions: Sequence[tuple[int, int]]
) -> tuple[FloatArray, FloatArray]:
    from scipy.linalg import expm

    s = len(q)
    p = np.asarray(expm(q[None] * times[:, None, None]))
    slopes = np.empty((len(transitions), *p.shape))
    for r, (a, b) in enumerate(transitions):
        block = np.zeros((2 * s, 2 * s))
        block[:s, :s] = block[s:, s:] = q
        block[a, s + b], block[a, s + a] = 1.0, -1.0
        slopes[r] = expm(block[None] * times[:, None, None])[:, :s, s:]
    return np.maximum(p, 0.0), slopes


def _matrix(data: Intervals, rates: FloatArray) -> FloatArray:
    q = np.zeros((data.states, data.states))
    for (a, b), rate in zip(data.transitions, rates, strict=True):
        q[a, b] = rate
    np.fill_diagonal(q, -q.sum(axis=1))
    return q


def _groups(data: Intervals, equal: Sequence[int] | None) -> tuple[int, ...]:
    if equal is None:
        return tuple(range(len(data.transitions)))
    if len(equal) != len(data.transitions):
        raise InvalidInput(f"Give a group for each of the {len(data.transitions)} allowed moves, row by row.")
    order = list(dict.fromkeys(equal))
    return tuple(order.index(one) for one in equal)


def _covariance(loss: object, best: FloatArray) -> FloatArray:
    """Inverse of the Hessian, from central differences of the analytic gradient."""
    size = len(best)
    hessian = np.empty((size, size))
    for i in range(size):
        step = np.zeros(size)
        step[i] = 1e-4
        hessian[i] = (loss(best + step)[1] - loss(best - step)[1]) / 2e-4  # type: ignore[operator]
    roots, axes = np.linalg.eigh((hessian + hessian.T) / 2)
    flat = roots <= 1e-8 * max(roots[-1], 1.0)
    covariance = (axes[:, ~flat] / roots[~flat]) @ axes[:, ~flat].T
    lost = (np.abs(axes[:, flat]) > 0.01).any(axis=1)  # the data do not limit these
    covariance[lost, lost] = np.inf
    return np.asarray(covariance)
