"""Conjugate beliefs about one parameter: update, interval, and how surprising new data are.

Normal-inverse-gamma for a mean and a standard deviation, beta-binomial for a share, Dirichlet for categories,
gamma-Poisson for a rate (Gelman et al., Bayesian Data Analysis, chapters 2 and 3). A belief that is `faded` keeps its
centre and loses weight, which is the power prior of Ibrahim and Chen (2000). Numbers in, numbers out; no I/O.
scipy.special is imported at first use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

Interval = tuple[float, float]

# Beyond this many people the beta-binomial is summed no more: the share itself is beta to within 1/n.
_COUNTED = 5000


@dataclass(frozen=True)
class MeanBelief:
    """Normal-inverse-gamma: mean ~ N(mean, variance/weight) given the variance, which is about `variance`.

    Attributes
    ----------
    mean, variance : of individuals, in the attribute's unit (squared), or of its logarithm.
    weight : people the belief about the mean is worth.
    degrees : people the belief about the variance is worth.
    """

    mean: float
    variance: float
    weight: float
    degrees: float

    def faded(self, factor: float) -> MeanBelief:
        """The same belief at `factor` of its weight."""
        return replace(self, weight=self.weight * factor, degrees=self.degrees * factor)

    def updated(self, n: int, mean: float, sd: float, power: float = 1.0) -> MeanBelief:
        """After `n` people with `mean` and sample `sd` (0 when n is 1), their likelihood raised to `power` (0–1]."""
        seen = n * power
        weight, degrees = self.weight + seen, self.degrees + seen
        squares = self.degrees * self.variance + power * (n - 1) * sd**2
        squares += self.weight * seen / weight * (mean - self.mean) ** 2
        centre = (self.weight * self.mean + seen * mean) / weight
        return MeanBelief(centre, squares / degrees, weight, degrees)

    def mean_interval(self, level: float) -> Interval:
        """Central interval of the mean: Student's t."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees, 0.5 + level / 2)) * math.sqrt(self.variance / self.weight)
        return self.mean - half, self.mean + half

    def sd_interval(self, level: float) -> Interval:
        """Central interval of the standard deviation: scaled inverse chi-square."""
        from scipy.special import chdtri

        tail = (1 - level) / 2
        squares = self.degrees * self.variance
        return math.sqrt(squares / chdtri(self.degrees, tail)), math.sqrt(squares / chdtri(self.degrees, 1 - tail))

    def surprise(self, n: int, mean: float, sd: float) -> dict[str, float]:
        """Prior predictive p-values (two-sided) of a sample's mean and, from two people on, of its spread."""
        from scipy.special import fdtr, stdtr

        expected = math.sqrt(self.variance * (1 / self.weight + 1 / n))
        found = {"mean": 2 * float(stdtr(self.degrees, -abs(mean - self.mean) / expected))}
        if n > 1:
            below = float(fdtr(n - 1, self.degrees, sd**2 / self.variance))
            found["SD"] = 2 * min(below, 1 - below)
        return found


@dataclass(frozen=True)
class ShareBelief:
    """Beta: `yes` and `no` people the belief is worth."""

    yes: float
    no: float

    @property
    def weight(self) -> float:
        """People the belief is worth."""
        return self.yes + self.no

    @property
    def share(self) -> float:
        """Expected share, 0–1."""
        return self.yes / self.weight

    def faded(self, factor: float) -> ShareBelief:
        """The same belief at `factor` of its weight."""
        return ShareBelief(self.yes * factor, self.no * factor)

    def updated(self, n: int, count: int, power: float = 1.0) -> ShareBelief:
        """After `count` yes among `n`, their likelihood raised to `power`."""
        return ShareBelief(self.yes + power * count, self.no + power * (n - count))

    def interval(self, level: float) -> Interval:
        """Central interval of the share."""
        return _beta_interval(self.yes, self.no, level)

    def surprise(self, n: int, count: int) -> dict[str, float]:
        """Prior predictive mid-p-value (two-sided) of the count."""
        from numpy import arange, exp
        from scipy.special import betainc, betaln, gammaln

        if n > _COUNTED:
            below = float(betainc(self.yes, self.no, count / n))
            return {"share": 2 * min(below, 1 - below)}
        k = arange(count + 1)
        chosen = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        mass = exp(chosen + betaln(k + self.yes, n - k + self.no) - betaln(self.yes, self.no))
        below = float(mass.sum() - mass[-1] / 2)
        return {"share": _two_sided(below)}


@dataclass(frozen=True)
class LevelsBelief:
    """Dirichlet: by level, the people the belief is worth."""

    counts: Mapping[str, float]

    @property
    def weight(self) -> float:
        """People the belief is worth."""
        return sum(self.counts.values())

    @property
    def shares(self) -> dict[str, float]:
        """Expected share of each level, 0–1."""
        return {level: count / self.weight for level, count in self.counts.items()}

    def faded(self, factor: float) -> LevelsBelief:
        """The same belief at `factor` of its weight."""
        return LevelsBelief({level: count * factor for level, count in self.counts.items()})

    def updated(self, seen: Mapping[str, int], power: float = 1.0) -> LevelsBelief:
        """After `seen` people of each level, their likelihood raised to `power`."""
        return LevelsBelief({level: count + power * seen.get(level, 0) for level, count in self.counts.items()})

    def intervals(self, level: float) -> dict[str, Interval]:
        """Central interval of the share of each level (its beta margin)."""
        total = self.weight
        return {name: _beta_interval(count, total - count, level) for name, count in self.counts.items() if count > 0}

    def surprise(self, seen: Mapping[str, int]) -> dict[str, float]:
        """Prior predictive p-value of the counts.

        Pearson's chi-square over the Dirichlet-multinomial's variance, (n + weight)/(1 + weight) times the
        multinomial's (Mosimann 1962).
        """
        from scipy.special import chdtrc

        n, shares = sum(seen.values()), {name: share for name, share in self.shares.items() if share > 0}
        square = sum((seen.get(name, 0) - n * share) ** 2 / (n * share) for name, share in shares.items())
        if len(shares) < 2:
            return {}
        return {"shares": float(chdtrc(len(shares) - 1, square * (1 + self.weight) / (n + self.weight)))}


@dataclass(frozen=True)
class RateBelief:
    """Gamma: `events` seen over `years` person-years."""

    events: float
    years: float

    @property
    def weight(self) -> float:
        """Person-years the belief is worth."""
        return self.years

    @property
    def rate(self) -> float:
        """Expected events per 100 person-years."""
        return 100 * self.events / self.years

    def faded(self, factor: float) -> RateBelief:
        """The same belief at `factor` of its weight."""
        return RateBelief(self.events * factor, self.years * factor)

    def updated(self, events: int, years: float, power: float = 1.0) -> RateBelief:
        """After `events` in `years` person-years, their likelihood raised to `power`."""
        return RateBelief(self.events + power * events, self.years + power * years)

    def interval(self, level: float) -> Interval:
        """Central interval of the rate per 100 person-years."""
        from scipy.special import gammaincinv

        tail = (1 - level) / 2
        low, high = (float(gammaincinv(self.events, q)) for q in (tail, 1 - tail))
        return 100 * low / self.years, 100 * high / self.years

    def surprise(self, events: int, years: float) -> dict[str, float]:
        """Prior predictive mid-p-value (two-sided) of the count: negative binomial."""
        from scipy.special import betainc

        share = self.years / (self.years + years)
        below = float(betainc(self.events, events + 1, share))
        less = float(betainc(self.events, events, share)) if events else 0.0
        return {"rate": _two_sided((below + less) / 2)}


def adjusted_p_values(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's (1979) adjustment: the chance of any false alarm among the tests stays at the threshold."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    largest = 0.0
    for position, name in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - position) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def _beta_interval(yes: float, no: float, level: float) -> Interval:
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    return float(betaincinv(yes, no, tail)), float(betaincinv(yes, no, 1 - tail))


def _two_sided(below: float) -> float:
    return max(0.0, min(1.0, 2 * min(below, 1 - below)))
