"""What share of the prescribed doses people take while they are on a treatment, and what their drug cover then is.

A person takes a share A of the doses (Beta between people) until stopping at T (Weibull). Over a horizon H the proportion of
days covered is A·min(T, H)/H.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from knowledge.errors import InvalidInput
from tools.adherence.persistence import survival, time_on_treatment

FloatArray = npt.NDArray[np.float64]
NODES = 64  # of the rules over the times of stopping and over people
EDGE = 1e-3  # a mean share keeps this distance from 0 and 1 where a Beta is needed


def odds_over(share: npt.ArrayLike, ratio: npt.ArrayLike) -> FloatArray:
    """A share whose odds of the contrary are multiplied: share / (share + ratio·(1 − share)).

    With `ratio` an odds ratio of non-adherence, above 1 the share falls.
    """
    p, r = np.asarray(share, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    if not np.isfinite(p).all() or (p < 0).any() or (p > 1).any() or not np.isfinite(r).all() or (r <= 0).any():
        raise InvalidInput("A share lies between 0 and 1, an odds ratio above 0.")
    return np.asarray(p / (p + r * (1 - p)))


def group_shares(mean: npt.ArrayLike, part: npt.ArrayLike, ratio: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Shares of a group and of all others whose mean is kept, the group's odds of non-adherence `ratio` times theirs.

    Parameters
    ----------
    mean : (D,) of everybody, 0–1. part : (D,) of everybody who belong to the group, 0–1. ratio : (D,) odds ratio.

    Returns
    -------
    (D,) of the group and (D,) of the others.
    """
    m, w, r = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (mean, part, ratio)))
    if (w < 0).any() or (w > 1).any() or not np.isfinite(w).all():
        raise InvalidInput("The part of a group lies between 0 and 1.")
    others = np.array(
        [
            p if p in (0.0, 1.0) else optimize.brentq(lambda q, p=p, v=v, o=o: v * q / (q + o * (1 - q)) + (1 - v) * q - p, 0, 1)
            for p, v, o in zip(m, w, r, strict=True)
        ]
    )  # fmt: skip
    return odds_over(others, r), others


def beta_of(mean: npt.ArrayLike, sd: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both parameters of the Beta with a mean (0–1) and a standard deviation, held within what a Beta can have."""
    m = np.clip(np.asarray(mean, dtype=np.float64), EDGE, 1 - EDGE)
    spread = np.minimum(np.asarray(sd, dtype=np.float64), 0.99 * np.sqrt(m * (1 - m)))
    size = m * (1 - m) / np.maximum(spread, EDGE) ** 2 - 1
    return np.asarray(m * size), np.asarray((1 - m) * size)


def cover_moments(
    mean: npt.ArrayLike, sd: npt.ArrayLike, horizon: float, shape: npt.ArrayLike, scale: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation between people of the proportion of days covered over a horizon; broadcasts."""
    m, s = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    s = np.minimum(s, np.sqrt(m * (1 - m)))  # no more than a share can vary
    first, second = time_on_treatment(horizon, shape, scale)
    expected = m * first / horizon
    variance = (m**2 + s**2) * second / horizon**2 - expected**2
    return np.asarray(expected), np.sqrt(np.maximum(variance, 0.0))


def share_covered(
    limit: float, mean: npt.ArrayLike, sd: npt.ArrayLike, horizon: float, shape: npt.ArrayLike, scale: npt.ArrayLike
) -> FloatArray:
    """(D,) share of people whose proportion of days covered over a horizon reaches a limit (0–1).

    P(A ≥ c)·S(H) for who stay on, and the integral of P(A ≥ cH/t) over the times of stopping t between cH and H.
    """
    if not 0 < limit <= 1:
        raise InvalidInput("The limit of adherence lies above 0 and is at most 1.")
    m, s, k, b = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (mean, sd, shape, scale))
    )
    alpha, beta = beta_of(m, s)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    # Over the share still on treatment, in which the integrand is bounded whatever the hazard.
    late, early = survival(horizon, k, b), survival(limit * horizon, k, b)
    level = late[:, None] + (early - late)[:, None] * 0.5 * (nodes + 1)
    times = b[:, None] * (-np.log(np.maximum(level, 1e-300))) ** (1 / k[:, None])
    need = np.clip(limit * horizon / np.maximum(times, 1e-300), limit, 1.0)
    reached = 1 - special.betainc(alpha[:, None], beta[:, None], need)
    stopped = (early - late) * (reached @ (0.5 * weights))
    return np.clip(late * (1 - special.betainc(alpha, beta, limit)) + stopped, 0.0, 1.0)


def people_nodes(mean: npt.ArrayLike, sd: npt.ArrayLike) -> FloatArray:
    """(D, NODES) shares of the doses taken by equally many people each: quantiles of the Beta, scaled to keep its mean."""
    m = np.atleast_1d(np.asarray(mean, dtype=np.float64))
    alpha, beta = beta_of(m, np.broadcast_to(sd, m.shape))
    levels = (np.arange(NODES) + 0.5) / NODES
    found = special.betaincinv(alpha[:, None], beta[:, None], levels)
    return np.asarray(np.clip(found * (m / np.maximum(found.mean(axis=1), 1e-12))[:, None], 0.0, 1.0))


def packs_begun(
    pack_days: float, taken: npt.ArrayLike, horizon: float, shape: npt.ArrayLike, scale: npt.ArrayLike
) -> FloatArray:
    """(D,) packs begun per person within a horizon: the first on day 0, another whenever one is used up.

    Parameters
    ----------
    pack_days : days that a pack lasts if taken as prescribed. taken : (D, N) shares of the doses taken by N people.
    """
    if not 0 < pack_days < np.inf or horizon / pack_days > 1e5:
        raise InvalidInput("A pack lasts longer than 0 days, and no more than 100 000 are begun.")
    a = np.atleast_2d(np.asarray(taken, dtype=np.float64))
    k, b = (np.broadcast_to(np.asarray(v, dtype=np.float64), a.shape[:1]) for v in (shape, scale))
    found = np.ones(a.shape)
    lasts = pack_days / np.maximum(a, 1e-12)
    begun = 1
    while begun * pack_days < horizon:
        at = begun * lasts
        inside = at < horizon
        if not inside.any():
            break
        found += np.where(inside, survival(np.minimum(at, horizon), k[:, None], b[:, None]), 0.0)
        begun += 1
    return np.asarray(found.mean(axis=1))
