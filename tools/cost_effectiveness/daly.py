"""Disability-adjusted life years: years lost to death and to disability, with discounting and age weights.

Formulas: Murray 1994 (Bulletin of the World Health Organization); Fox-Rushby & Hanson 2001 (Health Policy and Planning
16:326); discrete and continuous versions compared by Larson 2013 (PMC3776440).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from knowledge.errors import InvalidInput


@dataclass(frozen=True)
class Weighting:
    """How a year of life counts: weight 1 − K + K·C·x·exp(−β·x) at age x, discounted at `rate` (continuous).

    K = 0 weighs all ages alike; K = 1 with C = 0.1658 and β = 0.04 are the weights of the first Global Burden of
    Disease study.
    """

    rate: float = 0.0
    age_weighting: float = 0.0
    constant: float = 0.1658
    beta: float = 0.04

    def __post_init__(self) -> None:
        numbers = (self.rate, self.age_weighting, self.constant, self.beta)
        if not np.isfinite(numbers).all() or self.rate < 0 or not 0 <= self.age_weighting <= 1 or self.beta < 0:
            raise InvalidInput("Discount rate and beta are not negative, and the age weighting lies between 0 and 1.")


def _moment(rate: float, start: float, years: float) -> float:
    """Integral of x·exp(−rate·(x − start)) from `start` over `years`."""
    if abs(rate * years) < 1e-6:
        flat = start * years + years**2 / 2
        return float(flat - rate * (start * years**2 / 2 + years**3 / 3))
    gone = np.exp(-rate * years)
    return float((start + 1 / rate) / rate - gone * (start + years + 1 / rate) / rate)


def present_years(years: float, rate: float) -> float:
    """(1 − exp(−rate·years)) / rate: `years` from now on, discounted continuously."""
    if abs(rate * years) < 1e-9:
        return float(years * (1 - rate * years / 2))
    return float(-np.expm1(-rate * years) / rate)


def weighted_years(age: float, years: float, weighting: Weighting | None = None) -> float:
    """Value, at `age`, of the `years` of full health that follow.

    Raises
    ------
    InvalidInput
        A negative or non-numeric age or duration.
    """
    scheme = weighting or Weighting()
    if not (np.isfinite(age) and np.isfinite(years)) or age < 0 or years < 0:
        raise InvalidInput("Ages and durations are numbers of 0 or more.")
    flat = present_years(years, scheme.rate)
    if scheme.age_weighting == 0:
        return flat
    # exp(−β·x)·exp(−r·(x − age)) = exp(−β·age)·exp(−(β + r)·(x − age))
    peaked = scheme.constant * np.exp(-scheme.beta * age) * _moment(scheme.beta + scheme.rate, age, years)
    return float((1 - scheme.age_weighting) * flat + scheme.age_weighting * peaked)


def years_of_life_lost(age_at_death: float, remaining: float, weighting: Weighting | None = None) -> float:
    """YLL of one death at `age_at_death` with `remaining` years of standard life expectancy, valued at the death."""
    return weighted_years(age_at_death, remaining, weighting)


def years_lived_with_disability(
    onset: float, duration: float, disability_weight: float, weighting: Weighting | None = None
) -> float:
    """YLD of one case that begins at age `onset` and lasts `duration` years, valued at the onset.

    InvalidInput for a disability weight outside [0, 1].
    """
    if not 0 <= disability_weight <= 1:
        raise InvalidInput("A disability weight lies between 0 (full health) and 1 (as bad as death).")
    return disability_weight * weighted_years(onset, duration, weighting)


def combined_disability(weights: Sequence[float]) -> float:
    """Disability of several conditions at once: 1 − Π(1 − weight), multiplicative as in the Global Burden of Disease."""
    if any(not 0 <= weight <= 1 for weight in weights):
        raise InvalidInput("A disability weight lies between 0 and 1.")
    return float(1 - np.prod([1 - weight for weight in weights]))


@dataclass(frozen=True)
class Event:
    """A health event that may lead to others.

    Attributes
    ----------
    probability : that it happens, given that the event before it did and was survived.
    lag : years from that event (from the beginning, for the first) to this one.
    duration : years of disability, `math.inf` for the rest of life. disability_weight : 0–1.
    fatality : probability of dying of it at once; who dies has no further events.
    followed_by : events that it may cause.
    """

    name: str
    probability: float
    lag: float = 0.0
    duration: float = 0.0
    disability_weight: float = 0.0
    fatality: float = 0.0
    followed_by: tuple[Event, ...] = field(default=())

    def __post_init__(self) -> None:
        shares = (self.probability, self.disability_weight, self.fatality)
        if not all(0 <= share <= 1 for share in shares):
            raise InvalidInput(f"{self.name}: probabilities and disability weights lie between 0 and 1.")
        if not self.lag >= 0 or not self.duration >= 0:
            raise InvalidInput(f"{self.name}: lag and duration are not negative.")


@dataclass(frozen=True)
class Burden:
    """Expected years lost by one person: to death, to disability, and their sum; and the chance of dying early."""

    yll: float
    yld: float
    deaths: float

    @property
    def daly(self) -> float:
        """YLL + YLD."""
        return self.yll + self.yld


def cascade(events: Sequence[Event], age: float, remaining: float, weighting: Weighting | None = None) -> Burden:
    """Expected DALYs of a person of `age` with `remaining` years to live, through a tree of events.

    Events of one list happen independently of each other; disabilities that overlap combine multiplicatively along a
    chain (an event that follows another while it lasts adds only to the health that is left). Everything is valued now.
    """
    scheme = weighting or Weighting()
    if not (np.isfinite(age) and np.isfinite(remaining)) or age < 0 or remaining < 0:
        raise InvalidInput("Age and remaining life are numbers of 0 or more.")
    yll = yld = deaths = 0.0
    for event in events:
        branch = _follow(event, age, remaining, 0.0, 1.0, (), scheme)
        yll, yld, deaths = yll + branch.yll, yld + branch.yld, deaths + branch.deaths
    return Burden(yll, yld, deaths)


def _follow(
    event: Event,
    age: float,
    remaining: float,
    before: float,
    chance: float,
    lasting: tuple[tuple[float, float], ...],
    scheme: Weighting,
) -> Burden:
    """Burden of one event and what follows it; `before`: years gone; `lasting`: (end, weight) of earlier disabilities."""
    onset = before + event.lag
    if onset >= remaining:
        return Burden(0.0, 0.0, 0.0)
    chance *= event.probability
    now = float(np.exp(-scheme.rate * onset))
    deaths = chance * event.fatality
    yll = deaths * now * weighted_years(age + onset, remaining - onset, scheme)
    lives = chance * (1 - event.fatality)
    end = min(onset + event.duration, remaining)
    cuts = sorted({onset, end, *(stop for stop, _ in lasting if onset < stop < end)})
    yld = 0.0
    for start, stop in pairwise(cuts):
        health_left = float(np.prod([1 - weight for until, weight in lasting if until >= stop]))
        years = weighted_years(age + start, stop - start, scheme) * float(np.exp(-scheme.rate * start))
        yld += lives * event.disability_weight * health_left * years
    for child in event.followed_by:
        branch = _follow(child, age, remaining, onset, lives, (*lasting, (end, event.disability_weight)), scheme)
        yll, yld, deaths = yll + branch.yll, yld + branch.yld, deaths + branch.deaths
    return Burden(yll, yld, deaths)
