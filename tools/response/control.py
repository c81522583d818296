"""A control arm that the user has observed: what it tells about the other arms of the same trial. Arrays in, arrays out.

Arms of one trial share its deviation from other trials. Where the control arm is known, from an interim look or from a
historical cohort taken to be exchangeable with it, the forecast of the treated arm moves with it and becomes narrower.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.response.features import FloatArray
from tools.response.mixture import Prediction


@dataclass(frozen=True)
class ObservedArm:
    """What one arm of the predicted trial has been seen to report.

    Attributes
    ----------
    index : of the arm among the treatments.
    weeks : from the start of treatment.
    value, variance : on the model's scale (`given_arm`).
    told : the figure as it was given, in words.
    """

    index: int
    weeks: float
    value: float
    variance: float
    told: str = ""


def given_observed(prediction: Prediction, where: int, observed: ObservedArm) -> Prediction:
    """As `given_arm`, for the design at `where`."""
    return given_arm(prediction, where, observed.value, observed.variance)


def forecast_of(prediction: Prediction, observed: ObservedArm, level: float) -> tuple[float, float]:
    """The interval, in the endpoint's unit, in which the observed figure was to be expected before it was seen."""
    covariances = prediction.covariances.copy()
    covariances[:, observed.index, observed.index] += observed.variance
    tails = np.array([0.5 - level / 2, 0.5 + level / 2])
    low, high = replace(prediction, covariances=covariances).quantiles(tails)[:, observed.index]
    return float(low), float(high)


def given_arm(prediction: Prediction, index: int, value: float, variance: float) -> Prediction:
    """The prediction of all arms, conditional on what one of them reported.

    Each normal of the mixture is conditioned exactly (Rasmussen and Williams 2006, equation A.6) and weighted by how
    well it had forecast the figure.

    Parameters
    ----------
    prediction : joint, of true cohort means.
    index : the observed arm.
    value : its figure on the model's scale (log odds for proportions, else over `prediction.scale`).
    variance : sampling variance of the figure on that scale, above 0.

    Returns
    -------
    Joint prediction of the true means of all arms; the observed one's is a compromise of figure and forecast.
    """
    if not variance > 0 or not np.isfinite(value):
        raise ValueError("an observed arm needs a finite value and a sampling variance above 0")
    own = prediction.covariances[:, index, index] + variance
    error = value - prediction.means[:, index]
    gain = prediction.covariances[:, :, index] / own[:, None]
    means = prediction.means + gain * error[:, None]
    covariances = prediction.covariances - gain[:, :, None] * prediction.covariances[:, None, index, :]
    covariances = 0.5 * (covariances + np.swapaxes(covariances, 1, 2))
    log_weight = np.log(np.maximum(prediction.weights, 1e-300)) - 0.5 * (np.log(own) + error**2 / own)
    weights: FloatArray = np.exp(log_weight - log_weight.max())
    return replace(prediction, weights=weights / weights.sum(), means=means, covariances=covariances)
