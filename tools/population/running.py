"""Realisations of a forecast, cut into pieces of draws, each draw with its own stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.context import ToolContext
from tools.execution import Piece, pieces
from tools.population.filling import Drawn
from tools.population.schemas import PopulationInput
from tools.population.simulation import simulate_counts, simulate_people

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Realised:
    """(D, R, T + 1, S) people, (D, R, T, S) person-years and entries."""

    people: FloatArray
    person_years: FloatArray
    entries: FloatArray
    followed: bool


@dataclass(frozen=True)
class Job:
    """One piece of draws."""

    piece: Piece
    drawn: Drawn
    replicates: int
    follow: bool


def run_job(job: Job) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The arrays of `Realised` for one piece; module-level, so that it travels to other processes."""
    simulate = simulate_people if job.follow else simulate_counts
    years = job.drawn.rates.shape[1]
    rows = []
    for number in range(job.piece.size):
        d = 0 if job.drawn.certain else job.piece.start + number
        key = (*job.piece.seeds.spawn_key, number)
        rng = np.random.default_rng(np.random.SeedSequence(entropy=job.piece.seeds.entropy, spawn_key=key))
        start, inflow = job.drawn.start[d], job.drawn.inflow[d]
        made = [
            simulate(np.floor(start + rng.random(start.shape)), job.drawn.rates[d], rng.poisson(inflow), years, rng)
            for _ in range(job.replicates)
        ]  # a number that is not whole becomes one of the two beside it; new cases come by a Poisson process
        rows.append(tuple(np.stack([getattr(one, f) for one in made]) for f in _KEPT))
    return tuple(np.stack(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]


_KEPT = ("occupancy", "person_years", "entries")


def realise(request: PopulationInput, drawn: Drawn, followed_people: float, context: ToolContext) -> Realised:
    """All realisations."""
    everybody = float((drawn.start.sum(axis=1) + drawn.inflow.sum(axis=(1, 2))).mean())
    follow = everybody * request.draws * request.replicates <= followed_people
    context.progress(0.1, "following people" if follow else "counting people")
    jobs = [
        Job(piece, drawn, request.replicates, follow)
        for piece in pieces(request.draws, context.seed, size=max(1, min(100, request.draws // 4)))
    ]
    parts = context.executor.map(run_job, jobs)
    whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if drawn.certain:  # all have the same parameters: one draw with more replicates
        whole = [one.reshape(1, one.shape[0] * one.shape[1], *one.shape[2:]) for one in whole]
    return Realised(whole[0], whole[1], whole[2], follow)
