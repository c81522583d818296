"""Partitioned survival: shares of a cohort between survival curves, as oncology models use them.

Method: NICE DSU technical support document 19 (Woods et al 2017). The curves are nested (progression-free below overall
survival); where they cross, the lower one is cut to the upper one and the share of time is reported.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
FAMILIES = ("exponential", "weibull", "gompertz", "loglogistic", "lognormal", "gamma")


def survival(family: str, time: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike = 1.0) -> FloatArray:
    """Survival S(t) of a parametric family; the arrays broadcast.

    Parameters
    ----------
    family : `exponential` (rate); `weibull` (shape, scale): exp(−(t/scale)^shape); `gompertz` (shape, rate):
        exp(−rate/shape·(exp(shape·t) − 1)); `loglogistic` (shape, scale); `lognormal` (mean, sd of ln t);
        `gamma` (shape, rate).
    first, second : its parameters in that order, per unit of `time`.

    Raises
    ------
    InvalidInput
        An unknown family, a negative time or a parameter out of range.
    """
    t, a, b = (np.asarray(value, dtype=np.float64) for value in (time, first, second))
    if not (np.isfinite(t).all() and np.isfinite(a).all() and np.isfinite(b).all()):
        raise InvalidInput("Times and parameters of a survival curve are numbers.")
    if (t < 0).any():
        raise InvalidInput("Survival is asked for at times of 0 or later.")
    if family not in FAMILIES:
        raise InvalidInput(f"There is no survival curve '{family}'.", f"There are: {', '.join(FAMILIES)}.")
    positive = {"exponential": (a,), "gompertz": (b,), "lognormal": (b,)}.get(family, (a, b))
    if any((value < 0).any() if family in ("exponential", "gompertz") else (value <= 0).any() for value in positive):
        raise InvalidInput(
            f"A parameter of the {family} curve is out of range.", "Shapes, scales and rates are above 0."
        )
    from scipy import special

    with np.errstate(divide="ignore", over="ignore"):
        if family == "exponential":
            return np.asarray(np.exp(-a * t))
        if family == "weibull":
            return np.asarray(np.exp(-((t / b) ** a)))
        if family == "gompertz":
            flat = np.where(a == 0, 1.0, a)
            return np.asarray(np.exp(-b * np.where(a == 0, t, np.expm1(flat * t) / flat)))
        if family == "loglogistic":
            return np.asarray(1 / (1 + (t / b) ** a))
        if family == "lognormal":
            return np.asarray(special.ndtr(-(np.log(t) - a) / b))
        return np.asarray(special.gammaincc(a, b * t))


def read_off(times: npt.ArrayLike, shares: npt.ArrayLike, at: npt.ArrayLike) -> FloatArray:
    """Survival read off a curve given as points, straight between them on the log scale; constant hazard after the last.

    InvalidInput unless times rise from 0 and shares fall from 1 and stay above 0.
    """
    t, s, when = (np.asarray(value, dtype=np.float64) for value in (times, shares, at))
    if t.ndim != 1 or t.shape != s.shape or len(t) < 2 or t[0] != 0 or s[0] != 1 or (np.diff(t) <= 0).any():
        raise InvalidInput("A survival curve given as points starts at time 0 with a share of 1, and times rise.")
    if (np.diff(s) > 0).any() or s[-1] <= 0:
        raise InvalidInput("A survival curve falls and stays above 0.")
    hazard = -np.log(s)
    last = (hazard[-1] - hazard[-2]) / (t[-1] - t[-2])
    beyond = np.maximum(when - t[-1], 0.0) * last
    return np.asarray(np.exp(-(np.interp(when, t, hazard) + beyond)))


def partition(curves: Sequence[FloatArray]) -> tuple[FloatArray, float]:
    """Shares (…, T, C + 1) between C nested curves (…, T), lowest first, the last state being death.

    Also the share of points at which a curve lay above the next one and was cut to it.
    """
    if not curves:
        raise InvalidInput("Partitioned survival needs at least one curve.")
    stacked = np.stack(np.broadcast_arrays(*curves), axis=-1)
    nested = np.flip(np.minimum.accumulate(np.flip(stacked, axis=-1), axis=-1), axis=-1)
    crossed = float((stacked > nested + 1e-12).any(axis=-1).mean())
    below = np.concatenate([np.zeros_like(nested[..., :1]), nested], axis=-1)
    above = np.concatenate([nested, np.ones_like(nested[..., :1])], axis=-1)
    return above - below, crossed
