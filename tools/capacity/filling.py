"""From the request to arrays: a clinic for each draw of the uncertain quantities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.capacity.laws import EMPIRICAL, EXPONENTIAL, FIXED, GAMMA, LOGNORMAL, NEVER
from tools.capacity.network import Clinic
from tools.capacity.schemas import ClinicInput, Duration, Next, Station
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
MAX_RATE = 1e12


@dataclass
class Filled:
    """A request with its uncertain quantities drawn.

    Attributes
    ----------
    clinics : (D,) one for each draw. scale : (C, D) of arrivals. rate : (C, D); 1 where a stream has `rates`.
    server_cost, visit_cost : (J, D). waiting_cost : (D,). capacity : (J,) open server-time in the window.
    """

    clinics: list[Clinic]
    rate: FloatArray
    server_cost: FloatArray
    visit_cost: FloatArray
    waiting_cost: FloatArray
    capacity: FloatArray
    certain: bool
    warnings: list[str] = field(default_factory=list)


def fill(request: ClinicInput, seed: int) -> Filled:
    """Draw the uncertain quantities and build the clinics (InvalidInput where a draw makes no sense)."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0xC11]))
    certain = [True]

    def drawn(quantity: Quantity | None, what: str, *, positive: bool = False) -> FloatArray:
        if quantity is None:
            return np.zeros(request.draws)
        given = as_uncertain(quantity)
        certain[0] = certain[0] and given.certain
        values = given.draw(rng, request.draws)
        if not np.isfinite(values).all() or (values < 0).any() or (positive and (values <= 0).any()):
            raise InvalidInput(f"{what} lies {'above 0' if positive else 'at 0 or above'}.")
        if values.max() > MAX_RATE:
            raise InvalidInput(f"{what} is larger than {MAX_RATE:g}.")
        return values

    observed: list[float] = []

    def law(duration: Duration | None, what: str) -> FloatArray:
        """(D, 3) kind, a, b."""
        if duration is None:
            return np.tile([float(NEVER), 0.0, 0.0], (request.draws, 1))
        if duration.distribution == "empirical":
            begin = len(observed)
            observed.extend(duration.values)
            return np.tile([float(EMPIRICAL), float(begin), float(len(observed))], (request.draws, 1))
        mean, cv = drawn(duration.mean, what, positive=duration.distribution != "fixed"), duration.cv or 0.0
        ones = np.ones(request.draws)
        if duration.distribution == "lognormal":
            sigma = np.log1p(cv**2) ** 0.5
            return np.stack([LOGNORMAL * ones, np.log(mean) - sigma**2 / 2, sigma * ones], axis=1)
        if duration.distribution == "gamma":
            return np.stack([GAMMA * ones, ones / cv**2, mean * cv**2], axis=1)
        kind = FIXED if duration.distribution == "fixed" else EXPONENTIAL
        return np.stack([kind * ones, mean, 0 * ones], axis=1)

    stations, streams = request.stations, request.streams
    lasting = np.stack(
        [
            np.stack([law(s.service_of.get(c.name, s.service), f"The service at {s.name}") for c in streams])
            if s.service_of
            else np.repeat(law(s.service, f"The service at {s.name}")[None], len(streams), axis=0)
            for s in stations
        ]
    )
    patience = np.stack([law(s.patience, f"The patience at {s.name}") for s in stations])
    rate = np.stack(
        [
            drawn(c.scale, f"The scale of {c.name}") * (drawn(c.rate, f"The rate of {c.name}") if c.rate is not None else 1)
            for c in streams
        ]
    )  # fmt: skip
    server_cost = np.stack([drawn(s.cost_per_server, f"The cost of {s.name}") for s in stations])
    visit_cost = np.stack([drawn(s.cost_per_visit, f"The cost of {s.name}") for s in stations])
    waiting_cost = drawn(request.waiting_cost, "The cost of waiting")
    _all_leave(request)
    frame = _frame(request)
    clinics = [
        Clinic(
            lasting=np.ascontiguousarray(lasting[:, :, d]), patience=np.ascontiguousarray(patience[:, d]),
            values=np.array(observed or [0.0]), **frame,  # type: ignore[arg-type]
        )
        for d in range(request.draws)
    ]  # fmt: skip
    capacity = np.array([open_time(s, request) for s in stations])
    if (capacity <= 0).any():
        raise InvalidInput("A station is closed during the whole run.", "Make the run longer, or change its shifts.")
    return Filled(clinics, rate, server_cost, visit_cost, waiting_cost, capacity, certain[0])


def _frame(request: ClinicInput) -> dict[str, object]:
    """The arrays that do not depend on the draw."""
    names = [one.name for one in request.stations]
    routes: list[tuple[Next, ...]] = [s.then for s in request.stations]
    routes += [c.enter or (Next(to=names[0], share=1.0, priority=None),) for c in request.streams]
    ptr = np.concatenate([[0], np.cumsum([len(route) for route in routes])])
    sums = [s for route in routes for s in np.cumsum([one.share for one in route]).tolist()]
    lifts = [one.priority for route in routes for one in route]
    ranks = [c.priority for c in request.streams]
    used = sorted({*ranks, *(lift for lift in lifts if lift is not None)})
    place = {rank: k for k, rank in enumerate(used)}
    changes = [change for j, station in enumerate(request.stations) for change in _changes(j, station)]
    changes.sort()
    pools = [one.name for one in request.staff]
    return {
        "room": np.array([-1 if s.waiting_room is None else s.waiting_room for s in request.stations], dtype=np.int64),
        "balk": np.array([s.balk_share for s in request.stations]),
        "route_ptr": ptr.astype(np.int64),
        "route_to": np.array([names.index(one.to) for route in routes for one in route], dtype=np.int64),
        "route_sum": np.array([1.0 if s > 1 - 1e-9 else s for s in sums], dtype=np.float64),
        "route_rank": np.array([-1 if lift is None else place[lift] for lift in lifts], dtype=np.int64),
        "servers": np.array([_servers_at(s, 0.0) for s in request.stations], dtype=np.int64),
        "shift_time": np.array([t for t, _, _ in changes], dtype=np.float64),
        "shift_station": np.array([j for _, j, _ in changes], dtype=np.int64),
        "shift_servers": np.array([c for _, _, c in changes], dtype=np.int64),
        "cycle": request.cycle,
        "rank": np.array([place[rank] for rank in ranks], dtype=np.int64),
        "ranks": len(used),
        "staff": tuple(tuple(pools.index(name) for name in s.staff) for s in request.stations),
        "pools": np.array([one.servers for one in request.staff], dtype=np.int64),
    }


def _all_leave(request: ClinicInput) -> None:
    names = [one.name for one in request.stations]
    moves = np.zeros((len(names), len(names)))
    for j, station in enumerate(request.stations):
        for one in station.then:
            moves[j, names.index(one.to)] += one.share
    if np.abs(np.linalg.eigvals(moves)).max() > 1 - 1e-6:
        raise InvalidInput("Some patients never leave this clinic.", "Let the shares of a way back add up to less.")


def _servers_at(station: Station, t: float) -> int:
    if station.servers is not None:
        return station.servers
    return sum(shift.servers for shift in station.shifts if shift.start <= t < shift.end)


def _changes(j: int, station: Station) -> list[tuple[float, int, int]]:
    """(time, station, servers from then on) within a cycle; also at its beginning, where the last one ended."""
    if station.servers is not None:
        return []
    times = {0.0, *(shift.start for shift in station.shifts), *(shift.end for shift in station.shifts)}
    return [(t, j, _servers_at(station, t)) for t in sorted(times)]


def open_time(station: Station, request: ClinicInput) -> float:
    """Server-time that is open from the end of the warm-up to the end of the run."""
    if station.servers is not None:
        return station.servers * (request.run_length - request.warm_up)

    def until(t: float) -> float:
        rounds, rest = divmod(t, request.cycle)
        whole = sum(shift.servers * (shift.end - shift.start) for shift in station.shifts)
        part = sum(shift.servers * max(0.0, min(rest, shift.end) - shift.start) for shift in station.shifts)
        return float(rounds * whole + part)

    return until(request.run_length) - until(request.warm_up)
