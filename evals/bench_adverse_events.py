"""Speed of adverse events and dose finding, by turns with peers on the same work, and how both grow.

Peers: lifelines' AalenJohansenFitter on the same times; plain Python loops over phase I trials; scipy's solve_ivp for each
patient's blood cells. Results are compared before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.adverse_events.model import (
    Marrow,
    aalen_johansen,
    compartments,
    doses,
    follow_people,
    suppress,
)
from tools.dose_finding.model import (
    choose_dose,
    decision_table,
    simulate_boin,
    simulate_three_plus_three,
    three_plus_three,
)

Floats = npt.NDArray[np.float64]
RATES = np.array([0.05, 0.15, 0.3, 0.45, 0.6])
TARGET = 0.3
TABLE = decision_table(TARGET, 0.18, 0.42, 30, 0.95)
DRUG, GIVEN, HOURS = compartments(285, [290, 995], [204]), doses([0], 350, 3), 504.0


def data(people: int, seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Times without ties and causes 0 to 2."""
    rng = np.random.default_rng(seed)
    latent = rng.exponential([2.0, 3.0, 2.5], (people, 3))
    return latent.min(axis=1), latent.argmin(axis=1)


def lifelines_incidence(people: int, seed: int) -> tuple[Floats, Floats]:
    """Peer: incidence and variance of both causes at the last event but one."""
    from lifelines import AalenJohansenFitter

    times, causes = data(people, seed)
    fits = [AalenJohansenFitter().fit(times, causes, event_of_interest=cause) for cause in (1, 2)]
    return (
        np.array([fit.cumulative_density_.to_numpy()[-2, 0] for fit in fits]),
        np.array([fit.variance_.to_numpy()[-2] for fit in fits]),
    )


def own_incidence(people: int, seed: int) -> tuple[Floats, Floats]:
    """The same here."""
    found = aalen_johansen(*data(people, seed))
    return found.incidence[-2], found.variance[-2]


def own_boin(trials: int, seed: int) -> Floats:
    """(6,) shares of trials that choose no dose, then each."""
    made = simulate_boin(RATES, TABLE, TARGET, trials, np.random.default_rng(seed))
    return np.bincount(made.chosen + 1, minlength=6) / trials


def looped_boin(trials: int, seed: int) -> Floats:
    """Peer: one trial and one cohort after the other, in Python."""
    rng = np.random.default_rng(seed)
    found = np.zeros(6)
    for _ in range(trials):
        n, y, dose, highest = [0] * 5, [0] * 5, 0, 5
        for _cohort in range(10):
            y[dose] += sum(rng.random(3) < RATES[dose])
            n[dose] += 3
            row = n[dose] - 1
            if y[dose] >= TABLE.eliminate[row]:
                highest = dose
                if dose == 0:
                    break
            if y[dose] <= TABLE.escalate[row]:
                dose += dose + 1 < highest
            elif y[dose] >= TABLE.deescalate[row]:
                dose -= dose > 0
        found[choose_dose(n, y, TARGET, 0.95) + 1] += 1
    return found / trials


def own_escalation(trials: int, seed: int) -> Floats:
    """(6,) shares of simulated 3+3 trials that choose no dose, then each."""
    made = simulate_three_plus_three(RATES, trials, np.random.default_rng(seed))
    return np.bincount(made.chosen + 1, minlength=6) / trials


def looped_escalation(trials: int, seed: int) -> Floats:
    """Peer: the same in Python."""
    rng = np.random.default_rng(seed)
    found = np.zeros(6)
    for _ in range(trials):
        dose = 0
        while dose < 5:
            toxic = sum(rng.random(3) < RATES[dose])
            if toxic == 1:
                toxic += sum(rng.random(3) < RATES[dose])
                if toxic > 1:
                    break
            elif toxic > 1:
                break
            dose += 1
        found[dose] += 1
    return found / trials


def patients(count: int, seed: int) -> Marrow:
    """Paclitaxel patients who differ in three parameters."""
    noise = np.random.default_rng(seed).standard_normal((3, count))
    return Marrow(7.21 * np.exp(0.33 * noise[0]), 124 * np.exp(0.17 * noise[1]), 0.239, 28.9 * np.exp(0.42 * noise[2]))


def own_nadirs(count: int, seed: int) -> Floats:
    """(P,) lowest counts."""
    return suppress(patients(count, seed), DRUG, GIVEN, HOURS).nadir


def solved_nadirs(count: int, seed: int) -> Floats:
    """Peer: scipy's solve_ivp (LSODA) for each patient, the drug in closed form."""
    from scipy.integrate import solve_ivp

    who = patients(count, seed)
    found = np.empty(count)
    decay, part = DRUG.decay[0], DRUG.coefficient[0] * 350 / 3 / DRUG.decay[0]
    for i in range(count):
        base, transit, slope = (np.asarray(one)[i] for one in (who.baseline, who.transit, who.slope))
        ktr = 4 / transit

        def change(t: float, y: Floats, base: float = base, ktr: float = ktr, slope: float = slope) -> list[float]:
            held = np.exp(-decay * max(t - 3, 0.0)) - np.exp(-decay * t)
            drug = slope * float((part * held).sum())
            return [ktr * y[0] * ((1 - drug) * (base / y[4]) ** 0.239 - 1), *(ktr * (y[:4] - y[1:]))]

        first = solve_ivp(change, (0, 3), np.full(5, base), "LSODA", rtol=1e-6, atol=1e-8)
        rest = solve_ivp(change, (3, HOURS), first.y[:, -1], "LSODA", rtol=1e-6, atol=1e-8, dense_output=True)
        dense = rest.sol
        assert dense is not None
        found[i] = dense(np.linspace(3, HOURS, 1000))[4].min()
    return found


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report; own and peer must agree before they are timed."""
    for own, peer in zip(own_incidence(2000, 1), lifelines_incidence(2000, 1), strict=True):
        np.testing.assert_allclose(own, peer, rtol=1e-9)
    for own_way, peer_way in ((own_boin, looped_boin), (own_escalation, looped_escalation)):
        assert np.abs(own_way(200_000, 1) - peer_way(2000, 2)).max() < 0.05
    exact = three_plus_three(RATES)
    assert np.abs(own_escalation(200_000, 1) - [exact.none, *exact.selected]).max() < 0.005
    np.testing.assert_allclose(own_nadirs(10, 1), solved_nadirs(10, 1), rtol=2e-4)
    yield f"{runs} runs by turns; median a second (lowest to highest)"
    work: tuple[tuple[str, str, Callable[[int, int], object], int, str, Callable[[int, int], object], int], ...] = (
        ("People, cumulative incidence of two competing events with variance", "Aalen-Johansen", own_incidence, 20_000,
         "peer: lifelines AalenJohansenFitter", lifelines_incidence, 20_000),
        ("Phase I trials, Bayesian optimal interval design, 30 people", "BOIN", own_boin, 50_000,
         "peer: a loop in Python", looped_boin, 100),
        ("Phase I trials, 3+3", "3+3", own_escalation, 200_000, "peer: a loop in Python", looped_escalation, 500),
        ("Patients on paclitaxel, 21 days of leukocytes", "marrow", own_nadirs, 2000, "peer: scipy solve_ivp (LSODA)",
         solved_nadirs, 10),
    )  # fmt: skip
    for title, name, way, units, peer_name, peer_of, peer_units in work:
        yield title
        yield from report_rates(
            {name: (units, partial(way, units)), peer_name: (peer_units, partial(peer_of, peer_units))}, runs
        )


def growth() -> Growth:
    """People followed one by one under competing hazards."""
    hazards = ([0.5, 0.3], [0.6, 1.0, 1.0, 1.0], [0.3, 1.0], [0.2, 0.1])
    return Growth(
        "adverse events under competing hazards",
        "people",
        lambda people: follow_people(people, *hazards, np.random.default_rng(1)),
    )
