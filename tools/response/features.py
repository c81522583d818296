"""Trial arms as numbers: the columns of the hierarchical model. Arrays in, arrays out.

A response is `background + effect`. The background belongs to the trial and to its covariates; the effect to class,
drug, dose and effect modifiers, and is nought for control arms. Both approach their end value as `1 - exp(-rate t)`
where the response starts from nought (identity link); on the logit scale only the effect does, on the log scale of
hazards and rates neither. The effect follows an
Emax curve in dose, scaled to 1 at the drug's reference dose (as in model-based meta-analysis, Mandema et al 2011), with
a smooth departure from it in log dose, drug by drug.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CONTROL = -1
# Length scale of the smooth departure from Emax, in natural-log dose: doses a factor of 2.7 apart correlate 0.61.
LENGTH_SCALE = 1.0
# Share of a trial's background deviation that its reported subgroups have in common.
TRIAL_SHARE = 0.7


@dataclass(frozen=True)
class Arms:
    """M arms (or designs asked about) as numbers.

    Attributes
    ----------
    drug_class : (M,) class index, -1 for controls; an index beyond the layout's classes is a class without evidence.
    drug : (M,) drug index, -1 for controls; an index beyond the layout's drugs is a drug without evidence.
    dose_ratio : (M,) dose over the drug's reference dose; 1 when not stated.
    weeks : (M,) weeks from the start of treatment.
    background : (M, B) standardised study covariates.
    modifiers : (M, Q) standardised effect modifiers.
    """

    drug_class: IntArray
    drug: IntArray
    dose_ratio: FloatArray
    weeks: FloatArray
    background: FloatArray
    modifiers: FloatArray

    def __len__(self) -> int:
        return len(self.drug)

    def take(self, index: IntArray | list[int]) -> Arms:
        """The arms at these positions."""
        return Arms(
            self.drug_class[index],
            self.drug[index],
            self.dose_ratio[index],
            self.weeks[index],
            self.background[index],
            self.modifiers[index],
        )


@dataclass(frozen=True)
class Layout:
    """What the columns mean.

    Attributes
    ----------
    n_classes, n_drugs, n_background, n_modifiers : sizes.
    knots : per drug, the natural logs of its studied dose ratios other than 1.
    class_modifiers : modifiers whose slope may differ between classes.
    starts_at_zero : True when the response is a change, nought at the start (identity link).
    n_kinds : how many of the first background columns say that a row is of another statistic than most; each has a
        level of its own.
    baseline : background column and modifier of the endpoint's own value at the start, where it is known. Change depends
        on it more than on any other covariate, so its slopes have priors of their own.
    immediate : True when effects are log ratios of hazards or rates: they hold from the start, without a time course.
    """

    n_classes: int
    n_drugs: int
    n_background: int
    n_modifiers: int
    knots: tuple[FloatArray, ...]
    class_modifiers: tuple[int, ...]
    starts_at_zero: bool
    n_kinds: int = 0
    baseline: tuple[int, int] | None = None
    immediate: bool = False

    def background_blocks(self) -> list[str]:
        """Prior block of each background column."""
        blocks = ["intercept"] * (1 + self.n_kinds) + ["background_slope"] * (self.n_background - self.n_kinds)
        if self.baseline is not None:
            blocks[1 + self.baseline[0]] = "baseline_slope"
        return blocks

    def effect_blocks(self) -> list[str]:
        """Prior block of each effect column."""
        blocks = ["active"] + ["class"] * self.n_classes + ["drug"] * self.n_drugs
        blocks += ["dose"] * sum(len(knots) for knots in self.knots)
        modifiers = ["modifier"] * self.n_modifiers
        if self.baseline is not None:
            modifiers[self.baseline[1]] = "baseline_modifier"
        blocks += modifiers
        return blocks + ["class_modifier"] * (self.n_classes * len(self.class_modifiers))


def departure_kernel(first: FloatArray, second: FloatArray) -> FloatArray:
    """Covariance of the departure from Emax at log dose ratios `first` (n,) and `second` (m,), variance 1 far off.

    A squared-exponential kernel conditioned on nought at the reference dose, where the drug effect itself is defined.
    """

    def smooth(a: FloatArray, b: FloatArray) -> FloatArray:
        distance = (a[:, None] - b[None, :]) / LENGTH_SCALE
        return np.asarray(np.exp(-0.5 * distance**2))

    origin = np.zeros(1)
    return smooth(first, second) - smooth(first, origin) @ smooth(origin, second)


def _knot_factor(knots: FloatArray) -> FloatArray:
    """Inverse transpose of the Cholesky factor of the kernel at the knots, so that columns have unit prior variance."""
    kernel = departure_kernel(knots, knots) + 1e-8 * np.eye(len(knots))
    return np.asarray(np.linalg.inv(np.linalg.cholesky(kernel)).T)


def background_matrix(arms: Arms) -> FloatArray:
    """Background columns (M, 1 + B), before the time course."""
    return np.hstack([np.ones((len(arms), 1)), arms.background])


def effect_matrix(arms: Arms, layout: Layout) -> FloatArray:
    """Effect columns (M, P), before time course and Emax; rows of controls are nought."""
    count = len(arms)
    active = arms.drug_class >= 0
    classes = _one_hot(np.where(arms.drug_class < layout.n_classes, arms.drug_class, CONTROL), layout.n_classes)
    drugs = _one_hot(np.where(arms.drug < layout.n_drugs, arms.drug, CONTROL), layout.n_drugs)
    log_ratio = np.log(arms.dose_ratio)
    doses = []
    for drug, knots in enumerate(layout.knots):
        if len(knots):
            columns = np.zeros((count, len(knots)))
            rows = arms.drug == drug
            columns[rows] = departure_kernel(log_ratio[rows], knots) @ _knot_factor(knots)
            doses.append(columns)
    slopes = [classes * arms.modifiers[:, [index]] for index in layout.class_modifiers]
    parts = [active[:, None].astype(float), classes, drugs, *doses, arms.modifiers * active[:, None], *slopes]
    return np.hstack(parts)


def departure_residual(arms: Arms, layout: Layout) -> FloatArray:
    """Covariance (M, M), per unit dose variance, of what the knots do not say about the departure at these doses."""
    log_ratio = np.log(arms.dose_ratio)
    residual = np.zeros((len(arms), len(arms)))
    for drug in np.unique(arms.drug[arms.drug >= 0]):
        rows = np.flatnonzero(arms.drug == drug)
        kernel = departure_kernel(log_ratio[rows], log_ratio[rows])
        knots = layout.knots[drug] if drug < layout.n_drugs else np.empty(0)
        if len(knots):
            known = departure_kernel(log_ratio[rows], knots) @ _knot_factor(knots)
            kernel = kernel - known @ known.T
        residual[np.ix_(rows, rows)] = kernel
    return residual


def approach(weeks: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Time course `1 - exp(-rate t)` and its derivative by log rate."""
    decay = np.exp(-rate * weeks)
    return 1.0 - decay, rate * weeks * decay


def emax(ratio: FloatArray, half_dose: float) -> tuple[FloatArray, FloatArray]:
    """Emax curve `x (1 + h) / (x + h)`, 1 at the reference dose, and its derivative by log h."""
    total = ratio + half_dose
    return ratio * (1.0 + half_dose) / total, half_dose * ratio * (ratio - 1.0) / total**2


def _one_hot(index: IntArray, size: int) -> FloatArray:
    columns = np.zeros((len(index), size))
    rows = np.flatnonzero(index >= 0)
    columns[rows, index[rows]] = 1.0
    return columns


@dataclass(frozen=True)
class ResponseData:
    """N published figures of one endpoint, standardised.

    A figure is the mean response of an arm (`contrast` False, `minus` unused), or a difference of two arms of one trial.

    Attributes
    ----------
    y : (N,) response over `scale` (or logits).
    sampling : (N, N) known sampling covariance.
    plus, minus : the arms; contrast : (N,) True where `minus` is subtracted.
    trial, study : (N,) index of the trial, and of trial x cohort.
    arm_plus, arm_minus, visit_plus, visit_minus : (N,) index of arm and of arm x visit; -1 for none.
    study_drug_plus, study_drug_minus : (N,) index of study x drug, -1 for controls or none.
    scale : unit of y in the endpoint's unit.
    individual_sd : typical person-to-person SD over `scale`.
    """

    y: FloatArray
    sampling: FloatArray
    plus: Arms
    minus: Arms
    contrast: NDArray[np.bool_]
    trial: IntArray
    study: IntArray
    arm_plus: IntArray
    arm_minus: IntArray
    visit_plus: IntArray
    visit_minus: IntArray
    study_drug_plus: IntArray
    study_drug_minus: IntArray
    scale: float = 1.0
    individual_sd: float = 1.0

    def __len__(self) -> int:
        return len(self.y)

    @property
    def has_repeated_visits(self) -> bool:
        """True when some arm is seen at more than one visit."""
        pairs = np.concatenate([self.visit_plus, self.visit_minus[self.contrast]])
        arms = np.concatenate([self.arm_plus, self.arm_minus[self.contrast]])
        return len(np.unique(pairs)) > len(np.unique(arms))


def signed_one_hot(plus: IntArray, minus: IntArray, contrast: NDArray[np.bool_]) -> FloatArray:
    """Columns (N, levels): +1 for the arm, -1 for the one subtracted."""
    size = int(max(plus.max(initial=-1), minus.max(initial=-1))) + 1
    return _one_hot(plus, size) - _one_hot(np.where(contrast, minus, -1), size)
