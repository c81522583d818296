"""The clinic as a simpy model: it knows staff that several stations share, and it is the oracle of the compiled loops."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Any

import numpy as np

from tools.capacity.draws import BALK, PATIENCE, ROUTE, SERVICE, visit_duration, visit_uniform
from tools.capacity.laws import NEVER
from tools.capacity.network import Clinic, FloatArray, IntArray, Visits, window_areas

SERVED, RENEGED, REFUSED = 0, 1, 2


class _Pool:
    """Servers with opening hours; those who wait are served by priority, then in order of arrival."""

    def __init__(self, env: Any, servers: int) -> None:
        self.env, self.servers, self.busy, self.waiting = env, servers, 0, 0
        self._line: list[tuple[int, int, Any]] = []
        self._count = 0

    @property
    def free(self) -> bool:
        return self.waiting == 0 and self.busy < self.servers

    def request(self, rank: int) -> Any:
        """An event that happens when a server is taken."""
        granted = self.env.event()
        if self.free:
            self.busy += 1
            granted.succeed()
        else:
            self._count += 1
            self.waiting += 1
            heapq.heappush(self._line, (rank, self._count, granted))
        return granted

    def give_up(self, granted: Any) -> None:
        self._line = [one for one in self._line if one[2] is not granted]
        heapq.heapify(self._line)
        self.waiting -= 1

    def release(self) -> None:
        self.busy -= 1
        self.serve()

    def serve(self) -> None:
        while self._line and self.busy < self.servers:
            self.busy += 1
            self.waiting -= 1
            heapq.heappop(self._line)[2].succeed()


class _Run:
    """One run of the model; the random numbers are those of the compiled loops."""

    def __init__(self, clinic: Clinic, seed: int) -> None:
        import simpy

        self.env = simpy.Environment()
        self.clinic, self.seed = clinic, np.uint64(seed)
        self.stations = [_Pool(self.env, int(c)) for c in clinic.servers]
        self.pools = [_Pool(self.env, int(c)) for c in (clinic.pools if clinic.pools is not None else [])]
        self.rows: list[list[float]] = []
        self.inside = 0

    def shifts(self) -> Generator[Any, Any, None]:
        """Servers come and go, as long as anybody is there."""
        rounds = 0
        while True:
            for t, j, servers in zip(
                self.clinic.shift_time, self.clinic.shift_station, self.clinic.shift_servers, strict=True
            ):
                yield self.env.timeout(max(rounds * self.clinic.cycle + t - self.env.now, 0.0))
                self.stations[j].servers = int(servers)
                self.stations[j].serve()
                if self.inside == 0:
                    return
            rounds += 1

    def _lasts(self, patient: int, visit: int, law: FloatArray, place: int) -> float:
        return float(visit_duration(self.seed, patient, visit, law[0], law[1], law[2], self.clinic.values, place))

    def _next(self, patient: int, visit: int, row: int, rank: int) -> tuple[int, int]:
        clinic, u = self.clinic, visit_uniform(self.seed, patient, visit, ROUTE)
        for k in range(clinic.route_ptr[row], clinic.route_ptr[row + 1]):
            if u < clinic.route_sum[k]:
                lifted = int(clinic.route_rank[k])
                return int(clinic.route_to[k]), lifted if lifted >= 0 else rank
        return -1, rank

    def patient(self, number: int, stream: int, arrives: float, left: FloatArray) -> Generator[Any, Any, None]:
        """One patient's pathway."""
        clinic, env = self.clinic, self.env
        yield env.timeout(arrives)
        rank, visit = int(clinic.rank[stream]), 0
        target, rank = self._next(number, 0, clinic.stations + stream, rank)
        while target >= 0:
            visit += 1
            station, joined = self.stations[target], env.now
            row = [target, number, SERVED, stream, 0, joined, 0.0, 0.0]
            self.rows.append(row)
            if not station.free:
                full = 0 <= clinic.room[target] <= station.waiting
                if full or visit_uniform(self.seed, number, visit, BALK) < clinic.balk[target]:
                    row[2] = REFUSED
                    break
            granted = station.request(rank)
            if not granted.triggered and clinic.patience[target, 0] != NEVER:
                gone = env.timeout(self._lasts(number, visit, clinic.patience[target], PATIENCE))
                yield granted | gone
                if not granted.triggered:
                    station.give_up(granted)
                    row[2], row[6] = RENEGED, env.now - joined
                    break
            else:
                yield granted
            needed = [self.pools[k] for k in clinic.staff[target]] if clinic.staff else []
            for pool in needed:
                yield pool.request(rank)
            row[6] = env.now - joined
            row[7] = self._lasts(number, visit, clinic.lasting[target, stream], SERVICE)
            yield env.timeout(row[7])
            for pool in needed:
                pool.release()
            station.release()
            target, rank = self._next(number, visit, target, rank)
            if target < 0:
                row[4] = 1
        left[number] = env.now
        self.inside -= 1


def simulate_pathways(
    clinic: Clinic, arrive: FloatArray, stream: IntArray, seed: int, warm: float, end: float
) -> Visits:
    """One run in simpy; parameters and result as `network.run`. Staff is asked for after the station's own server."""
    model = _Run(clinic, seed)
    left = np.full(arrive.size, np.nan)
    model.inside = arrive.size
    for number, (t, c) in enumerate(zip(arrive, stream, strict=True)):
        model.env.process(model.patient(number, int(c), float(t), left))
    if clinic.shift_time.size:
        model.env.process(model.shifts())
    model.env.run()
    table = np.array(model.rows, dtype=np.float64).reshape(-1, 8)
    where, who, outcome, kind, last = (table[:, k].astype(np.int64) for k in range(5))
    joined, waited, served = table[:, 5], table[:, 6], table[:, 7]
    areas = window_areas(clinic.stations, where, joined, waited, served, warm, end)
    return Visits(where, who, outcome, kind, last.astype(np.bool_), joined, waited, served, *areas, left)
