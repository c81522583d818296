"""Forecasts of held-out figures from their designs: the engine's and the baselines', sampling error included.

A published percentage is a count over a size, so it cannot be everything between 0 and 100: the engine's shares are put
through the binomial, and intervals reach half a participant further on either side, to the edges of their last counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tools.response.assemble import Prepared
from tools.response.baselines import Baseline, class_mean, grand_mean, ridge
from tools.response.features import Arms, FloatArray
from tools.response.mixture import Prediction
from tools.response.posterior import Posterior

LEVELS = (0.5, 0.8, 0.9)
METHODS = ("response_engine", "grand_mean", "class_mean", "ridge")
# Joint draws for proportions and their differences.
DRAWS = 4000
_PROBABILITIES = np.array([0.5, *(0.5 + side * level / 2 for level in LEVELS for side in (-1, 1))])


@dataclass(frozen=True)
class Forecast:
    """A point and central intervals, level -> (lower, upper), in the endpoint's unit."""

    point: float
    intervals: Mapping[float, tuple[float, float]]


@dataclass(frozen=True)
class HeldOut:
    """Held-out arms of one trial as predicted: everything that forecasts are made from.

    Attributes
    ----------
    prediction : joint, sampling error included (continuous), or of the true shares (proportions).
    baselines : method -> means and SDs of published figures, model scale.
    sizes : (m,) participants.
    counts : (K, m) joint draws of published percentages; None for continuous endpoints.
    """

    prediction: Prediction
    baselines: Mapping[str, Baseline]
    sizes: FloatArray
    counts: FloatArray | None

    def arm(self, index: int) -> dict[str, Forecast]:
        """Forecasts of one arm's figure, by method."""
        margin = self._margin(index)
        if self.counts is None:
            quantiles = self.prediction.quantiles(_PROBABILITIES)[:, index]
        else:
            quantiles = np.quantile(self.counts[:, index], _PROBABILITIES)
        found = {"response_engine": _forecast(quantiles, margin, self.prediction.proportion)}
        for name, baseline in self.baselines.items():
            latent = baseline.means[index] + baseline.sds[index] * ndtri(_PROBABILITIES)
            found[name] = _forecast(self.prediction.to_endpoint(latent), margin, self.prediction.proportion)
        return found

    def difference(self, first: int, second: int) -> dict[str, Forecast]:
        """Forecasts of the difference of two arms' figures, by method.

        Baselines know no shared background: they take the deviations of the two arms as independent.
        """
        margin = self._margin(first) + self._margin(second)
        if self.counts is None:
            quantiles = self.prediction.difference(first, second).quantiles(_PROBABILITIES)[:, 0]
        else:
            quantiles = np.quantile(self.counts[:, first] - self.counts[:, second], _PROBABILITIES)
        found = {"response_engine": _forecast(quantiles, margin, False)}
        for name, baseline in self.baselines.items():
            means, sds = baseline.means[[first, second]], baseline.sds[[first, second]]
            centre = self.prediction.to_endpoint(means)
            # To first order: the SD of the endpoint is the slope of the link times the SD of the model's scale.
            slope = centre * (1 - centre / 100.0) if self.prediction.proportion else self.prediction.scale
            spread = float(np.sqrt(np.sum((slope * sds) ** 2)))
            found[name] = _forecast(centre[0] - centre[1] + spread * ndtri(_PROBABILITIES), margin, False)
        return found

    def _margin(self, index: int) -> float:
        """Half a participant in %, for proportions."""
        return 50.0 / float(self.sizes[index]) if self.counts is not None else 0.0


def predict_held_out(
    posterior: Posterior, prepared: Prepared, arms: Arms, sizes: FloatArray, printed: Sequence[float]
) -> HeldOut:
    """Predict arms of one trial that the fit has not seen.

    Parameters
    ----------
    posterior, prepared : the fit without the trial.
    arms : m designs; sizes : (m,) participants, NaN where not published.
    printed : standard errors in the endpoint's unit, used only where there is no size or no typical SD: not a result,
        but published with it.
    """
    prediction = posterior.predict(arms)
    counts = None
    if prediction.proportion:
        shares = np.clip(prediction.draws(DRAWS) / 100.0, 0.0, 1.0)
        whole = sizes.astype(np.int64)
        counts = 100.0 * np.random.Generator(np.random.PCG64(20261123)).binomial(whole, shares) / whole
    else:
        variance = np.square(printed) / prepared.data.scale**2
        if prepared.selection.individual_sd is not None:
            known = prediction.sampling_variance(np.where(np.isnan(sizes), 1.0, sizes), prepared.data.individual_sd)
            variance = np.where(np.isnan(sizes), variance, known)
        prediction = posterior.predict(arms, sampling_variance=variance)
    return HeldOut(prediction, _baselines(prepared, arms), sizes, counts)


def _baselines(prepared: Prepared, arms: Arms) -> dict[str, Baseline]:
    if prepared.data.contrast.all():
        nothing = Baseline(np.zeros(len(arms)), np.ones(len(arms)))
        return {"grand_mean": nothing, "class_mean": nothing, "ridge": nothing}
    return {
        "grand_mean": grand_mean(prepared.data, arms),
        "class_mean": class_mean(prepared.data, arms),
        "ridge": ridge(prepared.data, prepared.layout, arms),
    }


def _forecast(quantiles: FloatArray, margin: float, share: bool) -> Forecast:
    ends = quantiles[1:].reshape(len(LEVELS), 2) + np.array([-margin, margin])
    if share:
        ends = np.clip(ends, 0.0, 100.0)
    intervals = {level: (float(low), float(high)) for level, (low, high) in zip(LEVELS, ends, strict=True)}
    return Forecast(float(quantiles[0]), intervals)
