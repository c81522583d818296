"""Forecasts of one series from each of many origins: simple rules in numpy, statistical models from statsforecast.

`origins` (K,) are numbers of periods known; every forecast uses no later one. Models are estimated at the origins that `refit` names and
applied unchanged to the longer histories up to the next of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
# From the simplest to the most flexible: of two that are equally good the first is taken.
RULES = ("naive", "average", "seasonal_naive", "drift")
INTERMITTENT = ("croston", "tsb")
RARE = 0.2  # share of periods without demand from which it counts as intermittent
FITTED = ("theta", "ets", "arima")
MODELS = (*RULES, *INTERMITTENT, *FITTED)
# Longest history, most counts in all, and longest season up to which a model is fitted on request; by default a third of the counts.
BOUNDS = {"theta": (3_000, 60_000, 10_000), "ets": (3_000, 18_000, 100), "arima": (1_000, 4_500, 24)}
LABELS = {
    "naive": "the last value", "average": "the mean of all values", "seasonal_naive": "the last season",
    "drift": "the last value with the average change", "croston": "Croston's method", "tsb": "Teunter, Syntetos and Babai's method",
    "theta": "the theta method", "ets": "exponential smoothing", "arima": "seasonal ARIMA",
}  # fmt: skip
# What a model may raise on a series that it cannot be fitted to; it then drops out, and the result says so.
FAULTS = (ValueError, ArithmeticError, LookupError, RuntimeError, np.linalg.LinAlgError, TypeError)


class NotFitted(Exception):
    """A model could not be estimated from this history."""


def rolling_forecasts(
    values: FloatArray, origins: Sequence[int], horizon: int, season: int, model: str, smoothing: tuple[float, float],
    refit: Sequence[int] = (0,),
) -> FloatArray:  # fmt: skip
    """(K, horizon) forecasts of a series (T,) from each origin, 0 or more.

    Parameters
    ----------
    smoothing : of tsb, of the size and of the chance of demand. refit : places in `origins`, the first is 0.

    Raises
    ------
    NotFitted
        The model cannot be estimated; says why.
    """
    at = np.asarray(origins)
    if at.size == 0 or at.min() < 1 or at.max() > values.size or horizon < 1:
        raise InvalidInput("Forecasts begin within the history and cover at least one period.")
    if model in RULES:
        said = rule_forecasts(values, at, horizon, season, model)
    elif model in INTERMITTENT:
        said = np.vstack([_intermittent(values[:n], horizon, model, smoothing) for n in at])
    elif model in FITTED:
        said = _fitted(values, at, horizon, season, model, sorted({0, *refit}))
    else:
        raise InvalidInput(f"There is no model '{model}'.", f"There are: {', '.join(MODELS)}.")
    if not np.isfinite(said).all():
        raise NotFitted("it gave something that is not a number")
    return np.asarray(np.maximum(said, 0.0))


def rule_forecasts(values: FloatArray, at: npt.NDArray[Any], horizon: int, season: int, model: str) -> FloatArray:
    """(…, K, horizon) forecasts of series (…, T) from origins (K,) by one of the simple `RULES`; NotFitted as in `rolling_forecasts`."""
    last = values[..., at - 1, None]
    ahead = np.arange(1, horizon + 1)
    if model == "naive":
        return np.repeat(last, horizon, axis=-1)
    if model == "average":
        return np.repeat((np.cumsum(values, axis=-1)[..., at - 1] / at)[..., None], horizon, axis=-1)
    if model == "drift":
        if at.min() < 2:
            raise NotFitted("it needs two periods")
        return np.asarray(last + ahead * ((last[..., 0] - values[..., :1]) / (at - 1))[..., None])
    if at.min() < season:
        raise NotFitted("it needs a whole season")
    # The forecasts of a horizon lie together in memory, as intervals want their errors.
    return np.take(values, at - season + ((ahead - 1) % season)[:, None], axis=-1).swapaxes(-1, -2)


def _intermittent(known: FloatArray, horizon: int, model: str, smoothing: tuple[float, float]) -> FloatArray:
    if not known.any():
        return np.zeros(horizon)
    from statsforecast import models

    chosen = models.CrostonOptimized() if model == "croston" else models.TSB(*smoothing)
    try:
        with np.errstate(all="ignore"):
            return np.asarray(chosen.forecast(y=known, h=horizon)["mean"], dtype=np.float64)
    except FAULTS as error:
        raise NotFitted(str(error)) from error


def _fitted(
    values: FloatArray, at: npt.NDArray[Any], horizon: int, season: int, model: str, refit: list[int]
) -> FloatArray:
    from statsforecast import models

    kinds = {"theta": models.AutoTheta, "ets": models.AutoETS, "arima": models.AutoARIMA}
    rows: list[FloatArray] = []
    chosen: Any = None
    for place, n in enumerate(at):
        known = np.ascontiguousarray(values[:n])
        if place in refit:
            if np.ptp(known) == 0:
                raise NotFitted("the history does not vary")
            chosen = kinds[model](season_length=season)
        try:
            with np.errstate(all="ignore"):
                if place in refit:
                    chosen = chosen.fit(known)
                    said = chosen.predict(h=horizon)["mean"]
                else:
                    said = chosen.forward(y=known, h=horizon)["mean"]
        except FAULTS as error:
            raise NotFitted(str(error) or type(error).__name__) from error
        rows.append(np.asarray(said, dtype=np.float64))
    return np.vstack(rows)


def too_large(model: str, periods: int, season: int, points: int) -> bool:
    """Whether fitting this model to series of so many periods, `points` counts in all, is more than one call computes."""
    longest, most, top = BOUNDS.get(model, (periods, points, season))
    return periods > longest or points > most or season > top


def is_intermittent(values: FloatArray) -> bool:
    """Whether so many periods have no demand that the mean absolute error would reward a forecast of 0."""
    return bool((values == 0).mean() > RARE)


def suited(values: FloatArray, season: int, points: int) -> tuple[list[str], list[str]]:
    """Models to try on a series when none are named, and sentences on those left out. `points`: of all series together."""
    chosen = ["naive", "average", "drift"] + (["seasonal_naive"] if season > 1 else [])
    said = []
    if is_intermittent(values):
        chosen += list(INTERMITTENT)
    for model in FITTED:
        periods, counts, longest = BOUNDS[model]
        # A year of months is the longest season that the search for an ARIMA takes quickly.
        if values.size <= periods and 3 * points <= counts and season <= (12 if model == "arima" else longest):
            chosen.append(model)
        else:
            said.append(
                f"{LABELS[model].capitalize()} was not tried: its search takes long on so much history or so long a season."
            )
    return [model for model in MODELS if model in chosen], said
