"""Control charts for predictions that are followed up: arrays in, arrays out.

Three cumulative sums, each told only of what was stated before the outcome was known: the standardised errors (Page 1954,
Biometrika 41:100), the misses of the interval, and the misses of the confidence (risk-adjusted, Steiner, Cook, Farewell &
Treasure 2000, Biostatistics 1:441). The limit of each is found by simulating it in control, so that the chance of a false
alarm within a stated number of outcomes is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
ALLOWANCE = 0.5  # half of the shift, in standard errors, that the chart of errors is meant to find
CLIP = 3.0  # standard errors: one wild figure alone is not a drift
ODDS_RATIO = 3.0  # rise in the odds of a miss that the other charts are meant to find
PATHS = 20_000
SEED = 20261121


def error_paths(standardised: ArrayLike, allowance: float = ALLOWANCE) -> Array:
    """The two one-sided sums of standardised errors, (..., n): the larger of both, along the last axis.

    Errors are cut at `CLIP`. A sum starts anew at 0 whenever it would fall below.
    """
    z = np.clip(np.asarray(standardised, dtype=float), -CLIP, CLIP)
    return np.maximum(_reflected(z - allowance), _reflected(-z - allowance))


def miss_paths(missed: ArrayLike, chance: ArrayLike, odds_ratio: float = ODDS_RATIO) -> Array:
    """The sum of log likelihood ratios of 'the odds of a miss are `odds_ratio` times as high', (..., n).

    Parameters
    ----------
    missed : (..., n), 0 or 1; of an outcome with several figures, the share of them that missed.
    chance : (n,), the chance of a miss that was stated.
    """
    x, p = np.asarray(missed, dtype=float), np.asarray(chance, dtype=float)
    return _reflected(x * np.log(odds_ratio) - np.log1p((odds_ratio - 1) * p))


def miss_limit(chances: Sequence[float], horizon: int, false_alarms: float) -> float:
    """As `error_limit`, of `miss_paths` with these chances of a miss, which come again in the same order."""
    return _miss_limit(tuple(round(chance, 3) for chance in chances), horizon, false_alarms)


@lru_cache(maxsize=64)
def error_limit(horizon: int, false_alarms: float) -> float:
    """The limit that `error_paths` of normal errors passes within `horizon` outcomes with chance `false_alarms`."""
    drawn = np.random.default_rng(SEED).standard_normal((PATHS, horizon))
    return _exceeded(error_paths(drawn), false_alarms)


@lru_cache(maxsize=64)
def _miss_limit(chances: tuple[float, ...], horizon: int, false_alarms: float) -> float:
    chance = np.resize(np.asarray(chances), horizon)
    drawn = np.random.default_rng(SEED).random((PATHS, horizon)) < chance
    return _exceeded(miss_paths(drawn, chance), false_alarms)


def _exceeded(paths: Array, false_alarms: float) -> float:
    return float(np.quantile(paths.max(axis=-1), 1 - false_alarms, method="higher"))


def crossings(path: Array, limit: float) -> list[int]:
    """Places (n,) where a path rises above its limit, having been at or below it just before."""
    above = path > limit
    return [int(i) for i in np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))]


def _reflected(steps: Array) -> Array:
    """Running sums that never fall below 0: the sum less its lowest value so far."""
    total = np.cumsum(steps, axis=-1)
    return total - np.minimum(np.minimum.accumulate(total, axis=-1), 0.0)
