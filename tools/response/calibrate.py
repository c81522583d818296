"""Makes the confidence curves from a backtest; see `confidence.py` for what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from knowledge.base import KnowledgeBase
from knowledge.schemas import Endpoint, EvidenceView, Family
from tools.response.assemble import Prepared
from tools.response.backtest import leave_out
from tools.response.confidence import CURVES, FILE, LEVEL, Calibration, Step, calibrations
from tools.response.engine import prepare_endpoint
from tools.response.features import FloatArray, IntArray
from tools.response.fit import MODEL_VERSION
from tools.response.tables.forecasts import ENGINE, Forecasts
from tools.response.tables.scoring import MEDIAN, covered, interval
from tools.response.tolerances import tolerance_of

FOLDS = 5
MIN_TRIALS = 15  # below, a frequency says little and none is given
MIN_STEP = 40  # arms; a step of a few arms is a picture of chance


def endpoints_to_calibrate(knowledge: KnowledgeBase) -> tuple[str, ...]:
    """Endpoints for which it is said what counts as right, with enough trials."""
    found = []
    for name, endpoint in sorted(knowledge.vocabulary.endpoints.items()):
        trials = {arm.trial for arm in knowledge.arms.select(name)}
        if tolerance_of(endpoint) is not None and len(trials) >= MIN_TRIALS:
            found.append(name)
    return tuple(found)


def make_curve(
    knowledge: KnowledgeBase, endpoint_id: str, progress: Callable[[float, str], None] = lambda _share, _text: None
) -> Calibration | None:
    """Backtest an endpoint and fit its curve; takes a fit for each trial."""
    backtest = leave_out(knowledge, endpoint_id, progress=progress)
    endpoint = knowledge.vocabulary.endpoint(endpoint_id)
    return calibrate(backtest.arms, endpoint, prepare_endpoint(knowledge, EvidenceView(), endpoint_id))


def calibrate(arms: Forecasts, endpoint: Endpoint, prepared: Prepared) -> Calibration | None:
    """Fit the curve; None without a tolerance, a typical SD of a continuous endpoint, or enough trials."""
    trials = sorted({str(name) for name in arms.study})
    share = endpoint.family is Family.PROPORTION
    sd = None if share else prepared.selection.individual_sd
    right = tolerance_of(endpoint)
    if right is None or (sd is None and not share) or len(trials) < MIN_TRIALS:
        return None
    sizes = [row.arm.n for row in prepared.selection.rows if row.arm.n]
    widths, hits = _widths_and_hits(arms, right.tolerance)
    overall = float(hits.mean())
    quantiles = arms.quantiles[ENGINE]
    return Calibration(
        endpoint=endpoint.endpoint_id,
        tolerance=right.tolerance,
        unit=right.unit,
        evidence_hash=prepared.evidence_hash,
        model_version=MODEL_VERSION,
        n_arms=len(arms),
        n_trials=len(trials),
        typical_n=float(np.median(sizes)),
        individual_sd=sd,
        mean_absolute_error=float(np.mean(np.abs(quantiles[MEDIAN] - arms.observed))),
        coverage=float(np.mean(covered(quantiles, arms.observed, LEVEL))),
        brier=_cross_validated_brier(arms, trials, right.tolerance),
        brier_constant=overall * (1 - overall),
        steps=fit_steps(widths, hits),
    )


def _widths_and_hits(arms: Forecasts, tolerance: float) -> tuple[FloatArray, FloatArray]:
    lower, upper = interval(arms.quantiles[ENGINE], LEVEL)
    errors = np.abs(arms.observed - arms.quantiles[ENGINE][MEDIAN])
    return (upper - lower) / 2, (errors <= tolerance).astype(float)


def fit_steps(widths: FloatArray, hits: FloatArray) -> tuple[Step, ...]:
    """Non-increasing step function of hits (0 or 1) over widths, both shape (n,), n at least 1."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(widths, kind="stable")
    ordered = widths[order]
    blocks = _large_enough(isotonic_regression(hits[order], increasing=False).blocks)
    return tuple(
        Step(half_width=float(ordered[end - 1]), n=end - start, hits=int(hits[order][start:end].sum()))
        for start, end in pairwise(blocks)
    )


def _large_enough(blocks: IntArray) -> list[int]:
    """Block limits with neighbours joined until each holds at least MIN_STEP rows (or all of them)."""
    limits = [int(blocks[0])]
    for limit in blocks[1:]:
        if limit - limits[-1] >= MIN_STEP:
            limits.append(int(limit))
    if len(limits) == 1:
        return [int(blocks[0]), int(blocks[-1])]
    limits[-1] = int(blocks[-1])
    return limits


def _cross_validated_brier(arms: Forecasts, trials: Sequence[str], tolerance: float) -> float:
    errors: list[float] = []
    for fold in range(FOLDS):
        held_out = np.isin(arms.study, trials[fold::FOLDS])
        if held_out.all() or not held_out.any():
            continue
        steps = fit_steps(*_widths_and_hits(arms.take(np.flatnonzero(~held_out)), tolerance))
        for width, hit in zip(*_widths_and_hits(arms.take(np.flatnonzero(held_out)), tolerance), strict=True):
            step = next((step for step in steps if width <= step.half_width), steps[-1])
            errors.append((step.share - float(hit)) ** 2)
    return float(np.mean(errors))


def write_calibrations(curves: Mapping[str, Calibration], path: Path = FILE) -> None:
    """Write the curves, rounded to what they can bear."""
    rounded = json.loads(
        CURVES.dump_json(dict(sorted(curves.items()))), parse_float=lambda text: float(f"{float(text):.6g}")
    )
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    calibrations.cache_clear()
