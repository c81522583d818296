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
from tools.response.backtest import Backtest, BacktestRow, leave_one_trial_out, score
from tools.response.confidence import CURVES, FILE, LEVEL, Calibration, Step, calibrations
from tools.response.engine import prepare_endpoint
from tools.response.features import FloatArray, IntArray
from tools.response.fit import MODEL_VERSION

FOLDS = 5
MIN_TRIALS = 15  # below, a frequency says little and none is given
MIN_STEP = 40  # arms; a step of a few arms is a picture of chance


def endpoints_to_calibrate(knowledge: KnowledgeBase) -> tuple[str, ...]:
    """Continuous endpoints with a sourced MCID and enough trials."""
    found = []
    for name, endpoint in sorted(knowledge.vocabulary.endpoints.items()):
        trials = {arm.trial for arm in knowledge.arms.select(name)}
        if endpoint.mcid is not None and endpoint.family is Family.CONTINUOUS and len(trials) >= MIN_TRIALS:
            found.append(name)
    return tuple(found)


def make_curve(
    knowledge: KnowledgeBase, endpoint_id: str, progress: Callable[[float, str], None] = lambda _share, _text: None
) -> Calibration | None:
    """Backtest an endpoint and fit its curve; takes a fit for each trial."""
    backtest = leave_one_trial_out(knowledge, endpoint_id, progress=progress)
    endpoint = knowledge.vocabulary.endpoint(endpoint_id)
    return calibrate(backtest, endpoint, prepare_endpoint(knowledge, EvidenceView(), endpoint_id))


def calibrate(backtest: Backtest, endpoint: Endpoint, prepared: Prepared) -> Calibration | None:
    """Fit the curve; None without an MCID, a typical SD, or enough trials."""
    rows = [row for row in backtest.rows if not row.contrast]
    trials = sorted({row.trial for row in rows})
    sd = prepared.selection.individual_sd
    if endpoint.mcid is None or sd is None or len(trials) < MIN_TRIALS:
        return None
    sizes = [row.arm.n for row in prepared.selection.rows if row.arm.n]
    widths, hits = _widths_and_hits(rows, endpoint.mcid)
    overall = float(hits.mean())
    summary = score(rows, "response_engine")
    return Calibration(
        endpoint=endpoint.endpoint_id,
        tolerance=endpoint.mcid,
        unit=endpoint.unit,
        evidence_hash=prepared.evidence_hash,
        model_version=MODEL_VERSION,
        n_arms=len(rows),
        n_trials=len(trials),
        typical_n=float(np.median(sizes)),
        individual_sd=sd,
        mean_absolute_error=summary.mean_absolute_error,
        coverage=summary.coverage[LEVEL],
        brier=_cross_validated_brier(rows, trials, endpoint.mcid),
        brier_constant=overall * (1 - overall),
        steps=fit_steps(widths, hits),
    )


def _widths_and_hits(rows: Sequence[BacktestRow], tolerance: float) -> tuple[FloatArray, FloatArray]:
    forecasts = [row.forecasts["response_engine"] for row in rows]
    widths = np.array([(f.intervals[LEVEL][1] - f.intervals[LEVEL][0]) / 2 for f in forecasts])
    errors = np.array([abs(row.observed - f.point) for row, f in zip(rows, forecasts, strict=True)])
    return widths, (errors <= tolerance).astype(float)


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


def _cross_validated_brier(rows: Sequence[BacktestRow], trials: Sequence[str], tolerance: float) -> float:
    errors: list[float] = []
    for fold in range(FOLDS):
        held_out = set(trials[fold::FOLDS])
        known = [row for row in rows if row.trial not in held_out]
        judged = [row for row in rows if row.trial in held_out]
        if not known or not judged:
            continue
        steps = fit_steps(*_widths_and_hits(known, tolerance))
        for width, hit in zip(*_widths_and_hits(judged, tolerance), strict=True):
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
