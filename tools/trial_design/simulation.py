"""Simulated two-arm trials with a continuous outcome, analysed with and without a prognostic score. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]

VALUES_AT_ONCE = 1_000_000
"""Participants that are in memory at the same time."""


@dataclass(frozen=True)
class SimulatedTrials:
    """Estimated differences of T trials and their standard errors, both (T,).

    Attributes
    ----------
    estimate, se : two-sample comparison of means.
    adjusted_estimate, adjusted_se : analysis of covariance with the prognostic score (PROCOVA).
    freedom, adjusted_freedom : degrees of freedom of the two t statistics.
    """

    estimate: FloatArray
    se: FloatArray
    adjusted_estimate: FloatArray
    adjusted_se: FloatArray
    freedom: int
    adjusted_freedom: int

    def rejected(self, alpha: float = 0.05, *, adjusted: bool = False) -> npt.NDArray[np.bool_]:
        """(T,) whether the two-sided t test rejects."""
        z = self.adjusted_estimate / self.adjusted_se if adjusted else self.estimate / self.se
        freedom = self.adjusted_freedom if adjusted else self.freedom
        return np.asarray(np.abs(z) > stats.t.ppf(1 - alpha / 2, freedom))


def simulate_trials(
    n_treated: int,
    n_control: int,
    difference: float | FloatArray,
    sd: float,
    r_squared: float,
    trials: int,
    rng: np.random.Generator,
) -> SimulatedTrials:
    """Simulate `trials` trials and analyse each by t test and by analysis of covariance.

    Parameters
    ----------
    difference : treated minus control mean, one number or (trials,).
    sd : person-to-person standard deviation of the outcome in each arm.
    r_squared : share of that variance that the prognostic score explains.

    Raises
    ------
    InvalidInput
        Arms of fewer than 3, no trials, an SD that is not above 0, or a share outside [0, 1).
    """
    if min(n_treated, n_control) < 3 or trials < 1:
        raise InvalidInput("Simulated trials need at least 3 participants in each arm and one trial.")
    if not sd > 0 or not 0 <= r_squared < 1:
        raise InvalidInput("The standard deviation is above 0 and the explained share from 0 to below 1.")
    shifts = np.broadcast_to(np.asarray(difference, dtype=np.float64), (trials,))
    n = n_treated + n_control
    if n > VALUES_AT_ONCE * 10:
        raise InvalidInput(f"A simulated trial has at most {VALUES_AT_ONCE * 10:,} participants.")
    size = max(VALUES_AT_ONCE // n, 1)
    parts = [
        _chunk(n_treated, n_control, shifts[start : start + size], sd, r_squared, rng)
        for start in range(0, trials, size)
    ]
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return SimulatedTrials(joined[0], joined[1], joined[2], joined[3], n - 2, n - 3)


def _chunk(
    n_treated: int, n_control: int, shifts: FloatArray, sd: float, r_squared: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    trials, n = len(shifts), n_treated + n_control
    score = rng.standard_normal((trials, n), dtype=np.float32)
    outcome = rng.standard_normal((trials, n), dtype=np.float32)
    outcome *= np.float32(sd * np.sqrt(1 - r_squared))
    outcome += np.float32(sd * np.sqrt(r_squared)) * score
    # All that the two analyses need are sums within arms.
    arms = []
    for columns, count in ((slice(0, n_treated), n_treated), (slice(n_treated, n), n_control)):
        x, y = score[:, columns], outcome[:, columns]
        mean_x, mean_y = x.mean(axis=1, dtype=np.float64), y.mean(axis=1, dtype=np.float64)
        xx = np.einsum("tn,tn->t", x, x, dtype=np.float64) - count * mean_x**2
        yy = np.einsum("tn,tn->t", y, y, dtype=np.float64) - count * mean_y**2
        xy = np.einsum("tn,tn->t", x, y, dtype=np.float64) - count * mean_x * mean_y
        arms.append((mean_x, mean_y, xx, yy, xy))
    (tx, ty, txx, tyy, txy), (cx, cy, cxx, cyy, cxy) = arms
    estimate = ty - cy + shifts
    xx, yy, xy = txx + cxx, tyy + cyy, txy + cxy
    each = 1 / n_treated + 1 / n_control
    se = np.sqrt(yy / (n - 2) * each)
    slope = xy / xx
    adjusted = estimate - slope * (tx - cx)
    residual = np.maximum(yy - slope * xy, 0.0) / (n - 3)
    adjusted_se = np.sqrt(residual * (each + (tx - cx) ** 2 / xx))
    return estimate, se, adjusted, adjusted_se


def variance_ratio(n_per_arm: int, r_squared: float, trials: int, rng: np.random.Generator) -> tuple[float, float]:
    """Variance of the adjusted over that of the unadjusted difference in simulated trials, and its standard error.

    The standard error is that of a ratio of two correlated variances whose estimates share R² of their variation.
    """
    runs = simulate_trials(n_per_arm, n_per_arm, 0.0, 1.0, r_squared, trials, rng)
    ratio = float(runs.adjusted_estimate.var(ddof=1) / runs.estimate.var(ddof=1))
    shared = float(np.corrcoef(runs.adjusted_estimate, runs.estimate)[0, 1]) ** 2
    return ratio, ratio * float(np.sqrt(4 * (1 - shared) / (trials - 1)))
