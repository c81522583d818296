"""How far a forecast was off: the measures of the M4 competition (Makridakis, Spiliotis, Assimakopoulos 2018), and its benchmarks.

Histories are (T,), forecasts and what came (H,), both in the unit of the demand.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
TEST = 1.645  # of the competition's seasonality test: 90 %, two-sided


def _pair(actual: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    seen, said = np.asarray(actual, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if seen.shape != said.shape or seen.size == 0:
        raise InvalidInput("A forecast and what came are as long as each other, with at least one period.")
    if not (np.isfinite(seen).all() and np.isfinite(said).all()):
        raise InvalidInput("A forecast or what came holds something that is not a number.")
    return seen, said


def smape(actual: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 %; a period in which both are 0 counts as 0."""
    seen, said = _pair(actual, forecast)
    size = np.abs(seen) + np.abs(said)
    return float(np.mean(200 * np.divide(np.abs(seen - said), size, out=np.zeros_like(size), where=size > 0)))


def mape(actual: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Mean absolute percentage error; InvalidInput where nothing came, because it is not defined then."""
    seen, said = _pair(actual, forecast)
    if (seen == 0).any():
        raise InvalidInput("A percentage error is not defined for a period with a demand of 0.", "Use sMAPE or MASE.")
    return float(np.mean(100 * np.abs((seen - said) / seen)))


def naive_error(history: npt.ArrayLike, season: int) -> float:
    """Mean absolute difference to the same period a season earlier, within the history: the unit of MASE."""
    past = np.asarray(history, dtype=np.float64)
    if season < 1 or past.ndim != 1 or past.size <= season:
        raise InvalidInput(f"A history of {past.size} periods is too short for a season of {season}.")
    return float(np.mean(np.abs(past[season:] - past[:-season])))


def mase(actual: npt.ArrayLike, forecast: npt.ArrayLike, history: npt.ArrayLike, season: int) -> float:
    """Mean absolute scaled error: 1 is the seasonal-naive forecast's error within the history.

    Raises
    ------
    InvalidInput
        The history repeats itself exactly, so that there is nothing to scale by.
    """
    seen, said = _pair(actual, forecast)
    unit = naive_error(history, season)
    if unit == 0:
        raise InvalidInput("The history repeats itself exactly: an error cannot be scaled by it.")
    return float(np.mean(np.abs(seen - said)) / unit)


def owa(smape: float, mase: float, reference_smape: float, reference_mase: float) -> float:
    """Overall weighted average: mean of both errors, each relative to that of the reference (in M4, `naive2`)."""
    if not (reference_smape > 0 and reference_mase > 0):
        raise InvalidInput("The errors of the reference lie above 0.")
    return float((smape / reference_smape + mase / reference_mase) / 2)


def is_seasonal(history: npt.ArrayLike, season: int) -> bool:
    """The competition's test: the autocorrelation at the season lies outside its 90 % limits (Bartlett)."""
    past = np.asarray(history, dtype=np.float64)
    if season < 2 or past.size < 3 * season:
        return False
    off = past - past.mean()
    power = float(off @ off)
    if power == 0:
        return False
    lags = np.array([off[k:] @ off[: past.size - k] for k in range(1, season + 1)]) / power
    limit = TEST * np.sqrt((1 + 2 * np.sum(lags[:-1] ** 2)) / past.size)
    return bool(abs(lags[-1]) > limit)


def seasonal_factors(history: npt.ArrayLike, season: int) -> FloatArray:
    """(season,) factors of the classical multiplicative decomposition, mean 1; the first belongs to the first period.

    Raises
    ------
    InvalidInput
        Less than two seasons, or a moving average of 0.
    """
    past = np.asarray(history, dtype=np.float64)
    if season < 2 or past.size < 2 * season:
        raise InvalidInput(f"Seasonal factors need two seasons, {2 * season} periods.")
    weights = np.full(season, 1 / season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5] / season
    level = np.convolve(past, weights, mode="valid")
    if (level == 0).any():
        raise InvalidInput("A whole season without demand has no multiplicative seasonal factors.")
    half = season // 2
    ratio = past[half : half + level.size] / level
    phase = (np.arange(level.size) + half) % season
    factors = np.bincount(phase, weights=ratio, minlength=season) / np.bincount(phase, minlength=season)
    return np.asarray(factors / factors.mean())


def naive(history: npt.ArrayLike, horizon: int) -> FloatArray:
    """The last value again."""
    return np.full(horizon, np.asarray(history, dtype=np.float64)[-1])


def seasonal_naive(history: npt.ArrayLike, season: int, horizon: int) -> FloatArray:
    """The last season again."""
    past = np.asarray(history, dtype=np.float64)
    if past.size < season:
        raise InvalidInput(f"A history of {past.size} periods is shorter than a season of {season}.")
    return np.resize(past[past.size - season :], horizon)


def naive2(history: npt.ArrayLike, season: int, horizon: int) -> FloatArray:
    """The reference of OWA: the last value, seasonally adjusted when the history passes the test of seasonality."""
    past = np.asarray(history, dtype=np.float64)
    if not is_seasonal(past, season) or (past < 0).any():
        return naive(past, horizon)
    try:
        factors = seasonal_factors(past, season)
    except InvalidInput:
        return naive(past, horizon)
    last = factors[(past.size - 1) % season]
    if last == 0:
        return naive(past, horizon)
    return np.asarray(past[-1] / last * factors[(past.size + np.arange(horizon)) % season])


FORECASTS = {
    "naive": lambda past, season, horizon: naive(past, horizon),
    "seasonal_naive": seasonal_naive,
    "naive2": naive2,
}


def holdout_scores(values: npt.ArrayLike, season: int, held_out: int, method: str) -> dict[str, float]:
    """Errors of a benchmark (naive, seasonal_naive, naive2) on the last `held_out` periods: smape, mase, mape (if defined)."""
    known = np.asarray(values, dtype=np.float64)
    if method not in FORECASTS:
        raise InvalidInput(f"There is no benchmark '{method}'.", f"There are: {', '.join(FORECASTS)}.")
    if not 0 < held_out < known.size:
        raise InvalidInput("Hold out at least one period and leave a history.")
    past, came = known[:-held_out], known[-held_out:]
    said = FORECASTS[method](past, season, held_out)
    scores = {"smape": smape(came, said), "mase": mase(came, said, past, season)}
    return scores | ({"mape": mape(came, said)} if (came != 0).all() else {})


def score_panel(
    series: npt.ArrayLike, held_out: npt.ArrayLike, values: npt.ArrayLike, season: int, method: str
) -> dict[str, float]:
    """Mean sMAPE and MASE of a benchmark over many series in one long table, as M4 averages them.

    Parameters
    ----------
    series : (N,) name of each row's series. held_out : (N,) 1 where the row is to be forecast. values : (N,) in order of time.
    """
    names, parts = np.asarray(series), np.asarray(held_out, dtype=bool)
    known = np.asarray(values, dtype=np.float64)
    _, code = np.unique(names, return_inverse=True)
    order = np.argsort(code, kind="stable")
    ends = np.flatnonzero(np.diff(code[order])) + 1
    rows = [holdout_scores(known[rows], season, int(parts[rows].sum()), method) for rows in np.split(order, ends)]
    return {key: float(np.mean([row[key] for row in rows])) for key in ("smape", "mase")} | {"series": float(len(rows))}
