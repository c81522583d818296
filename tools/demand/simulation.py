"""From histories to reconciled forecasts with their backtest errors, and to courses under the events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.demand.backtest import Plan, Tried, Work, outcomes, plan, try_models
from tools.demand.filling import History
from tools.demand.forecasters import LABELS, suited, too_large
from tools.demand.paths import Course, Drawn, draw
from tools.demand.reconciliation import Hierarchy, reconcile
from tools.demand.schemas import DemandInput
from tools.execution import pieces
from tools.parameter_sheet import read_parameters
from tools.quantities import as_uncertain

FloatArray = npt.NDArray[np.float64]
PIECE = 25
MAX_NUMBERS = 20_000_000
SHEET = Path(__file__).parent / "parameters.yaml"


@dataclass(frozen=True)
class Forecasted:
    """Reconciled forecasts of all series.

    Attributes
    ----------
    future : (n, H). errors : (n, K, H) of all folds, as the future was reconciled. later : (n, E, H) forecasts on the folds that
        report the error, reconciled by the earlier ones only. early : (n, S, H) errors of those. came : (n, K, H).
    """

    plan: Plan
    tried: tuple[Tried, ...]
    future: FloatArray
    errors: FloatArray
    later: FloatArray
    early: FloatArray
    came: FloatArray
    said: tuple[str, ...]


def forecast(request: DemandInput, history: History, context: ToolContext) -> Forecasted:
    """Try the models on each series, choose, and make the forecasts add up."""
    periods, points = history.values.shape[1], history.values.size
    laid = plan(periods, request.horizon, history.season, request.folds, request.level)
    sheet = read_parameters(SHEET)
    smoothing = (sheet["tsb_size_smoothing"].value, sheet["tsb_chance_smoothing"].value)
    large = [LABELS[model] for model in request.models if too_large(model, periods, history.season, points)]
    if large:
        raise InvalidInput(
            f"Fitting {' and '.join(large)} to {points:,} counts in {periods:,} periods with a season of {history.season} takes too long.",
            "Leave it out, add up to longer periods, or give a shorter history.",
        )
    if laid.folds * request.horizon * len(history.tree.names) > MAX_NUMBERS:
        raise InvalidInput("So many folds of so long a horizon are more than one call computes.", "Give fewer folds.")
    works, said = [], []
    for name, values in zip(history.tree.names, history.values, strict=True):
        if np.ptp(values) == 0:
            models: list[str] = ["naive"]
            said.append(
                f"'{name}' never changed in its history: its interval has no width, which says nothing about change to come."
            )
        elif request.models:
            models = list(request.models)
        else:
            models, left_out = suited(values, history.season, points)
            said += left_out
        works.append(Work(name, values, laid, tuple(models), smoothing))
    context.progress(0.05, "models tried on the past")
    tried = context.executor.map(try_models, works)
    context.progress(0.7, "forecasts that add up")
    said += [
        f"{LABELS[m].capitalize()} was not fitted to '{one.name}': {why}."
        for one in tried
        for m, why in one.dropped.items()
    ]
    base = np.stack([one.forecasts for one in tried])
    came = np.stack([outcomes(values, laid) for values in history.values])
    cut = laid.selection
    sums = history.tree.sums
    everything = _adding(base, sums, request.reconcile, came - base)
    honest = _adding(base, sums, request.reconcile, (came - base)[:, :cut])
    future = _adding(np.stack([one.future for one in tried]), sums, request.reconcile, came - base)
    return Forecasted(
        laid, tuple(tried), future, came - everything, honest[:, laid.report :], (came - honest)[:, :cut], came,
        tuple(dict.fromkeys(said)),
    )  # fmt: skip


def _adding(base: FloatArray, sums: FloatArray, method: str, errors: FloatArray) -> FloatArray:
    """Reconciled and 0 or more: negative parts become 0 before they are added up again."""
    n, m = sums.shape
    made = reconcile(base, sums, method, errors.reshape(n, -1).T) if n > m else base
    bottom = np.maximum(made[n - m :], 0.0)
    return np.asarray(np.tensordot(sums, bottom, axes=(1, 0)))


def event_factors(request: DemandInput, tree: Hierarchy, seed: int) -> tuple[FloatArray, bool]:
    """(D, H, m) factors of all events on the bottom series, and whether they are all certain."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0xDE3A]))
    factors = np.ones((request.draws, request.horizon, len(tree.bottom)))
    certain = True
    for event in request.events:
        unknown = [name for name in event.series if name not in tree.names]
        if unknown:
            raise InvalidInput(f"The event '{event.name}' names a series '{unknown[0]}' that is not there.")
        uncertain = as_uncertain(event.change)
        certain = certain and uncertain.certain
        change = uncertain.draw(rng, request.draws)
        if not np.isfinite(change).all() or change.min() < -1 or change.max() > 100:
            raise InvalidInput(f"The change of '{event.name}' lies between -1 (no demand) and 100 (101 times as much).")
        hit = (
            np.any([tree.below(name) for name in event.series], axis=0)
            if event.series
            else np.ones(len(tree.bottom), bool)
        )
        end = request.horizon if event.periods is None else event.start - 1 + event.periods
        factors[:, event.start - 1 : end, hit] *= 1 + change[:, None, None]
    return factors, certain


def courses(
    request: DemandInput, history: History, found: Forecasted, context: ToolContext, keep: tuple[int, ...]
) -> tuple[Drawn, FloatArray, bool]:
    """Courses of demand under the events; also the mean factors (H, m), and whether the events are certain."""
    tree = history.tree
    parts = len(tree.bottom)
    runs = request.draws * request.replicates
    if (
        runs * request.horizon * max(len(keep), 1) > MAX_NUMBERS
        or PIECE * request.replicates * request.horizon * parts > MAX_NUMBERS
    ):
        raise InvalidInput(
            f"{runs:,} courses of {request.horizon} periods are more than one call computes.",
            "Use fewer draws or replicates.",
        )
    if request.draws * request.horizon * parts > MAX_NUMBERS:
        raise InvalidInput("So many draws of so many series are more than one call computes.", "Use fewer draws.")
    factors, certain = event_factors(request, tree, context.seed)
    upper = len(tree.names) - parts
    future = found.future[upper:].T
    errors = np.ascontiguousarray(np.moveaxis(found.errors[upper:], 0, -1))
    work = [
        Course(piece, request.replicates, future, errors, factors[piece.start : piece.stop], tree.sums, keep)
        for piece in pieces(request.draws, context.seed, size=PIECE)
    ]
    context.progress(0.8, "courses of demand")
    made = context.executor.map(draw, work)
    whole = Drawn(*(np.concatenate([getattr(one, part) for one in made]) for part in ("totals", "plain", "courses")))
    return whole, np.asarray(factors.mean(axis=0)), certain
