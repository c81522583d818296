"""Margins of numbers by grouped maximum likelihood, the family by Akaike's information criterion.

Only the number of people in each group of values enters, so that one person far out moves the fit no more than anybody
else in the tail (grouped likelihood: Heitjan 1989; AIC: Akaike 1974). Distribution functions are those of
`personas.margins`: an unbounded family is cut at values no person can have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personas.schemas import Distribution

Floats = NDArray[np.float64]
Cdf = Callable[[Floats], Floats]

_TINY = 1e-12


@dataclass(frozen=True)
class Grouped:
    """People by group of values.

    Attributes
    ----------
    edges : (m + 1,) limits of the groups.
    counts : (m,) people.
    lower, upper : limits of the values that can occur: set by restrictions, or seen as a sharp edge.
    seen_edges : how many of the two were seen in the data (each costs a parameter).
    limits : values beyond which an unbounded family is cut, None where nothing is cut.
    """

    edges: Floats
    counts: Floats
    lower: float
    upper: float
    restricted: bool
    seen_edges: int
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class FamilyFit:
    """One family fitted.

    Attributes
    ----------
    parameters : as `Attribute` takes them.
    aic : Akaike's criterion, smaller is better.
    misfit : largest difference of the cumulative shares at the limits of the groups, 0–1.
    """

    distribution: Distribution
    parameters: dict[str, float]
    aic: float
    misfit: float


def fit_families(grouped: Grouped, only: Sequence[Distribution] = ()) -> tuple[FamilyFit, ...]:
    """Every family that can give these values (or those of `only`), best first."""
    fits = [_fit(kind, grouped) for kind in only or candidates(grouped)]
    # Of families that say the same the simpler one stands first in `candidates`.
    return tuple(sorted((fit for fit in fits if math.isfinite(fit.aic)), key=lambda fit: round(fit.aic, 1)))


def candidates(grouped: Grouped) -> tuple[Distribution, ...]:
    """Families whose values stay where the people are."""
    bounded = (Distribution.TRUNCATED_NORMAL, Distribution.UNIFORM)
    unit = (Distribution.BETA,) if grouped.edges[0] >= 0 and grouped.edges[-1] <= 1 else ()
    if grouped.restricted:
        return bounded
    positive = (Distribution.LOGNORMAL,) if grouped.edges[0] >= 0 else ()
    zeros = (Distribution.ZERO_INFLATED_LOGNORMAL,) if _zeros(grouped) > 0 else ()
    # Between limits that nothing but the plausible range sets, a normal cut at that range is the same thing.
    free = (Distribution.NORMAL,) if not unit else ()
    cut = bounded if grouped.seen_edges or grouped.limits is None or unit else ()
    return (*free, *positive, *unit, *cut, *zeros)


def cdf(kind: Distribution, parameters: dict[str, float], limits: tuple[float, float] | None) -> Cdf:
    """Distribution function of a margin, arrays in and out."""
    from scipy.special import betainc, ndtr

    if kind is Distribution.UNIFORM:
        low, high = parameters["lower"], parameters["upper"]
        return lambda x: np.clip((x - low) / (high - low), 0.0, 1.0)
    mean, sd = parameters["mean"], parameters["sd"]
    if kind is Distribution.BETA:
        size = mean * (1 - mean) / sd**2 - 1
        return lambda x: np.asarray(betainc(mean * size, (1 - mean) * size, np.clip(x, 0.0, 1.0)))
    if kind is Distribution.NORMAL:
        return _cut(lambda x: np.asarray(ndtr((x - mean) / sd)), limits)
    if kind is Distribution.TRUNCATED_NORMAL:
        return _cut(lambda x: np.asarray(ndtr((x - mean) / sd)), (parameters["lower"], parameters["upper"]))
    spread = math.sqrt(math.log1p((sd / mean) ** 2))
    centre = math.log(mean) - spread**2 / 2

    def lognormal(x: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(ndtr((np.log(np.maximum(x, 0.0)) - centre) / spread))

    if kind is Distribution.LOGNORMAL:
        return _cut(lognormal, limits)
    zeros = parameters["zeros"]
    return lambda x: np.where(x < 0, 0.0, zeros + (1 - zeros) * lognormal(x))


def _cut(function: Cdf, limits: tuple[float, float] | None) -> Cdf:
    if limits is None:
        return function
    below, above = function(np.array(limits, dtype=np.float64))
    width = max(float(above - below), _TINY)
    return lambda x: np.clip((function(np.asarray(x, dtype=np.float64)) - below) / width, 0.0, 1.0)


def _zeros(grouped: Grouped) -> float:
    """People in the group that begins at 0 and holds hardly anything but zeros; 0 when there is none."""
    narrow = grouped.edges[1] - grouped.edges[0] <= (grouped.edges[-1] - grouped.edges[0]) * 0.005
    return float(grouped.counts[0]) if grouped.edges[0] == 0 and narrow and len(grouped.counts) > 3 else 0.0


def _fit(kind: Distribution, grouped: Grouped) -> FamilyFit:
    total = float(grouped.counts.sum())
    if kind is Distribution.UNIFORM:
        parameters = {"lower": grouped.lower, "upper": grouped.upper}
        return _scored(kind, parameters, grouped, grouped.seen_edges)
    mean, sd = _moments(grouped)
    if kind is Distribution.ZERO_INFLATED_LOGNORMAL:
        return _fit_zero_inflated(grouped, _zeros(grouped) / total)
    low, high = float(grouped.edges[0]), float(grouped.edges[-1])

    def parameters_of(point: Floats) -> dict[str, float]:
        if kind is Distribution.LOGNORMAL:
            return _lognormal_moments(float(point[0]), math.exp(point[1]))
        if kind is Distribution.BETA:
            a, b = math.exp(point[0]), math.exp(point[1])
            return {"mean": a / (a + b), "sd": math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))}
        found = {"mean": float(point[0]), "sd": math.exp(point[1])}
        return found if kind is Distribution.NORMAL else {**found, "lower": grouped.lower, "upper": grouped.upper}

    if kind is Distribution.LOGNORMAL:
        spread = math.sqrt(math.log1p((sd / max(mean, _TINY)) ** 2))
        start = np.array([math.log(max(mean, _TINY)) - spread**2 / 2, math.log(spread)])
        reach = (math.log(max(high, _TINY)) + 3, math.log(10.0))
        box = (start[0] - 10, reach[0], math.log(1e-4), reach[1])
    elif kind is Distribution.BETA:
        middle = min(max(mean, 0.01), 0.99)
        size = max(middle * (1 - middle) / max(sd, 1e-3) ** 2 - 1, 0.1)
        start = np.array([math.log(middle * size), math.log((1 - middle) * size)])
        box = (-6.0, 9.0, -6.0, 9.0)
    else:
        # Beyond this a truncated normal has become an exponential; further out its likelihood is flat.
        width = high - low
        start = np.array([mean, math.log(sd)])
        box = (low - 2 * width, high + 2 * width, math.log(width * 1e-4), math.log(2 * width))
    best = _minimise(lambda point: _loss(kind, parameters_of(point), grouped), start, box)
    extra = grouped.seen_edges if kind is Distribution.TRUNCATED_NORMAL else 0
    return _scored(kind, parameters_of(best), grouped, 2 + extra)


def _fit_zero_inflated(grouped: Grouped, zeros: float) -> FamilyFit:
    above = Grouped(grouped.edges[1:], grouped.counts[1:], -math.inf, math.inf, False, 0, None)
    positive = _fit(Distribution.LOGNORMAL, above)
    parameters = {"zeros": zeros, **positive.parameters}
    return _scored(Distribution.ZERO_INFLATED_LOGNORMAL, parameters, grouped, 3)


def _lognormal_moments(centre: float, spread: float) -> dict[str, float]:
    mean = math.exp(centre + spread**2 / 2)
    return {"mean": mean, "sd": mean * math.sqrt(math.expm1(spread**2))}


def _minimise(loss: Callable[[Floats], float], start: Floats, box: tuple[float, float, float, float]) -> Floats:
    """Minimum inside the box by the simplex of Nelder & Mead (1965); the same counts give the same digits."""
    from scipy.optimize import minimize

    bounds = [(box[0], box[1]), (box[2], box[3])]
    inside = np.array([min(max(value, low), high) for value, (low, high) in zip(start, bounds, strict=True)])
    options: Any = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 2000}
    return np.asarray(minimize(loss, inside, method="Nelder-Mead", bounds=bounds, options=options).x, dtype=np.float64)


def _shares(kind: Distribution, parameters: dict[str, float], grouped: Grouped) -> Floats:
    cumulative = cdf(kind, parameters, grouped.limits)(grouped.edges)
    cumulative[0], cumulative[-1] = 0.0, 1.0
    return np.maximum(np.diff(cumulative), 0.0)


def _loss(kind: Distribution, parameters: dict[str, float], grouped: Grouped) -> float:
    """Negative log likelihood; a group that holds people and cannot occur costs nearly everything."""
    shares = np.maximum(_shares(kind, parameters, grouped), 1e-300)
    return float(-(grouped.counts @ np.log(shares)))


def _scored(kind: Distribution, parameters: dict[str, float], grouped: Grouped, free: int) -> FamilyFit:
    shares = _shares(kind, parameters, grouped)
    misfit = np.abs(np.cumsum(shares) - np.cumsum(grouped.counts) / grouped.counts.sum()).max()
    return FamilyFit(kind, parameters, 2 * free + 2 * _loss(kind, parameters, grouped), float(misfit))


def _moments(grouped: Grouped) -> tuple[float, float]:
    """Mean and sd from the middles of the groups; a starting point only."""
    middles = (grouped.edges[:-1] + grouped.edges[1:]) / 2
    filled = np.flatnonzero(grouped.counts > 0)
    low, high = int(filled[0]), int(filled[-1])
    # The two outer groups reach out to the limits of the range: their people stand near the inner side.
    middles[low], middles[high] = (
        (grouped.edges[low + 1], grouped.edges[high]) if high > low else (middles[low], middles[high])
    )
    total = grouped.counts.sum()
    mean = float(grouped.counts @ middles / total)
    variance = float(grouped.counts @ (middles - mean) ** 2 / total)
    return mean, math.sqrt(max(variance, 1e-8))
