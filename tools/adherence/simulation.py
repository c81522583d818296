"""Chance among people, in pieces of draws that any executor may compute. Time and memory do not depend on how many people.

Who is still on treatment at each time, and who reaches the limit of adherence, are binomial counts; the mean cover of N
people is normal around its expectation with the exact variance between people (central limit theorem).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.adherence import implementation, persistence
from tools.adherence.filling import Drawn
from tools.adherence.schemas import SimulateInput
from tools.context import ToolContext
from tools.execution import Piece, pieces

FloatArray = npt.NDArray[np.float64]
PIECE = 250
STEPS = 24  # times of the curve after day 0


@dataclass(frozen=True)
class Job:
    """One piece of draws, picklable; arrays (d,)."""

    piece: Piece
    people: int
    times: FloatArray
    limit: float
    shape: FloatArray
    scale: FloatArray
    taken: FloatArray
    sd: float | None
    replicates: int


@dataclass(frozen=True)
class Outcomes:
    """Simulated (…, d, R) and expected (…, d): curve (d, R, T) of the share on treatment, cover, share adherent, days.

    `adherent` is None where nothing tells how people differ.
    """

    curve: FloatArray
    curve_expected: FloatArray
    cover: FloatArray
    cover_expected: FloatArray
    adherent: FloatArray | None
    adherent_expected: FloatArray | None
    days: FloatArray
    days_expected: FloatArray


def run_job(job: Job) -> Outcomes:
    """Outcomes of one piece."""
    rng = job.piece.rng()
    size = (job.piece.size, job.replicates)
    horizon = float(job.times[-1])
    expected = persistence.survival(job.times, job.shape[:, None], job.scale[:, None])
    left = np.full(size, job.people, dtype=np.int64)
    curve = np.empty((*size, job.times.size))
    for step in range(job.times.size):
        if step:
            stay = expected[:, step] / np.maximum(expected[:, step - 1], 1e-300)
            left = rng.binomial(left, np.clip(stay, 0.0, 1.0)[:, None])
        curve[..., step] = left / job.people
    mean, between = implementation.cover_moments(job.taken, job.sd or 0.0, horizon, job.shape, job.scale)
    first, second = persistence.time_on_treatment(horizon, job.shape, job.scale)
    root = job.people**0.5
    cover = mean[:, None] + between[:, None] / root * rng.standard_normal(size)
    days = first[:, None] + np.sqrt(np.maximum(second - first**2, 0.0))[:, None] / root * rng.standard_normal(size)
    reached = counted = None
    if job.sd is not None:
        reached = implementation.share_covered(job.limit, job.taken, job.sd, horizon, job.shape, job.scale)
        counted = rng.binomial(job.people, reached[:, None], size) / job.people
    return Outcomes(
        curve, expected, np.clip(cover, 0.0, 1.0), mean, counted, reached, np.clip(days, 0.0, horizon), first
    )


def simulate(request: SimulateInput, drawn: Drawn, context: ToolContext) -> tuple[FloatArray, Outcomes]:
    """Times (T,) in days and the outcomes of all draws."""
    times = np.linspace(0.0, request.horizon_days, STEPS + 1)
    jobs = [
        Job(
            piece=piece, people=request.people, times=times, limit=request.adherent_from, shape=drawn.shape[piece.start : piece.stop],
            scale=drawn.scale[piece.start : piece.stop], taken=drawn.taken[piece.start : piece.stop], sd=drawn.taken_sd,
            replicates=request.replicates,
        )
        for piece in pieces(request.draws, context.seed, size=PIECE)
    ]  # fmt: skip
    parts = context.executor.map(run_job, jobs)

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])

    known = drawn.taken_sd is not None
    return times, Outcomes(
        curve=joined("curve"),
        curve_expected=joined("curve_expected"),
        cover=joined("cover"),
        cover_expected=joined("cover_expected"),
        adherent=joined("adherent") if known else None,
        adherent_expected=joined("adherent_expected") if known else None,
        days=joined("days"),
        days_expected=joined("days_expected"),
    )
