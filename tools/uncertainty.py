"""From simulated outcomes to an interval that says how much of it is ignorance and how much is chance.

Outcomes are an array (D, R): D draws of the parameters, R stochastic replicates under each. What the parameters
contribute is the variance of the draws' expectations, estimated without the chance that is left in a mean of R (one-way
random-effects analysis of variance; O'Hagan, Stevenson, Madan 2007, Health Economics, doi 10.1002/hec.1199).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Summary of simulated outcomes, in their unit.

    Attributes
    ----------
    mean : mean over draws and replicates.
    lower, upper : central interval of `level` over all outcomes.
    parameter_sd : standard deviation of the expectation over the parameter draws.
    chance_sd : standard deviation of replicates under the same parameters.
    standard_error : Monte Carlo error of `mean`.
    """

    mean: float
    lower: float
    upper: float
    level: float
    parameter_sd: float
    chance_sd: float
    standard_error: float
    draws: int
    replicates: int

    @property
    def from_parameters(self) -> float:
        """Share of the variance (0-1) that comes from the parameters; 0 when nothing varies."""
        total = self.parameter_sd**2 + self.chance_sd**2
        return self.parameter_sd**2 / total if total > 0 else 0.0


def spread(outcomes: npt.ArrayLike, *, level: float = 0.9) -> Spread:
    """Mean, interval and sources of variance of outcomes (D,) or (D, R).

    With one replicate a draw chance and parameters cannot be told apart: all variance counts as the parameters'.

    Raises
    ------
    InvalidInput
        No outcomes, an outcome that is not a number, or a level outside (0, 1).
    """
    values = np.asarray(outcomes, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.size == 0:
        raise InvalidInput("Outcomes must be draws by replicates, with at least one of each.")
    if not np.isfinite(values).all():
        raise InvalidInput("An outcome of the simulation is not a finite number.", "Check the ranges of the inputs.")
    if not 0 < level < 1:
        raise InvalidInput(f"The level of an interval lies between 0 and 1, not at {level:g}.")
    draws, replicates = values.shape
    means = values.mean(axis=1)
    chance = float(values.var(axis=1, ddof=1).mean()) if replicates > 1 else 0.0
    between = float(means.var(ddof=1)) if draws > 1 else 0.0
    tail = 100 * (1 - level) / 2
    lower, upper = np.percentile(values, [tail, 100 - tail])
    return Spread(
        mean=float(values.mean()),
        lower=float(lower),
        upper=float(upper),
        level=level,
        parameter_sd=max(between - chance / replicates, 0.0) ** 0.5,
        chance_sd=chance**0.5,
        standard_error=(between / draws) ** 0.5 if draws > 1 else (chance / replicates) ** 0.5,
        draws=draws,
        replicates=replicates,
    )
