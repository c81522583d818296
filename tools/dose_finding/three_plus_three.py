"""The 3+3 rule of dose escalation in closed form: no path is simulated.

Three people take a dose. None with a dose-limiting toxicity (DLT): the next dose. One: three more, and the next dose if
none of them has one. Otherwise the dose is too toxic (design A of Storer 1989, Biometrics). Doses are independent
given their DLT rates, so each path's probability is a product over doses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ThreePlusThree:
    """Operating characteristics, exact.

    Attributes
    ----------
    none : probability that no dose is called tolerated.
    selected : (J,) probability that each dose is called the maximum tolerated dose; with `none` they sum to one.
    patients : (J,) expected people at each dose. toxicities : (J,) expected DLTs.
    escalated : (J,) probability to pass each dose once it is reached.
    """

    none: float
    selected: FloatArray
    patients: FloatArray
    toxicities: FloatArray
    escalated: FloatArray


def check_rates(rates: npt.ArrayLike) -> FloatArray:
    """(J,) DLT rates as floats (InvalidInput when empty, not a number or outside [0, 1])."""
    found = np.asarray(rates, dtype=np.float64)
    if found.ndim != 1 or found.size == 0:
        raise InvalidInput("Give the DLT rate of at least one dose.")
    if not np.isfinite(found).all() or (found < 0).any() or (found > 1).any():
        raise InvalidInput("DLT rates are shares from 0 to 1.")
    return found


def escalation_probability(rate: npt.ArrayLike) -> FloatArray:
    """Probability to pass a dose of this DLT rate: none of three, or one of three and then none of three.

    Parameters
    ----------
    rate : any shape, 0-1.

    Raises
    ------
    InvalidInput
        A rate outside [0, 1].
    """
    p = np.asarray(rate, dtype=np.float64)
    check_rates(p.reshape(-1))
    return np.asarray((1 - p) ** 3 + 3 * p * (1 - p) ** 5)


def three_plus_three(rates: npt.ArrayLike, *, confirm: bool = False) -> ThreePlusThree:
    """Probabilities of every outcome of a 3+3 trial that starts at the lowest dose.

    Parameters
    ----------
    rates : (J,) true DLT rates of the doses, from the lowest dose up.
    confirm : whether a dose is called the maximum tolerated one only after six people took it; a dose that three took
        gets three more, and with two DLTs or more among the six the trial goes down one dose further.

    Raises
    ------
    InvalidInput
        No rate, or one outside [0, 1].
    """
    p = check_rates(rates)
    doses = p.size
    clean, rescued = (1 - p) ** 3, 3 * p * (1 - p) ** 5
    passed = clean + rescued
    reached = np.concatenate([[1.0], np.cumprod(passed)])  # reached[j]: dose j is given; reached[J]: all were passed
    patients = reached[:-1] * (3 + 3 * 3 * p * (1 - p) ** 2)
    selected = np.zeros(doses)
    if not confirm:
        selected[: doses - 1] = reached[1:doses] * (1 - passed[1:])
        selected[-1] = reached[doses]
        none = float(1 - passed[0])
    else:
        small = np.divide(clean, passed, out=np.zeros(doses), where=passed > 0)  # only three took it so far
        too_toxic = 1 - (1 - p) ** 3 - 3 * p * (1 - p) ** 2  # two or more of three further people
        arrives = float(reached[doses])
        for dose in range(doses - 1, -1, -1):
            patients[dose] += 3 * arrives * small[dose]
            down = arrives * small[dose] * too_toxic[dose]
            selected[dose] = arrives - down
            # From above: the trial came down from this dose, or this dose was not passed in the first place.
            arrives = down + float(reached[dose] * (1 - passed[dose]))
        none = float(arrives)
    return ThreePlusThree(none, selected, patients, patients * p, passed)
