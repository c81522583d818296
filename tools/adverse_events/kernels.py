"""Compiled loops over people and patients. Imported where they are used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def follow(rng, people, cumulative, shapes, stops, ending, occurred, stopped, rest):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Follow people to time 1; adds to occurred and stopped (J,) and to rest: stopped otherwise, died, treated, free."""
    events = cumulative.size
    when = np.empty(events)
    for _ in range(people):
        end, why = 1.0, -1
        for i in range(2):
            if ending[i] > 0:
                moment = (rng.standard_exponential() / ending[i]) ** (1.0 / shapes[events + i])
                if moment < end:
                    end, why = moment, events + i
        first = False
        for j in range(events):
            when[j] = np.inf
            if cumulative[j] > 0:
                when[j] = (rng.standard_exponential() / cumulative[j]) ** (1.0 / shapes[j])
                if when[j] < end and stops[j] > 0 and (stops[j] >= 1 or rng.random() < stops[j]):
                    end, why = when[j], j
        for j in range(events):
            if when[j] <= end:
                occurred[j] += 1
                first = True
        if why < 0:
            rest[2] += 1
            if not first:
                rest[3] += 1
        elif why >= events:
            rest[why - events] += 1
        else:
            stopped[why] += 1


@numba.njit(nogil=True, cache=True)
def _drug(now, begin, decay, state, coefficient, rate, absorption, depot):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Concentration `now - begin` after the state was set; rate: amount an hour by infusion; depot: amount to absorb."""
    passed, total = now - begin, 0.0
    for i in range(decay.size):
        gone = np.exp(-decay[i] * passed)
        total += state[i] * gone
        if rate > 0:
            total += coefficient[i] * rate * (passed if decay[i] == 0 else -np.expm1(-decay[i] * passed) / decay[i])
        if depot > 0:
            apart = (absorption - decay[i]) * passed
            ratio = passed * (1 - apart / 2) if abs(apart) < 1e-8 else -np.expm1(-apart) / (absorption - decay[i])
            total += coefficient[i] * absorption * depot * gone * ratio
    return total


@numba.njit(nogil=True, cache=True)
def _advance(passed, decay, state, coefficient, rate, absorption, depot):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The state of the drug `passed` hours later, in place; gives what is left to absorb."""
    for i in range(decay.size):
        gone = np.exp(-decay[i] * passed)
        value = state[i] * gone
        if rate > 0:
            value += coefficient[i] * rate * (passed if decay[i] == 0 else -np.expm1(-decay[i] * passed) / decay[i])
        if depot > 0:
            apart = (absorption - decay[i]) * passed
            ratio = passed * (1 - apart / 2) if abs(apart) < 1e-8 else -np.expm1(-apart) / (absorption - decay[i])
            value += coefficient[i] * absorption * depot * gone * ratio
        state[i] = value
    return depot * np.exp(-absorption * passed) if depot > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def _slope(y, dose, ktr, gamma, linear, emax, ec50, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Rates of change of proliferating, three maturing and circulating cells, all over their baseline."""
    effect = linear * dose
    if emax > 0:
        effect += emax * dose / (ec50 + dose)
    feedback = max(y[4], 1e-12) ** (-gamma)
    out[0] = ktr * y[0] * ((1 - effect) * feedback - 1)
    out[1] = ktr * (y[0] - y[1])
    out[2] = ktr * (y[1] - y[2])
    out[3] = ktr * (y[2] - y[3])
    out[4] = ktr * (y[3] - y[4])


@numba.njit(nogil=True, cache=True)
def marrow(  # type: ignore[no-untyped-def]
    starts,
    amounts,
    lengths,
    oral,
    decay,
    coefficient,
    absorption,
    available,
    cells,
    horizon,
    tolerance,
    longest,
    grid,
    lowest,
    when,
    curve,
):  # pragma: no cover - compiled
    """Circulating cells of each patient, all over their baseline; fills lowest, when (P,) and curve (P, G).

    starts, amounts, lengths (E,) doses in order of time, lengths 0 for at once; decay, coefficient (P, C); absorption,
    available (P,); cells (P, 5): transit rate, feedback, linear slope, emax, ec50. Explicit Runge-Kutta 5(4)
    (Dormand, Prince 1980) with the drug exact at each stage; steps end at every change of the input.
    """
    edges = np.empty(2 * starts.size + 2)
    edges[0], edges[1] = 0.0, horizon
    count = 2
    for e in range(starts.size):
        for moment in (starts[e], starts[e] + lengths[e]):
            if 0.0 < moment < horizon:
                edges[count] = moment
                count += 1
    edges = np.unique(edges[:count])
    y, trial = np.empty(5), np.empty(5)
    k1, k2, k3, k4, k5, k6, k7 = (
        np.empty(5), np.empty(5), np.empty(5), np.empty(5), np.empty(5), np.empty(5), np.empty(5),
    )  # fmt: skip
    for p in range(decay.shape[0]):
        ktr, gamma, linear, emax, ec50 = cells[p, 0], cells[p, 1], cells[p, 2], cells[p, 3], cells[p, 4]
        lam, coef, ka, share = decay[p], coefficient[p], absorption[p], available[p]
        state = np.zeros(lam.size)
        depot, g = 0.0, 0
        y[:] = 1.0
        low, at = 1.0, 0.0
        step = 0.1
        while g < grid.size and grid[g] <= 0.0:
            curve[p, g] = 1.0
            g += 1
        for segment in range(edges.size - 1):
            begin, end = edges[segment], edges[segment + 1]
            rate = 0.0
            for e in range(starts.size):
                if lengths[e] > 0 and starts[e] <= begin < starts[e] + lengths[e]:
                    rate += amounts[e] / lengths[e]
                elif lengths[e] == 0 and starts[e] == begin:
                    if oral:
                        depot += share * amounts[e]
                    else:
                        for i in range(lam.size):
                            state[i] += coef[i] * amounts[e]
            now = begin
            step = min(step, 0.25)
            _slope(y, _drug(now, begin, lam, state, coef, rate, ka, depot), ktr, gamma, linear, emax, ec50, k1)
            tries = 0
            while now < end:
                h = min(step, longest, end - now)
                if end - now - h < 1e-9 * end:
                    h = end - now
                tries += 1
                if tries > 20000:
                    low = np.nan
                    break
                for i in range(5):
                    trial[i] = y[i] + h * k1[i] / 5
                _slope(
                    trial,
                    _drug(now + h / 5, begin, lam, state, coef, rate, ka, depot),
                    ktr,
                    gamma,
                    linear,
                    emax,
                    ec50,
                    k2,
                )
                for i in range(5):
                    trial[i] = y[i] + h * (3 * k1[i] / 40 + 9 * k2[i] / 40)
                _slope(
                    trial,
                    _drug(now + 0.3 * h, begin, lam, state, coef, rate, ka, depot),
                    ktr,
                    gamma,
                    linear,
                    emax,
                    ec50,
                    k3,
                )
                for i in range(5):
                    trial[i] = y[i] + h * (44 * k1[i] / 45 - 56 * k2[i] / 15 + 32 * k3[i] / 9)
                _slope(
                    trial,
                    _drug(now + 0.8 * h, begin, lam, state, coef, rate, ka, depot),
                    ktr,
                    gamma,
                    linear,
                    emax,
                    ec50,
                    k4,
                )
                for i in range(5):
                    trial[i] = y[i] + h * (
                        19372 * k1[i] / 6561 - 25360 * k2[i] / 2187 + 64448 * k3[i] / 6561 - 212 * k4[i] / 729
                    )
                dose = _drug(now + 8 * h / 9, begin, lam, state, coef, rate, ka, depot)
                _slope(trial, dose, ktr, gamma, linear, emax, ec50, k5)
                for i in range(5):
                    trial[i] = y[i] + h * (
                        9017 * k1[i] / 3168
                        - 355 * k2[i] / 33
                        + 46732 * k3[i] / 5247
                        + 49 * k4[i] / 176
                        - 5103 * k5[i] / 18656
                    )
                dose = _drug(now + h, begin, lam, state, coef, rate, ka, depot)
                _slope(trial, dose, ktr, gamma, linear, emax, ec50, k6)
                for i in range(5):
                    trial[i] = y[i] + h * (
                        35 * k1[i] / 384
                        + 500 * k3[i] / 1113
                        + 125 * k4[i] / 192
                        - 2187 * k5[i] / 6784
                        + 11 * k6[i] / 84
                    )
                _slope(trial, dose, ktr, gamma, linear, emax, ec50, k7)
                worst, positive = 0.0, True
                for i in range(5):
                    error = h * (
                        71 * k1[i] / 57600 - 71 * k3[i] / 16695 + 71 * k4[i] / 1920 - 17253 * k5[i] / 339200
                        + 22 * k6[i] / 525 - k7[i] / 40
                    )  # fmt: skip
                    worst = max(worst, abs(error) / (tolerance * (0.01 + abs(y[i]))))
                    positive = positive and trial[i] >= 0
                if worst > 1 or not positive or not np.isfinite(worst):
                    step = h * 0.25 if not positive or not np.isfinite(worst) else h * max(0.2, 0.9 * worst**-0.2)
                    continue
                # A cubic through both ends, with their slopes, finds the lowest point and the points of the grid.
                a, b, da, db = y[4], trial[4], h * k1[4], h * k7[4]
                if da < 0 < db or b < low:
                    c3, c2 = 2 * (a - b) + da + db, 3 * (b - a) - 2 * da - db
                    place, value = 1.0, b
                    if da < 0 < db:
                        inside = max(c2 * c2 - 3 * c3 * da, 0.0) ** 0.5
                        bottom = c2 + inside
                        place = min(max(-da / bottom, 0.0), 1.0) if bottom > 0 else 1.0
                        value = a + place * (da + place * (c2 + place * c3))
                    if value < low:
                        low, at = value, now + place * h
                while g < grid.size and grid[g] <= now + h + 1e-9:
                    place = min(max((grid[g] - now) / h, 0.0), 1.0)
                    c3, c2 = 2 * (a - b) + da + db, 3 * (b - a) - 2 * da - db
                    curve[p, g] = a + place * (da + place * (c2 + place * c3))
                    g += 1
                y[:] = trial
                k1[:] = k7
                now = end if h == end - now else now + h
                step = h * min(5.0, 0.9 * max(worst, 1e-10) ** -0.2)
            if np.isnan(low):
                lowest[p] = low
                return
            depot = _advance(end - begin, lam, state, coef, rate, ka, depot)
        lowest[p], when[p] = low, at
