"""What people choose: multinomial and mixed logit, fitted and predicted, and what a change is worth to them.

McFadden 1974; Train 2009, Discrete Choice Methods with Simulation (mixed logit by simulated likelihood with Halton draws);
consumer surplus: Small & Rosen 1981 (Econometrica).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
# Draws times observations times alternatives held at once by a mixed logit.
MAX_NUMBERS = 60_000_000
# Points of the integral over one random coefficient, evenly spaced in standard deviations up to the limit.
NODES, LIMIT = 121, 6.0


def probabilities(utilities: npt.ArrayLike, available: npt.ArrayLike | None = None) -> FloatArray:
    """(…, J) choice probabilities of a multinomial logit.

    Parameters
    ----------
    utilities : (…, J) systematic utility of each option. available : (…, J) which may be chosen; all by default.

    Raises
    ------
    InvalidInput
        A utility that is not a number, or a choice with nothing available.
    """
    v, open_ = _options(utilities, available)
    shifted = np.where(open_, v, -np.inf)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def logsum(utilities: npt.ArrayLike, available: npt.ArrayLike | None = None) -> FloatArray:
    """(…,) expected utility of the best option, ln Σ exp(V), without Euler's constant."""
    v, open_ = _options(utilities, available)
    shifted = np.where(open_, v, -np.inf)
    top = shifted.max(axis=-1)
    return np.asarray(top + np.log(np.exp(shifted - top[..., None]).sum(axis=-1)))


def consumer_surplus_change(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    cost_coefficient: float,
    *,
    available_before: npt.ArrayLike | None = None,
    available_after: npt.ArrayLike | None = None,
) -> FloatArray:
    """(…,) gain per choice in money: (logsum after − logsum before) / −cost_coefficient.

    Parameters
    ----------
    before, after : (…, J) utilities. cost_coefficient : utility of one unit of money spent; below 0 (InvalidInput).
    """
    if not cost_coefficient < 0:
        raise InvalidInput("The coefficient of cost lies below 0: spending is not a gain.")
    gain = logsum(after, available_after) - logsum(before, available_before)
    return np.asarray(gain / -cost_coefficient)


def _options(utilities: npt.ArrayLike, available: npt.ArrayLike | None) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    v = np.asarray(utilities, dtype=np.float64)
    open_ = np.ones(v.shape, dtype=np.bool_) if available is None else np.asarray(available).astype(np.bool_)
    open_ = np.broadcast_to(open_, v.shape)
    if v.ndim < 1 or v.shape[-1] < 1 or not np.isfinite(v[open_]).all():
        raise InvalidInput("Each option has a utility that is a number.")
    if not open_.any(axis=-1).all():
        raise InvalidInput("Somebody has nothing to choose from.")
    return v, open_


@dataclass(frozen=True)
class LogitFit:
    """A fitted logit.

    Attributes
    ----------
    names : of the coefficients; spreads of random ones are called sd_<name>.
    coefficients, errors : (P,) estimates and standard errors. covariance : (P, P).
    log_likelihood, null_log_likelihood : fitted, and with equal shares of what is available.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    errors: FloatArray
    covariance: FloatArray
    log_likelihood: float
    null_log_likelihood: float
    observations: int

    @property
    def rho_squared(self) -> float:
        """1 − log-likelihood / null log-likelihood."""
        return 1 - self.log_likelihood / self.null_log_likelihood

    @property
    def by_name(self) -> dict[str, float]:
        """Coefficient by name."""
        return {name: float(value) for name, value in zip(self.names, self.coefficients, strict=True)}


def fit_logit(
    attributes: npt.ArrayLike,
    chosen: npt.ArrayLike,
    names: Sequence[str],
    available: npt.ArrayLike | None = None,
    *,
    random: Sequence[str] = (),
    panel: npt.ArrayLike | None = None,
    draws: int = 200,
) -> LogitFit:
    """Fit a multinomial logit, or a mixed one when some coefficients are random.

    Maximum likelihood with analytical gradient (`scipy.optimize`, BFGS); the mixed logit's random coefficients are normal
    and independent, its likelihood integrated by the trapezoidal rule (one of them) or with Halton draws (several).

    Parameters
    ----------
    attributes : (N, J, P) of each option in each choice; a constant is a column of 0 and 1.
    chosen : (N,) position of the option taken. available : (N, J); all by default.
    random : names of coefficients that vary between people. panel : (N,) person of each choice; all different by default.
    draws : Halton draws of a person's coefficients, when several are random.

    Raises
    ------
    InvalidInput
        Sizes that do not fit, a choice of what was not available, attributes that cannot be told apart, no convergence.
    """
    x, taken, open_ = _data(attributes, chosen, names, available)
    from scipy import optimize

    spread = [list(names).index(name) for name in random] if all(name in names for name in random) else None
    if spread is None:
        raise InvalidInput("A random coefficient has the name of an attribute.", f"There are: {', '.join(names)}.")
    people = np.arange(len(taken)) if panel is None else np.unique(np.asarray(panel), return_inverse=True)[1]
    scale = np.maximum(np.abs(x).max(axis=(0, 1)), 1e-12)
    scaled = x / scale
    nodes, weights = _integration(int(people.max()) + 1, draws, len(spread))
    if spread and len(taken) * len(weights) * x.shape[1] > MAX_NUMBERS:
        raise InvalidInput("This mixed logit is too large for one run.", "Use fewer draws or fewer observations.")

    def plain(free: FloatArray) -> tuple[float, FloatArray]:
        return _plain(free, scaled, taken, open_)

    def objective(free: FloatArray) -> tuple[float, FloatArray]:
        return _mixed(free, scaled, taken, open_, people, nodes, weights, spread) if spread else plain(free)

    begin = np.concatenate([np.zeros(len(names)), np.full(len(spread), 0.1)])
    if spread:
        fixed = optimize.minimize(plain, begin[: len(names)], jac=True, method="BFGS")
        begin[: len(names)] = fixed.x
    found = optimize.minimize(objective, begin, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 500})
    if not np.isfinite(found.fun) or np.abs(found.jac).max() > 1e-3:
        raise InvalidInput(
            "The choices do not tell these coefficients.", "Leave out an attribute, or give more choices."
        )
    hessian = _hessian(lambda free: objective(free)[1], found.x)
    if np.linalg.cond(hessian) > 1e12:
        raise InvalidInput("Some attributes cannot be told apart in these choices.", "Leave one of them out.")
    covariance = np.linalg.inv(hessian) / len(taken)
    unscale = np.concatenate([1 / scale, 1 / scale[spread]])
    values = found.x * unscale
    values[len(names) :] = np.abs(values[len(names) :])
    covariance = covariance * np.outer(unscale, unscale)
    return LogitFit(
        names=(*names, *(f"sd_{name}" for name in random)),
        coefficients=values,
        errors=np.sqrt(np.maximum(np.diag(covariance), 0.0)),
        covariance=covariance,
        log_likelihood=float(-found.fun * len(taken)),
        null_log_likelihood=float(-np.log(open_.sum(axis=1)).sum()),
        observations=len(taken),
    )


def mixed_probabilities(
    attributes: npt.ArrayLike,
    means: npt.ArrayLike,
    sds: npt.ArrayLike,
    available: npt.ArrayLike | None = None,
    *,
    draws: int = 2000,
) -> FloatArray:
    """(N, J) probabilities of a mixed logit with independent normal coefficients, averaged over Halton draws.

    Parameters
    ----------
    attributes : (N, J, P). means, sds : (P,); an sd of 0 is a fixed coefficient.
    """
    x = np.asarray(attributes, dtype=np.float64)
    centre, spread = np.asarray(means, dtype=np.float64), np.asarray(sds, dtype=np.float64)
    if x.ndim != 3 or centre.shape != (x.shape[2],) or spread.shape != centre.shape or (spread < 0).any():
        raise InvalidInput("Give a mean and a spread of 0 or more for each attribute.")
    normal = halton_normal(1, draws, len(centre))[0]
    total = np.zeros(x.shape[:2])
    for row in normal:
        total += probabilities(x @ (centre + spread * row), available)
    return total / draws


def _data(
    attributes: npt.ArrayLike, chosen: npt.ArrayLike, names: Sequence[str], available: npt.ArrayLike | None
) -> tuple[FloatArray, IntArray, npt.NDArray[np.bool_]]:
    x, taken = np.asarray(attributes, dtype=np.float64), np.asarray(chosen)
    if x.ndim != 3 or x.shape[2] != len(names) or len(set(names)) < len(names) or taken.shape != x.shape[:1]:
        raise InvalidInput("Attributes are choices by options by names, and each choice has one option taken.")
    if len(taken) <= len(names) or not np.isfinite(x).all():
        raise InvalidInput("There are fewer choices than coefficients, or an attribute is not a number.")
    picked = taken.astype(np.int64)
    open_ = np.ones(x.shape[:2], np.bool_) if available is None else np.asarray(available).astype(np.bool_)
    if (picked < 0).any() or (picked >= x.shape[1]).any() or open_.shape != x.shape[:2]:
        raise InvalidInput("An option taken is not among the options.")
    if not open_[np.arange(len(picked)), picked].all():
        raise InvalidInput("Somebody took an option that was not available.")
    return x, picked, open_


def _plain(free: FloatArray, x: FloatArray, taken: IntArray, open_: npt.NDArray[np.bool_]) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood and its gradient."""
    shares = probabilities(x @ free, open_)
    rows = np.arange(len(taken))
    gradient = x[rows, taken] - np.einsum("nj,njp->np", shares, x)
    return float(-np.log(np.maximum(shares[rows, taken], 1e-300)).mean()), -gradient.mean(axis=0)


def _mixed(
    free: FloatArray,
    x: FloatArray,
    taken: IntArray,
    open_: npt.NDArray[np.bool_],
    people: IntArray,
    normal: FloatArray,
    log_weights: FloatArray,
    spread: list[int],
) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood, integrated over the coefficients of each person, and its gradient."""
    count, rows = x.shape[2], np.arange(len(taken))
    mean, sd = free[:count], free[count:]
    persons, draws = normal.shape[:2]
    mine = normal[people]
    varying = x[:, :, spread]
    utilities = (x @ mean)[:, None, :] + np.einsum("njq,nrq->nrj", varying, sd * mine)
    shares = probabilities(utilities, np.broadcast_to(open_[:, None, :], utilities.shape))
    own = np.log(np.maximum(shares[rows, :, taken], 1e-300))
    together = np.zeros((persons, draws))
    np.add.at(together, people, own)
    together += log_weights
    top = together.max(axis=1, keepdims=True)
    weights = np.exp(together - top)
    likelihood = top[:, 0] + np.log(weights.sum(axis=1))
    weights /= weights.sum(axis=1, keepdims=True)
    weight = weights[people]
    difference = x[rows, taken][:, None, :] - np.einsum("nrj,njp->nrp", shares, x)
    slope_mean = np.einsum("nr,nrp->p", weight, difference)
    slope_sd = np.einsum("nr,nrq,nrq->q", weight, difference[:, :, spread], mine)
    n = len(taken)
    return float(-likelihood.sum() / n), -np.concatenate([slope_mean, slope_sd]) / n


def _hessian(gradient: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    """Symmetric numerical derivative of the gradient."""
    size = len(at)
    rows = np.empty((size, size))
    for i in range(size):
        step = 1e-5 * max(abs(at[i]), 1.0)
        up, down = at.copy(), at.copy()
        up[i] += step
        down[i] -= step
        rows[i] = (gradient(up) - gradient(down)) / (2 * step)
    return np.asarray((rows + rows.T) / 2)


def _integration(people: int, draws: int, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Points (people, R, dimensions) and log weights (R,): evenly spaced for one coefficient, else Halton."""
    if dimensions == 1:
        nodes = np.linspace(-LIMIT, LIMIT, NODES)
        weights = np.exp(-(nodes**2) / 2)
        points = np.broadcast_to(nodes[None, :, None], (people, NODES, 1))
        return points, np.log(weights / weights.sum())
    if dimensions == 0:
        return np.zeros((people, 1, 0)), np.zeros(1)
    return halton_normal(people, draws, dimensions), np.full(draws, -np.log(draws))


def halton_normal(people: int, draws: int, dimensions: int) -> FloatArray:
    """(people, draws, dimensions) standard normal Halton points, scrambled with a fixed seed."""
    from scipy import special
    from scipy.stats import qmc

    points = qmc.Halton(dimensions, scramble=True, rng=np.random.default_rng(1)).random(people * draws)
    return np.asarray(special.ndtri(np.clip(points, 1e-12, 1 - 1e-12))).reshape(people, draws, dimensions)
