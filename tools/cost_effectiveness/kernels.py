"""Compiled loops of the cohort model and the microsimulation. Imported where they are used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def totals(start, transitions, rewards):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Expected totals (D, K) of a cohort that moves; see `cohorts.cohort_totals`."""
    draws = max(transitions.shape[0], rewards.shape[0])
    cycle_tables, states = transitions.shape[1], transitions.shape[2]
    outcomes, points = rewards.shape[1], rewards.shape[2]
    sums = np.zeros((draws, outcomes))
    now, following = np.empty(states), np.empty(states)
    for draw in range(draws):
        table = draw if transitions.shape[0] > 1 else 0
        reward = draw if rewards.shape[0] > 1 else 0
        now[:] = start
        for point in range(points):
            for outcome in range(outcomes):
                value = 0.0
                for state in range(states):
                    value += now[state] * rewards[reward, outcome, point, state]
                sums[draw, outcome] += value
            if point == points - 1:
                break
            cycle = point if cycle_tables > 1 else 0
            following[:] = 0.0
            for state in range(states):
                share = now[state]
                if share != 0.0:
                    for to in range(states):
                        following[to] += share * transitions[table, cycle, state, to]
            now, following = following, now
    return sums


@numba.njit(nogil=True, cache=True)
def occupancy(start, transitions, weights):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Weighted time in each state (D, W, S); see `cohorts.weighted_occupancy`."""
    draws, cycle_tables, states = transitions.shape[0], transitions.shape[1], transitions.shape[2]
    rows, points = weights.shape
    spent = np.zeros((draws, rows, states))
    now, following = np.empty(states), np.empty(states)
    for draw in range(draws):
        now[:] = start
        for point in range(points):
            for row in range(rows):
                weight = weights[row, point]
                for state in range(states):
                    spent[draw, row, state] += weight * now[state]
            if point == points - 1:
                break
            cycle = point if cycle_tables > 1 else 0
            following[:] = 0.0
            for state in range(states):
                share = now[state]
                if share != 0.0:
                    for to in range(states):
                        following[to] += share * transitions[draw, cycle, state, to]
            now, following = following, now
    return spent


@numba.njit(nogil=True, cache=True)
def mix(key):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One step of splitmix64: 64 well-mixed bits of a key."""
    z = key + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def walk(first, people, seed, start, steps, rewards, dead, frailty, total, squares, occupancy):  # type: ignore[no-untyped-def]  # pragma: no cover
    """People one by one, added to total, squares and occupancy; see `microsim.simulate_people`."""
    cycle_tables, memory, states = steps.shape[0], steps.shape[1], steps.shape[2]
    outcomes, points, reward_memory = rewards.shape[0], rewards.shape[1], rewards.shape[2]
    own = np.empty(outcomes)
    golden = np.uint64(0x9E3779B97F4A7C15)
    for person in range(first, first + people):
        stream = mix(mix(np.uint64(seed)) ^ (np.uint64(person) * golden))
        luck = np.float64(mix(stream) >> np.uint64(11)) * 2.0**-53
        state = states - 1
        edge = 0.0
        for candidate in range(states):
            edge += start[candidate]
            if luck < edge:
                state = candidate
                break
        duration = 0
        hazard = frailty[(person - first) % len(frailty)]
        own[:] = 0.0
        for point in range(points):
            occupancy[point, state] += 1
            lasted = min(duration, reward_memory - 1)
            for outcome in range(outcomes):
                own[outcome] += rewards[outcome, point, lasted, state]
            if point == points - 1:
                break
            luck = np.float64(mix(stream + np.uint64(point + 1) * golden) >> np.uint64(11)) * 2.0**-53
            cycle = point if cycle_tables > 1 else 0
            memorised = min(duration, memory - 1)
            scale, dying = 1.0, 0.0
            if dead >= 0 and hazard != 1.0 and state != dead:
                usual = steps[cycle, memorised, state, dead]
                dying = 1.0 - (1.0 - usual) ** hazard
                scale = (1.0 - dying) / (1.0 - usual) if usual < 1.0 else 0.0
            to = states - 1
            edge = 0.0
            for candidate in range(states):
                probability = steps[cycle, memorised, state, candidate] * scale
                if candidate == dead and scale != 1.0:
                    probability = dying
                edge += probability
                if luck < edge:
                    to = candidate
                    break
            while steps[cycle, memorised, state, to] == 0.0 and to > 0:  # rounding left the last edge below one
                to -= 1
            duration = duration + 1 if to == state else 0
            state = to
        for outcome in range(outcomes):
            total[outcome] += own[outcome]
            squares[outcome] += own[outcome] * own[outcome]
