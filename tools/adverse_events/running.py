"""Realisations of adverse events under hazards, cut into pieces of draws, each draw with its own stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.adverse_events.model import count_people, expected_course, follow_people
from tools.adverse_events.schemas import AdverseEventsInput, Hazard
from tools.context import ToolContext
from tools.execution import Piece, pieces
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
WEEKS_PER_YEAR = 365.25 / 7
LARGEST = 2_000_000
REST = ("otherwise", "died", "treated", "event_free")


@dataclass(frozen=True)
class Drawn:
    """Cumulative hazards (D, J) and (D, 2), shapes (J + 2,), shares that stop (D, J); one draw where nothing varies."""

    cumulative: FloatArray
    shapes: FloatArray
    stops: FloatArray
    ending: FloatArray
    certain: bool


@dataclass(frozen=True)
class Realised:
    """(D, R, J) people with each event and stopped for it; (D, R, 4) stopped otherwise, died, treated, event-free.

    times (T,) share of follow-up; curves (D, T, J + 2): shares with each event, and stopped and dead.
    """

    occurred: FloatArray
    stopped: FloatArray
    rest: FloatArray
    times: FloatArray
    curves: FloatArray
    followed: bool


@dataclass(frozen=True)
class Job:
    """One piece of draws."""

    piece: Piece
    drawn: Drawn
    people: int
    replicates: int
    follow: bool


def draw_hazards(request: AdverseEventsInput, seed: int) -> Drawn:
    """All draws (InvalidInput for shares outside 0 to 1 and rates below 0)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[4])
    certain = True

    def draw(quantity: Quantity, what: str, most: float) -> FloatArray:
        nonlocal certain
        given = as_uncertain(quantity)
        certain = certain and given.certain
        values = given.draw(rng, request.draws)
        if not np.isfinite(values).all() or (values < 0).any() or (values > most).any():
            words = "a share from 0 to 1" if most == 1 else "a number of 0 or more"
            raise InvalidInput(
                f"{what} must be {words} in every draw.", "Choose a distribution that stays in its range."
            )
        return values

    def hazard(one: Hazard | None, what: str) -> FloatArray:
        if one is None:
            return np.zeros(request.draws)
        if one.rate is not None:
            return draw(one.rate, f"The rate of {what}", np.inf) / 100 * request.weeks / WEEKS_PER_YEAR
        risk = draw(one.risk if one.risk is not None else 0.0, f"The risk of {what}", 1.0)
        if (risk >= 1).any():
            raise InvalidInput(f"A risk of {what} of 100 % has no finite hazard.", "Give a share below 1, or a rate.")
        return np.asarray(-np.log1p(-risk))

    cumulative = np.stack([hazard(one, one.name) for one in request.events], axis=1)
    stops = np.stack([draw(one.stops, f"The share that stops for {one.name}", 1.0) for one in request.events], axis=1)
    other, death = request.other_stopping, request.death
    ending = np.stack([hazard(other, "stopping for another reason"), hazard(death, "death")], axis=1)
    shapes = [*(one.shape for one in request.events), *(one.shape if one else 1.0 for one in (other, death))]
    keep = slice(0, 1) if certain else slice(None)
    return Drawn(cumulative[keep], np.array(shapes), stops[keep], ending[keep], certain)


def run_job(job: Job) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """The arrays of `Realised` for one piece; module-level, so that it travels to other processes."""
    drawn, piece = job.drawn, job.piece
    place = np.zeros(1, dtype=int) if drawn.certain else np.arange(piece.start, piece.stop)
    course = expected_course(drawn.cumulative[place], drawn.shapes, drawn.stops[place], drawn.ending[place])
    occurred, stopped, rest = [], [], []
    for number in range(piece.size):
        key = (*piece.seeds.spawn_key, number)
        rng = np.random.default_rng(np.random.SeedSequence(entropy=piece.seeds.entropy, spawn_key=key))
        i = 0 if drawn.certain else number
        d = place[i]
        made = [
            follow_people(job.people, drawn.cumulative[d], drawn.shapes, drawn.stops[d], drawn.ending[d], rng)
            if job.follow
            else count_people(job.people, course, i, rng)
            for _ in range(job.replicates)
        ]
        occurred.append([one.occurred for one in made])
        stopped.append([one.stopped for one in made])
        rest.append([[getattr(one, name) for name in REST] for one in made])
    ended = np.stack([course.stopped.sum(axis=2) + course.otherwise, course.died], axis=2)
    curves = np.concatenate([course.occurred, ended], axis=2)
    thin = np.unique(np.linspace(0, 1, 41) * (len(course.times) - 1)).astype(int)
    return (
        np.array(occurred, dtype=np.float64), np.array(stopped, dtype=np.float64), np.array(rest, dtype=np.float64),
        course.times[thin], curves[:, thin],
    )  # fmt: skip


def realise(request: AdverseEventsInput, followed_people: float, context: ToolContext) -> Realised:
    """All realisations (InvalidInput when there are too many numbers to keep)."""
    if request.draws * request.replicates * (2 * len(request.events) + 4) > LARGEST:
        raise InvalidInput("This simulation is too large.", "Lower draws, replicates or the number of events.")
    drawn = draw_hazards(request, context.seed)
    follow = request.people * request.draws * request.replicates <= followed_people
    context.progress(0.1, "following people" if follow else "counting people")
    jobs = [
        Job(piece, drawn, request.people, request.replicates, follow)
        for piece in pieces(request.draws, context.seed, size=50)
    ]
    parts = context.executor.map(run_job, jobs)
    occurred, stopped, rest = (np.concatenate([part[i] for part in parts]) for i in range(3))
    curves = parts[0][4] if drawn.certain else np.concatenate([part[4] for part in parts])
    if drawn.certain:  # all have the same parameters: one draw with more replicates
        occurred, stopped, rest = (one.reshape(1, -1, one.shape[-1]) for one in (occurred, stopped, rest))
    return Realised(occurred, stopped, rest, parts[0][3], curves, follow)
