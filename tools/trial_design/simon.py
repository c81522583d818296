"""Simon's two-stage designs for a single arm, by exact enumeration (Simon 1989, Controlled Clinical Trials 10:1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from knowledge.errors import InvalidInput

LARGEST = 300


@dataclass(frozen=True)
class TwoStage:
    """Stop after `n1` participants with at most `r1` responses; call it active with more than `r` of `n`.

    Attributes
    ----------
    alpha, power : attained type I error and power.
    expected_n : participants on average when the response rate is the uninteresting one.
    early_stop : probability of stopping early at that rate.
    """

    r1: int
    n1: int
    r: int
    n: int
    alpha: float
    power: float
    expected_n: float
    early_stop: float


def operating_characteristics(r1: int, n1: int, r: int, n: int, rate: float) -> tuple[float, float, float]:
    """(probability of calling it active, probability of stopping early, participants on average) at a response rate."""
    if not 0 <= r1 < n1 < n or not r1 <= r < n or not 0 <= rate <= 1:
        raise InvalidInput("A two-stage design has 0 <= r1 < n1 < n and r1 <= r < n, and a rate between 0 and 1.")
    early = float(stats.binom.cdf(r1, n1, rate))
    going = np.arange(r1 + 1, n1 + 1)
    active = float(stats.binom.pmf(going, n1, rate) @ stats.binom.sf(r - going, n - n1, rate))
    return active, early, n1 + (1 - early) * (n - n1)


def simon_designs(
    uninteresting: float, interesting: float, alpha: float = 0.05, power: float = 0.8, largest: int | None = None
) -> tuple[TwoStage, TwoStage]:
    """The optimal design (fewest participants on average under no activity) and the minimax one (smallest n).

    Parameters
    ----------
    uninteresting, interesting : response rates p0 < p1.
    largest : greatest n to look at; by default half as many again as a single-stage test needs, and 5.

    Raises
    ------
    InvalidInput
        Rates or errors cannot be used, or no design up to `largest` keeps them.
    """
    if not 0 < uninteresting < interesting < 1:
        raise InvalidInput("The uninteresting rate must be above 0 and below the interesting one, which is below 1.")
    if not 0 < alpha < 0.5 or not alpha < power < 1:
        raise InvalidInput("alpha lies between 0 and 0.5, and power between alpha and 1.")
    single = _single_stage(uninteresting, interesting, alpha, power)
    if single is None and largest is None:
        raise InvalidInput(
            f"Even one stage of {LARGEST} participants does not keep alpha {alpha:g} and power {power:g}.",
            "Rates this close need a randomised trial.",
        )
    top = largest if largest is not None else min(int(1.5 * (single or LARGEST)) + 5, LARGEST)
    if not 2 <= top <= LARGEST:
        raise InvalidInput(f"Designs of 2 to {LARGEST} participants are looked at, not {top}.")
    optimal: TwoStage | None = None
    minimax: TwoStage | None = None
    for n in range(2, top + 1):
        best = _best_of_size(n, uninteresting, interesting, alpha, power)
        if best is None:
            continue
        minimax = minimax or best
        if optimal is None or best.expected_n < optimal.expected_n - 1e-12:
            optimal = best
    if optimal is None or minimax is None:
        raise InvalidInput(
            f"No two-stage design of up to {top} participants keeps alpha {alpha:g} and power {power:g}.",
            "Rates this close need a randomised trial, or a larger `largest`.",
        )
    return optimal, minimax


def _best_of_size(n: int, p0: float, p1: float, alpha: float, power: float) -> TwoStage | None:
    """The design of n participants in all with the smallest expected size under p0."""
    best: TwoStage | None = None
    totals = np.arange(n)
    for n1 in range(1, n):
        if best is not None and n1 >= best.expected_n:  # the first stage alone is larger
            break
        first = np.arange(n1 + 1)
        reach = totals[None, :] - first[:, None]
        # Probability of more than r in all and exactly x in stage one, then summed over x > r1.
        active0 = _above(stats.binom.pmf(first, n1, p0)[:, None] * stats.binom.sf(reach, n - n1, p0))
        active1 = _above(stats.binom.pmf(first, n1, p1)[:, None] * stats.binom.sf(reach, n - n1, p1))
        # The smallest r that keeps alpha has the greatest power.
        fits = (active0 <= alpha) & (active1 >= power) & (totals[None, :] >= first[:-1, None])
        early = stats.binom.cdf(first[:-1], n1, p0)
        expected = n1 + (1 - early) * (n - n1)
        for r1 in np.flatnonzero(fits.any(axis=1)):
            r = int(np.flatnonzero(fits[r1])[0])
            if best is None or expected[r1] < best.expected_n - 1e-12:
                best = TwoStage(
                    int(r1), n1, r, n,
                    float(active0[r1, r]), float(active1[r1, r]), float(expected[r1]), float(early[r1]),
                )  # fmt: skip
    return best


def _above(joint: np.ndarray) -> np.ndarray:
    """(n1, n): sums over x > r1 for r1 = 0 … n1 - 1."""
    return np.asarray(joint[::-1].cumsum(axis=0)[::-1][1:])


def _single_stage(p0: float, p1: float, alpha: float, power: float) -> int | None:
    """Participants that an exact one-stage binomial test needs; None when more than LARGEST."""
    for n in range(2, LARGEST + 1):
        cut = int(stats.binom.ppf(1 - alpha, n, p0))
        if stats.binom.sf(cut, n, p1) >= power:
            return n
    return None
