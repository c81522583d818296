"""`simulate_myelosuppression`: how far and when a drug lowers blood cells, and in how many patients too far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.adverse_events.marrow_filling import Typical, draw_typical, parameters_of, schedule
from tools.adverse_events.marrow_report import (
    assumptions_of,
    count_chart,
    patient_estimates,
    sources_of,
    typical_estimates,
    warnings_of,
)
from tools.adverse_events.model import Doses, grade_shares, suppress
from tools.adverse_events.report import Frame
from tools.adverse_events.schemas import MyelosuppressionInput, MyelosuppressionResult
from tools.context import ToolContext
from tools.execution import Piece, pieces
from tools.parameter_sheet import read_parameters
from tools.registry import tool
from tools.schemas import Level, Validation

SHEET = Path(__file__).with_name("parameters.yaml")
FloatArray = npt.NDArray[np.float64]
GRID_POINTS = 64
SHOWN = 200
NOTHING = 1e-3
LEAST, ENOUGH = 50, 1000  # patients followed under each draw, and for a small cohort


@dataclass(frozen=True)
class Job:
    """One piece: patients under each of some draws, `count` a draw."""

    piece: Piece
    typical: Typical
    given: Doses
    hours: float
    count: int
    grid: FloatArray


def run_job(job: Job) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lowest counts and their days (D, P), counts over time (D, min(P, 200), G); module-level, so that it travels."""
    lowest, days, curves = [], [], []
    for number in range(job.piece.size):
        key = (*job.piece.seeds.spawn_key, number)
        rng = np.random.default_rng(np.random.SeedSequence(entropy=job.piece.seeds.entropy, spawn_key=key))
        draw = 0 if job.typical.certain else job.piece.start + number
        marrow, modes, oral = job.typical.patients(draw, job.count, rng)
        found = suppress(
            marrow, modes, job.given, job.hours, absorption=oral, available=job.typical.available, grid=job.grid
        )
        lowest.append(found.nadir)
        days.append(found.nadir_day)
        curves.append(found.counts[:SHOWN])
    return np.stack(lowest), np.stack(days), np.stack(curves)


@tool(
    "simulate_myelosuppression",
    input=MyelosuppressionInput,
    result=MyelosuppressionResult,
    validation=Validation.VALIDATED,
    offered=False,
)
def simulate_myelosuppression(request: MyelosuppressionInput, context: ToolContext) -> MyelosuppressionResult:
    """Say how far a drug lowers neutrophils or leukocytes, on which day, and in how many patients below grades 3 and 4.

    Semi-mechanistic model of Friberg et al 2002 driven by linear pharmacokinetics (one to three compartments; at once, as
    an infusion, or by mouth; several days and cycles). Docetaxel on neutrophils and paclitaxel on leukocytes ship (`drug`,
    dose in umol or mg a person, not per square metre); for others give
    `compartments` (litres, litres an hour) and `cells` (baseline 10^9 per litre, mean transit time in hours, feedback,
    slope). Differences between patients are standard deviations of logarithms; uncertain parameters are distributions.
    """
    sheet = read_parameters(SHEET)
    drug, cells = parameters_of(request, sheet)
    given, hours = schedule(request, sheet)
    typical = draw_typical(request, drug, cells, context.seed)
    limits = request.limits or {f"grade {grade}": sheet[f"{cells.kind}_grade_{grade}"].value for grade in (3, 4)}
    if any(bound <= 0 for bound in limits.values()):
        raise InvalidInput("Limits of blood cells lie above 0.")
    draws = len(typical.clearance)
    budget = int(sheet["followed_patients"].value)
    count = max(LEAST, min(max(request.people, ENOUGH), budget // draws)) if any(typical.spread.values()) else 1
    parts = 8 if typical.certain and count >= 800 else 1  # one draw is cut too, so that executors can share it
    context.progress(0.1, "following patients")
    grid = np.linspace(0, hours, GRID_POINTS)
    jobs = [
        Job(piece, typical, given, hours, count // parts, grid)
        for piece in pieces(draws * parts, context.seed, size=1 if typical.certain else 10)
    ]
    found = context.executor.map(run_job, jobs)
    lowest, days, curves = (np.concatenate(column) for column in zip(*found, strict=True))
    if typical.certain:
        lowest, days = lowest.reshape(1, -1), days.reshape(1, -1)
    shares = np.stack([grade_shares(row, list(limits.values())) for row in lowest])
    rng = np.random.default_rng(np.random.SeedSequence(context.seed).spawn(6)[5])
    replicates = request.replicates * (request.draws if typical.certain else 1)
    chances = _without_sampling(shares, lowest.shape[1])[:, None, :].repeat(replicates, axis=1)
    if typical.certain and any(typical.spread.values()):
        # Known only as well as the patients followed tell; the prior weighs next to nothing, so that no share is shifted.
        chances = rng.beta(chances * lowest.shape[1] + NOTHING, (1 - chances) * lowest.shape[1] + NOTHING)
    people = rng.binomial(request.people, chances).astype(np.float64)
    frame = Frame(f"{request.people:,} patients", hours / 168, request.level, source_ids=sources_of(request, sheet))
    estimates = typical_estimates(frame, typical, given, hours, cells)
    estimates += patient_estimates(frame, lowest, days, cells, bool(any(typical.spread.values())))
    for i, name in enumerate(limits):
        what = f"{cells.kind} below {list(limits.values())[i]:g} x 10^9 per litre ({name})"
        estimates += [
            frame.estimate(f"below.{name}.share", f"patients with {what}", "%", 100 * people[..., i] / request.people, Level.SHARE),
            frame.estimate(f"below.{name}.people", f"patients with {what}", "people", people[..., i], Level.COUNT),
        ]  # fmt: skip
    return MyelosuppressionResult(
        title=f"Suppression of {cells.kind} by {request.drug or 'the drug'}, {request.cycles} cycles",
        estimates=tuple(estimates),
        charts=(count_chart(curves.reshape(-1, grid.size), grid, limits, cells, request.level),),
        assumptions=assumptions_of(request, typical, sheet, lowest.shape[1]),
        warnings=warnings_of(request, cells, sheet),
        source_ids=sources_of(request, sheet),
        cells=cells.kind,
        draws={name: tuple(people[..., i].ravel()[: request.draws].tolist()) for i, name in enumerate(limits)},
    )


def _without_sampling(shares: FloatArray, followed: int) -> FloatArray:
    """(D, L) shares by draw, drawn together by what their spread owes to the limited number of patients followed."""
    if len(shares) < 2 or followed < 2:
        return shares
    mean = shares.mean(axis=0)
    between = shares.var(axis=0, ddof=1)
    own = np.maximum(between - (shares * (1 - shares)).mean(axis=0) / (followed - 1), 0.0)
    factor = np.sqrt(np.divide(own, between, out=np.zeros_like(own), where=between > 0))
    return np.asarray(np.clip(mean + (shares - mean) * factor, 0, 1))
