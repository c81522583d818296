"""Refill adherence of each patient: CMA1 to CMA9 and the proportion of days covered, and time to discontinuation.

Definitions of AdhereR (Dima & Dediu 2017, PLoS ONE 12(4):e0174426). Of one observation window within the follow-up:

* CMA1 days' supply without the last event's over the days from first to last event; CMA2 all days' supply over the days
  from the first event to the window's end; CMA3 and CMA4 the same, at most 1.
* CMA5 and CMA6: days without gaps over the same days as CMA1 and CMA2, oversupply carried on within the window.
* CMA7: days without gaps over the whole window, oversupply also carried into it; CMA8: the window begins when what came
  before is used up; CMA9: each day counts the share of its interval between two events that was supplied.
* PDC: days with any medication at hand over the days from the first event in the window to its end; early refills of a
  medication wait until the last is used up, overlapping medications count once. (With one medication it equals CMA6.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.adherence.refills import FloatArray, Refills, arrange

COLUMNS = ("events", "events_in_window", "days_supply", *(f"CMA{k}" for k in range(1, 10)), "PDC")
LONGEST = 1e6


@dataclass(frozen=True)
class Windows:
    """Days: the follow-up, and the observation within it (`observation_days` None: to the end of the follow-up).

    Counted from each patient's first record, or from day 0 when `from_first_record` is off.
    """

    followup_start: float = 0.0
    followup_days: float = 730.0
    observation_start: float = 0.0
    observation_days: float | None = None
    from_first_record: bool = True

    def array(self) -> FloatArray:
        """(4,) checked; InvalidInput on negative days, an empty window, or one that ends after the follow-up."""
        inside = self.followup_days - self.observation_start if self.observation_days is None else self.observation_days
        days = np.array([self.followup_start, self.followup_days, self.observation_start, inside], dtype=np.float64)
        if not np.isfinite(days).all() or (days < 0).any() or (days > LONGEST).any():
            raise InvalidInput("The days of a window are 0 or more, and finite.")
        if not inside > 0 or not self.followup_days > 0:
            raise InvalidInput("A window has to be longer than 0 days.")
        if self.observation_start + inside > self.followup_days + 1e-9:
            raise InvalidInput(
                "The observation window ends after the follow-up.", "Shorten it, or follow up for longer."
            )
        return days


@dataclass(frozen=True)
class Adherence:
    """Measures (P, len(COLUMNS)) of the patients (P,); NaN where a measure is not defined for a patient."""

    patients: npt.NDArray[np.generic]
    values: FloatArray

    def of(self, name: str) -> FloatArray:
        """(P,) one measure by its name in COLUMNS (InvalidInput on another)."""
        if name not in COLUMNS:
            raise InvalidInput(f"There is no measure '{name}'.", f"There are: {', '.join(COLUMNS)}.")
        return self.values[:, COLUMNS.index(name)]


def adherence_of(
    refills: Refills, windows: Windows | None = None, *, same_medication: bool = False, dose_change: bool = False
) -> Adherence:
    """All measures of all patients in one pass.

    Parameters
    ----------
    same_medication : oversupply is carried to the next event of the same medication only.
    dose_change : oversupply lasts as long as the next event's daily dose makes it last.
    """
    from tools.adherence import kernels

    days = (windows or Windows()).array()
    found = np.empty((refills.patients.size, len(COLUMNS)))
    kernels.measure(
        refills.starts, refills.day, refills.supply, refills.medication, refills.dose, refills.medications, days,
        windows is None or windows.from_first_record, same_medication, dose_change, found,
    )  # fmt: skip
    return Adherence(refills.patients, found)


def measure(
    name: str,
    patient: npt.ArrayLike,
    day: npt.ArrayLike,
    supply: npt.ArrayLike,
    *,
    medication: npt.ArrayLike | None = None,
    dose: npt.ArrayLike | None = None,
    followup_start: float = 0.0,
    followup_days: float = 730.0,
    observation_start: float = 0.0,
    observation_days: float | None = None,
    from_first_record: bool = True,
    same_medication: bool = False,
    dose_change: bool = False,
) -> FloatArray:
    """(P,) one measure ("CMA1" to "CMA9", "PDC") of each patient, in ascending order of the patients' labels.

    Parameters
    ----------
    patient, day, supply, medication, dose : (E,) one entry per record; days and days' supply in days.
    The windows as in `Windows`, the other two as in `adherence_of`.
    """
    windows = Windows(followup_start, followup_days, observation_start, observation_days, from_first_record)
    refills = arrange(patient, day, supply, medication, dose)
    return adherence_of(refills, windows, same_medication=same_medication, dose_change=dose_change).of(name)


@dataclass(frozen=True)
class Discontinuation:
    """Time to discontinuation (P,) in days since the first record, and whether it was seen (else: followed so far)."""

    patients: npt.NDArray[np.generic]
    days: FloatArray
    stopped: npt.NDArray[np.bool_]


def discontinuation_of(
    refills: Refills,
    permissible_gap: float,
    *,
    followup_days: float = 730.0,
    same_medication: bool = False,
    dose_change: bool = False,
    change_ends: bool = False,
) -> Discontinuation:
    """End of the first treatment episode: the supply ran out, and nothing came within the permissible gap (days).

    Oversupply is carried on. A last supply that runs out less than the permissible gap before the end of the follow-up is
    no discontinuation. `change_ends`: another medication ends the episode too.
    """
    from tools.adherence import kernels

    if not 0 <= permissible_gap < np.inf or not 0 < followup_days <= LONGEST:
        raise InvalidInput("The permissible gap is 0 days or more, the follow-up longer than 0 days.")
    days, stopped = np.empty(refills.patients.size), np.empty(refills.patients.size, dtype=np.bool_)
    kernels.first_episode(
        refills.starts, refills.day, refills.supply, refills.medication, refills.dose, permissible_gap, followup_days,
        same_medication, dose_change, change_ends, days, stopped,
    )  # fmt: skip
    return Discontinuation(refills.patients, days, stopped)
