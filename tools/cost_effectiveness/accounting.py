"""When money and health are counted: within-cycle corrections and discounting.

A cohort is looked at in points of time 0, 1, … T (T cycles). Every convention comes down to a weight for each point, so
that a total is the sum over points of weight × reward.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
Correction = Literal["none", "beginning", "end", "half_cycle", "life_table", "simpson", "simpson_composite"]
Timing = Literal["start", "middle", "end"]
Compounding = Literal["annual", "continuous", "per_cycle"]


def cycle_weights(cycles: int, correction: Correction = "half_cycle") -> FloatArray:
    """(cycles + 1,) weights of the points of time, before discounting.

    * `none`: every point counts once (the first and the last too).
    * `beginning`, `end`: a cycle counts who is there at its beginning, or at its end.
    * `half_cycle`, `life_table`: half weight at both ends (they differ in discounting only, see `point_weights`).
    * `simpson`: 1/3, 2/3, 4/3, …, 1/3, as in the tutorials of Alarid-Escudero et al (2023, doi 10.1177/0272989X221103163)
      and the packages darthtools and heormodel.
    * `simpson_composite`: 1/3, 4/3, 2/3, …, 4/3, 1/3, the textbook rule; needs an even number of cycles.

    Raises
    ------
    InvalidInput
        No cycle, an unknown correction, or an odd number of cycles for `simpson_composite`.
    """
    if cycles < 1:
        raise InvalidInput("A model needs at least one cycle.")
    if correction not in get_args(Correction):
        raise InvalidInput(f"There is no correction '{correction}'.", f"There are: {', '.join(get_args(Correction))}.")
    weights = np.ones(cycles + 1)
    if correction == "beginning":
        weights[-1] = 0.0
    elif correction == "end":
        weights[0] = 0.0
    elif correction in ("half_cycle", "life_table"):
        weights[[0, -1]] = 0.5
    elif correction in ("simpson", "simpson_composite"):
        odd = 2 / 3 if correction == "simpson" else 4 / 3
        if correction == "simpson_composite" and cycles % 2:
            raise InvalidInput("Simpson's composite rule needs an even number of cycles.", "Use 'half_cycle'.")
        weights[1::2], weights[0::2] = odd, 2.0 - odd
        weights[[0, -1]] = 1 / 3
    return weights


def discount_factors(
    cycles: int,
    rate: float,
    cycle_years: float = 1.0,
    *,
    timing: Timing = "start",
    undiscounted_years: float = 0.0,
    compounding: Compounding = "annual",
) -> FloatArray:
    """(cycles + 1,) present value of one unit at each point of time.

    Parameters
    ----------
    rate : per year, as a share (0.03 = 3 %).
    timing : point i lies at i cycles (`start`: the first is undiscounted), at i + 1/2, or at i + 1 (`end`).
    undiscounted_years : years at the beginning that are not discounted; time counts from their end.
    compounding : `annual` (1 + rate)^−t; `continuous` exp(−rate·t); `per_cycle` (1 + rate·cycle)^−i.

    Raises
    ------
    InvalidInput
        A rate of −100 % or less, or a cycle without length.
    """
    if not np.isfinite(rate) or rate <= -1:
        raise InvalidInput("A discount rate lies above -1.", "Give it as a share: 0.03 for 3 %.")
    if not cycle_years > 0 or undiscounted_years < 0:
        raise InvalidInput("A cycle lasts longer than nothing, and the undiscounted years are not negative.")
    steps = np.arange(cycles + 1) + {"start": 0.0, "middle": 0.5, "end": 1.0}[timing]
    years = np.maximum(steps * cycle_years - undiscounted_years, 0.0)
    if compounding == "continuous":
        return np.asarray(np.exp(-rate * years))
    if compounding == "per_cycle":
        return np.asarray((1.0 + rate * cycle_years) ** -(years / cycle_years))
    return np.asarray((1.0 + rate) ** -years)


def point_weights(weights: FloatArray, discount: FloatArray, correction: Correction) -> tuple[FloatArray, FloatArray]:
    """Discounted weights (T + 1,) of each point: first for the cycle that begins there, then for the one that ends there.

    They are kept apart because a reward may change from cycle to cycle. Life-table correction discounts the mean of a
    cycle's two ends at its beginning; `end` counts a point in the cycle that it ends; all others in the one it begins.
    """
    before = np.zeros_like(discount)
    if correction == "life_table":
        begins = 0.5 * discount
        begins[-1] = 0.0
        before[1:] = 0.5 * discount[:-1]
        return begins, before
    if correction == "end":
        return before, weights * discount
    return weights * discount, before
