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
from personas.tabulated import tabulate

Floats = NDArray[np.float64]

SHARE_TOLERANCE = 0.005
_STANDARD = NormalDist()

_PARAMETERS: dict[Distribution, tuple[str, ...]] = {
    Distribution.NORMAL: ("mean", "sd"),
    Distribution.TRUNCATED_NORMAL: ("mean", "sd", "lower", "upper"),
    Distribution.LOGNORMAL: ("mean", "sd"),
    Distribution.ZERO_INFLATED_LOGNORMAL: ("zeros", "mean", "sd"),
    Distribution.BETA: ("mean", "sd"),
    Distribution.UNIFORM: ("lower", "upper"),
    Distribution.BERNOULLI: ("probability",),
    Distribution.CATEGORICAL: ("levels",),
    Distribution.ORDINAL: ("levels",),
}
_ALL_PARAMETERS = ("mean", "sd", "lower", "upper", "zeros", "probability", "levels")
_UNBOUNDED = (Distribution.NORMAL, Distribution.LOGNORMAL)
_LOGNORMAL = (Distribution.LOGNORMAL, Distribution.ZERO_INFLATED_LOGNORMAL)
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
    if kind in _LOGNORMAL and mean <= 0:
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
    return (0.0 if kind in _LOGNORMAL else -math.inf), math.inf


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
    thresholds : of a discrete margin, else empty; of a zero-inflated one, the deviate at which the zeros end.
    """

    discrete: bool
    values: Callable[[Floats], NDArray[np.float64] | NDArray[np.int8]]
    deviate: Callable[[float], float]
    thresholds: tuple[float, ...] = ()

    def box(self, lower: float, upper: float) -> tuple[float, float]:
        """Range of deviates whose values lie from `lower` to `upper`, both included (positions when discrete)."""
        if not self.discrete:
            # All zeros share a range of deviates: from 0 on means everybody, up to 0 the zeros alone.
            first = -math.inf if self.thresholds and lower <= 0 else self.deviate(lower)
            return first, self.deviate(upper)
        edges = (-math.inf, *self.thresholds, math.inf)
        first = max(math.ceil(lower), 0) if math.isfinite(lower) else 0
        last = min(math.floor(upper), len(edges) - 2) if math.isfinite(upper) else len(edges) - 2
        return edges[first], edges[last + 1]


def margin_of(attribute: Attribute, limits: tuple[float, float] | None = None) -> Margin:
    """The margin of an attribute whose parameters `margin_fault` finds no fault with.

    `limits` cut the tails of an unbounded family at values no person can have (an HbA1c of 30 %).
    """
    kind = attribute.distribution
    if kind in DISCRETE:
        return _discrete(level_thresholds(level_shares(attribute)))
    return _continuous(kind, attribute.mean, attribute.sd, *support(attribute), attribute.zeros, limits)


@lru_cache(maxsize=1024)
def _continuous(
    kind: Distribution,
    mean: float | None,
    sd: float | None,
    lower: float,
    upper: float,
    zeros: float | None,
    limits: tuple[float, float] | None,
) -> Margin:
    """Margins are kept, because making the tables of the slow ones takes longer than drawing a small cohort."""
    mean, sd = 0.0 if mean is None else mean, sd or 1.0
    if kind is Distribution.UNIFORM:
        return _truncated(lower, upper)
    if kind is Distribution.TRUNCATED_NORMAL:
        return _truncated(lower, upper, mean, sd)
    if kind is Distribution.BETA:
        return _beta(mean, sd)
    if kind is Distribution.ZERO_INFLATED_LOGNORMAL:
        positive = _lognormal(mean, sd)
        if limits is not None:
            positive = _limited(positive, max(limits[0], 0.0), limits[1])
        return _zero_inflated(zeros or 0.0, positive)
    stated = _normal(mean, sd) if kind is Distribution.NORMAL else _lognormal(mean, sd)
    return stated if limits is None else _limited(stated, *limits)


def _discrete(thresholds: tuple[float, ...]) -> Margin:
    edges = np.array(thresholds)

    def values(z: Floats) -> NDArray[np.int8]:
        codes = np.zeros(z.shape, dtype=np.int8)
        for edge in edges:
            codes += (z > edge).view(np.int8)
        return codes

    return Margin(True, values, lambda x: math.nan, thresholds)


def _normal(mean: float, sd: float) -> Margin:
    return Margin(False, lambda z: mean + sd * z, lambda x: (x - mean) / sd)


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
        values = np.asarray(margin.values(z), dtype=np.float64)
        return np.clip(values, lower, upper, out=values)

    if low < -_NEGLIGIBLE and high > _NEGLIGIBLE:
        return Margin(False, clipped, margin.deviate)
    from scipy.special import ndtr, ndtri

    below = float(ndtr(low))
    width = float(ndtr(high)) - below

    def deviate(x: float) -> float:
        if x <= lower or x >= upper:
            return -math.inf if x <= lower else math.inf
        return float(ndtri((float(ndtr(margin.deviate(x))) - below) / width))

    return Margin(False, tabulate(lambda z: clipped(ndtri(below + width * ndtr(z)))), deviate)


def _zero_inflated(zeros: float, positive: Margin) -> Margin:
    """A share of exact zeros below a margin of positive values (a two-part model, Duan et al. 1983)."""
    from scipy.special import ndtr, ndtri

    edge = _STANDARD.inv_cdf(zeros)

    def above_zero(z: Floats) -> Floats:
        # In the upper tail, where digits would be lost otherwise: 1 - u = (1 - Φ(z)) / (1 - zeros).
        above = np.minimum(ndtr(-z) / (1.0 - zeros), 1.0 - 1e-16)
        return np.asarray(positive.values(-ndtri(above)), dtype=np.float64)

    table = tabulate(above_zero)

    def values(z: Floats) -> Floats:
        return np.where(z > edge, table(z), 0.0)

    def deviate(x: float) -> float:
        if x < 0:
            return -math.inf
        if x == 0:
            return edge
        return -float(ndtri((1.0 - zeros) * float(ndtr(-positive.deviate(x)))))

    return Margin(False, values, deviate, (edge,))


def _truncated(lower: float, upper: float, mean: float | None = None, sd: float = 1.0) -> Margin:
    """Normal between two limits; without `mean` the uniform distribution between them."""
    from scipy.special import ndtr, ndtri

    def share(x: float) -> float:
        return (x - lower) / (upper - lower) if mean is None else float(ndtr((x - mean) / sd))

    def share_above(x: float) -> float:
        return float(ndtr(-(x - (mean or 0.0)) / sd))

    below, width = share(lower), share(upper) - share(lower)

    def values(z: Floats) -> Floats:
        if mean is None:
            return np.asarray(lower + (upper - lower) * ndtr(z), dtype=np.float64)
        # Beyond 0 the upper tail is used, in which no digits are lost.
        low = ndtri(below + width * ndtr(np.minimum(z, 0.0)))
        high = -ndtri(share_above(upper) + width * ndtr(-np.maximum(z, 0.0)))
        return np.clip(mean + sd * np.where(z > 0, high, low), lower, upper)

    def deviate(x: float) -> float:
        if x <= lower or x >= upper:
            return -math.inf if x <= lower else math.inf
        return float(ndtri((share(x) - below) / width))

    return Margin(False, tabulate(values), deviate)


def _beta(mean: float, sd: float) -> Margin:
    """Beta by its first two moments; the inverse is tabulated because the incomplete beta is slow to invert."""
    from scipy.special import betainc, betaincinv, ndtr, ndtri

    size = mean * (1 - mean) / sd**2 - 1
    a, b = mean * size, (1 - mean) * size

    def deviate(x: float) -> float:
        if x <= 0 or x >= 1:
            return -math.inf if x <= 0 else math.inf
        return float(ndtri(betainc(a, b, x)))

    return Margin(False, tabulate(lambda z: betaincinv(a, b, ndtr(z))), deviate)
