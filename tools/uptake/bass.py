"""Bass diffusion: how a new treatment spreads through those who will ever take it.

Bass 1969 (Management Science 15:215): f(t) = (p + q·F)·(1 − F), so F(t) = (1 − e^−(p+q)t) / (1 + (q/p)·e^−(p+q)t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
MIN_PERIODS = 5


def _checked(p: npt.ArrayLike, q: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    innovation, imitation = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if not (np.isfinite(innovation).all() and np.isfinite(imitation).all()):
        raise InvalidInput("The coefficients of diffusion are numbers.")
    if (innovation <= 0).any() or (imitation < 0).any():
        raise InvalidInput("The coefficient of innovation p lies above 0, that of imitation q at 0 or above.")
    return innovation, imitation


def adopted(time: npt.ArrayLike, p: npt.ArrayLike, q: npt.ArrayLike) -> FloatArray:
    """F(t): share of the market that has adopted by `time` (0 before the launch). Arrays broadcast.

    Raises
    ------
    InvalidInput
        p of 0 or below, a negative q, or a time that is not a number.
    """
    innovation, imitation = _checked(p, q)
    t = np.asarray(time, dtype=np.float64)
    if not np.isfinite(t).all():
        raise InvalidInput("A time is a number.")
    gone = np.exp(-(innovation + imitation) * np.maximum(t, 0.0))
    return np.asarray((1 - gone) / (1 + imitation / innovation * gone))


def adoption_rate(time: npt.ArrayLike, p: npt.ArrayLike, q: npt.ArrayLike, m: npt.ArrayLike = 1.0) -> FloatArray:
    """m·f(t): adoptions per unit of time; m is everyone who will ever adopt."""
    share = adopted(time, p, q)
    innovation, imitation = _checked(p, q)
    return np.asarray(np.asarray(m) * (innovation + imitation * share) * (1 - share))


@dataclass(frozen=True)
class Peak:
    """When adoption is fastest.

    Attributes
    ----------
    time : t* = ln(q / p) / (p + q); 0 when q ≤ p, where adoption only slows down.
    rate : adoptions per unit of time then, m·(p + q)² / (4q). share : F(t*) = 1/2 − p / (2q).
    """

    time: float
    rate: float
    share: float


def peak(p: float, q: float, m: float = 1.0) -> Peak:
    """Time, height and share reached at the peak of adoption (closed form)."""
    _checked(p, q)
    if q <= p:
        return Peak(0.0, float(m * p), 0.0)
    return Peak(float(np.log(q / p) / (p + q)), float(m * (p + q) ** 2 / (4 * q)), float(0.5 - p / (2 * q)))


@dataclass(frozen=True)
class Fitted:
    """A fitted curve; standard errors from the curvature of the least squares (delta method)."""

    p: float
    q: float
    m: float
    p_error: float
    q_error: float
    m_error: float
    residual_sd: float


def fit_bass(new_adopters: npt.ArrayLike, *, market: float | None = None) -> Fitted:
    """Fit to adoptions in consecutive periods of equal length, the first beginning at the launch.

    Nonlinear least squares on m·(F(t) − F(t − 1)) (Srinivasan & Mason 1986, Marketing Science), with `scipy`.

    Parameters
    ----------
    new_adopters : (T,) in each period. market : m when it is known; otherwise it is fitted too.

    Raises
    ------
    InvalidInput
        Fewer than five periods, negative counts, or a series that does not tell the curve (no convergence).
    """
    counts = np.asarray(new_adopters, dtype=np.float64)
    if counts.ndim != 1 or len(counts) < MIN_PERIODS or not np.isfinite(counts).all() or (counts < 0).any():
        raise InvalidInput(f"A diffusion curve is fitted to {MIN_PERIODS} or more counts of 0 or more.")
    total = float(counts.sum())
    if total <= 0 or (market is not None and not market >= total * 0.5):
        raise InvalidInput("Nobody has adopted yet, or the market is smaller than those who have.")
    from scipy import optimize

    t = np.arange(len(counts) + 1, dtype=np.float64)

    def expected(free: FloatArray) -> FloatArray:
        p, q = np.exp(free[:2])
        size = market if market is not None else float(np.exp(free[2]))
        return np.asarray(size * np.diff(adopted(t, p, q)))

    def off(free: FloatArray) -> FloatArray:
        return expected(free) - counts

    best = None
    for p0, q0 in ((0.01, 0.4), (0.03, 0.2), (0.001, 0.8), (0.1, 0.1)):
        begin = [np.log(p0), np.log(q0)] + ([] if market is not None else [np.log(total * 1.5)])
        found = optimize.least_squares(off, begin, x_scale="jac", max_nfev=2000)
        if best is None or found.cost < best.cost:
            best = found
    if best is None or best.status <= 0 or not np.isfinite(best.x).all():
        raise InvalidInput("The series does not tell a diffusion curve.", "Give more periods, or the market's size.")
    free = len(best.x)
    spare = max(len(counts) - free, 1)
    variance = 2 * best.cost / spare
    try:
        jacobian = np.asarray(best.jac, dtype=np.float64)
        covariance = variance * np.linalg.inv(jacobian.T @ jacobian)
    except np.linalg.LinAlgError as error:
        raise InvalidInput("The series does not tell a diffusion curve.", "Give the market's size.") from error
    values = np.exp(best.x)
    errors = values * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    m, m_error = (market, 0.0) if market is not None else (float(values[2]), float(errors[2]))
    return Fitted(
        float(values[0]), float(values[1]), float(m), float(errors[0]), float(errors[1]), m_error, float(variance**0.5)
    )
