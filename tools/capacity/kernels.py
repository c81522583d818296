"""Compiled loops: the recursion of a plain station, and the event loop of a network. Imported where used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np

from tools.capacity.draws import BALK, PATIENCE, ROUTE, SERVICE, duration, uniform, visit_key
from tools.capacity.laws import NEVER

SERVED, RENEGED, REFUSED = 0, 1, 2


@numba.njit(nogil=True, cache=True)
def waits(arrive, service, servers):  # type: ignore[no-untyped-def]
    """(N,) waits in a first-come, first-served queue of constant servers (Kiefer and Wolfowitz 1955).

    Parameters
    ----------
    arrive : (N,) in order. service : (N,) durations. servers : 1 or more.
    """
    free = np.zeros(servers)
    found = np.empty(arrive.size)
    for i in range(arrive.size):
        start = max(arrive[i], free[0])
        found[i] = start - arrive[i]
        at, done = 0, start + service[i]
        while True:  # the earliest free server stands first (binary heap)
            child = 2 * at + 1
            if child >= servers:
                break
            if child + 1 < servers and free[child + 1] < free[child]:
                child += 1
            if free[child] >= done:
                break
            free[at] = free[child]
            at = child
        free[at] = done
    return found


@numba.njit(nogil=True, cache=True)
def services(seed, patients, visits, kinds, a, b, values):  # type: ignore[no-untyped-def]
    """(N,) service durations of visits; kinds, a, b : (N,) their distributions."""
    found = np.empty(patients.size)
    for i in range(patients.size):
        key = visit_key(seed, patients[i], visits)
        found[i] = duration(kinds[i], a[i], b[i], values, key, SERVICE)
    return found


@numba.njit(nogil=True, cache=True)
def _push(times, codes, size, t, code):  # type: ignore[no-untyped-def]
    if size == times.size:
        more_t, more_c = np.empty(2 * size), np.empty((2 * size, 2), np.int64)
        more_t[:size], more_c[:size] = times, codes
        times, codes = more_t, more_c
    at = size
    while at > 0:
        up = (at - 1) // 2
        if times[up] <= t:
            break
        times[at] = times[up]
        codes[at] = codes[up]
        at = up
    times[at] = t
    codes[at, 0], codes[at, 1] = code
    return times, codes


@numba.njit(nogil=True, cache=True)
def _pop(times, codes, size):  # type: ignore[no-untyped-def]
    last = size - 1
    t, c0, c1 = times[last], codes[last, 0], codes[last, 1]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= last:
            break
        if child + 1 < last and times[child + 1] < times[child]:
            child += 1
        if times[child] >= t:
            break
        times[at] = times[child]
        codes[at] = codes[child]
        at = child
    times[at] = t
    codes[at, 0], codes[at, 1] = c0, c1


@numba.njit(nogil=True, cache=True)
def run_network(seed, arrive, stream, level, levels, lasting, patience, values, room, balk, routes, servers, shifts, cycle, warm, end):  # type: ignore[no-untyped-def] # fmt: skip
    """Follow patients through stations, event by event, until all have left.

    Parameters
    ----------
    seed : uint64 of the run. arrive : (N,) times in order. stream : (N,) kind of patient, 0 to C − 1.
    level : (C,) priority at entry, 0 first, below `levels`. lasting : (J, C, 3) kind, a, b of service.
    patience : (J, 3) of waiting. values : (V,) observed durations. room : (J,) waiting places, −1 without limit.
    balk : (J,) probability of leaving at once when there is a wait. servers : (J,) at time 0.
    routes : (ptr (J + C + 1,), to (K,), cumulated probability (K,), new priority or −1 (K,)); rows 0 to J − 1 leave a station,
        row J + c is where stream c enters; beyond the last cumulated probability a patient leaves.
    shifts : (times (M,), station (M,), servers (M,)) repeated every `cycle`. warm, end : window of the time averages.

    Returns
    -------
    visits : (5, V) station, patient, outcome, stream and whether it was the last; times : (3, V) joined, waited, served;
    areas : (2, J) waiting patients and busy servers integrated over the window; left : (N,) time of leaving.
    """
    n, stations = arrive.size, room.size
    ptr, to, cumulated, lift = routes
    when, where, capacity = shifts
    heap, codes, size = np.empty(1024), np.empty((1024, 2), np.int64), 0
    book, clock, used = np.empty((5, 2 * n + 16), np.int64), np.empty((3, 2 * n + 16)), 0
    head = -np.ones((stations, levels), np.int64)
    tail = -np.ones((stations, levels), np.int64)
    after, before = -np.ones(n, np.int64), -np.ones(n, np.int64)
    place, visit, entry = -np.ones(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    rank, joined, waiting = np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.bool_)
    queue, busy, open_ = np.zeros(stations, np.int64), np.zeros(stations, np.int64), servers.copy()
    areas, left = np.zeros((2, stations)), np.full(n, np.nan)
    i, changed, rounds, queued, now = 0, 0, 0, 0, 0.0
    while True:
        next_arrival = arrive[i] if i < n else np.inf
        next_event = heap[0] if size > 0 else np.inf
        going = i < n or size > 0 or queued > 0
        next_shift = rounds * cycle + when[changed] if when.size > 0 and going else np.inf
        t = min(next_arrival, next_event, next_shift)
        if t == np.inf:
            break
        span = min(t, end) - max(now, warm)
        if span > 0:
            for j in range(stations):
                areas[0, j] += span * queue[j]
                areas[1, j] += span * busy[j]
        now = t
        serve, going_on = -1, -1
        if t == next_shift:
            serve = where[changed]
            open_[serve] = capacity[changed]
            changed += 1
            if changed == when.size:
                changed, rounds = 0, rounds + 1
        elif t == next_event:
            patient, mark = codes[0, 0], codes[0, 1]
            _pop(heap, codes, size)
            size -= 1
            if mark < 0:  # a service ends
                serve = place[patient]
                busy[serve] -= 1
                going_on = patient
            elif waiting[patient] and visit[patient] == mark:  # patience ends
                j, r = place[patient], rank[patient]
                if before[patient] >= 0:
                    after[before[patient]] = after[patient]
                else:
                    head[j, r] = after[patient]
                if after[patient] >= 0:
                    before[after[patient]] = before[patient]
                else:
                    tail[j, r] = before[patient]
                waiting[patient] = False
                queue[j] -= 1
                queued -= 1
                at = entry[patient]
                book[2, at], clock[1, at], clock[2, at] = RENEGED, t - joined[patient], 0.0
                left[patient] = t
        else:
            going_on = i
            rank[i] = level[stream[i]]
            i += 1
        if serve >= 0:  # those who wait take what is free
            while queue[serve] > 0 and busy[serve] < open_[serve]:
                r = 0
                while head[serve, r] < 0:
                    r += 1
                patient = head[serve, r]
                head[serve, r] = after[patient]
                if after[patient] >= 0:
                    before[after[patient]] = -1
                else:
                    tail[serve, r] = -1
                waiting[patient] = False
                queue[serve] -= 1
                queued -= 1
                busy[serve] += 1
                at = entry[patient]
                clock[1, at] = t - joined[patient]
                heap, codes = _push(heap, codes, size, t + clock[2, at], (patient, -1))
                size += 1
        if going_on < 0:
            continue
        patient = going_on
        c = stream[patient]
        row = place[patient] if place[patient] >= 0 else stations + c
        u = uniform(visit_key(seed, patient, visit[patient]), ROUTE)
        target = -1
        for k in range(ptr[row], ptr[row + 1]):
            if u < cumulated[k]:
                target = to[k]
                if lift[k] >= 0:
                    rank[patient] = lift[k]
                break
        if target < 0:
            left[patient] = t
            if visit[patient] > 0:
                book[4, entry[patient]] = 1
            continue
        visit[patient] += 1
        place[patient], joined[patient] = target, t
        key = visit_key(seed, patient, visit[patient])
        if used == book.shape[1]:
            more_b, more_c = np.empty((5, 2 * used), np.int64), np.empty((3, 2 * used))
            more_b[:, :used], more_c[:, :used] = book, clock
            book, clock = more_b, more_c
        at, entry[patient] = used, used
        used += 1
        takes = duration(lasting[target, c, 0], lasting[target, c, 1], lasting[target, c, 2], values, key, SERVICE)
        book[0, at], book[1, at], book[2, at], book[3, at], book[4, at] = target, patient, SERVED, c, 0
        clock[0, at], clock[1, at], clock[2, at] = t, 0.0, takes
        if queue[target] == 0 and busy[target] < open_[target]:
            busy[target] += 1
            heap, codes = _push(heap, codes, size, t + takes, (patient, -1))
            size += 1
        elif (room[target] >= 0 and queue[target] >= room[target]) or uniform(key, BALK) < balk[target]:
            book[2, at], clock[2, at] = REFUSED, 0.0
            left[patient] = t
        else:
            r = rank[patient]
            before[patient], after[patient] = tail[target, r], -1
            if tail[target, r] >= 0:
                after[tail[target, r]] = patient
            else:
                head[target, r] = patient
            tail[target, r] = patient
            waiting[patient] = True
            queue[target] += 1
            queued += 1
            if patience[target, 0] != NEVER:
                ends = t + duration(
                    patience[target, 0], patience[target, 1], patience[target, 2], values, key, PATIENCE
                )
                heap, codes = _push(heap, codes, size, ends, (patient, visit[patient]))
                size += 1
    return book[:, :used], clock[:, :used], areas, left
