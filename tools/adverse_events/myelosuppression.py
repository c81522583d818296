"""How a drug lowers circulating blood cells: proliferating cells, three steps of maturation, circulation, and feedback.

Friberg, Henningsson, Maas, Nguyen, Karlsson 2002 (J Clin Oncol 20:4713, doi 10.1200/JCO.2002.02.140). All compartments begin at
the baseline; each step takes a quarter of the mean transit time. Proliferation is multiplied by (1 - effect) and by
(baseline / circulating) to the power of the feedback.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.adverse_events.pharmacokinetics import Doses, Modes, check_absorption

FloatArray = npt.NDArray[np.float64]
STEPS_OF_MATURATION = 4
MOST_HOURS = 24 * 366 * 5
MOST_PATIENTS = 10_000_000


@dataclass(frozen=True)
class Marrow:
    """Parameters of P patients, (P,) each or one number for all.

    Attributes
    ----------
    baseline : circulating cells before the drug, 10^9 per litre. transit : mean transit time, hours.
    feedback : exponent. slope : effect per unit of concentration. emax, ec50 : an effect that levels off; added to
        the linear one.
    """

    baseline: npt.ArrayLike
    transit: npt.ArrayLike
    feedback: npt.ArrayLike
    slope: npt.ArrayLike = 0.0
    emax: npt.ArrayLike = 0.0
    ec50: npt.ArrayLike = 1.0


@dataclass(frozen=True)
class Suppression:
    """What becomes of the cells: (P,) lowest count and its day; (P, G) counts at the times asked for, 10^9 per litre."""

    nadir: FloatArray
    nadir_day: FloatArray
    counts: FloatArray


def suppress(
    marrow: Marrow,
    modes: Modes,
    given: Doses,
    hours: float,
    *,
    absorption: npt.ArrayLike | None = None,
    available: npt.ArrayLike = 1.0,
    grid: npt.ArrayLike = (),
    tolerance: float = 1e-6,
) -> Suppression:
    """Circulating cells of each patient up to `hours` after the first moment.

    Parameters
    ----------
    marrow, modes : parameters of P patients; one row of either serves for all.
    given : doses; their unit over litres is the unit of concentration that the drug effect is for.
    absorption, available : as in `concentration`, one number or (P,); None for doses into the vein.
    grid : (G,) hours in rising order, up to `hours`.
    tolerance : relative error of one step.

    Raises
    ------
    InvalidInput
        Parameters that cannot be, more than 10^7 patients at once, a time that is not above 0 or beyond 5 years, or
        an effect so strong that the equations cannot be followed.
    """
    fields = [np.atleast_1d(np.asarray(getattr(marrow, name), dtype=np.float64)) for name in _FIELDS]
    ka = np.atleast_1d(np.asarray(1.0 if absorption is None else absorption, dtype=np.float64))
    share = np.atleast_1d(np.asarray(available, dtype=np.float64))
    patients = max(len(modes.decay), ka.size, share.size, *(one.size for one in fields))
    if any(one.ndim != 1 or one.size not in (1, patients) for one in (*fields, ka, share)):
        raise InvalidInput("Give one number for all patients, or one for each.")
    if patients > MOST_PATIENTS:
        raise InvalidInput(f"At most {MOST_PATIENTS:,} patients are followed at once.", "Follow them in parts.")
    for name, values in zip(_FIELDS, fields, strict=True):
        least = 0.0 if name in ("feedback", "slope", "emax") else np.nextafter(0.0, 1.0)
        if not np.isfinite(values).all() or (values < least).any():
            raise InvalidInput(
                f"The {_NAMES[name]} of the marrow must be a number of 0 or more, and not 0 itself where cells or time are meant."
            )
    for one, other in zip((ka.min(), ka.max()), (share.min(), share.max()), strict=True):
        check_absorption(float(one), float(other))
    if not 0 < hours <= MOST_HOURS or not 1e-12 < tolerance < 0.1:
        raise InvalidInput("Follow-up lasts from above 0 to 5 years.")
    points = np.asarray(grid, dtype=np.float64)
    if points.size and (
        not np.isfinite(points).all() or (np.diff(points) < 0).any() or points[0] < 0 or points[-1] > hours
    ):
        raise InvalidInput("Times asked for are in rising order, between 0 and the end of follow-up.")
    from tools.adverse_events.kernels import marrow as run  # numba, which the start of the program would feel

    baseline, transit, *effect = (np.broadcast_to(one, (patients,)) for one in fields)
    cells = np.ascontiguousarray(np.stack([STEPS_OF_MATURATION / transit, *effect], axis=1))
    shape = (patients, modes.decay.shape[1])
    lowest, when, curve = np.empty(patients), np.empty(patients), np.empty((patients, points.size))
    run(
        given.times, given.amounts, given.lengths, absorption is not None, np.ascontiguousarray(np.broadcast_to(modes.decay, shape)),
        np.ascontiguousarray(np.broadcast_to(modes.coefficient, shape)), np.ascontiguousarray(np.broadcast_to(ka, (patients,))),
        np.ascontiguousarray(np.broadcast_to(share, (patients,))), cells, hours, tolerance, float(transit.min()) / 10, points,
        lowest, when, curve,
    )  # fmt: skip
    if not np.isfinite(lowest).all():
        raise InvalidInput(
            "The drug's effect is too strong to be followed.", "Check the units of dose, volumes and slope."
        )
    return Suppression(lowest * baseline, when / 24, curve * baseline[:, None])


_FIELDS = ("baseline", "transit", "feedback", "slope", "emax", "ec50")
_NAMES = {
    "baseline": "baseline", "transit": "mean transit time", "feedback": "feedback", "slope": "slope", "emax": "greatest effect",
    "ec50": "concentration of half the effect",
}  # fmt: skip


def grade_shares(nadir: npt.ArrayLike, limits: npt.ArrayLike) -> FloatArray:
    """(L,) share of patients whose lowest count lies below each limit, both in 10^9 per litre.

    Raises
    ------
    InvalidInput
        No patient, or a limit that is not a number.
    """
    lowest, bounds = np.asarray(nadir, dtype=np.float64), np.asarray(limits, dtype=np.float64)
    if lowest.ndim != 1 or lowest.size == 0 or not np.isfinite(lowest).all() or not np.isfinite(bounds).all():
        raise InvalidInput("Give the lowest count of at least one patient, and limits that are numbers.")
    return np.asarray((lowest[:, None] < bounds).mean(axis=0))
