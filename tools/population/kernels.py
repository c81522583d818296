"""The compiled loop over people. Imported where it is used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def walk(rng, start, inflow, rates, people, spent, moves, entries):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Follow people one by one through states; adds to the arrays (T + 1, S), (T, S), (T, S, S) and (T, S).

    start (S,) people at time 0; inflow (T, S) new people in each year, at even random times; rates (T, S, S).
    """
    years, states = inflow.shape
    for begin in range(-1, years):
        for first in range(states):
            count = start[first] if begin < 0 else inflow[begin, first]
            for _ in range(count):
                now = 0.0 if begin < 0 else begin + rng.random()
                year = max(begin, 0)
                state = first
                if begin < 0:
                    people[0, first] += 1
                else:
                    entries[year, first] += 1
                while year < years:
                    leave = -rates[year, state, state]
                    end = year + 1.0
                    moment = now + rng.standard_exponential() / leave if leave > 0 else np.inf
                    if moment >= end:
                        spent[year, state] += end - now
                        people[year + 1, state] += 1
                        now = end
                        year += 1
                        continue
                    spent[year, state] += moment - now
                    now = moment
                    pick = rng.random() * leave
                    target = -1
                    for b in range(states):
                        if b == state or rates[year, state, b] <= 0:
                            continue
                        target = b
                        pick -= rates[year, state, b]
                        if pick < 0:
                            break
                    moves[year, state, target] += 1
                    entries[year, target] += 1
                    state = target
