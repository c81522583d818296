"""The simple question: what does a treatment cost for each QALY, from a yearly cost, an effect and its worth?

People start together and stop with a constant hazard. The effect grows in a straight line over the onset, holds while on
treatment, and is lost after stopping with a half-life (0: at once). Costs and utility gains are discounted continuously
with the yearly rate, exp(−ln(1 + rate)·t). Deaths are not modelled: the gain is in quality of life only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
STEPS_A_YEAR = 104


@dataclass(frozen=True)
class Gains:
    """Outcome of each draw, (D,), per person who starts; `cost_by_year` (D, Y) is undiscounted.

    `treatment_years` and `effect_years` are undiscounted: years on treatment, and years at the full effect.
    """

    cost: FloatArray
    qaly: FloatArray
    treatment_years: FloatArray
    effect_years: FloatArray
    cost_by_year: FloatArray


def treatment_gains(
    *,
    cost_per_year: npt.ArrayLike,
    start_cost: npt.ArrayLike,
    utility_gain: npt.ArrayLike,
    persistence: npt.ArrayLike,
    onset_years: npt.ArrayLike,
    half_life_years: npt.ArrayLike,
    horizon_years: float,
    discount_costs: float,
    discount_effects: float,
) -> Gains:
    """Cost and QALYs gained per person who starts, against no treatment.

    Parameters
    ----------
    cost_per_year : (D,) while on treatment. start_cost : (D,) once.
    utility_gain : (D,) at the full effect, per year. persistence : (D,) share still on treatment after one year.
    onset_years : (D,) until the full effect. half_life_years : (D,) of the effect after stopping.
    horizon_years : counted from the start. discount_costs, discount_effects : per year.

    Raises
    ------
    InvalidInput
        A persistence outside (0, 1], a negative time, or a horizon of nothing.
    """
    cost, once, gain, share, onset, half = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, dtype=np.float64))
          for v in (cost_per_year, start_cost, utility_gain, persistence, onset_years, half_life_years))
    )  # fmt: skip
    if not all(np.isfinite(v).all() for v in (cost, once, gain, share, onset, half)) or not horizon_years > 0:
        raise InvalidInput("The inputs are numbers and the horizon lies above 0.")
    if (share <= 0).any() or (share > 1).any():
        raise InvalidInput("The share still on treatment after a year lies above 0 and is at most 1.")
    if (onset < 0).any() or (half < 0).any():
        raise InvalidInput("Onset and half-life are not negative.")
    steps = max(int(np.ceil(horizon_years * STEPS_A_YEAR)), 2)
    t = np.linspace(0.0, horizon_years, steps + 1)
    width = t[1]
    hazard = -np.log(share)[:, None]
    on = np.exp(-hazard * t)
    with np.errstate(divide="ignore"):
        ramp = np.where(onset[:, None] > 0, np.minimum(t / np.maximum(onset[:, None], 1e-12), 1.0), 1.0)
        kept = np.where(half > 0, 0.5 ** (width / np.maximum(half, 1e-12)), 0.0)
    after = np.zeros_like(on)
    leaving = (on[:, :-1] - on[:, 1:]) * 0.5 * (ramp[:, :-1] + ramp[:, 1:])
    for step in range(steps):
        after[:, step + 1] = after[:, step] * kept + leaving[:, step] * np.sqrt(kept)
    effect = on * ramp + after
    by_year = _by_year(on, t, horizon_years) * cost[:, None]
    by_year[:, 0] += once
    present_cost = np.exp(-np.log1p(discount_costs) * t)
    present_gain = np.exp(-np.log1p(discount_effects) * t)
    return Gains(
        cost=once + cost * np.trapezoid(on * present_cost, t, axis=1),
        qaly=gain * np.trapezoid(effect * present_gain, t, axis=1),
        treatment_years=np.asarray(np.trapezoid(on, t, axis=1)),
        effect_years=np.asarray(np.trapezoid(effect, t, axis=1)),
        cost_by_year=by_year,
    )


def _by_year(on: FloatArray, t: FloatArray, horizon: float) -> FloatArray:
    """(D, Y) years on treatment within each year since the start."""
    total = np.concatenate(
        [np.zeros((len(on), 1)), np.cumsum(0.5 * (on[:, 1:] + on[:, :-1]) * np.diff(t), axis=1)], axis=1
    )
    edges = np.minimum(np.arange(int(np.ceil(horizon)) + 1), horizon)
    return np.stack([np.diff(np.interp(edges, t, row)) for row in total])
