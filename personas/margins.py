"""Marginal distributions on the latent normal scale.

Each margin is a monotone map from a standard normal deviate z to the attribute's value, x = F⁻¹(Φ(z)) (the
normal-to-anything construction, Cario & Nelson 1997). Arrays in, arrays out. scipy.special is imported at first use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from personas.schemas import Attribute, Distribution

Floats = NDArray[np.float64]

SHARE_TOLERANCE = 0.005
_STANDARD = NormalDist()
# Grid of the tabulated inverse of the beta distribution: linear interpolation over 4,097 deviates errs by < 1e-5.
_TABLE_REACH = 8.0
_TABLE_POINTS = 4097

_PARAMETERS: dict[Distribution, tuple[str, ...]] = {
    Distribution.NORMAL: ("mean", "sd"),
    Distribution.TRUNCATED_NORMAL: ("mean", "sd", "lower", "upper"),
    Distribution.LOGNORMAL: ("mean", "sd"),
    Distribution.BETA: ("mean", "sd"),
    Distribution.UNIFORM: ("lower", "upper"),
    Distribution.BERNOULLI: ("probability",),
    Distribution.CATEGORICAL: ("levels",),
    Distribution.ORDINAL: ("levels",),
}
_ALL_PARAMETERS = ("mean", "sd", "lower", "upper", "probability", "levels")
_UNBOUNDED = (Distribution.NORMAL, Distribution.LOGNORMAL)
# A tail beyond this many standard deviations holds 4e-8 of the population and is clipped, not renormalised.
_NEGLIGIBLE = 5.4
DISCRETE = (Distribution.BERNOULLI, Distribution.CATEGORICAL, Distribution.ORDINAL)


def margin_fault(attribute: Attribute) -> str:
    """What is impossible about a margin, in words; empty when nothing is."""
    kind = attribute.distribution
    needed = _PARAMETERS[kind]
    missing = [name for name in needed if getattr(attribute, name) is None]
    if missing:
        return f"{kind.value} needs {' and '.join(missing)}"
    extra = [name for name in _ALL_PARAMETERS if name not in needed and getattr(attribute, name) is not None]
    if extra:
        return f"{kind.value} takes no {' and no '.join(extra)}"
    if kind in (Distribution.CATEGORICAL, Distribution.ORDINAL):
        return _level_fault(attribute.levels or {})
    if attribute.lower is not None and attribute.upper is not None and attribute.lower >= attribute.upper:
        return f"lower {attribute.lower:g} is not below upper {attribute.upper:g}"
    return _moment_fault(kind, attribute)


def _level_fault(levels: dict[str, float]) -> str:
    if not levels or min(levels.values()) < 0:
        return "levels need shares of at least 0"
    total = sum(levels.values())
    return "" if abs(total - 1.0) <= SHARE_TOLERANCE else f"shares of the levels sum to {total:g}, not to 1"


def _moment_fault(kind: Distribution, attribute: Attribute) -> str:
    mean, sd = attribute.mean or 0.0, attribute.sd or 0.0
    if kind is Distribution.LOGNORMAL and mean <= 0:
        return f"a lognormal mean must be above 0, not {mean:g}"
    if kind is Distribution.BETA:
        if not 0 < mean < 1:
            return f"a beta mean must lie between 0 and 1, not at {mean:g}"
        if sd * sd >= mean * (1 - mean):
            most = math.sqrt(mean * (1 - mean))
            return f"a beta with mean {mean:g} cannot have sd {sd:g}; it must be below {most:.3g}"
    if kind is Distribution.TRUNCATED_NORMAL:
        low, high = truncation(attribute)
        if _STANDARD.cdf(high) - _STANDARD.cdf(low) < 1e-6:
            return f"a normal with mean {mean:g} and sd {sd:g} has nothing between its limits"
    return ""


def truncation(attribute: Attribute) -> tuple[float, float]:
    """Limits of a truncated normal in standard deviations of the untruncated one."""
    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    lower = -math.inf if attribute.lower is None else attribute.lower
    upper = math.inf if attribute.upper is None else attribute.upper
    return (lower - mean) / sd, (upper - mean) / sd


def support(attribute: Attribute) -> tuple[float, float]:
    """Smallest and largest value the margin can give; for levels their positions with a share above 0."""
    kind = attribute.distribution
    if kind in DISCRETE:
        present = [position for position, share in enumerate(level_shares(attribute)) if share > 0]
        return float(present[0]), float(present[-1])
    if kind in (Distribution.TRUNCATED_NORMAL, Distribution.UNIFORM):
        lower, upper = attribute.lower, attribute.upper
        return -math.inf if lower is None else lower, math.inf if upper is None else upper
    if kind is Distribution.BETA:
        return 0.0, 1.0
    return (0.0 if kind is Distribution.LOGNORMAL else -math.inf), math.inf


def level_shares(attribute: Attribute) -> tuple[float, ...]:
    """Shares of the levels of a discrete margin, summing to exactly 1; yes/no is (1 - p, p)."""
    if attribute.distribution is Distribution.BERNOULLI:
        probability = attribute.probability or 0.0
        return 1.0 - probability, probability
    levels = attribute.levels or {}
    total = sum(levels.values())
    return tuple(share / total for share in levels.values())


def level_thresholds(shares: tuple[float, ...]) -> tuple[float, ...]:
    """Deviates between neighbouring levels, one fewer than levels; ±inf beside an empty level at the end."""
    thresholds, cumulative = [], 0.0
    for share in shares[:-1]:
        cumulative += share
        inside = 1e-12 < cumulative < 1.0 - 1e-12
        thresholds.append(_STANDARD.inv_cdf(cumulative) if inside else math.copysign(math.inf, cumulative - 0.5))
    return tuple(thresholds)


@dataclass(frozen=True)
class Margin:
    """A margin ready for use.

    Attributes
    ----------
    values : deviates of shape (n,) → float values of shape (n,); for a discrete margin int8 positions.
    deviate : a value → its deviate, Φ⁻¹(F(x)); ±inf outside the support.
    thresholds : of a discrete margin, else empty.
    """

    discrete: bool
    values: Callable[[Floats], NDArray[np.float64] | NDArray[np.int8]]
    deviate: Callable[[float], float]
    thresholds: tuple[float, ...] = ()

    def box(self, lower: float, upper: float) -> tuple[float, float]:
        """Range of deviates whose values lie from `lower` to `upper` (positions, both included, when discrete)."""
        if not self.discrete:
            return self.deviate(lower), self.deviate(upper)
        edges = (-math.inf, *self.thresholds, math.inf)
        first = max(math.ceil(lower), 0) if math.isfinite(lower) else 0
        last = min(math.floor(upper), len(edges) - 2) if math.isfinite(upper) else len(edges) - 2
        return edges[first], edges[last + 1]


def margin_of(attribute: Attribute, limits: tuple[float, float] | None = None) -> Margin:
    """The margin of an attribute whose parameters `margin_fault` finds no fault with.

    `limits` cut the tails of an unbounded family at values no person can have (an HbA1c of 30 %).
    """
    kind = attribute.distribution
    margin = _stated(attribute)
    return margin if limits is None or kind not in _UNBOUNDED else _limited(margin, *limits)


def _stated(attribute: Attribute) -> Margin:
    kind = attribute.distribution
    if kind in DISCRETE:
        return _discrete(level_thresholds(level_shares(attribute)))
    if kind is Distribution.UNIFORM:
        return _truncated(*support(attribute))
    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    if kind is Distribution.NORMAL:
        return Margin(False, lambda z: mean + sd * z, lambda x: (x - mean) / sd)
    if kind is Distribution.LOGNORMAL:
        return _lognormal(mean, sd)
    if kind is Distribution.BETA:
        return _beta(mean, sd)
    return _truncated(*support(attribute), mean, sd)


def _discrete(thresholds: tuple[float, ...]) -> Margin:
    edges = np.array(thresholds)

    def values(z: Floats) -> NDArray[np.int8]:
        codes = np.zeros(z.shape, dtype=np.int8)
        for edge in edges:
            codes += z > edge
        return codes

    return Margin(True, values, lambda x: math.nan, thresholds)


def _lognormal(mean: float, sd: float) -> Margin:
    spread = math.sqrt(math.log1p((sd / mean) ** 2))
    centre = math.log(mean) - spread**2 / 2
    return Margin(
        False,
        lambda z: np.exp(centre + spread * z),
        lambda x: (math.log(x) - centre) / spread if 0 < x < math.inf else (-math.inf if x <= 0 else math.inf),
    )


def _limited(margin: Margin, lower: float, upper: float) -> Margin:
    low, high = margin.deviate(lower), margin.deviate(upper)

    def clipped(z: Floats) -> Floats:
        return np.clip(np.asarray(margin.values(z), dtype=np.float64), lower, upper)

    if low < -_NEGLIGIBLE and high > _NEGLIGIBLE:
        return Margin(False, clipped, margin.deviate)
    from scipy.special import ndtr, ndtri

    below = float(ndtr(low))
    width = float(ndtr(high)) - below

    def deviate(x: float) -> float:
        if x <= lower or x >= upper:
            return -math.inf if x <= lower else math.inf
        return float(ndtri((float(ndtr(margin.deviate(x))) - below) / width))

    return Margin(False, lambda z: clipped(ndtri(below + width * ndtr(z))), deviate)


def _truncated(lower: float, upper: float, mean: float | None = None, sd: float = 1.0) -> Margin:
    """Normal between two limits; without `mean` the uniform distribution between them."""
    from scipy.special import ndtr, ndtri

    def share(x: float) -> float:
        return (x - lower) / (upper - lower) if mean is None else float(ndtr((x - mean) / sd))

    below, width = share(lower), share(upper) - share(lower)

    def values(z: Floats) -> Floats:
        probability = below + width * ndtr(z)
        if mean is None:
            return lower + (upper - lower) * probability
        return np.clip(mean + sd * ndtri(probability), lower, upper)

    def deviate(x: float) -> float:
        if x <= lower or x >= upper:
            return -math.inf if x <= lower else math.inf
        return float(ndtri((share(x) - below) / width))

    return Margin(False, values, deviate)


@lru_cache(maxsize=256)
def _beta(mean: float, sd: float) -> Margin:
    """Beta by its first two moments; the inverse is tabulated because the incomplete beta is slow to invert."""
    from scipy.special import betainc, betaincinv, ndtr, ndtri

    size = mean * (1 - mean) / sd**2 - 1
    a, b = mean * size, (1 - mean) * size
    grid = np.linspace(-_TABLE_REACH, _TABLE_REACH, _TABLE_POINTS)
    table = betaincinv(a, b, ndtr(grid))

    def deviate(x: float) -> float:
        if x <= 0 or x >= 1:
            return -math.inf if x <= 0 else math.inf
        return float(ndtri(betainc(a, b, x)))

    return Margin(False, lambda z: np.interp(z, grid, table), deviate)
