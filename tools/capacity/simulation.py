"""Runs of a clinic under draws and replicates, each reduced at once to its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from knowledge.errors import InvalidInput
from tools.capacity.arrivals import FloatArray, appointments, walk_ins
from tools.capacity.filling import Filled
from tools.capacity.network import IntArray, Visits, run
from tools.capacity.schemas import ClinicInput
from tools.context import ToolContext
from tools.execution import Piece, pieces

PIECE = 10
MAX_RUNS, MAX_PATIENTS_IN_ALL, MAX_BY_SIMPY = 20_000, 2_000_000_000, 3_000_000
STATION_FIGURES = (
    "wait_mean", "wait_p90", "waited_share", "wait_over", "queue_length", "utilisation", "served", "lost_share",
)  # fmt: skip
CLINIC_FIGURES = ("arrivals", "in_clinic_mean", "in_clinic_p90", "completed_share", "cost")


@dataclass(frozen=True)
class Work:
    """One piece of the runs; run r is replicate r mod R of draw r div R."""

    request: ClinicInput
    filled: Filled
    piece: Piece


def simulate(request: ClinicInput, filled: Filled, context: ToolContext) -> tuple[dict[str, FloatArray], int]:
    """All runs.

    Returns
    -------
    figures : (D, R) each, by "station.figure", "stream.wait_mean" and "clinic.figure". patients : simulated in all.

    Raises
    ------
    InvalidInput
        More runs or patients than one call may compute, or a run in which nobody came.
    """
    runs = request.draws * request.replicates
    if runs > MAX_RUNS:
        raise InvalidInput(
            f"{runs:,} runs are more than one call computes.", f"Keep draws × replicates below {MAX_RUNS:,}."
        )
    expected = float(sum(_expected(request, filled, c) for c in range(len(request.streams)))) * runs
    by_simpy = any(filled.clinics[0].staff)
    most = MAX_BY_SIMPY if by_simpy else MAX_PATIENTS_IN_ALL
    if expected > most:
        raise InvalidInput(
            f"This simulation would follow {expected:,.0f} patients, more than {most:,}.",
            "Use fewer or shorter runs" + (", or leave out shared staff, which is slow." if by_simpy else "."),
        )
    works = [Work(request, filled, piece) for piece in pieces(runs, context.seed, size=PIECE)]
    context.progress(0.1, "patients pass through the clinic")
    parts = context.executor.map(_runs, works)
    context.progress(0.9, "figures of the runs")
    shape = (request.draws, request.replicates)
    joined = {key: np.concatenate([part[key] for part, _ in parts]).reshape(shape) for key in parts[0][0]}
    joined = {key: v for key, v in joined.items() if ".wait_mean_" not in key or not np.isnan(v).any()}
    empty = [key for key, values in joined.items() if np.isnan(values).any()]
    if empty:
        raise InvalidInput(
            f"In some runs nobody was there to tell {empty[0]}.", "Make the runs longer, or the warm-up shorter."
        )
    return joined, sum(int(count) for _, count in parts)


def _expected(request: ClinicInput, filled: Filled, c: int) -> float:
    """Patients of a stream in one run, under the mean draw."""
    stream = request.streams[c]
    if stream.appointments:
        return len(stream.appointments) * (request.run_length / request.cycle if request.cycle else 1.0)
    shape = float(np.mean(stream.rates)) if stream.rates else 1.0
    return shape * float(filled.rate[c].mean()) * request.run_length


def _runs(work: Work) -> tuple[Mapping[str, FloatArray], int]:
    """(r,) figures of a piece's runs, and the patients in them."""
    found: dict[str, list[float]] = {}
    patients = 0
    for offset in range(work.piece.size):
        draw = (work.piece.start + offset) // work.request.replicates
        own = np.random.SeedSequence(work.piece.seeds.entropy, spawn_key=(*work.piece.seeds.spawn_key, offset))
        arrive, stream = _arrivals(work.request, work.filled.rate[:, draw], own)
        patients += arrive.size
        seed = int(own.generate_state(4, np.uint64)[3])
        clinic = work.filled.clinics[draw]
        visits = run(clinic, arrive, stream, seed, work.request.warm_up, work.request.run_length)
        for key, value in _figures(work.request, work.filled, draw, arrive, visits).items():
            found.setdefault(key, []).append(value)
    return {key: np.array(values) for key, values in found.items()}, patients


def _arrivals(request: ClinicInput, rate: FloatArray, own: np.random.SeedSequence) -> tuple[FloatArray, IntArray]:
    """Times of all streams in order, each from its own random numbers."""
    times: list[FloatArray] = []
    for c, stream in enumerate(request.streams):
        rng = np.random.default_rng(np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, 1000 + c)))
        if stream.appointments:
            times.append(
                appointments(
                    rng, stream.appointments, request.cycle, request.run_length, no_show=stream.no_show,
                    lateness_sd=stream.lateness_sd,
                )
            )  # fmt: skip
        else:
            shape = np.asarray(stream.rates or (1.0,)) * rate[c]
            times.append(walk_ins(rng, shape.tolist(), stream.period, request.run_length))
    kinds = np.repeat(np.arange(len(times)), [one.size for one in times])
    together = np.concatenate(times)
    order = np.argsort(together, kind="stable")
    return together[order], kinds[order].astype(np.int64)


def _figures(request: ClinicInput, filled: Filled, draw: int, arrive: FloatArray, v: Visits) -> dict[str, float]:
    warm, end = request.warm_up, request.run_length
    window = end - warm
    counted = (v.joined >= warm) & (v.joined < end)
    found: dict[str, float] = {}
    cost = 0.0
    for j, station in enumerate(request.stations):
        here = counted & (v.station == j)
        served = here & (v.outcome == 0)
        wait = v.waited[served]
        number, done = int(here.sum()), int(served.sum())
        over = float((wait > request.wait_over).mean()) if request.wait_over is not None and done else float("nan")
        values = (
            float(wait.mean()) if done else float("nan"),
            float(np.percentile(wait, 90)) if done else float("nan"),
            float((wait > 0).mean()) if done else float("nan"),
            over if request.wait_over is not None else 0.0,
            float(v.waiting[j]) / window,
            float(v.busy[j] / filled.capacity[j]),
            done / window,
            1 - done / number if number else float("nan"),
        )
        found |= {f"{station.name}.{key}": value for key, value in zip(STATION_FIGURES, values, strict=True)}
        if len(request.streams) > 1:
            for c, stream in enumerate(request.streams):
                own = v.waited[served & (v.stream == c)]
                found[f"{station.name}.wait_mean_{stream.name}"] = float(own.mean()) if own.size else float("nan")
        cost += float(
            filled.server_cost[j, draw] * filled.capacity[j] / window
            + filled.visit_cost[j, draw] * done / window
            + filled.waiting_cost[draw] * v.waiting[j] / window
        )
    for k, pool in enumerate(request.staff):
        needs = np.isin(v.station, [j for j, s in enumerate(request.stations) if pool.name in s.staff])
        begun = (v.joined + v.waited)[needs]
        span = np.minimum(begun + v.served[needs], end) - np.maximum(begun, warm)
        found[f"{request.staff[k].name}.utilisation"] = float(np.maximum(span, 0).sum() / (pool.servers * window))
    entered = (arrive >= warm) & (arrive < end)
    whole = np.zeros(arrive.size, np.bool_)
    whole[v.patient[v.last & (v.outcome == 0)]] = True
    stay = (v.left - arrive)[entered & whole]
    whole_clinic = (
        float(entered.sum()),
        float(stay.mean()) if stay.size else float("nan"),
        float(np.percentile(stay, 90)) if stay.size else float("nan"),
        float(whole[entered].mean()) if entered.any() else float("nan"),
        cost,
    )
    return found | {f"clinic.{key}": value for key, value in zip(CLINIC_FIGURES, whole_clinic, strict=True)}
