"""What the engine answers with: a joint prediction of one endpoint, and the weight of published figures in it."""

from __future__ import annotations

from dataclasses import dataclass

from knowledge.schemas import Endpoint
from tools.response.control import ObservedArm
from tools.response.figures import Row
from tools.response.mixture import Prediction
from tools.response.reach import Early, Outside
from tools.response.treatments import Treatment


@dataclass(frozen=True)
class Influence:
    """How much a published figure carries a prediction.

    Attributes
    ----------
    row : the figure; share : of the sum of absolute weights, 0-1; sign : +1 or -1.
    agrees : whether it lies inside the 90 % interval that all other figures predict for it.
    """

    row: Row
    share: float
    sign: int
    agrees: bool


@dataclass(frozen=True)
class EndpointPrediction:
    """One endpoint at one time for several treatments in one new trial.

    Attributes
    ----------
    prediction : joint distribution of the cohort means, in the order of `treatments`.
    trials_of_drug, trials_of_class : by treatment; for controls the number of trials with a control arm.
    warnings : full sentences.
    outside : covariates for which the prediction is an extrapolation.
    early : how far the prediction is before the first visits; None where it is not.
    levels : on the log scale the number of trials that tell how often events happen, so that risks can be given beside
        ratios (an observed arm counts as one); None for other endpoints.
    longest_weeks : the longest follow-up in the evidence.
    observed : what one of the arms has been seen to report, where the prediction is conditional on it.
    """

    endpoint: Endpoint
    treatments: tuple[Treatment, ...]
    weeks: float
    prediction: Prediction
    trials_of_drug: tuple[int, ...]
    trials_of_class: tuple[int, ...]
    warnings: tuple[str, ...]
    outside: tuple[Outside, ...] = ()
    early: Early | None = None
    levels: int | None = None
    longest_weeks: float | None = None
    observed: ObservedArm | None = None
