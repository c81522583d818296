"""Cumulative incidence of competing events from observed times: the Aalen-Johansen estimator.

Aalen, Johansen 1978 (Scandinavian Journal of Statistics). Variance by the delta method as in Collett, Modelling Survival Data in Medical
Research (3rd edition, page 411), which lifelines uses too; intervals on the log(-log) scale stay within 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MOST_CAUSES = 50


@dataclass(frozen=True)
class CumulativeIncidence:
    """Estimates at the K distinct times at which somebody had an event or left.

    Attributes
    ----------
    times : (K,) rising. at_risk, left : (K,) people just before, and events and leavers at, each time.
    survival : (K,) share free of every event just after each time.
    causes : (J,) the events, as given. incidence, variance : (K, J) share with each event by then.
    """

    times: FloatArray
    at_risk: IntArray
    left: IntArray
    survival: FloatArray
    causes: IntArray
    incidence: FloatArray
    variance: FloatArray

    def at(self, times: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Event-free share (T,), incidence and variance (T, J) at other times; a step function."""
        place = np.searchsorted(self.times, np.asarray(times, dtype=np.float64), side="right")
        start = np.zeros((1, len(self.causes)))
        return (
            np.concatenate([[1.0], self.survival])[place],
            np.concatenate([start, self.incidence])[place],
            np.concatenate([start, self.variance])[place],
        )


def aalen_johansen(times: npt.ArrayLike, causes: npt.ArrayLike) -> CumulativeIncidence:
    """Cumulative incidence of each cause; causes that happen at the same time are treated exactly.

    Parameters
    ----------
    times : (n,) time of each person's first event or of leaving, in any unit.
    causes : (n,) whole numbers: 0 for people who left without an event, 1, 2, ... for the events.

    Raises
    ------
    InvalidInput
        Lengths that differ, nobody, times that are negative or no numbers, causes that are no whole numbers from 0,
        no event at all, or more than 50 kinds of events.
    """
    t, cause = np.asarray(times, dtype=np.float64), np.asarray(causes)
    if t.ndim != 1 or t.shape != cause.shape or t.size == 0:
        raise InvalidInput("Give one time and one cause for each person, and at least one person.")
    if not np.isfinite(t).all() or (t < 0).any():
        raise InvalidInput("Times are numbers of 0 or more.")
    if not np.issubdtype(cause.dtype, np.number) or not np.isfinite(cause).all() or (cause != np.floor(cause)).any():
        raise InvalidInput("Causes are whole numbers: 0 for people who left without an event, then 1, 2 and so on.")
    kinds = np.unique(cause).astype(np.int64)
    if kinds[0] < 0 or kinds[-1] == 0 or kinds.size > MOST_CAUSES + 1:
        raise InvalidInput("There must be one to 50 kinds of events, numbered from 1.", "0 means no event.")
    order = np.argsort(t, kind="stable")
    t, cause = t[order], cause[order]
    first = np.flatnonzero(np.concatenate([[True], t[1:] > t[:-1]]))
    risk = (t.size - first).astype(np.float64)
    kinds = kinds[kinds > 0]
    every = np.add.reduceat(cause > 0, first, dtype=np.float64)
    survival: FloatArray = np.asarray(np.cumprod(1 - every / risk), dtype=np.float64)
    # One cause at a time, and few arrays at once: the memory is what limits how many people can be read.
    incidence, variance = np.empty((2, kinds.size, first.size)).transpose(0, 2, 1)
    for j, kind in enumerate(kinds):
        _one_cause(
            np.add.reduceat(cause == kind, first, dtype=np.float64),
            every,
            risk,
            survival,
            incidence[:, j],
            variance[:, j],
        )
    return CumulativeIncidence(
        t[first], risk.astype(np.int64), np.diff(np.append(first, t.size)), survival, kinds, incidence, variance
    )  # fmt: skip


def _one_cause(
    events: FloatArray,
    every: FloatArray,
    risk: FloatArray,
    survival: FloatArray,
    incidence: FloatArray,
    variance: FloatArray,
) -> None:
    """Fill incidence and variance (K,): sums over earlier times with (F(t) - F(s)) squared or plain, by running totals."""
    share = events / risk
    share[1:] *= survival[:-1]  # event-free just before, times the share with this event
    incidence[:] = np.cumsum(share)
    still = risk - every
    # The last person's event ends the curve: nothing comes after it, so that its term is nought.
    weight = np.divide(every, risk * still, out=np.zeros_like(risk), where=still > 0)
    variance[:] = incidence**2 * np.cumsum(weight)
    weight *= incidence
    variance -= 2 * incidence * np.cumsum(weight)
    weight *= incidence
    variance += np.cumsum(weight)
    np.divide(share**2 * (risk - events), events * risk, out=weight, where=events > 0)
    weight[events == 0] = 0.0
    variance += np.cumsum(weight)
    np.divide(share, risk, out=weight)
    variance -= 2 * incidence * np.cumsum(weight)
    weight *= incidence
    variance += 2 * np.cumsum(weight)
    np.maximum(variance, 0.0, out=variance)


def interval(incidence: npt.ArrayLike, variance: npt.ArrayLike, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper limit of a share on the log(-log) scale; a share of 0 or 1 has no width there and stays as it is.

    Raises
    ------
    InvalidInput
        A level outside (0, 1).
    """
    if not 0 < level < 1:
        raise InvalidInput(f"The level of an interval lies between 0 and 1, not at {level:g}.")
    f, v = np.asarray(incidence, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    inside = (f > 0) & (f < 1)
    safe = np.where(inside, f, 0.5)
    log = np.log(safe)
    width = ndtri((1 + level) / 2) * np.sqrt(v) / np.abs(safe * log)
    lower = np.exp(log * np.exp(width))
    upper = np.exp(log * np.exp(-width))
    return np.where(inside, lower, f), np.where(inside, upper, f)
