"""Hold out trials of an arm table in turn, refit everything without them, and forecast what they published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from tools.response.features import FloatArray
from tools.response.solve import fit
from tools.response.tables.forecasts import (
    ENGINE,
    SMALLEST_FIT,
    Forecasts,
    as_differences,
    differences_of,
    engine_arms,
    engine_differences,
    figures_drawn,
    joined,
    rival_quantiles,
)
from tools.response.tables.recipe import make_recipe
from tools.response.tables.rivals import Figures
from tools.response.tables.table import ArmTable, Flags
from tools.response.threads import one_thread

By = Literal["trial", "drug", "class", "year"]
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Holdout:
    """A finished backtest of one endpoint: arms, and differences from the control of the same trial and visit.

    `tolerance` is how near counts as right, where the endpoint has a minimal clinically important difference.
    """

    endpoint: str
    unit: str
    arms: Forecasts
    contrasts: Forecasts
    not_predicted: int = 0
    notes: tuple[str, ...] = ()
    tolerance: float | None = None


def hold_out(table: ArmTable, *, by: By = "trial", progress: Progress = lambda _share, _text: None) -> Holdout:
    """Forecast every trial from the others.

    Parameters
    ----------
    table : at least two groups to hold out.
    by : what is left out at once: a trial; a drug or a class (every trial that gave it, to see a cold start, scored on
        its own arms only); a year (forecast from what was published before it).
    progress : called with the share done (0-1) and the name of what is held out.
    """
    parts = []
    splits = list(_splits(table, by))
    left = 0
    with one_thread():
        for done, (name, known, asked, scored) in enumerate(splits):
            progress(done / len(splits), name)
            if len(known) >= SMALLEST_FIT:
                parts.append(forecast(known, asked, name, scored))
            else:
                left += int(scored.sum())
    arms, contrasts = joined([arms for arms, _ in parts]), joined([differences for _, differences in parts])
    return Holdout(table.endpoint, table.unit, arms, contrasts, left, table.notes)


def _splits(table: ArmTable, by: By) -> Iterator[tuple[str, ArmTable, ArmTable, Flags]]:
    """(name, what is known, what is asked, which asked rows are scored)."""
    if by == "trial":
        for study in table.studies:
            out = table.study == study
            yield study, table.take(~out), table.take(out), np.ones(int(out.sum()), dtype=bool)
    elif by == "year":
        years = table.covariates.get("year", np.full(len(table), np.nan))
        for year in np.unique(years[np.isfinite(years)]):
            out = years == year
            yield f"{year:.0f}", table.take(years < year), table.take(out), np.ones(int(out.sum()), dtype=bool)
    else:
        keys = table.agent if by == "drug" else table.group
        for key in np.unique(keys[~table.control]):
            own = (keys == key) & ~table.control
            out = np.isin(table.study, table.study[own])
            yield str(key), table.take(~out), table.take(out), own[out]


def forecast(known: ArmTable, asked: ArmTable, group: str, scored: Flags) -> tuple[Forecasts, Forecasts]:
    """Forecasts of the arms, and of their differences, of held-out trials by all methods.

    The engine sees the designs of the held-out arms: treatment, dose, time, size and covariates, never a result (where
    neither size nor typical SD is told, the printed standard error stands for the design's).

    Parameters
    ----------
    known, asked : what is learned from, and whole trials to forecast.
    group : name of what is held out.
    scored : (m,) rows of `asked` that count.
    """
    recipe = make_recipe(known)
    posterior = fit(recipe.data, recipe.layout, recipe.priors)
    arms, contrasts = [], []
    figures = Figures(known, known.response, known.response_se)
    differences = differences_of(known, known.pairs())
    scale = "percent" if known.proportion else "same"
    for study in asked.studies:
        own = asked.study == study
        trial, wanted = asked.take(own), scored[own]
        variance = None if trial.proportion else recipe.sampling_variance(trial)
        prediction = posterior.predict(recipe.arms(trial), sampling_variance=variance)
        draws = figures_drawn(prediction, trial.n) if trial.proportion else None
        quantiles = {ENGINE: engine_arms(prediction, draws), **rival_quantiles(figures, trial, scale)}
        whole = Forecasts(trial.study, trial.arm, np.full(len(trial), group), _reported(trial), quantiles)
        arms.append(whole.take(np.flatnonzero(wanted)))
        pairs = [(arm, base) for arm, base in trial.pairs() if wanted[arm]]
        if not pairs:
            continue
        first, second = np.array(pairs).T
        quantiles = {
            ENGINE: engine_differences(prediction, draws, pairs),
            **rival_quantiles(differences, as_differences(trial, pairs), "same"),
        }
        observed = trial.response[first] - trial.response[second]
        names = np.full(len(pairs), group)
        contrasts.append(Forecasts(trial.study[first], trial.arm[first], names, observed, quantiles))
    return joined(arms), joined(contrasts)


def _reported(trial: ArmTable) -> FloatArray:
    """What is scored: the endpoint's unit; percentages with the same half event added that the log odds have."""
    return np.asarray(100.0 * expit(trial.response)) if trial.proportion else trial.value
