"""The airline model, ARIMA(0,1,1)(0,1,1) of a season, by exact maximum likelihood (Box and Jenkins 1976).

The differenced series is a moving average of order season + 1, so its covariance is banded and the likelihood exact with a banded
Cholesky factor; the innovations' variance is concentrated out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky_banded, solveh_banded
from scipy.optimize import minimize

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
EDGE = 0.999  # largest absolute value tried of a moving-average coefficient: beyond it the model is not invertible


@dataclass(frozen=True)
class AirlineFit:
    """Coefficients (1 + ma·B)(1 + seasonal_ma·Bˢ), innovation variance, log-likelihood and AIC (variance counted), as R's arima gives."""

    ma: float
    seasonal_ma: float
    variance: float
    log_likelihood: float
    aic: float


def _differenced(values: npt.ArrayLike, season: int) -> FloatArray:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise InvalidInput("A series is a row of numbers without gaps.")
    if season < 2 or given.size < 3 * season:
        raise InvalidInput(
            f"The airline model of a season of {season} needs three seasons, {3 * max(season, 2)} periods."
        )
    step = np.diff(given)
    return np.asarray(step[season:] - step[:-season])


def airline_log_likelihood(values: npt.ArrayLike, season: int, ma: float, seasonal_ma: float) -> tuple[float, float]:
    """Exact Gaussian log-likelihood at these coefficients, and the variance of the innovations that maximises it."""
    return _profile(_differenced(values, season), season, ma, seasonal_ma)


def _profile(w: FloatArray, season: int, ma: float, seasonal_ma: float) -> tuple[float, float]:
    weights = np.zeros(season + 2)
    weights[[0, 1]] = 1.0, ma
    weights[season] += seasonal_ma
    weights[season + 1] += ma * seasonal_ma
    covered = [float(weights[: weights.size - k] @ weights[k:]) for k in range(weights.size)]
    banded = np.zeros((len(covered), w.size))
    for k, value in enumerate(covered):
        banded[k, : w.size - k] = value
    try:
        factor = cholesky_banded(banded, lower=True)
        power = float(w @ solveh_banded(banded, w, lower=True))
    except np.linalg.LinAlgError:
        return -np.inf, np.nan
    variance = power / w.size
    spread = 2 * float(np.log(factor[0]).sum())
    return float(-0.5 * (w.size * (np.log(2 * np.pi * variance) + 1) + spread)), variance


def airline_fit(values: npt.ArrayLike, season: int = 12, *, log: bool = True) -> AirlineFit:
    """Fit the airline model to (T,) values, or to their logarithms.

    Raises
    ------
    InvalidInput
        Less than three seasons, a value that is not above 0 under `log`, or a series that repeats itself exactly.
    """
    given = np.asarray(values, dtype=np.float64)
    if log and not (np.isfinite(given).all() and (given > 0).all()):
        raise InvalidInput("Logarithms need values above 0.")
    w = _differenced(np.log(given) if log else given, season)
    if not np.abs(w).max() > 0:
        raise InvalidInput("The series repeats itself exactly: there is nothing to fit.")

    def loss(at: FloatArray) -> float:
        value = -_profile(w, season, float(at[0]), float(at[1]))[0]
        return value if np.isfinite(value) else 1e300

    starts = [(-0.4, -0.4), (0.0, 0.0), (0.4, -0.6)]
    bounds = [(-EDGE, EDGE)] * 2
    fits = [
        minimize(loss, at, method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-8, "fatol": 1e-10})
        for at in starts
    ]
    best = min(fits, key=lambda fit: float(fit.fun))
    ma, seasonal = float(best.x[0]), float(best.x[1])
    value, variance = _profile(w, season, ma, seasonal)
    return AirlineFit(ma, seasonal, variance, value, 6 - 2 * value)
