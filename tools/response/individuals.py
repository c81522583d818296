"""Person-to-person spread around a predicted cohort mean. Arrays in, arrays out.

A person's change is the cohort mean, plus what their own covariates move it by (the model's slopes), plus a normal
residual. The residual SD is what is left of the person-to-person SD that trials report once the covariate part is taken
out, so that a cohort as varied as a trial spreads as a trial does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from tools.response.features import FloatArray
from tools.response.mixture import mixture_quantiles

# Whatever covariates explain, at least half of the person-to-person SD stays unexplained: slopes seen between trials
# are no licence to predict persons.
MIN_RESIDUAL = 0.5


@dataclass(frozen=True)
class Individuals:
    """Changes of M virtual patients on one treatment, before the residual.

    Attributes
    ----------
    deviations : (M,) of each patient's expected change from the cohort mean, mean 0.
    residual_sd : SD of a person around their expected change.
    """

    deviations: FloatArray
    residual_sd: float

    def quantiles(self, cohort_mean: float, probabilities: FloatArray) -> FloatArray:
        """Quantiles (q,) of the changes of individuals, given the cohort mean."""
        count = len(self.deviations)
        weights, sds = np.full(count, 1.0 / count), np.full((count, 1), self.residual_sd)
        return mixture_quantiles(weights, cohort_mean + self.deviations[:, None], sds, probabilities)[:, 0]

    def share_below(self, cohort_means: FloatArray, thresholds: FloatArray) -> FloatArray:
        """Share of individuals (0-1) at or below their threshold, for each of K cohort means.

        Parameters
        ----------
        cohort_means : (K,).
        thresholds : (M,) one for each patient (e.g. -5 % of their weight), or (1,) for all.
        """
        # All patients against K means at once: K x M numbers.
        distance = thresholds[None, :] - cohort_means[:, None] - self.deviations[None, :]
        return np.asarray(ndtr(distance / self.residual_sd).mean(axis=1))


def individuals(expected: FloatArray, individual_sd: float) -> Individuals:
    """Individuals from expected changes of M patients (any common shift) and the typical person-to-person SD.

    Raises
    ------
    ValueError : `individual_sd` is not positive.
    """
    if not individual_sd > 0:
        raise ValueError("the person-to-person SD must be positive")
    deviations = expected - expected.mean()
    explained = min(float(deviations.var()), (1.0 - MIN_RESIDUAL**2) * individual_sd**2)
    observed = float(deviations.std())
    # Slopes that claim more than trials show are scaled back to what is left for them.
    if observed > 0:
        deviations = deviations * min(1.0, float(np.sqrt(explained)) / observed)
    return Individuals(deviations, float(np.sqrt(individual_sd**2 - explained)))
