"""Linear compartments: the concentration of a drug as a sum of exponentials, exactly.

A central compartment with elimination exchanges with up to two others (Gibaldi, Perrier 1982, Pharmacokinetics). Scaled by the
roots of the volumes the exchange matrix is symmetric, so that its eigenvalues are real and its modes well-conditioned;
an infusion and first-order absorption are then integrals of exponentials in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
MOST_DOSES = 2000


@dataclass(frozen=True)
class Modes:
    """After a unit amount into the central compartment the concentration is sum of coefficient x exp(-decay x t).

    Attributes
    ----------
    decay : (P, C) per hour. coefficient : (P, C) per litre; a row sums to one over the central volume.
    """

    decay: FloatArray
    coefficient: FloatArray


@dataclass(frozen=True)
class Doses:
    """E doses in order of time: hours, amounts, hours of infusion (0 for at once)."""

    times: FloatArray
    amounts: FloatArray
    lengths: FloatArray


def compartments(clearance: npt.ArrayLike, volumes: npt.ArrayLike, exchange: npt.ArrayLike = ()) -> Modes:
    """Modes of a mammillary model with one to three compartments.

    Parameters
    ----------
    clearance : (P,) or a number, litres an hour. volumes : (P, C) or (C,) litres, the central one first.
    exchange : (P, C - 1) or (C - 1,) clearance between the central and each other compartment, litres an hour.

    Raises
    ------
    InvalidInput
        Other than 1 to 3 compartments, numbers that are not finite, volumes or clearances of 0 or less.
    """
    volume = np.atleast_2d(np.asarray(volumes, dtype=np.float64))
    count = volume.shape[1]
    flow = np.asarray(exchange, dtype=np.float64)
    flow = flow.reshape(1, -1) if flow.ndim < 2 else flow
    cl = np.atleast_1d(np.asarray(clearance, dtype=np.float64))
    if not 1 <= count <= 3 or flow.shape[1] != count - 1:
        raise InvalidInput("Give one to three volumes, and one exchange clearance fewer.")
    for what in (volume, flow, cl):
        if not np.isfinite(what).all() or (what <= 0).any():
            raise InvalidInput("Clearances and volumes are numbers above 0.")
    patients = max(len(volume), len(flow), len(cl))
    volume = np.broadcast_to(volume, (patients, count))
    flow = np.broadcast_to(flow, (patients, count - 1))
    matrix = np.zeros((patients, count, count))
    matrix[:, 0, 0] = -(cl + flow.sum(axis=1)) / volume[:, 0]
    for i in range(1, count):
        matrix[:, i, i] = -flow[:, i - 1] / volume[:, i]
        matrix[:, 0, i] = matrix[:, i, 0] = flow[:, i - 1] / np.sqrt(volume[:, 0] * volume[:, i])
    values, vectors = np.linalg.eigh(matrix)
    return Modes(np.maximum(-values, 0.0), vectors[:, 0, :] ** 2 / volume[:, :1])


def doses(times: npt.ArrayLike, amounts: npt.ArrayLike, lengths: npt.ArrayLike = 0.0) -> Doses:
    """Doses in order of time; `amounts` and `lengths` may be one number for all.

    Raises
    ------
    InvalidInput
        No dose, more than 2000, numbers that are negative or not finite.
    """
    t = np.atleast_1d(np.asarray(times, dtype=np.float64))
    amount, length = (np.broadcast_to(np.asarray(one, dtype=np.float64), t.shape) for one in (amounts, lengths))
    if t.ndim != 1 or not 1 <= t.size <= MOST_DOSES:
        raise InvalidInput(f"Give one to {MOST_DOSES} doses.")
    for what in (t, amount, length):
        if not np.isfinite(what).all() or (what < 0).any():
            raise InvalidInput("Times, amounts and lengths of infusions are numbers of 0 or more.")
    order = np.argsort(t, kind="stable")
    return Doses(t[order].copy(), amount[order].copy(), length[order].copy())


def concentration(
    times: npt.ArrayLike, modes: Modes, given: Doses, *, absorption: float | None = None, available: float = 1.0
) -> FloatArray:
    """(P, T) concentration in the central compartment, amount per litre.

    Parameters
    ----------
    times : (T,) hours. absorption : per hour, for doses by mouth; None for doses into the vein. available : share
        that is absorbed.

    Raises
    ------
    InvalidInput
        An absorption rate of 0 or less, or a share outside [0, 1].
    """
    check_absorption(absorption, available)
    t = np.asarray(times, dtype=np.float64)
    lam, coefficient = modes.decay[:, :, None], modes.coefficient[:, :, None]
    found = np.zeros((len(modes.decay), t.size))
    for start, amount, length in zip(given.times, given.amounts, given.lengths, strict=True):
        since = t - start
        after = np.maximum(since, 0.0)
        if absorption is not None:
            apart = (absorption - lam) * after
            near = np.abs(apart) < 1e-8
            gap = np.where(near, 1.0, absorption - lam)
            ratio = np.where(near, after * (1 - apart / 2), -np.expm1(-apart) / gap)
            part = available * amount * absorption * coefficient * np.exp(-lam * after) * ratio
        elif length > 0:
            running, later = np.minimum(after, length), np.maximum(since - length, 0.0)
            held = np.where(lam > 0, -np.expm1(-lam * running) / np.where(lam > 0, lam, 1.0), running)
            part = amount / length * coefficient * held * np.exp(-lam * later)
        else:
            part = amount * coefficient * np.exp(-lam * after)
        found += np.where(since >= 0, part.sum(axis=1), 0.0)
    return found


def check_absorption(absorption: float | None, available: float) -> None:
    """InvalidInput when the absorption rate or the share absorbed cannot be."""
    if absorption is not None and not (np.isfinite(absorption) and absorption > 0):
        raise InvalidInput("The absorption rate is above 0 an hour.")
    if not 0 <= available <= 1:
        raise InvalidInput("The share that is absorbed lies between 0 and 1.")
