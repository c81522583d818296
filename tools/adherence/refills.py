"""Refill records as flat arrays, patient after patient and day after day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Refills:
    """E records of P patients.

    Attributes
    ----------
    patients : (P,) labels in ascending order.
    starts : (P + 1,) records of patient p are starts[p] to starts[p + 1] (excluded), in order of their days.
    day : (E,) day of the supply. supply : (E,) days it lasts if taken as prescribed.
    medication : (E,) numbers from 0. dose : (E,) prescribed doses a day. medications : how many there are.
    """

    patients: npt.NDArray[np.generic]
    starts: IntArray
    day: FloatArray
    supply: FloatArray
    medication: IntArray
    dose: FloatArray
    medications: int


def arrange(
    patient: npt.ArrayLike,
    day: npt.ArrayLike,
    supply: npt.ArrayLike,
    medication: npt.ArrayLike | None = None,
    dose: npt.ArrayLike | None = None,
) -> Refills:
    """Sort records by patient and day (those of one day keep their order); each argument is (E,).

    Records that are in order already are not copied, so that ten million of them need little more memory than they take.

    Raises
    ------
    InvalidInput
        No records, lengths that differ, a day that is not a number, a supply or dose that is not above 0.
    """
    who = np.asarray(patient)
    when, lasts = np.asarray(day, dtype=np.float64), np.asarray(supply, dtype=np.float64)
    doses = np.ones(when.shape) if dose is None else np.asarray(dose, dtype=np.float64)
    kinds = np.zeros(when.shape, dtype=np.int64) if medication is None else np.asarray(medication)
    if who.ndim != 1 or who.size == 0:
        raise InvalidInput("There are no refill records.", "Give patient, day and days' supply of each.")
    if any(one.shape != who.shape for one in (when, lasts, doses, kinds)):
        raise InvalidInput("Patients, days, supplies, medications and doses must be as many as there are records.")
    if not np.isfinite(when).all():
        raise InvalidInput("The day of a refill is not a finite number.")
    for values, name in ((lasts, "The days' supply"), (doses, "The daily dose")):
        if not np.isfinite(values).all() or (values <= 0).any():
            raise InvalidInput(f"{name} of a refill lies above 0.")
    count = 1
    if medication is not None:
        names, kinds = np.unique(kinds, return_inverse=True)
        count = names.size
    same = who[1:] == who[:-1]
    if not bool(np.all((who[1:] > who[:-1]) | (same & (when[1:] >= when[:-1])))):
        order = np.lexsort((when, who))
        who, when, lasts, doses, kinds = who[order], when[order], lasts[order], doses[order], kinds[order]
        same = who[1:] == who[:-1]
    first = np.concatenate([[0], np.flatnonzero(~same) + 1]).astype(np.int64)
    return Refills(
        patients=who[first],
        starts=np.append(first, who.size).astype(np.int64),
        day=np.ascontiguousarray(when),
        supply=np.ascontiguousarray(lasts),
        medication=np.ascontiguousarray(kinds, dtype=np.int64),
        dose=np.ascontiguousarray(doses),
        medications=count,
    )
