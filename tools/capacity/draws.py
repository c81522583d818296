"""Random numbers that belong to a patient and a visit, not to the moment they are asked for (compiled).

SplitMix64 (Steele, Lea and Flood 2014) keyed by run, patient and visit. So a patient's service takes
as long whether there are five chairs or six, and the recursion, the event loop and the simpy model see the same patients.
"""

from __future__ import annotations

import numba
import numpy as np

from tools.capacity.laws import EMPIRICAL, EXPONENTIAL, FIXED, GAMMA, LOGNORMAL

# Where each purpose begins in a visit's own stream; a gamma takes a few numbers.
SERVICE, PATIENCE, ROUTE, BALK = 0, 1 << 20, 2 << 20, 3 << 20

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_A, _B, _C, _D = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@numba.njit(nogil=True, cache=True)
def _mixed(z):  # type: ignore[no-untyped-def]
    z = (z ^ (z >> _A)) * _FIRST
    z = (z ^ (z >> _B)) * _SECOND
    return z ^ (z >> _C)


@numba.njit(nogil=True, cache=True)
def visit_key(seed, patient, visit):  # type: ignore[no-untyped-def]
    """Key of a visit's stream, from the run's seed (uint64) and two whole numbers."""
    one = _mixed(np.uint64(seed) + _STEP * np.uint64(patient + 1))
    return _mixed(one + _STEP * np.uint64(visit + 1))


@numba.njit(nogil=True, cache=True)
def uniform(key, place):  # type: ignore[no-untyped-def]
    """Number `place` of a stream, between 0 and 1, neither included."""
    return (np.float64(_mixed(key + _STEP * np.uint64(place + 1)) >> _D) + 0.5) * 2.0**-53


@numba.njit(nogil=True, cache=True)
def duration(kind, a, b, values, key, place):  # type: ignore[no-untyped-def]
    """A duration.

    Parameters
    ----------
    kind : fixed a; exponential of mean a; lognormal with mean a and sd b of the logarithm; gamma of shape a and scale b (Marsaglia
        and Tsang 2000); empirical: one of `values[a:b]`; never: infinite.
    values : (V,) observed durations of all empirical distributions. key, place : stream and where to begin in it.
    """
    if kind == FIXED:
        return a
    if kind == EXPONENTIAL:
        return -a * np.log(uniform(key, place))
    if kind == LOGNORMAL:
        return np.exp(a + b * _normal(key, place))
    if kind == GAMMA:
        return b * _gamma(a, key, place)
    if kind == EMPIRICAL:
        return values[int(a) + int(uniform(key, place) * (b - a))]
    return np.inf


@numba.njit(nogil=True, cache=True)
def _normal(key, place):  # type: ignore[no-untyped-def]
    return np.sqrt(-2.0 * np.log(uniform(key, place))) * np.cos(2.0 * np.pi * uniform(key, place + 1))


@numba.njit(nogil=True, cache=True)
def _gamma(shape, key, place):  # type: ignore[no-untyped-def]
    raised = shape if shape >= 1.0 else shape + 1.0
    d = raised - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    at = place + 1
    while True:
        x = _normal(key, at)
        v = (1.0 + c * x) ** 3
        u = uniform(key, at + 2)
        at += 3
        if v > 0.0 and np.log(u) < 0.5 * x * x + d - d * v + d * np.log(v):
            break
    return d * v if shape >= 1.0 else d * v * uniform(key, place) ** (1.0 / shape)


@numba.njit(nogil=True, cache=True)
def visit_duration(seed, patient, visit, kind, a, b, values, place):  # type: ignore[no-untyped-def]
    """A duration of one visit, for callers outside compiled code."""
    return duration(kind, a, b, values, visit_key(seed, patient, visit), place)


@numba.njit(nogil=True, cache=True)
def visit_uniform(seed, patient, visit, place):  # type: ignore[no-untyped-def]
    """A number between 0 and 1 of one visit, for callers outside compiled code."""
    return uniform(visit_key(seed, patient, visit), place)
