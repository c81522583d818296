"""The hierarchical normal model, solved exactly for given hyperparameters. NumPy and SciPy only.

With design columns F (class, drug, dose, covariates), weights w ~ Normal(0, D), trial, arm and residual heterogeneity
and known sampling covariance S, the responses are jointly normal with covariance `K = F D F' + B + S`. That is a linear
mixed model, equally a Gaussian process, and conditioning it is exact (Rasmussen and Williams 2006, chapter 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky

from tools.response.features import (
    TRIAL_SHARE,
    FloatArray,
    Layout,
    ResponseData,
    approach,
    background_matrix,
    effect_matrix,
    emax,
    signed_one_hot,
)
from tools.response.parameters import Priors

# Keeps the covariance positive definite when two rows are the same figure; in units of the standardised variance.
JITTER = 1e-8


@dataclass(frozen=True)
class Node:
    """The posterior of the column weights for one set of hyperparameters.

    Attributes
    ----------
    gain : (P, N) posterior mean per unit of response: `mean = gain @ y`.
    mean : (P,); covariance : (P, P).
    residual, leave_one_out_sd : (N,) response minus its prediction from all other rows, and that prediction's SD.
    """

    gain: FloatArray
    mean: FloatArray
    covariance: FloatArray
    residual: FloatArray
    leave_one_out_sd: FloatArray


@dataclass(frozen=True)
class _Columns:
    """Columns at one point of the hyperparameters, and what their derivatives need."""

    background: FloatArray
    effect: FloatArray
    study_drug: FloatArray
    effect_by_dose: FloatArray
    study_drug_by_dose: FloatArray
    approach: FloatArray
    approach_slope: FloatArray


class ResponseModel:
    """Marginal posterior of the log hyperparameters, and the exact posterior of the columns given them.

    Parameters
    ----------
    data : N standardised figures.
    layout : meaning of the columns.
    priors : priors of all hyperparameters.

    Attributes
    ----------
    names : hyperparameters that enter the model, in the order of `eta`.
    """

    def __init__(self, data: ResponseData, layout: Layout, priors: Priors) -> None:
        self.data = data
        self.layout = layout
        self.names = _hyperparameters(data, layout)
        self.priors = priors.subset(self.names)
        self.free = np.flatnonzero(self.priors.sd > 0)
        contrast = data.contrast[:, None].astype(float)
        self._background = background_matrix(data.plus) - contrast * background_matrix(data.minus)
        self._effect_plus = effect_matrix(data.plus, layout)
        self._effect_minus = contrast * effect_matrix(data.minus, layout)
        no_contrast = np.zeros(len(data), dtype=bool)
        plus = signed_one_hot(data.study_drug_plus, data.study_drug_minus, no_contrast)
        both = signed_one_hot(data.study_drug_plus, data.study_drug_minus, data.contrast)
        self._study_drug_plus, self._study_drug_minus = plus, plus - both
        single = (~data.contrast).astype(float)
        same_trial = (data.trial[:, None] == data.trial[None, :]).astype(float)
        same_study = (data.study[:, None] == data.study[None, :]).astype(float)
        shared = TRIAL_SHARE * same_trial + (1 - TRIAL_SHARE) * same_study
        arm = signed_one_hot(data.arm_plus, data.arm_minus, data.contrast)
        visit = signed_one_hot(data.visit_plus, data.visit_minus, data.contrast)
        self._grams = {"study": shared * np.outer(single, single), "arm": arm @ arm.T, "row": visit @ visit.T}
        self._blocks = layout.background_blocks() + layout.effect_blocks()
        self.n_columns = len(self._blocks)

    def value(self, eta: FloatArray) -> float:
        """Log posterior density of the hyperparameters, up to a constant."""
        return self._evaluate(eta, gradient=False)[0]

    def value_and_gradient(self, eta: FloatArray) -> tuple[float, FloatArray]:
        """Log posterior density and its gradient (H,)."""
        return self._evaluate(eta, gradient=True)

    def deviations(self, eta: FloatArray) -> dict[str, float]:
        """Hyperparameters by name, on their natural scale."""
        return {name: float(np.exp(value)) for name, value in zip(self.names, eta, strict=True)}

    def node(self, eta: FloatArray) -> Node:
        """Exact posterior of the columns given the hyperparameters."""
        columns, covariance = self._covariance(eta)
        factor = cholesky(covariance, lower=True, check_finite=False)
        design = np.hstack([columns.background, columns.effect])
        variance = self.column_variance(eta)
        inverse = cho_solve((factor, True), np.eye(len(self.data)), check_finite=False)
        gain = (design * variance).T @ inverse
        weights = inverse @ self.data.y
        precision = np.diag(inverse)
        posterior = -gain @ (design * variance)
        posterior[np.diag_indices_from(posterior)] += variance
        return Node(
            gain=gain,
            mean=gain @ self.data.y,
            covariance=0.5 * (posterior + posterior.T),
            # Closed-form leave-one-out prediction (Sundararajan and Keerthi 2001).
            residual=weights / precision,
            leave_one_out_sd=1.0 / np.sqrt(precision),
        )

    def held_out(self, eta: FloatArray) -> FloatArray:
        """Each response minus its prediction from all other trials, over that prediction's SD (N,).

        Closed form for a trial g: the error is C a_g with a = K⁻¹ y, and its covariance is C = (K⁻¹_gg)⁻¹ (Sundararajan
        and Keerthi 2001, for groups). The hyperparameters have seen the trial.
        """
        _, covariance = self._covariance(eta)
        factor = cholesky(covariance, lower=True, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(len(self.data)), check_finite=False)
        weights = inverse @ self.data.y
        standard = np.empty(len(self.data))
        for trial in np.unique(self.data.trial):
            rows = np.flatnonzero(self.data.trial == trial)
            own = np.linalg.inv(inverse[np.ix_(rows, rows)])
            standard[rows] = own @ weights[rows] / np.sqrt(np.diag(own))
        return standard

    def column_variance(self, eta: FloatArray) -> FloatArray:
        """Prior variance of each column weight (P,)."""
        sd = self.deviations(eta)
        fixed = {"intercept": self.priors.intercept_sd, "active": self.priors.active_sd}
        return np.array([(fixed[block] if block in fixed else sd[block]) ** 2 for block in self._blocks])

    def _columns(self, eta: FloatArray) -> _Columns:
        sd = self.deviations(eta)
        weeks, plus, minus = self.data.plus.weeks, self.data.plus, self.data.minus
        course, course_slope = (
            (np.ones_like(weeks), np.zeros_like(weeks)) if self.layout.immediate else approach(weeks, sd["rate"])
        )
        dose_plus, slope_plus = emax(plus.dose_ratio, sd["half_dose"])
        dose_minus, slope_minus = emax(minus.dose_ratio, sd["half_dose"])

        def combine(first: FloatArray, second: FloatArray, by: tuple[FloatArray, FloatArray]) -> FloatArray:
            return np.asarray(course[:, None] * (by[0][:, None] * first - by[1][:, None] * second))

        dose, slope = (dose_plus, dose_minus), (slope_plus, slope_minus)
        scale = course[:, None] if self.layout.starts_at_zero else 1.0
        return _Columns(
            background=self._background * scale,
            effect=combine(self._effect_plus, self._effect_minus, dose),
            study_drug=combine(self._study_drug_plus, self._study_drug_minus, dose),
            effect_by_dose=combine(self._effect_plus, self._effect_minus, slope),
            study_drug_by_dose=combine(self._study_drug_plus, self._study_drug_minus, slope),
            approach=course,
            approach_slope=course_slope,
        )

    def _covariance(self, eta: FloatArray) -> tuple[_Columns, FloatArray]:
        sd = self.deviations(eta)
        columns = self._columns(eta)
        design = np.hstack([columns.background, columns.effect])
        covariance = (design * self.column_variance(eta)) @ design.T
        covariance += sd["study_drug"] ** 2 * (columns.study_drug @ columns.study_drug.T)
        shared = sd["study"] ** 2 * self._grams["study"]
        if "arm" in sd:
            shared = shared + sd["arm"] ** 2 * self._grams["arm"]
        if self.layout.starts_at_zero:
            shared = shared * np.outer(columns.approach, columns.approach)
        covariance += shared + sd["row"] ** 2 * self._grams["row"] + self.data.sampling
        covariance[np.diag_indices_from(covariance)] += JITTER
        return columns, covariance

    def _evaluate(self, eta: FloatArray, *, gradient: bool) -> tuple[float, FloatArray]:
        y = self.data.y
        columns, covariance = self._covariance(eta)
        factor = cholesky(covariance, lower=True, check_finite=False)
        alpha = cho_solve((factor, True), y, check_finite=False)
        value = -0.5 * float(y @ alpha) - float(np.log(np.diag(factor)).sum())
        free = self.free
        standard = (eta[free] - self.priors.mean[free]) / self.priors.sd[free]
        value -= 0.5 * float(standard @ standard)
        slope = np.zeros(len(eta))
        if gradient:
            inverse = cho_solve((factor, True), np.eye(len(y)), check_finite=False)
            slope = self._slope(eta, columns, np.outer(alpha, alpha) - inverse)
            slope[free] -= standard / self.priors.sd[free]
        return value, slope

    def _slope(self, eta: FloatArray, columns: _Columns, weight: FloatArray) -> FloatArray:
        """Gradient of the log marginal likelihood: half the trace of `weight` times dK/d eta."""
        sd = self.deviations(eta)
        variance = self.column_variance(eta)
        design = np.hstack([columns.background, columns.effect])
        pulled = weight @ design
        by_column = variance * np.einsum("np,np->p", design, pulled)
        by_name = dict.fromkeys(self.names, 0.0)
        for block, amount in zip(self._blocks, by_column, strict=True):
            if block in by_name:
                by_name[block] += float(amount)
        pulled_drug = weight @ columns.study_drug
        drug_variance = sd["study_drug"] ** 2
        by_name["study_drug"] = drug_variance * float(np.sum(columns.study_drug * pulled_drug))
        course, course_slope = columns.approach, columns.approach_slope
        grams = {name: self._grams[name] for name in ("study", "arm") if name in sd}
        weighted = {name: weight * gram for name, gram in grams.items()}
        scale = course if self.layout.starts_at_zero else np.ones_like(course)
        for name, part in weighted.items():
            by_name[name] = sd[name] ** 2 * float(scale @ part @ scale)
        by_name["row"] = sd["row"] ** 2 * float(np.sum(weight * self._grams["row"]))
        # Time course: every scaled column moves in proportion to d(1 - exp(-rate t)).
        relative = course_slope / course
        start = 0 if self.layout.starts_at_zero else columns.background.shape[1]
        by_rate = float(relative @ np.sum((pulled * variance * design)[:, start:], axis=1))
        by_rate += drug_variance * float(relative @ np.sum(pulled_drug * columns.study_drug, axis=1))
        if self.layout.starts_at_zero:
            by_rate += sum(sd[name] ** 2 * float(course_slope @ part @ course) for name, part in weighted.items())
        by_name["rate"] = by_rate
        n_background = columns.background.shape[1]
        by_dose = float(np.sum((pulled * variance)[:, n_background:] * columns.effect_by_dose))
        by_name["half_dose"] = by_dose + drug_variance * float(np.sum(pulled_drug * columns.study_drug_by_dose))
        return np.array([by_name[name] for name in self.names])


def _hyperparameters(data: ResponseData, layout: Layout) -> tuple[str, ...]:
    """Those that some column or row depends on, and those that a new drug or dose would need."""
    names = ["class", "drug", "dose"]
    if layout.n_background:
        names.append("background_slope")
    if layout.n_modifiers:
        names.append("modifier")
    if layout.baseline is not None:
        names += ["baseline_slope", "baseline_modifier"]
    if layout.class_modifiers:
        names.append("class_modifier")
    names += ["study", "study_drug"]
    if data.has_repeated_visits:
        names.append("arm")
    names.append("row")
    if not layout.immediate:
        names.append("rate")
    return (*names, "half_dose")
