"""What a fit knows: nodes with exact posteriors, and predictions for new designs. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.response.features import (
    Arms,
    FloatArray,
    Layout,
    approach,
    background_matrix,
    departure_residual,
    effect_matrix,
    emax,
)
from tools.response.mixture import Prediction


@dataclass(frozen=True)
class Posterior:
    """A fitted model.

    Attributes
    ----------
    layout, scale : meaning of the columns, and the response's unit in the endpoint's unit.
    names : hyperparameters, columns of `eta`.
    eta, weights : (J, H) nodes of the log hyperparameters and (J,) how much each counts.
    means, covariances : (J, P), (J, P, P) exact posterior of the column weights at each node.
    mode : (H,); gain : (P, N) posterior mean of the columns per unit of response, at the mode.
    y : (N,) standardised responses.
    residual, residual_sd : (N,) each response minus its prediction from all others at the mode, and that prediction's
        SD. Hyperparameters are not refitted: a screen for figures that disagree, not a backtest.
    widening : factor on the standard deviations of what a new trial would report, from held-out errors
        (`solve.widening_of`).
    """

    layout: Layout
    scale: float
    names: tuple[str, ...]
    eta: FloatArray
    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    mode: FloatArray
    gain: FloatArray
    y: FloatArray
    residual: FloatArray
    residual_sd: FloatArray
    widening: float = 1.0

    @property
    def effective_nodes(self) -> float:
        """Kish's effective number of nodes."""
        return float(1.0 / np.sum(self.weights**2))

    def hyperparameters(self) -> dict[str, float]:
        """Posterior medians (by node weight) of the hyperparameters, standardised units."""
        medians = {}
        for index, name in enumerate(self.names):
            order = np.argsort(self.eta[:, index])
            cumulative = np.cumsum(self.weights[order])
            middle = order[min(int(np.searchsorted(cumulative, 0.5)), len(order) - 1)]
            medians[name] = float(np.exp(self.eta[middle, index]))
        return medians

    def predict(self, arms: Arms, *, new_trial: bool = True, sampling_variance: FloatArray | None = None) -> Prediction:
        """Joint predictive distribution of the mean responses of m designs within one new trial.

        Parameters
        ----------
        arms : m designs. Designs with equal drug index share the trial's deviation for that drug.
        new_trial : include trial, arm and residual heterogeneity (what a new trial would report before sampling
            error); without it, the mean over trials of that design.
        sampling_variance : (m,) added on the model's scale, for arms of a stated size.
        """
        count = len(arms)
        background = background_matrix(arms)
        effect = effect_matrix(arms, self.layout)
        departure = departure_residual(arms, self.layout)
        active = arms.drug_class >= 0
        unseen = arms.drug >= self.layout.n_drugs
        same_drug = (arms.drug[:, None] == arms.drug[None, :]) & active[:, None]
        unseen_class = arms.drug_class >= self.layout.n_classes
        new_class = (arms.drug_class[:, None] == arms.drug_class[None, :]) & unseen_class[:, None]
        means = np.empty((len(self.weights), count))
        covariances = np.empty((len(self.weights), count, count))
        for index, eta in enumerate(self.eta):
            sd = self._deviations(eta)
            design, scale, strength = self._design(arms, background, effect, sd)
            means[index] = design @ self.means[index]
            covariance = design @ self.covariances[index] @ design.T
            extra = sd["dose"] ** 2 * departure + sd["drug"] ** 2 * (same_drug & unseen[:, None])
            extra = extra + sd["class"] ** 2 * new_class
            if new_trial:
                extra = extra + sd["study_drug"] ** 2 * same_drug
                covariance += sd["study"] ** 2 * np.outer(scale, scale)
                own = sd.get("arm", 0.0) ** 2 * scale**2 + sd["row"] ** 2
                covariance[np.diag_indices(count)] += own
            covariance += extra * np.outer(strength, strength)
            if sampling_variance is not None:
                covariance[np.diag_indices(count)] += sampling_variance
            covariances[index] = covariance * (self.widening**2 if new_trial else 1.0)
        immediate = self.layout.immediate
        proportion = not (self.layout.starts_at_zero or immediate)
        return Prediction(self.weights, means, covariances, self.scale, proportion, log=immediate)

    def expected(self, arms: Arms) -> FloatArray:
        """Posterior means (m,) on the model's scale, without variances; for many designs at once."""
        background, effect = background_matrix(arms), effect_matrix(arms, self.layout)
        total = np.zeros(len(arms))
        for index, eta in enumerate(self.eta):
            design, _, _ = self._design(arms, background, effect, self._deviations(eta))
            total += self.weights[index] * (design @ self.means[index])
        return total

    def influence(self, arms: Arms, combination: FloatArray) -> FloatArray:
        """Weights (N,) of the published figures in the posterior mean of a combination of designs, model scale.

        `weights @ y` is that posterior mean at the mode of the hyperparameters: the rows of `k' K^-1`.
        """
        design, _, _ = self._design(
            arms, background_matrix(arms), effect_matrix(arms, self.layout), self._deviations(self.mode)
        )
        return np.asarray((combination @ design) @ self.gain)

    def _deviations(self, eta: FloatArray) -> dict[str, float]:
        return {name: float(np.exp(value)) for name, value in zip(self.names, eta, strict=True)}

    def _design(
        self, arms: Arms, background: FloatArray, effect: FloatArray, sd: dict[str, float]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        course = np.ones(len(arms)) if self.layout.immediate else approach(arms.weeks, sd["rate"])[0]
        dose, _ = emax(arms.dose_ratio, sd["half_dose"])
        scale = course if self.layout.starts_at_zero else np.ones(len(arms))
        strength = course * dose
        return np.hstack([background * scale[:, None], effect * strength[:, None]]), scale, strength
