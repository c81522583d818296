"""Two questions about one treatment, as numbers: what it does while it is taken, and what came of prescribing it.

The *treatment policy* estimand counts people whether or not they stopped; the *efficacy* (hypothetical) estimand asks
what would have been, had all gone on (ICH E9(R1) addendum on estimands, 2019). The link between them is how many stop,
when, and what returns after stopping: of a person who stops at week u there is left at week T

    approach(u) / approach(T) * (1 - returned(T - u))

of the full effect, with `approach(t) = 1 - exp(-onset * t)` the time course on treatment and `returned` that after it
(`tools.response.stopping`). People stop at a constant hazard. Arrays in, arrays out, no I/O.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tools.response.features import FloatArray
from tools.response.stopping import returned

Estimand = Literal["treatment policy", "efficacy"]
# Nodes of the Gauss-Legendre rule over the times of stopping.
NODES = 48
# The hazard is finite: a share stopped above this counts as everybody, from the start.
EVERYBODY = 1.0 - 1e-12


def policy_share(
    stopped: FloatArray, horizon: float, onset: FloatArray, plateau: FloatArray, rate: FloatArray
) -> FloatArray:
    """Effect under treatment policy over the effect had all gone on, by the horizon.

    Parameters
    ----------
    stopped : (K,) share of people who stopped by the horizon, 0-1.
    horizon : weeks.
    onset : (K,) rate of the time course on treatment, 1/week.
    plateau, rate : (K,) of the return after stopping: share, 1/week. A negative plateau counts as none, one above 1
        (an overshoot) is kept.

    Returns
    -------
    (K,) 1 where nobody stops, 0 where all stop at once.

    Raises
    ------
    ValueError : a share outside 0-1, or a horizon or rate that is not positive.
    """
    stopped, onset, plateau, rate = np.broadcast_arrays(*map(np.atleast_1d, (stopped, onset, plateau, rate)))
    if np.any((stopped < 0) | (stopped > 1)):
        raise ValueError("the share that stops lies between 0 and 1")
    if not horizon > 0 or np.any(onset <= 0) or np.any(rate <= 0):
        raise ValueError("the horizon and the rates must be positive")
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    fraction = 0.5 * (nodes + 1.0)
    # Quantiles of the times of stopping among those who stop: the integral is over people, not over weeks.
    log_stay = np.log1p(-np.minimum(stopped, EVERYBODY))[:, None]
    hazard = -log_stay / horizon
    share = -np.expm1(log_stay)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(hazard > 0, -np.log1p(-fraction * share) / hazard, fraction * horizon)
    reached = -np.expm1(-onset[:, None] * times) / -np.expm1(-onset[:, None] * horizon)
    lost = returned(np.maximum(plateau, 0.0)[:, None], rate[:, None], horizon - times)
    kept = (reached * (1.0 - lost)) @ (0.5 * weights)
    return np.asarray(np.where(stopped >= EVERYBODY, 0.0, (1.0 - stopped) + stopped * kept))


def adherence_share(adherence: FloatArray, dose_ratio: float, half_dose: FloatArray | float) -> FloatArray:
    """Effect of a share of the doses over that of all of them, on the Emax curve of the dose.

    Parameters
    ----------
    adherence : share of the doses taken, 0-1, any shape.
    dose_ratio : dose over the drug's reference dose; half_dose : dose of the half-maximal effect in the same unit.

    Returns
    -------
    0 where nothing is taken, 1 where all is; never falls as adherence rises.

    Raises
    ------
    ValueError : adherence outside 0-1, or a dose that is not positive.
    """
    adherence = np.asarray(adherence, dtype=float)
    if np.any((adherence < 0) | (adherence > 1)):
        raise ValueError("adherence lies between 0 and 1")
    if not dose_ratio > 0 or np.any(np.asarray(half_dose) <= 0):
        raise ValueError("doses must be positive")
    return np.asarray(adherence * (dose_ratio + half_dose) / (adherence * dose_ratio + half_dose))


def stopped_by(persistence: float, at_weeks: float, weeks: float) -> float:
    """Share that has stopped by `weeks`, from the share still on treatment at `at_weeks`, at a constant hazard."""
    if not 0.0 <= persistence <= 1.0:
        raise ValueError("persistence lies between 0 and 1")
    return float(1.0 - persistence ** (weeks / at_weeks))


def efficacy_of(effect: FloatArray, on_treatment: float, policy: FloatArray) -> FloatArray:
    """The effect had all gone on, from a predicted effect that mixes figures of both kinds.

    Parameters
    ----------
    effect : (K,) predicted effect over control.
    on_treatment : share of the evidence (by weight) that is itself an efficacy estimate, 0-1.
    policy : (K,) from `policy_share`, for the trials that the evidence comes from.
    """
    return np.asarray(effect / (on_treatment + (1.0 - on_treatment) * policy))
