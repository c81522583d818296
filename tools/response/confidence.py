"""Calibrated confidence: how often a published cohort mean fell within a tolerance of its held-out prediction.

The tolerance is the minimal clinically important difference, or a stated choice (`tolerances.py`). Held-out predictions
come from the backtest that leaves one trial out; the share of hits is fitted as a non-increasing step function of the
width of the 90 % interval (isotonic regression, Barlow et al 1972), each step of at least forty arms. Where the steps
predict no better than the overall share (cross-validated Brier score), that one share is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field, TypeAdapter
from scipy.special import ndtri

from knowledge.errors import DataError
from knowledge.schemas import Frozen

FILE = Path(__file__).with_name("confidence.json")
LEVEL = 0.9
_Z = float(ndtri(0.5 + LEVEL / 2))


class Step(Frozen):
    """Held-out predictions whose 90 % half-width is at most `half_width`: how many there were, and how many were right."""

    half_width: float
    n: int = Field(gt=0)
    hits: int = Field(ge=0)

    @property
    def share(self) -> float:
        """Measured frequency, 0-1."""
        return self.hits / self.n


class Calibration(Frozen):
    """The confidence curve of one endpoint.

    Attributes
    ----------
    tolerance, unit : what 'right' means.
    evidence_hash, model_version : what it was measured on; anything else makes it stale.
    typical_n : participants of a typical arm, whose sampling error is part of what a trial reports.
    individual_sd : typical person-to-person SD; None for shares, whose SD follows from the share.
    coverage : share of held-out arms inside their 90 % interval.
    brier, brier_constant : Brier score of the curve when it is fitted without the trials it is judged on (five folds by
        trial), and of always saying the overall share.
    """

    endpoint: str
    tolerance: float
    unit: str
    evidence_hash: str
    model_version: str
    n_arms: int
    n_trials: int
    typical_n: float
    individual_sd: float | None
    mean_absolute_error: float
    coverage: float
    brier: float
    brier_constant: float
    steps: tuple[Step, ...]

    @property
    def pooled(self) -> Step:
        """All held-out predictions as one step."""
        return Step(
            half_width=self.steps[-1].half_width,
            n=sum(step.n for step in self.steps),
            hits=sum(step.hits for step in self.steps),
        )

    def step(self, half_width: float) -> Step:
        """The frequency for a prediction of this 90 % half-width.

        All predictions together, as long as telling them apart by width does not predict better than one frequency.
        """
        if self.brier >= self.brier_constant:
            return self.pooled
        return next((step for step in self.steps if half_width <= step.half_width), self.steps[-1])

    def reported_half_width(self, half_width: float, point: float) -> float:
        """Half-width of what a trial of typical size would report: sampling error added to that of the mean.

        `point` is the predicted mean, or the predicted share in %.
        """
        sd = self.individual_sd
        if sd is None:
            sd = float(np.sqrt(max(point * (100.0 - point), 0.0)))
        return float(np.hypot(half_width, _Z * sd / np.sqrt(self.typical_n)))


CURVES = TypeAdapter(dict[str, Calibration])


@lru_cache(maxsize=1)
def calibrations() -> Mapping[str, Calibration]:
    """The shipped curves by endpoint; none when the file is not there (DataError when it is damaged)."""
    if not FILE.exists():
        return {}
    try:
        return CURVES.validate_json(FILE.read_bytes())
    except ValueError as error:
        raise DataError(f"{FILE.name} cannot be read.", "Make it again with: make calibrate") from error
