"""Power and sample size of two-arm trials. Arrays or numbers in, numbers out; no I/O.

Effects are those of the treated arm against the control arm. `alpha` is the total type I error of the test; with
`sides` 2 it is split over both tails, with 1 it lies in the tail of the effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]

LARGEST_TRIAL = 10_000_000
"""Participants beyond which a sample size is not searched for: nobody runs such a trial."""


def check_test(alpha: float, sides: int, power: float | None = None) -> None:
    """InvalidInput unless 0 < alpha < 0.5, sides is 1 or 2 and alpha < power < 1."""
    if not 0 < alpha < 0.5:
        raise InvalidInput(
            f"A type I error of {alpha:g} cannot be used.", "Give alpha between 0 and 0.5, such as 0.05."
        )
    if sides not in (1, 2):
        raise InvalidInput(f"A test has 1 or 2 sides, not {sides}.")
    if power is not None and not alpha < power < 1:
        raise InvalidInput(f"A power of {power:g} cannot be aimed at.", "Give a power above alpha and below 1.")


def normal_power(effect_over_se: npt.ArrayLike, alpha: float, sides: int = 2) -> FloatArray:
    """Power of a z test whose statistic has mean `effect_over_se` and variance 1; of two sides both tails count."""
    shift = np.asarray(effect_over_se, dtype=np.float64)
    critical = stats.norm.ppf(1 - alpha / sides)
    power = special.ndtr(shift - critical)
    return np.asarray(power + special.ndtr(-shift - critical) if sides == 2 else power)


def t_test_power(
    effect_size: npt.ArrayLike, n_treated: float, n_control: float, alpha: float = 0.05, sides: int = 2
) -> FloatArray:
    """Power of the two-sample t test (noncentral t; Cohen 1988, Statistical Power Analysis, chapter 2).

    Parameters
    ----------
    effect_size : standardised difference d = difference / SD, any shape.
    n_treated, n_control : participants of each arm, at least 2 (fractions are allowed while a size is searched for).
    """
    check_test(alpha, sides)
    if n_treated < 2 or n_control < 2:
        raise InvalidInput("A t test needs at least 2 participants in each arm.")
    freedom = n_treated + n_control - 2
    shift = np.asarray(effect_size, dtype=np.float64) * math.sqrt(n_treated * n_control / (n_treated + n_control))
    critical = stats.t.ppf(1 - alpha / sides, freedom)
    # Beyond these the noncentral t loses its digits, and equals the normal to many of them.
    if freedom > 5000:
        return normal_power(shift, alpha, sides)
    power = 1 - special.nctdtr(freedom, shift, critical)
    if sides == 2:
        # Far out the noncentral t loses its last digits to a NaN; what is missing there is below 1e-9.
        power = power + np.nan_to_num(special.nctdtr(freedom, shift, -critical))
    far = (np.abs(shift) > 30) | np.isnan(power)
    return np.asarray(np.clip(np.where(far, normal_power(shift, alpha, sides), power), 0.0, 1.0))


def t_test_size(
    effect_size: float, power: float = 0.8, alpha: float = 0.05, sides: int = 2, ratio: float = 1.0
) -> tuple[int, int]:
    """Smallest (treated, control) sizes at which the two-sample t test reaches `power`.

    `ratio` is treated over control. InvalidInput where no trial of a feasible size can.
    """
    check_test(alpha, sides, power)
    _check_effect(effect_size)
    _check_ratio(ratio)
    control = _smallest(
        lambda n: float(t_test_power(abs(effect_size), max(math.ceil(ratio * n), 2), n, alpha, sides)), power
    )
    return max(math.ceil(ratio * control), 2), control


def proportions_power(
    treated: npt.ArrayLike,
    control: npt.ArrayLike,
    n_treated: float,
    n_control: float,
    alpha: float = 0.05,
    sides: int = 2,
) -> FloatArray:
    """Power of the z test of two proportions, pooled under no difference (Fleiss, Levin, Paik 2003, chapter 4).

    Parameters
    ----------
    treated, control : probabilities of the event, within [0, 1].
    """
    check_test(alpha, sides)
    p, q = np.asarray(treated, dtype=np.float64), np.asarray(control, dtype=np.float64)
    if not (np.all((p >= 0) & (p <= 1)) and np.all((q >= 0) & (q <= 1))):
        raise InvalidInput("A proportion lies between 0 and 1.")
    pooled = (n_treated * p + n_control * q) / (n_treated + n_control)
    null = np.sqrt(pooled * (1 - pooled) * (1 / n_treated + 1 / n_control))
    alternative = np.sqrt(p * (1 - p) / n_treated + q * (1 - q) / n_control)
    critical = stats.norm.ppf(1 - alpha / sides) * null
    difference = np.abs(p - q)
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = special.ndtr((difference - critical) / alternative)
        lower = special.ndtr((-difference - critical) / alternative) if sides == 2 else 0.0
        sure = np.where(difference > critical, 1.0, 0.0)
    return np.asarray(np.where(alternative > 0, upper + lower, sure))


def proportions_size(
    treated: float, control: float, power: float = 0.8, alpha: float = 0.05, sides: int = 2, ratio: float = 1.0
) -> tuple[int, int]:
    """Smallest (treated, control) sizes at which the z test of two proportions reaches `power`."""
    check_test(alpha, sides, power)
    _check_effect(treated - control)
    _check_ratio(ratio)
    found = _smallest(
        lambda n: float(proportions_power(treated, control, max(math.ceil(ratio * n), 2), n, alpha, sides)), power
    )
    return max(math.ceil(ratio * found), 2), found


def logrank_events(
    hazard_ratio: float, power: float = 0.8, alpha: float = 0.05, sides: int = 2, treated_share: float = 0.5
) -> int:
    """Events that a log-rank test needs (Schoenfeld 1981, Biometrika; 1983, Biometrics 39:499).

    Parameters
    ----------
    hazard_ratio : treated over control, above 0 and not 1.
    treated_share : share of participants in the treated arm.
    """
    check_test(alpha, sides, power)
    _check_hazard_ratio(hazard_ratio)
    _check_effect(math.log(hazard_ratio))
    if not 0 < treated_share < 1:
        raise InvalidInput("The share of participants who are treated lies between 0 and 1.")
    reach = stats.norm.ppf(1 - alpha / sides) + stats.norm.ppf(power)
    return math.ceil(reach**2 / (treated_share * (1 - treated_share) * math.log(hazard_ratio) ** 2) - 1e-9)


def logrank_power(
    hazard_ratio: npt.ArrayLike, events: float, alpha: float = 0.05, sides: int = 2, treated_share: float = 0.5
) -> FloatArray:
    """Power of a log-rank test with this many events (Schoenfeld 1981)."""
    check_test(alpha, sides)
    ratio = np.asarray(hazard_ratio, dtype=np.float64)
    if np.any(ratio <= 0):
        raise InvalidInput("A hazard ratio is above 0.")
    return normal_power(np.abs(np.log(ratio)) * math.sqrt(events * treated_share * (1 - treated_share)), alpha, sides)


def event_probability(hazard: float, accrual: float, follow_up: float, dropout: float = 0.0) -> float:
    """Probability that a participant's event is seen (Lachin and Foulkes 1986, Biometrics 42:507).

    Constant `hazard` and `dropout` hazard, uniform entry over `accrual`, then `follow_up`; all in one unit of time.
    """
    if hazard <= 0 or accrual < 0 or follow_up < 0 or accrual + follow_up <= 0 or dropout < 0:
        raise InvalidInput("Hazard and length of the trial must be above 0, accrual, follow-up and dropout not below.")
    total = hazard + dropout
    if total * accrual < 1e-12:
        seen = -math.expm1(-total * follow_up)
    else:
        seen = 1 - math.exp(-total * follow_up) * -math.expm1(-total * accrual) / (total * accrual)
    return hazard / total * seen


def adjusted_size(n: float, r_squared: float) -> int:
    """Participants needed once a prognostic score that explains `r_squared` of the variance is adjusted for.

    The variance of the adjusted difference is (1 - R²) of the unadjusted one (PROCOVA: Schuler et al 2022,
    International Journal of Biostatistics, doi 10.1515/ijb-2021-0072; analysis of covariance in general: Borm,
    Fransen, Lemmens 2007, doi 10.1016/j.jclinepi.2007.02.006).
    """
    if not 0 <= r_squared < 1:
        raise InvalidInput("The share of variance that a score explains lies from 0 to below 1.")
    return math.ceil(n * (1 - r_squared) - 1e-9)


def exact_upper_bound(events: int, n: int, level: float = 0.95) -> float:
    """One-sided exact upper bound of a probability (Clopper and Pearson 1934); of no events the 'rule of three'."""
    if not 0 <= events <= n or n < 1 or not 0 < level < 1:
        raise InvalidInput("Events lie between 0 and n, n is at least 1 and the level between 0 and 1.")
    return 1.0 if events == n else float(stats.beta.ppf(level, events + 1, n - events))


def results_differ(first: float, first_se: float, second: float, second_se: float) -> float:
    """How many standard errors two independent results lie apart, such as a virtual and a real trial."""
    if first_se < 0 or second_se < 0 or first_se + second_se == 0:
        raise InvalidInput("Standard errors are not negative, and one of them is above 0.")
    return abs(first - second) / math.hypot(first_se, second_se)


def assurance(power_at: Callable[[FloatArray], Any], effects: npt.ArrayLike) -> tuple[float, float]:
    """Probability that the trial succeeds when its effect is uncertain, and the Monte Carlo error of it.

    Power averaged over `effects`, draws (D,) of the true effect (O'Hagan, Stevens, Campbell 2005, Pharmaceutical
    Statistics, doi 10.1002/pst.175). `power_at` gives the power at each of them.
    """
    values = np.asarray(effects, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise InvalidInput("Draws of the effect must be a list of finite numbers.")
    powers = np.asarray(power_at(values), dtype=np.float64)
    error = float(powers.std(ddof=1) / math.sqrt(len(powers))) if len(powers) > 1 else 0.0
    return float(powers.mean()), error


def _smallest(power_of: Callable[[int], float], power: float) -> int:
    """The smallest control arm from 2 on with this power; powers rise with size."""
    high = 2
    while power_of(high) < power:
        high *= 2
        if high > LARGEST_TRIAL:
            raise InvalidInput(
                f"More than {LARGEST_TRIAL:,} participants an arm would be needed.",
                "The assumed difference is too small to be shown by a trial; check its unit.",
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return 2 if low < 2 or power_of(2) >= power else high


def _check_effect(effect: float) -> None:
    if not math.isfinite(effect) or effect == 0:
        raise InvalidInput(
            "A trial cannot be sized for no difference.", "Give the difference that the trial should show."
        )


def _check_ratio(ratio: float) -> None:
    if not 0.01 <= ratio <= 100:
        raise InvalidInput("The ratio of treated to control participants lies between 0.01 and 100.")


def _check_hazard_ratio(ratio: float) -> None:
    if not ratio > 0 or not math.isfinite(ratio):
        raise InvalidInput("A hazard ratio is above 0.")
