"""The first cases: negative binomial branching processes and how unevenly cases transmit.

Offspring of a case are negative binomial with mean R and dispersion k, because individual infectivity is gamma
distributed (Lloyd-Smith et al 2005, Nature 438:355, doi 10.1038/nature04153). k = inf: a Poisson number.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

from knowledge.errors import InvalidInput

LARGE_K = 1e8  # beyond it the Poisson limit is exact to rounding


def extinction_probability(
    r: float, k: float = math.inf, seeds: float = 1, *, individual_control: float = 0.0, population_control: float = 0.0
) -> float:
    """Probability that an outbreak of `seeds` independent first cases dies out by chance.

    Parameters
    ----------
    r : mean number of people a case infects. k : dispersion of that number.
    individual_control : share of cases that are kept from infecting anybody.
    population_control : share by which the infectivity of all cases is reduced.

    Raises
    ------
    InvalidInput
        Negative or infinite r, k of 0 or less, fewer than 0 seeds, controls outside 0 to 1.

    Notes
    -----
    The smallest root of q = g(q), g(s) = c + (1 − c)(1 + R(1 − p)(1 − s)/k)^−k, found by Newton's method from 0, which
    rises monotonically because g is convex.
    """
    _check(r, k)
    if not (math.isfinite(seeds) and seeds >= 0):
        raise InvalidInput("The number of first cases is 0 or more.")
    if not (0 <= individual_control <= 1 and 0 <= population_control <= 1):
        raise InvalidInput("Controls are shares between 0 and 1.")
    mean = r * (1 - population_control)
    if mean * (1 - individual_control) <= 1:
        return 1.0
    q = 0.0
    for _ in range(200):
        value, slope = _generating(q, mean, k)
        step = (individual_control + (1 - individual_control) * value - q) / (1 - (1 - individual_control) * slope)
        q += step
        if abs(step) < 1e-16:
            break
    return float(min(max(q, 0.0), 1.0) ** seeds)


def _generating(s: float, mean: float, k: float) -> tuple[float, float]:
    """Generating function of the offspring and its slope at s."""
    if k > LARGE_K:
        value = math.exp(-mean * (1 - s))
        return value, mean * value
    base = math.log1p(mean * (1 - s) / k)
    return math.exp(-k * base), mean * math.exp(-(k + 1) * base)


def share_of_cases_causing(share: float, r: float, k: float) -> float:
    """Share of cases, the most infectious first, that cause `share` of all transmission (realised offspring).

    Of the whole numbers of people that cases infect, those who infect most are taken first, and the last number of
    offspring that is needed in part (Endo et al 2020; as `proportion_transmission(method = "p_80")` of superspreading).

    Raises
    ------
    InvalidInput
        `share` outside 0 to 1, r of 0, k of 0 or less.
    """
    _check(r, k)
    if not 0 <= share <= 1 or r == 0:
        raise InvalidInput("Give a share between 0 and 1 and a mean above 0.")
    if share in (0.0, 1.0):
        return 0.0 if share == 0 else _above(0, r, k)
    # Transmissions by their case's offspring: size-biased, x − 1 again negative binomial (dispersion k + 1).
    size_biased = (r, math.inf) if k > LARGE_K else (r * (k + 1) / k, k + 1)
    last = 0  # smallest number of further offspring x with P*(X > x) <= share, where X + 1 are a case's offspring
    step = 1
    while _above(last, *size_biased) > share:
        last, step = last + step, step * 2
    low = max(last - step, 0)
    while low < last:
        middle = (low + last) // 2
        low, last = (low, middle) if _above(middle, *size_biased) <= share else (middle + 1, last)
    part = (share - _above(last, *size_biased)) / _exactly(last, *size_biased)
    return _above(last + 1, r, k) + part * _exactly(last + 1, r, k)


def transmission_by_most_infectious(share_of_cases: float, k: float) -> float:
    """Share of expected transmission that the most infectious `share_of_cases` of cases cause (gamma infectivity).

    The Lorenz curve of the gamma distribution; it does not depend on R (Lloyd-Smith 2005, figure 1).

    Raises
    ------
    InvalidInput
        A share outside 0 to 1, k of 0 or less.
    """
    _check(1.0, k)
    if not 0 <= share_of_cases <= 1:
        raise InvalidInput("Give a share of cases between 0 and 1.")
    if k > LARGE_K or share_of_cases in (0.0, 1.0):
        return float(share_of_cases)
    return float(special.gammaincc(k + 1, float(special.gammainccinv(k, share_of_cases))))


def _exactly(x: int, r: float, k: float) -> float:
    """Probability of x offspring."""
    return float(stats.poisson.pmf(x, r) if k > LARGE_K else stats.nbinom.pmf(x, k, k / (k + r)))


def _above(x: int, r: float, k: float) -> float:
    """Probability of more than x offspring."""
    return float(stats.poisson.sf(x, r) if k > LARGE_K else stats.nbinom.sf(x, k, k / (k + r)))


def _check(r: float, k: float) -> None:
    if not (np.isfinite(r) and r >= 0):
        raise InvalidInput("A reproduction number is 0 or more.")
    if not k > 0:
        raise InvalidInput("The dispersion k lies above 0; infinity stands for no variation.")
