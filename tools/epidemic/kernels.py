"""The compiled loop of the stochastic epidemic. Imported where it is used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np

NEGLIGIBLE = 1e-3  # expected further cases below which an epidemic without infected people has ended


@numba.njit(nogil=True, cache=True)
def spread_runs(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    rng, runs, steps_per_day, people, start, seeds, seed_days, contacts, factors, doses, mobility, transmissibility,
    relative, stay_latent, stay_infectious, dispersion, wane_vaccine, wane_infection,
):  # fmt: skip
    """Run the epidemic `runs` times; arrays as in `stochastic.Setting` and `stochastic.Biology`.

    Returns incidence (runs, T), spent infectivity (runs, T), infections (runs, G, C) by group and class, largest
    prevalence (runs,), its day (runs,), and the day on which it ended (runs,), -1 when it goes on.
    """
    patches, groups, classes = start.shape
    variants, days = transmissibility.shape[0], factors.shape[0]
    incidence = np.zeros((runs, days))
    spent = np.zeros((runs, days))
    infections = np.zeros((runs, groups, classes), dtype=np.int64)
    largest = np.zeros(runs, dtype=np.int64)
    largest_day = np.zeros(runs, dtype=np.int64)
    ended = np.full(runs, -1, dtype=np.int64)
    present = np.zeros((patches, groups))
    for q in range(patches):
        for p in range(patches):
            for j in range(groups):
                present[q, j] += mobility[p, q] * people[p, j]
    group_people = people.sum(axis=0)
    last_seed = seed_days.max()
    strongest = contacts.sum() * transmissibility.max()
    pressure = np.zeros((patches, groups, variants))
    rate = np.zeros(variants)
    arriving = np.zeros((patches, groups, variants), dtype=np.int64)
    for run in range(runs):
        free = start.copy()
        exposed = np.zeros((patches, groups, variants), dtype=np.int64)
        infected = np.zeros((patches, groups, variants), dtype=np.int64)
        mass = np.zeros((patches, groups, variants))
        for day in range(days):
            for v in range(variants):
                if seed_days[v] != day:
                    continue
                for p in range(patches):
                    for i in range(groups):
                        wanted = seeds[v, p, i]
                        for c in range(classes):
                            taken = min(wanted, free[p, i, c])
                            free[p, i, c] -= taken
                            exposed[p, i, v] += taken
                            infections[run, i, c] += taken
                            wanted -= taken
            for i in range(groups):
                if doses[day, i] > 0:
                    for p in range(patches):
                        unvaccinated = people[p, i] - free[p, i, 1]
                        given = rng.binomial(doses[day, i], people[p, i] / group_people[i])
                        if free[p, i, 0] > 0 and unvaccinated > 0:
                            moved = min(free[p, i, 0], rng.binomial(given, free[p, i, 0] / unvaccinated))
                            free[p, i, 0] -= moved
                            free[p, i, 1] += moved
            for _ in range(steps_per_day):
                total_spent = 0.0
                for q in range(patches):
                    for j in range(groups):
                        for v in range(variants):
                            here = 0.0
                            for p in range(patches):
                                here += mobility[p, q] * mass[p, j, v]
                            emitted = here * (1 - stay_infectious)
                            total_spent += emitted
                            pressure[q, j, v] = (
                                transmissibility[v] * emitted / present[q, j] if present[q, j] > 0 else 0.0
                            )
                spent[run, day] += total_spent
                arriving[:] = 0
                if total_spent > 0:
                    for p in range(patches):
                        for i in range(groups):
                            any_rate = 0.0
                            for v in range(variants):
                                rate[v] = 0.0
                                for q in range(patches):
                                    if mobility[p, q] > 0:
                                        for j in range(groups):
                                            rate[v] += (
                                                mobility[p, q] * contacts[i, j]
                                                * min(factors[day, i], factors[day, j]) * pressure[q, j, v]
                                            )  # fmt: skip
                                any_rate += rate[v]
                            if any_rate <= 0:
                                continue
                            for c in range(classes):
                                if free[p, i, c] == 0:
                                    continue
                                total = 0.0
                                for v in range(variants):
                                    total += rate[v] * relative[c, v]
                                if total <= 0:
                                    continue
                                caught = rng.binomial(free[p, i, c], -np.expm1(-total))
                                free[p, i, c] -= caught
                                infections[run, i, c] += caught
                                incidence[run, day] += caught
                                left = total
                                for v in range(variants):
                                    if caught == 0:
                                        break
                                    own = rate[v] * relative[c, v]
                                    if v == variants - 1 or own >= left:  # noqa: SIM108 - numba types both ways
                                        with_v = caught
                                    else:
                                        with_v = rng.binomial(caught, own / left)
                                    arriving[p, i, v] += with_v
                                    caught -= with_v
                                    left -= own
                for p in range(patches):
                    for i in range(groups):
                        for v in range(variants):
                            mass[p, i, v] *= stay_infectious
                            if infected[p, i, v] > 0:
                                well = rng.binomial(infected[p, i, v], 1 - stay_infectious)
                                infected[p, i, v] -= well
                                free[p, i, 2 + v] += well
                            exposed[p, i, v] += arriving[p, i, v]
                            if exposed[p, i, v] > 0:
                                begin = rng.binomial(exposed[p, i, v], 1 - stay_latent)
                                if begin > 0:
                                    exposed[p, i, v] -= begin
                                    infected[p, i, v] += begin
                                    if dispersion > 0:
                                        mass[p, i, v] += rng.gamma(begin * dispersion, 1.0 / dispersion)
                                    else:
                                        mass[p, i, v] += begin
            prevalence = infected.sum()
            if prevalence > largest[run]:
                largest[run] = prevalence
                largest_day[run] = day
            for p in range(patches):
                for i in range(groups):
                    if wane_vaccine > 0 and free[p, i, 1] > 0:
                        lost = rng.binomial(free[p, i, 1], wane_vaccine)
                        free[p, i, 1] -= lost
                        free[p, i, 0] += lost
                    if wane_infection > 0:
                        for v in range(variants):
                            if free[p, i, 2 + v] > 0:
                                lost = rng.binomial(free[p, i, 2 + v], wane_infection)
                                free[p, i, 2 + v] -= lost
                                free[p, i, 0] += lost
            if prevalence == 0 and exposed.sum() == 0 and day >= last_seed and mass.sum() * strongest < NEGLIGIBLE:
                ended[run] = day
                break
    return incidence, spent, infections, largest, largest_day, ended
