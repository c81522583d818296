"""Borrowing a control arm: a robust prior for the control mean from published arms, and what it does to the trial.

Robust meta-analytic-predictive prior (Schmidli et al 2014, Biometrics, doi 10.1111/biom.12242): a mixture of what the
evidence predicts and a vague component, so that a control arm that disagrees is believed over the prior. Normal
outcomes with known person-to-person SD; arrays only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ControlPrior:
    """Normal mixture for the mean of the control arm.

    Attributes
    ----------
    mean, sd : of what the evidence predicts.
    weight : of that component; the rest is vague.
    person_sd : person-to-person standard deviation of the outcome.
    """

    mean: float
    sd: float
    person_sd: float
    weight: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what is no prior (InvalidInput)."""
        if not (self.sd > 0 and self.person_sd > 0 and 0 <= self.weight <= 1):
            raise InvalidInput("The prior needs standard deviations above 0 and a weight from 0 to 1.")

    @property
    def effective_sample_size(self) -> float:
        """Participants that the informative component is worth: person variance over its variance."""
        return (self.person_sd / self.sd) ** 2


@dataclass(frozen=True)
class BorrowingRuns:
    """What came of T simulated trials: whether each shows the effect, and the prior's weight after its data, both (T,)."""

    success: npt.NDArray[np.bool_]
    weight_after: FloatArray


def simulate_borrowing(
    prior: ControlPrior,
    n_treated: int,
    n_control: int,
    difference: float | FloatArray,
    control_mean: float | FloatArray,
    trials: int,
    rng: np.random.Generator,
    alpha: float = 0.05,
) -> BorrowingRuns:
    """Simulate trials whose control arm is joined by the prior.

    A trial succeeds when the posterior probability of a difference above 0 exceeds 1 - alpha/2. The vague component has
    the information of one participant (unit information).

    Parameters
    ----------
    difference, control_mean : true values, numbers or (trials,).
    """
    if min(n_treated, n_control) < 1 or trials < 1:
        raise InvalidInput("Both arms and the number of trials are at least 1.")
    truth = np.broadcast_to(np.asarray(control_mean, dtype=np.float64), (trials,))
    gap = np.broadcast_to(np.asarray(difference, dtype=np.float64), (trials,))
    error_c, error_t = prior.person_sd / np.sqrt(n_control), prior.person_sd / np.sqrt(n_treated)
    control = truth + error_c * rng.standard_normal(trials)
    treated = truth + gap + error_t * rng.standard_normal(trials)
    sds = np.array([prior.sd, prior.person_sd])
    predictive = np.sqrt(sds**2 + error_c**2)
    logs = stats.norm.logpdf(control[:, None], prior.mean, predictive)
    with np.errstate(divide="ignore"):
        logs = logs + np.log(np.array([prior.weight, 1 - prior.weight]))
    weights = special.softmax(logs, axis=1)
    precision = 1 / sds**2 + 1 / error_c**2
    means = (prior.mean / sds**2 + control[:, None] / error_c**2) / precision
    spread = np.sqrt(1 / precision + error_t**2)
    above = (weights * special.ndtr((treated[:, None] - means) / spread)).sum(axis=1)
    return BorrowingRuns(np.asarray(above > 1 - alpha / 2), np.asarray(weights[:, 0]))
