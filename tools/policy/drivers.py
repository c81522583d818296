"""Which uncertain input the spread of an outcome comes from: first-order shares of the variance, from the draws.

First-order (Sobol 1993) index of an input: the variance of the outcome's expectation given that input, over its whole
variance. The expectation is a cubic in the input's normal score, fitted by least squares (regression as Strong, Oakley and
Brennan 2014, Medical Decision Making, use it for the value of information).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
DEGREE = 3
# Fewer draws than this do not tell shares of variance.
MIN_DRAWS = 100
# Shares below this many times what the regression explains by chance alone are left out.
NOISE = 5.0


@dataclass(frozen=True)
class Driver:
    """One input's part in an outcome.

    Attributes
    ----------
    name : of the input. share : of the outcome's variance, 0–1; shares of inputs that depend on one another overlap.
    low, high : expected outcome at the 5th and 95th percentile of the input.
    """

    name: str
    share: float
    low: float
    high: float


def first_order(inputs: Mapping[str, npt.ArrayLike], outcome: npt.ArrayLike) -> tuple[Driver, ...]:
    """Inputs that matter, the largest share first; none when the outcome does not vary or there are too few draws.

    An input whose share cannot be told from chance in this many draws is left out.

    Parameters
    ----------
    inputs : (D,) draws by name. outcome : (D,) under the same draws.
    """
    from scipy.special import ndtri

    y = np.asarray(outcome, dtype=np.float64)
    count = len(y)
    if count < MIN_DRAWS or not np.isfinite(y).all() or y.var() <= 1e-20 * max(1.0, float(np.abs(y).max()) ** 2):
        return ()
    found = []
    for name, values in inputs.items():
        x = np.asarray(values, dtype=np.float64)
        if not np.isfinite(x).all() or np.ptp(x) <= 1e-12 * max(1e-300, float(np.abs(x).max())):
            continue
        rank = (np.argsort(np.argsort(x, kind="stable"), kind="stable") + 0.5) / count
        basis = np.polynomial.hermite_e.hermevander(ndtri(rank), DEGREE)
        weights, *_ = np.linalg.lstsq(basis, y, rcond=None)
        left = float(((y - basis @ weights) ** 2).sum()) / (count - DEGREE - 1)
        share = max(0.0, 1 - left / float(y.var(ddof=1)))
        if share < NOISE * DEGREE / count:
            continue
        low, high = np.polynomial.hermite_e.hermevander(ndtri(np.array([0.05, 0.95])), DEGREE) @ weights
        found.append(Driver(name, share, float(low), float(high)))
    return tuple(sorted(found, key=lambda one: -one.share))
