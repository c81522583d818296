"""A clinic as arrays, and one run of it: by the recursion, the event loop, or the simpy model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tools.capacity.laws import NEVER

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Engine = Literal["recursion", "events", "simpy"]


@dataclass(frozen=True)
class Clinic:
    """Stations and streams of patients, as `kernels.run_network` takes them.

    Attributes
    ----------
    lasting : (J, C, 3) kind, a and b of service. patience : (J, 3). values : (V,) observed durations.
    room : (J,) waiting places, −1 without limit. balk : (J,) share that leaves when there is a wait.
    route_ptr, route_to, route_sum, route_rank : routing in rows of cumulated probabilities.
    servers : (J,) at time 0. shift_time, shift_station, shift_servers : changes in every cycle.
    rank : (C,) priority of each stream. ranks : number of priorities.
    staff : pools that a station needs beside its own servers; pools : their servers, for the simpy model.
    """

    lasting: FloatArray
    patience: FloatArray
    values: FloatArray
    room: IntArray
    balk: FloatArray
    route_ptr: IntArray
    route_to: IntArray
    route_sum: FloatArray
    route_rank: IntArray
    servers: IntArray
    shift_time: FloatArray
    shift_station: IntArray
    shift_servers: IntArray
    cycle: float
    rank: IntArray
    ranks: int
    staff: tuple[tuple[int, ...], ...] = ()
    pools: IntArray | None = None

    @property
    def stations(self) -> int:
        """J."""
        return int(self.room.size)

    @property
    def chain(self) -> tuple[int, ...]:
        """Stations in order, when everybody passes the same ones, once, and nobody leaves or overtakes; else empty."""
        tidy = (
            (self.room < 0).all() and (self.balk == 0).all() and (self.patience[:, 0] == NEVER).all() and self.ranks == 1
            and self.shift_time.size == 0 and not any(self.staff)
        )  # fmt: skip
        if not tidy:
            return ()
        rows = [self._only(row) for row in range(self.route_ptr.size - 1)]
        starts = set(rows[self.stations :])
        if None in rows or len(starts) != 1:
            return ()
        at, found = starts.pop(), []
        while at is not None and at >= 0 and at not in found:
            found.append(at)
            at = rows[at]
        return tuple(found) if at == -1 else ()

    def _only(self, row: int) -> int | None:
        """Where everybody goes from a row; −1: leaves; None: it varies."""
        begin, stop = self.route_ptr[row], self.route_ptr[row + 1]
        if begin == stop:
            return -1
        return int(self.route_to[begin]) if stop == begin + 1 and self.route_sum[begin] >= 1 else None

    def with_servers(self, station: int, servers: int) -> Clinic:
        """The same clinic with another constant number of servers at one station."""
        changed = self.servers.copy()
        changed[station] = servers
        kept = self.shift_station != station
        return replace(
            self, servers=changed, shift_time=self.shift_time[kept], shift_station=self.shift_station[kept],
            shift_servers=self.shift_servers[kept],
        )  # fmt: skip


@dataclass(frozen=True)
class Visits:
    """What happened in a run.

    Attributes
    ----------
    station, patient, outcome, stream : (V,) of each visit (outcome 0 served, 1 gave up waiting, 2 turned away).
    last : (V,) whether it completed the pathway. joined, waited, served : (V,) times.
    waiting, busy : (J,) patients waiting and servers busy, integrated over the window.
    left : (N,) when each patient left.
    """

    station: IntArray
    patient: IntArray
    outcome: IntArray
    stream: IntArray
    last: npt.NDArray[np.bool_]
    joined: FloatArray
    waited: FloatArray
    served: FloatArray
    waiting: FloatArray
    busy: FloatArray
    left: FloatArray


def run(
    clinic: Clinic,
    arrive: FloatArray,
    stream: IntArray,
    seed: int,
    warm: float,
    end: float,
    engine: Engine | None = None,
) -> Visits:
    """One run: all who arrive are followed until they leave.

    Parameters
    ----------
    arrive : (N,) in order. stream : (N,). seed : of the patients' durations. warm, end : window of time averages.
    engine : the recursion where everybody passes the same queues (`Clinic.chain`), the event loop otherwise, and the
        simpy model where a station needs staff as well; all three give the same visits.
    """
    if engine is None:
        engine = "simpy" if any(clinic.staff) else "recursion" if clinic.chain else "events"
    if engine == "simpy":
        from tools.capacity.pathways import simulate_pathways

        return simulate_pathways(clinic, arrive, stream, seed, warm, end)
    if engine == "recursion":
        return _recursion(clinic, arrive, stream, seed, warm, end)
    from tools.capacity.kernels import run_network

    book, clock, areas, left = run_network(
        np.uint64(seed), arrive, stream, clinic.rank, clinic.ranks, clinic.lasting, clinic.patience, clinic.values,
        clinic.room, clinic.balk, (clinic.route_ptr, clinic.route_to, clinic.route_sum, clinic.route_rank), clinic.servers,
        (clinic.shift_time, clinic.shift_station, clinic.shift_servers), clinic.cycle, warm, end,
    )  # fmt: skip
    station, patient, outcome, kind, last = book
    joined, waited, served = clock
    return Visits(
        station, patient, outcome, kind, last.astype(np.bool_), joined, waited, served, areas[0], areas[1], left
    )


def _recursion(clinic: Clinic, arrive: FloatArray, stream: IntArray, seed: int, warm: float, end: float) -> Visits:
    from tools.capacity.kernels import services, waits

    chain, n = clinic.chain, arrive.size
    patient, at = np.arange(n), arrive
    parts: list[tuple[IntArray, ...]] = []
    times: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for step, station in enumerate(chain):
        law = np.ascontiguousarray(clinic.lasting[station, stream[patient]])
        takes = services(np.uint64(seed), patient, step + 1, law[:, 0], law[:, 1], law[:, 2], clinic.values)
        wait = waits(at, takes, int(clinic.servers[station]))
        parts.append((np.full(n, station), patient))
        times.append((at, wait, takes))
        gone = at + wait + takes
        if step < len(chain) - 1 and clinic.servers[station] > 1:  # behind one server nobody overtakes
            order = np.argsort(gone, kind="stable")
            patient, gone = patient[order], gone[order]
        at = gone
    left = np.empty(n)
    left[patient] = at
    where, who = (np.concatenate(x) for x in zip(*parts, strict=True))
    joined, waited, served = (np.concatenate(x) for x in zip(*times, strict=True))
    last = np.repeat(np.arange(len(chain)) == len(chain) - 1, n)
    areas = window_areas(clinic.stations, where, joined, waited, served, warm, end)
    return Visits(where, who, np.zeros(where.size, np.int64), stream[who], last, joined, waited, served, *areas, left)


def window_areas(
    stations: int, where: IntArray, joined: FloatArray, waited: FloatArray, served: FloatArray, warm: float, end: float
) -> tuple[FloatArray, FloatArray]:
    """(J,) each: patients waiting and servers busy, integrated from `warm` to `end`."""

    def inside(start: FloatArray, stop: FloatArray) -> FloatArray:
        span = np.maximum(np.minimum(stop, end) - np.maximum(start, warm), 0.0)
        return np.asarray(np.bincount(where, weights=span, minlength=stations), dtype=np.float64)

    begun = joined + waited
    return inside(joined, begun), inside(begun, begun + served)
