"""Speed of clinic capacity, by turns with simpy and ciw on the same patients, and how it grows.

Registration with one server, then six infusion chairs. The peers get the arrival times and service durations ready made; the
tool draws its services itself. All waits are compared first, patient by patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.capacity.arrivals import walk_ins
from tools.capacity.kernels import services
from tools.capacity.laws import EXPONENTIAL, NEVER
from tools.capacity.network import Clinic, Engine, run

Floats = NDArray[np.float64]
RATE, HOURS, CHAIRS = 5.0, 20_000.0, 6
PEER_PATIENTS = 4_000
A_RUN = 1_000_000


def clinic() -> Clinic:
    """The clinic as arrays."""
    none = np.zeros(0, dtype=np.int64)
    return Clinic(
        lasting=np.array([[[EXPONENTIAL, 1 / 6, 0.0]], [[EXPONENTIAL, 1.0, 0.0]]]),
        patience=np.array([[NEVER, 0.0, 0.0]] * 2), values=np.zeros(1), room=np.array([-1, -1]), balk=np.zeros(2),
        route_ptr=np.array([0, 1, 1, 2]), route_to=np.array([1, 0]), route_sum=np.ones(2), route_rank=np.array([-1, -1]),
        servers=np.array([1, CHAIRS]), shift_time=np.zeros(0), shift_station=none, shift_servers=none, cycle=0.0,
        rank=np.array([0]), ranks=1,
    )  # fmt: skip


def patients(n: int, seed: int) -> tuple[Floats, Floats]:
    """(n,) arrival times and (2, n) service durations, those that the engines draw from this seed."""
    arrive = walk_ins(np.random.default_rng(seed), [RATE], 1.0, 1.2 * n / RATE + 50)[:n]
    who, ones, zero = np.arange(n), np.ones(n), np.zeros(n)
    lasts = [
        services(np.uint64(seed), who, step, EXPONENTIAL * ones, mean * ones, zero, zero)
        for step, mean in ((1, 1 / 6), (2, 1.0))
    ]
    return arrive, np.stack(lasts)


def ours(arrive: Floats, seed: int, engine: Engine | None = None) -> Floats:
    """(2, n) waits of each patient at both stations; the tool itself takes the recursion for such a clinic."""
    v = run(clinic(), arrive, np.zeros(arrive.size, dtype=np.int64), seed, 0.0, 1e18, engine)
    found = np.empty((2, arrive.size))
    found[v.station, v.patient] = v.waited
    return found


def by_simpy(arrive: Floats, lasts: Floats) -> Floats:
    """Peer: the clinic as simpy's users write it."""
    import simpy

    env = simpy.Environment()
    stations = [simpy.Resource(env, 1), simpy.Resource(env, CHAIRS)]
    found = np.empty((2, arrive.size))

    def patient(i: int) -> Any:
        for k, station in enumerate(stations):
            came = env.now
            with station.request() as granted:
                yield granted
                found[k, i] = env.now - came
                yield env.timeout(lasts[k, i])

    def door() -> Any:
        for i, t in enumerate(arrive):
            yield env.timeout(t - env.now)
            env.process(patient(i))

    env.process(door())
    env.run()
    return found


def by_ciw(arrive: Floats, lasts: Floats) -> Floats | None:
    """Peer: ciw; None when it is not installed."""
    try:
        import ciw  # type: ignore[import-not-found]
    except ImportError:
        return None
    gaps = [*np.diff(arrive, prepend=0.0).tolist(), float("inf")]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(gaps), None],
        service_distributions=[ciw.dists.Sequential(lasts[0].tolist()), ciw.dists.Sequential(lasts[1].tolist())],
        routing=[[0.0, 1.0], [0.0, 0.0]],
        number_of_servers=[1, CHAIRS],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(arrive.size, method="Complete")
    found = np.full((2, arrive.size), np.nan)
    for record in simulation.get_all_records():
        found[record.node - 1, int(record.id_number) - 1] = record.waiting_time
    return found


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    arrive, lasts = patients(PEER_PATIENTS, 1)
    expected = ours(arrive, 1, "recursion")
    np.testing.assert_allclose(ours(arrive, 1, "events"), expected, atol=1e-6)
    np.testing.assert_allclose(by_simpy(arrive, lasts), expected, atol=1e-6)
    other = by_ciw(arrive, lasts)
    many, _ = patients(int(RATE * HOURS), 2)
    ways: dict[str, tuple[int, Callable[[int], object]]] = {
        "capacity": (many.size, lambda seed: ours(many, seed)),
        "peer: simpy": (PEER_PATIENTS, lambda _: by_simpy(arrive, lasts)),
    }
    if other is not None:
        # ciw ends with its last customer's completion; those who were still inside are left out of the comparison.
        there = np.isfinite(other)
        assert there.mean() > 0.99
        np.testing.assert_allclose(other[there], expected[there], atol=1e-6)
        ways["peer: ciw"] = (PEER_PATIENTS, lambda _: by_ciw(arrive, lasts))
    yield f"{runs} runs by turns; registration, then {CHAIRS} chairs; median patients per second (lowest to highest)"
    yield from report_rates(ways, runs)
    if other is None:
        yield "  peer: ciw is not installed (measured with 3.2.7)."
    yield "The event loop, which priorities, shifts and patience need, on the same clinic"
    yield from report_rates(
        {
            "capacity, event loop": (many.size, lambda seed: ours(many, seed, "events")),
            "peer: simpy": ways["peer: simpy"],
        },
        runs,
    )


def growth() -> Growth:
    """The clinic's event loop, by the number of patients, in runs of at most `A_RUN`."""

    def work(n: int) -> None:
        for part in range(-(-n // A_RUN)):
            ours(patients(min(n, A_RUN), part)[0], part, "events")

    return Growth("clinic capacity, event loop", "patients", work)
