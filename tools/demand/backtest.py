"""Rolling-origin backtest: what each model would have said at earlier times, the choice among them, and errors it was not chosen by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from knowledge.errors import InvalidInput
from tools.demand.conformal import conformal_rank, errors_needed, highest_level
from tools.demand.forecasters import MODELS, FloatArray, NotFitted, is_intermittent, rolling_forecasts

LEAST_FOLDS = 4  # two to choose by, two to report on
LEAST_TRAINING = 8


@dataclass(frozen=True)
class Plan:
    """Origins (periods known) of the folds, in order: the first `selection` choose the model, those from `report` on report its error.

    Where the history allows, so many lie between that no period serves both.
    """

    origins: tuple[int, ...]
    selection: int
    report: int
    horizon: int
    season: int
    level: float

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return len(self.origins)

    @property
    def apart(self) -> bool:
        """No period of the choice is one of the report."""
        return self.origins[self.selection - 1] + self.horizon <= self.origins[self.report]


def plan(periods: int, horizon: int, season: int, folds: int, level: float) -> Plan:
    """Lay out the folds, one period apart, the last ending with the history.

    Raises
    ------
    InvalidInput
        Too little history; says how much is needed and for what.
    """
    training = max(2 * season, LEAST_TRAINING)
    needed = max(errors_needed(level), LEAST_FOLDS)
    there = periods - training - horizon + 1
    if there < needed:
        least = training + horizon + needed - 1
        shorter = (
            f" With this history the level can be at most {highest_level(there):.2g}." if there >= LEAST_FOLDS else ""
        )
        what = f"two seasons of {season}" if 2 * season >= LEAST_TRAINING else f"{LEAST_TRAINING} periods"
        raise InvalidInput(
            f"{periods} periods of history are too few: at least {least} are needed, {training} to learn from ({what}), {horizon} to "
            f"test a forecast of that length, and {needed - 1} more for the {needed} backtest forecasts that an interval of "
            f"{100 * level:g} % takes.",
            f"Give a longer history or a shorter horizon.{shorter}",
        )
    if folds < needed:
        raise InvalidInput(f"An interval of {100 * level:g} % takes at least {needed} folds.")
    used = min(folds + horizon - 1, there)
    between = horizon - 1 if used - (horizon - 1) >= needed else 0
    used = used if between else min(folds, there)
    selection = (used - between) // 2
    first = periods - horizon - used + 1
    return Plan(tuple(range(first, first + used)), selection, selection + between, horizon, season, level)


@dataclass(frozen=True)
class Work:
    """One series (T,) and the models to try on it."""

    name: str
    values: FloatArray
    plan: Plan
    models: tuple[str, ...]
    smoothing: tuple[float, float]


@dataclass(frozen=True)
class Tried:
    """What came of it: forecasts (K, H) and the future (H,) of the model chosen, errors of all on the folds that choose."""

    name: str
    model: str
    forecasts: FloatArray
    future: FloatArray
    scores: dict[str, float]
    dropped: dict[str, str] = field(default_factory=dict)


def outcomes(values: FloatArray, plan: Plan) -> FloatArray:
    """(…, K, H) what came after each origin, in series (…, T)."""
    windows = np.lib.stride_tricks.sliding_window_view(values, plan.horizon, axis=-1)
    return windows[..., plan.origins[0] : plan.origins[-1] + 1, :]  # origins follow each other: no copy


def try_models(work: Work) -> Tried:
    """Forecast from every origin with every model; the smallest mean absolute error on the first folds wins (module level: picklable).

    Of intermittent demand the root mean squared error decides: half of its periods may be empty, and 0 is then the best forecast by
    absolute error, though not of what is needed in the end.

    Models are estimated twice, at the first fold of either part, so that no fold sees its own future.
    """
    plan, came = work.plan, outcomes(work.values, work.plan)
    said: dict[str, FloatArray] = {}
    scores: dict[str, float] = {}
    dropped: dict[str, str] = {}
    for model in work.models:
        try:
            said[model] = rolling_forecasts(
                work.values, plan.origins, plan.horizon, plan.season, model, work.smoothing, (0, plan.report)
            )
        except NotFitted as error:
            dropped[model] = str(error)
            continue
        off = (said[model] - came)[: plan.selection]
        scores[model] = float(np.sqrt(np.mean(off**2)) if is_intermittent(work.values) else np.abs(off).mean())
    for model in sorted(scores, key=lambda one: (scores[one], MODELS.index(one))):
        try:
            future = rolling_forecasts(
                work.values, [work.values.size], plan.horizon, plan.season, model, work.smoothing
            )
        except NotFitted as error:
            dropped[model] = str(error)
            continue
        return Tried(work.name, model, said[model], future[0], scores, dropped)
    raise InvalidInput(f"None of the models can be fitted to '{work.name}'.", "Add naive to the models.")


def coverage(errors: FloatArray, selection: int, level: float) -> float | None:
    """Share of the later folds' errors (…, K, H) inside intervals made of the earlier ones'; None where those are too few."""
    try:
        rank = conformal_rank(selection, level)
    except InvalidInput:
        return None
    size = np.abs(errors)
    limit = np.sort(size[..., :selection, :], axis=-2)[..., rank - 1, :]
    return float((size[..., selection:, :] <= limit[..., None, :]).mean())
