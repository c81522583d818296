"""How long people stay on a treatment: Weibull persistence in closed form, and fits to seen times (through lifelines).

S(t) = exp(−(t / scale)^shape): below a shape of 1 most who stop do so early, 1 is a constant hazard. A hazard ratio r turns
the scale into scale · r^(−1/shape).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weibull:
    """Persistence with a shape (no unit) and a scale (unit of time)."""

    shape: float
    scale: float

    @property
    def median(self) -> float:
        """Time at which half are still on treatment."""
        return float(self.scale * np.log(2) ** (1 / self.shape))

    @property
    def mean(self) -> float:
        """Mean time on treatment."""
        return float(self.scale * special.gamma(1 + 1 / self.shape))


def weibull_scale(share: npt.ArrayLike, at: npt.ArrayLike, shape: npt.ArrayLike) -> FloatArray:
    """Scale (unit of `at`) of the Weibull with a share (0–1) still on treatment at a time; broadcasts.

    Raises
    ------
    InvalidInput
        A share outside (0, 1), a time or shape that is not above 0.
    """
    s, t, k = (np.asarray(v, dtype=np.float64) for v in (share, at, shape))
    if not np.isfinite(s).all() or (s <= 0).any() or (s >= 1).any():
        raise InvalidInput("The share still on treatment lies above 0 and below 1.")
    _positive(t, "The time of the share")
    _positive(k, "The shape")
    return np.asarray(t * (-np.log(s)) ** (-1 / k))


def weibull_through(share: float, at: float, shape: float = 1.0) -> Weibull:
    """The Weibull of this shape with a share (0–1) still on treatment at a time (errors as `weibull_scale`)."""
    return Weibull(float(shape), float(weibull_scale(share, at, shape)))


def survival(
    time: npt.ArrayLike, shape: npt.ArrayLike, scale: npt.ArrayLike, hazard_ratio: npt.ArrayLike = 1.0
) -> FloatArray:
    """Share (0–1) still on treatment at a time (unit of the scale, 0 or more); broadcasts."""
    t, k, b, r = (np.asarray(v, dtype=np.float64) for v in (time, shape, scale, hazard_ratio))
    if not np.isfinite(t).all() or (t < 0).any():
        raise InvalidInput("A time on treatment is 0 or more.")
    _positive(k, "The shape")
    _positive(b, "The scale")
    if not np.isfinite(r).all() or (r < 0).any():
        raise InvalidInput("A hazard ratio is 0 or more.")
    return np.asarray(np.exp(-r * (t / b) ** k))


def persistence(weibull: Weibull, times: npt.ArrayLike) -> FloatArray:
    """Share (0–1) still on treatment at each time."""
    return survival(times, weibull.shape, weibull.scale)


def time_on_treatment(horizon: float, shape: npt.ArrayLike, scale: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """First and second moment of the time on treatment within a horizon, E min(T, H) and E min(T, H)².

    Closed forms through the regularised incomplete gamma function P: scale·Γ(1 + 1/k)·P(1/k, (H/scale)^k) and
    scale²·Γ(1 + 2/k)·P(2/k, (H/scale)^k), as ∫ S and 2∫ t·S from 0 to H.
    """
    if not 0 < horizon < np.inf:
        raise InvalidInput("The horizon is longer than 0.")
    k, b = (np.asarray(v, dtype=np.float64) for v in (shape, scale))
    _positive(k, "The shape")
    _positive(b, "The scale")
    reach = (horizon / b) ** k
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = (b**n * np.exp(special.gammaln(1 + n / k)) * special.gammainc(n / k, reach) for n in (1.0, 2.0))
    # With almost nobody stopping the scale is immense and the product loses its digits: all stay to the horizon.
    first = np.where(reach > 1e-12, first, horizon)
    second = np.where(reach > 1e-12, second, horizon**2)
    return np.clip(first, 0.0, horizon), np.clip(second, 0.0, horizon**2)


def weibull_points(times: npt.ArrayLike, shares: npt.ArrayLike) -> Weibull:
    """The Weibull through two published shares still on treatment, or nearest to more (least squares of log(−log S))."""
    t, s = np.asarray(times, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if t.shape != s.shape or t.ndim != 1 or t.size < 2 or np.unique(t).size < 2:
        raise InvalidInput("Give shares at two different times or more.")
    _positive(t, "A time")
    if not np.isfinite(s).all() or (s <= 0).any() or (s >= 1).any():
        raise InvalidInput("The share still on treatment lies above 0 and below 1.")
    slope, constant = np.polyfit(np.log(t), np.log(-np.log(s)), 1)
    if not slope > 0:
        raise InvalidInput("The shares still on treatment must fall with time.")
    return Weibull(float(slope), float(np.exp(-constant / slope)))


@dataclass(frozen=True)
class WeibullFit:
    """A fitted Weibull; `covariance` (2, 2) of (log scale, log shape)."""

    shape: float
    scale: float
    covariance: FloatArray
    log_likelihood: float
    stopped: int

    def draws(self, rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
        """(n,) shapes and (n,) scales from the fit's normal approximation on the log scale."""
        logs = rng.multivariate_normal([np.log(self.scale), np.log(self.shape)], self.covariance, n)
        return np.exp(logs[:, 1]), np.exp(logs[:, 0])


def fit_weibull(times: npt.ArrayLike, stopped: npt.ArrayLike) -> WeibullFit:
    """Maximum likelihood with right censoring (lifelines).

    Parameters
    ----------
    times : (N,) time on treatment, above 0. stopped : (N,) whether stopping was seen (else: still on when last seen).
    """
    t, seen = _times(times, stopped)
    from lifelines import WeibullFitter

    fitted = WeibullFitter().fit(t, seen)
    scale, shape = float(fitted.lambda_), float(fitted.rho_)
    own = np.asarray(fitted.variance_matrix_.loc[["lambda_", "rho_"], ["lambda_", "rho_"]], dtype=np.float64)
    by = 1 / np.array([scale, shape])
    return WeibullFit(shape, scale, own * np.outer(by, by), float(fitted.log_likelihood_), int(seen.sum()))


@dataclass(frozen=True)
class CoxFit:
    """Log hazard ratios of stopping (K,), their covariance (K, K), and the covariates' means (K,)."""

    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    means: FloatArray
    log_likelihood: float

    @property
    def by_name(self) -> dict[str, float]:
        """Log hazard ratio of each covariate."""
        return dict(zip(self.names, self.coefficients.tolist(), strict=True))

    @property
    def errors(self) -> FloatArray:
        """(K,) standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def hazard_ratio(self, profile: Mapping[str, float], coefficients: FloatArray | None = None) -> FloatArray:
        """Hazard of people with these covariates over that of people with mean ones (those not named: the mean).

        coefficients : (…, K) draws instead of the estimate.
        """
        unknown = set(profile) - set(self.names)
        if unknown:
            raise InvalidInput(f"The records have no covariate: {', '.join(sorted(unknown))}.")
        away = (
            np.array([profile.get(name, mean) for name, mean in zip(self.names, self.means, strict=True)]) - self.means
        )
        return np.asarray(np.exp((self.coefficients if coefficients is None else coefficients) @ away))


def fit_cox(times: npt.ArrayLike, stopped: npt.ArrayLike, covariates: Mapping[str, npt.ArrayLike]) -> CoxFit:
    """Cox proportional hazards of stopping, ties after Efron (lifelines' CoxPHFitter).

    Parameters
    ----------
    times, stopped : as `fit_weibull`. covariates : name to (N,) numbers.

    Raises
    ------
    InvalidInput
        Numbers that do not fit, too few who stopped, or covariates that cannot be told apart.
    """
    t, seen = _times(times, stopped)
    if not covariates:
        raise InvalidInput("Name one covariate or more.")
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in covariates.items()}
    if any(c.shape != t.shape or not np.isfinite(c).all() for c in columns.values()):
        raise InvalidInput("Each covariate has one finite number for each time.")
    x = np.column_stack(list(columns.values()))
    if np.linalg.matrix_rank(x - x.mean(axis=0)) < x.shape[1]:
        raise InvalidInput("The covariates cannot be told apart, or one of them never varies.")
    import warnings

    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    frame = pd.DataFrame({f"x{i}": x[:, i] for i in range(x.shape[1])} | {"_time": t, "_stopped": seen})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            fitted = CoxPHFitter().fit(frame, "_time", "_stopped")
    except (ConvergenceError, ConvergenceWarning) as error:
        raise InvalidInput("The hazards cannot be fitted.", "A covariate may tell exactly who stops.") from error
    return CoxFit(
        names=tuple(columns),
        coefficients=np.asarray(fitted.params_, dtype=np.float64),
        covariance=np.asarray(fitted.variance_matrix_, dtype=np.float64),
        means=x.mean(axis=0),
        log_likelihood=float(fitted.log_likelihood_),
    )


def fit_cox_table(rows: Sequence[Mapping[str, float]], time: str, stopped: str, covariates: Sequence[str]) -> CoxFit:
    """`fit_cox` of the rows of a table, columns by name."""
    if not rows:
        raise InvalidInput("There are no rows.")
    missing = {time, stopped, *covariates} - set(rows[0])
    if missing:
        raise InvalidInput(f"The table has no column: {', '.join(sorted(missing))}.")

    def column(name: str) -> FloatArray:
        return np.array([row[name] for row in rows], dtype=np.float64)

    return fit_cox(column(time), column(stopped), {name: column(name) for name in covariates})


def _times(times: npt.ArrayLike, stopped: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    t, seen = np.asarray(times, dtype=np.float64), np.asarray(stopped).astype(bool)
    if t.ndim != 1 or t.shape != seen.shape or t.size < 3:
        raise InvalidInput("Give three times or more, and for each whether stopping was seen.")
    _positive(t, "A time on treatment")
    if seen.sum() < 2 or np.unique(t[seen]).size < 2:
        raise InvalidInput(
            "Too few were seen to stop to fit persistence.", "Two different times of stopping are needed."
        )
    return t, seen


def _positive(values: FloatArray, name: str) -> None:
    if not np.isfinite(values).all() or (values <= 0).any():
        raise InvalidInput(f"{name} lies above 0.")
