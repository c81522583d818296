"""The runs of all scenarios, cut into pieces; every draw has its own stream, the same in each scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.epidemic.filling import Drawn, Scene, biology_of, setting_of
from tools.epidemic.stochastic import VACCINATED, Runs, simulate_runs
from tools.execution import Piece, pieces

FloatArray = npt.NDArray[np.float64]
LARGEST_WORK = 3e10  # terms of the force of infection, about ten minutes
LARGEST_CURVES = 6e7  # numbers kept of the curves


@dataclass(frozen=True)
class Scenario:
    """One course of action: with or without the measures, and doses given to groups before the outbreak."""

    name: str
    act: bool = True
    protected: tuple[float, ...] = ()
    curves: bool = False


@dataclass(frozen=True)
class Outcomes:
    """(D, R, G) infections, hospital stays and deaths; (D, R) peak, its day and end; (D, R, T) curves if kept."""

    infections: FloatArray
    hospitalisations: FloatArray
    deaths: FloatArray
    largest: FloatArray
    largest_day: FloatArray
    ended: FloatArray
    incidence: FloatArray
    spent: FloatArray

    def burden(self, outcome: str) -> FloatArray:
        """(D, R) infections, hospitalisations or deaths of all groups."""
        return np.asarray(getattr(self, outcome).sum(axis=-1))


@dataclass(frozen=True)
class Job:
    """One piece of draws under one scenario."""

    piece: Piece
    scene: Scene
    drawn: Drawn
    scenario: Scenario
    replicates: int


def run_job(job: Job) -> tuple[FloatArray, ...]:
    """The fields of `Outcomes` for one piece; module-level, so that it travels to other processes."""
    rows = []
    for number in range(job.piece.size):
        d = 0 if job.drawn.certain else job.piece.start + number
        stream = np.random.SeedSequence(entropy=job.piece.seeds.entropy, spawn_key=(*job.piece.seeds.spawn_key, number))
        rng = np.random.default_rng(stream)
        given = np.asarray(job.scenario.protected) if job.scenario.protected else None
        setting = setting_of(job.scene, job.drawn, d, act=job.scenario.act, protected=given)
        runs = simulate_runs(setting, biology_of(job.scene, job.drawn, d), job.replicates, rng)
        hospital = _severe(runs, job.drawn, d, "hospitalised", "vaccine.against_hospital", rng)
        dead = _severe(runs, job.drawn, d, "died", "vaccine.against_death", rng)
        keep = slice(None) if job.scenario.curves else slice(0, 0)
        rows.append(
            (
                runs.infections.sum(axis=-1), hospital, dead, runs.largest, runs.largest_day, runs.ended,
                runs.incidence[:, keep], runs.spent[:, keep],
            )
        )  # fmt: skip
    return tuple(np.asarray(np.stack(column), dtype=np.float64) for column in zip(*rows, strict=True))


def _severe(
    runs: Runs, drawn: Drawn, d: int, what: str, prevented: str, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """(R, G) people of the infected with this outcome."""
    share = np.repeat(drawn.groups[what][d][:, None], runs.infections.shape[-1], axis=1)
    if prevented in drawn.values:
        share[:, VACCINATED] *= 1 - drawn.values[prevented][d]
    return np.asarray(rng.binomial(runs.infections, share[None]).sum(axis=-1))


def run_scenarios(scene: Scene, drawn: Drawn, scenarios: list[Scenario], context: ToolContext) -> dict[str, Outcomes]:
    """All scenarios by name, with the same random streams.

    Raises
    ------
    InvalidInput
        More work or memory than this tool takes on; says what to lower.
    """
    request = scene.request
    places, groups = scene.people.shape
    variants = 1 + len(request.variants)
    cells = request.draws * request.replicates * request.days
    work = cells * scene.steps_per_day * places * groups * (places * groups * variants + 2 + variants) * len(scenarios)
    if work > LARGEST_WORK or cells * sum(2 for one in scenarios if one.curves) > LARGEST_CURVES:
        raise InvalidInput("This simulation is too large.", "Lower draws, replicates, days, places or groups.")
    found = {}
    for number, scenario in enumerate(scenarios):
        context.progress(number / len(scenarios), f"simulating: {scenario.name}")
        jobs = [
            Job(piece, scene, drawn, scenario, request.replicates)
            for piece in pieces(request.draws, context.seed, size=max(1, min(50, request.draws // 4)))
        ]
        parts = context.executor.map(run_job, jobs)
        whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
        if drawn.certain:  # all runs have the same parameters: one draw with more replicates
            whole = [one.reshape(1, one.shape[0] * one.shape[1], *one.shape[2:]) for one in whole]
        found[scenario.name] = Outcomes(*whole)
    return found
