"""The Bayesian optimal interval design: boundaries, decision table, and choice of the maximum tolerated dose.

Liu, Yuan 2015 (J R Stat Soc C; preprint arXiv 1309.5019). Details are those of the authors' R package BOIN (Yan et al 2020,
doi 10.18637/jss.v094.i13).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from knowledge.errors import InvalidInput
from tools.dose_finding.three_plus_three import check_rates

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NEVER = 1_000_000
MOST_PEOPLE = 1000


@dataclass(frozen=True)
class Table:
    """Decisions by number of people treated at a dose, n = 1 to N: all (N,) counts of DLTs.

    Attributes
    ----------
    escalate : go up with at most so many. deescalate : go down with at least so many.
    eliminate : leave this dose and those above it for good with at least so many; `NEVER` where no count is enough.
    """

    escalate: IntArray
    deescalate: IntArray
    eliminate: IntArray


def boundaries(target: float, safe: float, toxic: float) -> tuple[float, float]:
    """Observed DLT rates at or below which the dose goes up, and at or above which it goes down.

    Parameters
    ----------
    target : DLT rate aimed at. safe, toxic : the highest rate that is too low, and the lowest that is too high.

    Raises
    ------
    InvalidInput
        Unless 0 < safe < target < toxic < 1.
    """
    if not 0 < safe < target < toxic < 1:
        raise InvalidInput(
            "The DLT rates of the design lie in the order 0 < safe < target < toxic < 1.",
            "Usual are 0.6 and 1.4 times the target.",
        )
    up = np.log((1 - safe) / (1 - target)) / np.log(target * (1 - safe) / (safe * (1 - target)))
    down = np.log((1 - target) / (1 - toxic)) / np.log(toxic * (1 - target) / (target * (1 - toxic)))
    return float(up), float(down)


def decision_table(target: float, safe: float, toxic: float, people: int, eliminate_above: float) -> Table:
    """What to do after each number of people at a dose.

    Parameters
    ----------
    people : the largest number at one dose.
    eliminate_above : posterior probability (uniform prior) that the DLT rate exceeds the target, above which a dose that
        at least three people took is left for good.

    Raises
    ------
    InvalidInput
        As `boundaries`; people outside 1 to 1000, or a probability outside (0.5, 1).
    """
    up, down = boundaries(target, safe, toxic)
    if not 1 <= people <= MOST_PEOPLE or not 0.5 < eliminate_above < 1:
        raise InvalidInput("A dose takes 1 to 1000 people, and doses are left at a probability between 0.5 and 1.")
    n = np.arange(1, people + 1)
    # A hair is added so that a boundary that is a whole number of people is not lost to rounding.
    escalate = np.floor(up * n + 1e-12).astype(np.int64)
    deescalate = np.ceil(down * n - 1e-12).astype(np.int64)
    eliminate = np.full(people, NEVER, dtype=np.int64)
    for one in range(3, people + 1):
        count = np.arange(1, one + 1)
        enough = np.asarray(stats.beta.sf(target, count + 1, one - count + 1) > eliminate_above)
        if enough.any():
            eliminate[one - 1] = count[enough.argmax()]
    return Table(escalate, np.minimum(deescalate, eliminate), eliminate)


def isotonic(values: npt.ArrayLike, weights: npt.ArrayLike) -> FloatArray:
    """Nearest nondecreasing sequence by weighted least squares (pool adjacent violators; Barlow et al 1972).

    Parameters
    ----------
    values, weights : (J,); weights above 0.
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(np.asarray(values, float), np.asarray(weights, float), strict=True):
        blocks.append((float(value), float(weight), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.repeat([value for value, _, _ in blocks], [count for _, _, count in blocks])


def choose_dose(treated: npt.ArrayLike, toxic: npt.ArrayLike, target: float, eliminate_above: float) -> int:
    """Number of the dose (0 for the lowest) whose isotonic DLT rate is nearest to the target; -1 for none.

    Parameters
    ----------
    treated, toxic : (J,) people and DLTs at each dose when the trial ended.

    Raises
    ------
    InvalidInput
        Lengths differ, or more DLTs than people.
    """
    n, y = np.asarray(treated, dtype=np.float64), np.asarray(toxic, dtype=np.float64)
    if n.shape != y.shape or n.ndim != 1 or (y < 0).any() or (y > n).any():
        raise InvalidInput("Give for each dose the number of people, and of them those with a DLT.")
    above = (n >= 3) & (stats.beta.sf(target, y + 1, n - y + 1) > eliminate_above)
    allowed = np.arange(n.size) < (above.argmax() if above.any() else n.size)
    used = np.flatnonzero(allowed & (n > 0))
    if used.size == 0:
        return -1
    n, y = n[used] + 0.1, y[used] + 0.05  # so that a dose without any DLT has a variance
    rates = isotonic(y / n, n**2 * (n + 1) / (y * (n - y)))
    # Of equal distances the higher dose below the target, the lower one above it.
    return int(used[np.abs(rates + 1e-10 * np.arange(1, used.size + 1) - target).argmin()])


def most_tolerated(rates: npt.ArrayLike, target: float) -> int:
    """Number of the dose whose true DLT rate is nearest to the target (the lower of two)."""
    return int(np.abs(check_rates(rates) - target).argmin())
