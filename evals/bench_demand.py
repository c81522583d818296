"""Speed of the demand forecast, by turns with plain loops and packages on the same work, and how it grows with the work.

Backtest with conformal intervals: against a loop over series and folds in Python, and against statsforecast's cross-validation.
Reconciliation: against the textbook formula, period by period, and hierarchicalforecast. Airline model: against statsmodels' SARIMAX.
The results are compared first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.demand.airline import airline_fit
from tools.demand.backtest import outcomes, plan
from tools.demand.conformal import conformal_rank, radius
from tools.demand.forecasters import rule_forecasts
from tools.demand.reconciliation import hierarchy, reconcile, shrunk_covariance

Floats = NDArray[np.float64]
SEASON, HORIZON, FOLDS, LEVEL, PERIODS = 12, 12, 24, 0.9, 120
SERIES, LOOPED = 2_000, 200
A_SERIES, PIECE = 1_000, 100
ERRORS, AHEAD = 200, 24
OFFSET = 0.01  # hierarchicalforecast centres errors and refuses those that add up to 0: small enough to agree with moments around 0


def airpassengers() -> Any:
    """The airline series as a table (data set `airpassengers` of truths)."""
    import pandas as pd
    from statsforecast.utils import AirPassengers

    return pd.DataFrame({"passengers": np.asarray(AirPassengers, dtype=float)})


def panel(series: int, periods: int) -> Floats:
    """(series, periods) seasonal counts."""
    rng, t = np.random.default_rng(1), np.arange(periods)
    mean = 50 * (1 + 0.3 * np.sin(2 * np.pi * t / SEASON)) * (1 + 0.002 * t % 1)
    return np.asarray(rng.poisson(mean, (series, periods)), dtype=np.float64)


def widths(table: Floats) -> Floats:
    """(series, HORIZON) half widths of conformal intervals from a rolling backtest of the seasonal naive forecast."""
    laid = plan(table.shape[1], HORIZON, SEASON, FOLDS, LEVEL)
    origins, made = np.asarray(laid.origins), []
    for start in range(0, len(table), PIECE):  # what stays in the cache is several times faster
        part = table[start : start + PIECE]
        said = rule_forecasts(part, origins, HORIZON, SEASON, "seasonal_naive")
        errors = outcomes(part, laid).swapaxes(1, 2) - said.swapaxes(1, 2)
        made.append(radius(np.moveaxis(errors, -1, 0), LEVEL))
    return np.vstack(made)


def looped(table: Floats) -> Floats:
    """Peer: the same in plain Python."""
    laid, made = plan(table.shape[1], HORIZON, SEASON, FOLDS, LEVEL), []
    rank = conformal_rank(laid.folds, LEVEL)
    for row in table.tolist():
        errors: list[list[float]] = [[] for _ in range(HORIZON)]
        for origin in laid.origins:
            for h in range(HORIZON):
                errors[h].append(abs(row[origin + h] - row[origin - SEASON + h % SEASON]))
        made.append([sorted(one)[rank - 1] for one in errors])
    return np.array(made)


def by_statsforecast(table: Floats) -> Floats:
    """Peer: cross-validation of statsforecast, the intervals from its errors."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import SeasonalNaive

    laid = plan(table.shape[1], HORIZON, SEASON, FOLDS, LEVEL)
    n, periods = table.shape
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(n), periods), "ds": np.tile(np.arange(periods), n), "y": table.ravel()}
    )
    found = StatsForecast(models=[SeasonalNaive(season_length=SEASON)], freq=1).cross_validation(
        df=frame, h=HORIZON, n_windows=laid.folds, step_size=1
    )
    errors = (found["y"] - found["SeasonalNaive"]).to_numpy().reshape(n, laid.folds, HORIZON)
    return np.vstack([radius(one, LEVEL) for one in errors])


def tree() -> tuple[Floats, Floats, Floats]:
    """S of 100 cohorts of 10 payers, base forecasts (n, AHEAD) and past errors (ERRORS, n)."""
    sums = hierarchy({f"cohort{i}": f"payer{i % 10}" for i in range(100)}).sums
    rng = np.random.default_rng(1)
    n, m = sums.shape
    errors = rng.normal(size=(ERRORS, m)) @ sums.T + rng.normal(size=(ERRORS, n))
    return (
        sums,
        sums @ rng.normal(50, 5, (m, AHEAD)) + rng.normal(0, 5, (n, AHEAD)),
        errors - errors.mean(axis=0) + OFFSET,
    )


def textbook(base: Floats, sums: Floats, errors: Floats) -> Floats:
    """Peer: S (S' W⁻¹ S)⁻¹ S' W⁻¹ ŷ, period by period."""
    columns = []
    for h in range(base.shape[1]):
        inverse = np.linalg.inv(shrunk_covariance(errors))
        columns.append(sums @ np.linalg.inv(sums.T @ inverse @ sums) @ sums.T @ inverse @ base[:, h])
    return np.array(columns).T


def by_hierarchicalforecast(base: Floats, sums: Floats, errors: Floats) -> Floats | None:
    """Peer: MinTrace of hierarchicalforecast; None when it is not installed."""
    try:
        from hierarchicalforecast.methods import MinTrace  # type: ignore[import-not-found]
    except ImportError:
        return None
    found = MinTrace(method="mint_shrink", mint_shr_ridge=0.0)(
        S=sums, y_hat=base, y_insample=errors.T + 50.0, y_hat_insample=np.full_like(errors.T, 50.0)
    )
    return np.asarray(found["mean"])


def by_statsmodels(values: Floats) -> float:
    """Peer: log-likelihood of the airline model by statsmodels' SARIMAX, with the same initial differencing."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = SARIMAX(np.log(values), order=(0, 1, 1), seasonal_order=(0, 1, 1, SEASON), simple_differencing=True).fit(
            disp=False
        )
    return float(fit.llf)


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    table = panel(SERIES, PERIODS)
    np.testing.assert_allclose(widths(table[:LOOPED]), looped(table[:LOOPED]))
    np.testing.assert_allclose(widths(table[:LOOPED]), by_statsforecast(table[:LOOPED]))
    folds = plan(PERIODS, HORIZON, SEASON, FOLDS, LEVEL).folds
    yield f"{runs} runs by turns; median series per second (lowest to highest), {folds} folds of {HORIZON} periods"
    yield from report_rates(
        {
            "backtest and intervals": (SERIES, lambda _: widths(table)),
            "peer: loop over folds": (LOOPED, lambda _: looped(table[:LOOPED])),
            "peer: statsforecast cross-validation": (LOOPED, lambda _: by_statsforecast(table[:LOOPED])),
        },
        runs,
    )
    sums, base, errors = tree()
    np.testing.assert_allclose(reconcile(base, sums, "mint_shrink", errors), textbook(base, sums, errors), atol=1e-8)
    work: dict[str, tuple[int, Callable[[int], object]]] = {
        "reconciliation (MinT)": (AHEAD, lambda _: reconcile(base, sums, "mint_shrink", errors)),
        "peer: textbook formula by period": (AHEAD, lambda _: textbook(base, sums, errors)),
    }
    theirs = by_hierarchicalforecast(base, sums, errors)
    if theirs is None:
        yield "  peer: hierarchicalforecast is not installed (measured with 1.5.3)."
    else:
        np.testing.assert_allclose(reconcile(base, sums, "mint_shrink", errors), theirs, rtol=1e-4)
        work["peer: hierarchicalforecast"] = (AHEAD, lambda _: by_hierarchicalforecast(base, sums, errors))
    yield f"Periods reconciled per second, {sums.shape[0]} series"
    yield from report_rates(work, runs)
    passengers = airpassengers()["passengers"].to_numpy()
    np.testing.assert_allclose(airline_fit(passengers).log_likelihood, by_statsmodels(passengers), rtol=1e-5)
    yield "Airline models fitted per second (exact likelihood)"
    yield from report_rates(
        {
            "airline model": (1, lambda _: airline_fit(passengers)),
            "peer: statsmodels SARIMAX": (1, lambda _: by_statsmodels(passengers)),
        },
        runs,
    )


def growth() -> Growth:
    """Backtest and intervals, by the number of observations, in series of `A_SERIES` and panels of at most `PIECE` of them."""

    def work(n: int) -> None:
        for part in range(0, n // A_SERIES, PIECE):
            widths(panel(min(PIECE, n // A_SERIES - part), A_SERIES))

    return Growth("demand backtest and intervals", "observations", work)
