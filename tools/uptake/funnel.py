"""From a population to people on treatment: eligible → covered → started → still on, month by month, with chance.

Everybody eligible and covered who has not started starts with a monthly probability (constant, or following Bass
diffusion); who has started stops with a hazard of Weibull form in the months on treatment. Counts are binomial, so their
sums are whole people and nobody is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.uptake.bass import adopted

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Counts:
    """People, (…, groups) at the beginning and (…, groups, months) afterwards.

    Attributes
    ----------
    eligible, covered : at the beginning. started : new in each month. on_treatment : at the end of each month.
    """

    eligible: IntArray
    covered: IntArray
    started: IntArray
    on_treatment: IntArray


def copay_factor(copay: npt.ArrayLike, reference: float, elasticity: npt.ArrayLike) -> FloatArray:
    """How many start at a copay relative to the reference copay, with a constant arc elasticity.

    (1 + e·a) / (1 − e·a) with a = (copay − reference) / (copay + reference): the arc (midpoint) elasticity, defined at a
    copay of 0, as in the RAND Health Insurance Experiment.

    Raises
    ------
    InvalidInput
        A negative copay, a reference of 0, or an elasticity outside (−1, 1).
    """
    price, e = np.asarray(copay, dtype=np.float64), np.asarray(elasticity, dtype=np.float64)
    if not (np.isfinite(price).all() and np.isfinite(e).all()) or (price < 0).any() or not reference > 0:
        raise InvalidInput("A copay is 0 or more, and the reference copay lies above 0.")
    if (np.abs(e) >= 1).any():
        raise InvalidInput("An arc elasticity lies between -1 and 1.")
    arc = e * (price - reference) / (price + reference)
    return np.asarray((1 + arc) / (1 - arc))


def odds_times(share: npt.ArrayLike, ratio: npt.ArrayLike) -> FloatArray:
    """A share after multiplying its odds: share·ratio / (1 − share + share·ratio)."""
    p, r = np.asarray(share, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    if (p < 0).any() or (p > 1).any() or (r < 0).any():
        raise InvalidInput("A share lies between 0 and 1, an odds ratio at 0 or above.")
    odds = p * r
    return np.asarray(odds / (1 - p + odds))


def monthly_start(yearly: npt.ArrayLike, months: int) -> FloatArray:
    """(…, months) probability of starting in each month, constant, from the share that starts within a year."""
    share = np.asarray(yearly, dtype=np.float64)
    if not np.isfinite(share).all() or (share < 0).any() or (share > 1).any():
        raise InvalidInput("The share that starts within a year lies between 0 and 1.")
    monthly = 1 - (1 - share) ** (1 / MONTHS_A_YEAR)
    return np.repeat(np.asarray(monthly)[..., None], months, axis=-1)


def diffusion_start(ceiling: npt.ArrayLike, p: npt.ArrayLike, q: npt.ArrayLike, months: int) -> FloatArray:
    """(…, months) probability of starting in each month for who has not, when a share `ceiling` starts in the end.

    Adoption follows Bass diffusion with yearly coefficients p and q; the probability is the month's adoption over those
    left: c·ΔF / (1 − c·F).
    """
    top = np.asarray(ceiling, dtype=np.float64)
    if not np.isfinite(top).all() or (top < 0).any() or (top > 1).any():
        raise InvalidInput("The share that starts in the end lies between 0 and 1.")
    edges = np.arange(months + 1) / MONTHS_A_YEAR
    reached = top[..., None] * adopted(edges, np.asarray(p)[..., None], np.asarray(q)[..., None])
    left = np.maximum(1 - reached[..., :-1], 1e-12)
    return np.asarray(np.clip(np.diff(reached, axis=-1) / left, 0.0, 1.0))


def monthly_stay(one_year: npt.ArrayLike, months: int, shape: float = 1.0) -> FloatArray:
    """(…, months) probability of staying on through the 1st, 2nd … month, Weibull with `one_year` still on after a year."""
    share = np.asarray(one_year, dtype=np.float64)
    if not np.isfinite(share).all() or (share <= 0).any() or (share > 1).any() or not shape > 0:
        raise InvalidInput("The share still on after a year lies above 0 and is at most 1; the shape lies above 0.")
    years = (np.arange(months + 1) / MONTHS_A_YEAR) ** shape
    return np.asarray(share[..., None] ** np.diff(years))


def run_funnel(
    rng: np.random.Generator,
    people: npt.ArrayLike,
    eligible: npt.ArrayLike,
    covered: npt.ArrayLike,
    start: npt.ArrayLike,
    stay: npt.ArrayLike,
) -> Counts:
    """Simulate the funnel.

    Parameters
    ----------
    people : (…, G) whole people in each group (payer). eligible, covered : (…, G) shares, the second of the eligible.
    start : (…, G, M) monthly probability of starting. stay : (…, G, M) of staying through each month on treatment.

    Raises
    ------
    InvalidInput
        A share outside [0, 1] or not a number, negative people, or sizes that do not fit.
    """
    count = np.asarray(people)
    shares = [np.asarray(value, dtype=np.float64) for value in (eligible, covered, start, stay)]
    if any(not np.isfinite(v).all() or (v < 0).any() or (v > 1).any() for v in shares):
        raise InvalidInput("A share of the funnel lies between 0 and 1.")
    if not np.isfinite(count.astype(np.float64)).all() or (count < 0).any():
        raise InvalidInput("A group has 0 people or more.")
    months = shares[2].shape[-1]
    shape = np.broadcast_shapes(
        count.shape, shares[0].shape, shares[1].shape, shares[2].shape[:-1], shares[3].shape[:-1]
    )
    if shares[3].shape[-1] < months:
        raise InvalidInput("Staying on is given for fewer months than the forecast.")
    in_need = rng.binomial(np.broadcast_to(count, shape).astype(np.int64), np.broadcast_to(shares[0], shape))
    paid = rng.binomial(in_need, np.broadcast_to(shares[1], shape))
    beginning = np.broadcast_to(shares[2], (*shape, months))
    staying = np.broadcast_to(shares[3], (*shape, shares[3].shape[-1]))
    constant = bool(np.allclose(staying, staying[..., :1], rtol=1e-12, atol=0))
    waiting = paid.copy()
    pool = np.zeros(shape, dtype=np.int64)
    ages = np.zeros((*shape, months), dtype=np.int64)
    started, on = np.zeros((*shape, months), dtype=np.int64), np.zeros((*shape, months), dtype=np.int64)
    for month in range(months):
        new = rng.binomial(waiting, beginning[..., month])
        waiting -= new
        started[..., month] = new
        if constant:
            # Who starts in a month stays through half of it on average: half the hazard in the first month.
            pool = rng.binomial(pool, staying[..., 0]) + rng.binomial(new, np.sqrt(staying[..., 0]))
            on[..., month] = pool
        else:
            ages[..., 1 : month + 1] = rng.binomial(ages[..., :month], staying[..., 1 : month + 1])
            ages[..., 0] = rng.binomial(new, np.sqrt(staying[..., 0]))
            on[..., month] = ages[..., : month + 1].sum(axis=-1)
    return Counts(in_need, paid, started, on)


def expected_funnel(
    people: npt.ArrayLike, eligible: npt.ArrayLike, covered: npt.ArrayLike, start: npt.ArrayLike, stay: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Expected new starters and people on treatment in each month, (…, G, M); arguments as `run_funnel`."""
    count, need, paid, begin, stays = (
        np.asarray(v, dtype=np.float64) for v in (people, eligible, covered, start, stay)
    )
    months = begin.shape[-1]
    left = np.concatenate([np.ones((*begin.shape[:-1], 1)), np.cumprod(1 - begin, axis=-1)[..., :-1]], axis=-1)
    new = (count * need * paid)[..., None] * left * begin
    kept = np.cumprod(stays, axis=-1)
    alive = np.concatenate([np.sqrt(stays[..., :1]), np.sqrt(stays[..., :1]) * kept[..., 1:] / kept[..., :1]], axis=-1)
    on = np.zeros(np.broadcast_shapes(new.shape, (*alive.shape[:-1], months)))
    for month in range(months):
        for begun in range(month + 1):
            on[..., month] += new[..., begun] * alive[..., month - begun]
    return new, on
