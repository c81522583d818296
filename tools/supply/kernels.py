"""Compiled loops over periods: one stock, and a chain of stocks. Imported where used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np

BASE_STOCK, S_S, R_Q, TABLE = 0, 1, 2, 3


@numba.njit(nogil=True, cache=True)
def one_stock(demand, lead, leaves, policy, low, level, life, lifo, waits, table, base, begin, warm, trace):  # type: ignore[no-untyped-def] # fmt: skip
    """Follow a stock period by period: deliveries, order, demand, expiry.

    Parameters
    ----------
    demand : (T,) units. lead : (T,) whole periods an order placed then travels. leaves : (T,) period in which the supplier ships it.
    policy : BASE_STOCK to `level`; S_S to `level` at or below `low`; R_Q lots of `level` at or below `low`; TABLE from `table`.
    life : periods of use; 0: keeps. lifo : freshest first. waits : unmet demand waits, else it is lost.
    table, base : best orders of `perishable`, flat, and numbers in each of its dimensions. begin : fresh units at the start.
    warm : periods left out of the sums. trace : (T, 4) filled with order, short, waste, stock; or (0, 4).

    Returns
    -------
    sums : demand, met at once, short, owed at the end, stock at the end, orders, units ordered, wasted, periods short.
    """
    periods = demand.size
    ages = np.zeros(max(life, 1))
    ages[0] = begin
    due = np.zeros(periods + 1)
    on_order, owed = 0.0, 0.0
    sums = np.zeros(9)
    last = ages.size - 1
    for t in range(periods):
        come = due[t]
        if come > 0:
            on_order -= come
            back = min(come, owed)
            owed -= back
            ages[0] += come - back
        on_hand = ages.sum()
        position = on_hand + on_order - owed
        order = 0.0
        if policy == BASE_STOCK:
            order = max(level - position, 0.0)
        elif policy == S_S:
            if position <= low:
                order = level - position
        elif policy == R_Q:
            if position <= low:
                order = level * (np.floor((low - position) / level) + 1.0)
        else:
            place = 0
            for k in range(lead[t] - 1, 0, -1):
                ahead = due[t + k] if t + k < periods else 0.0
                place = place * base + min(int(ahead), base - 1)
            for age in range(life):
                place = place * base + min(int(ages[age]), base - 1)
            order = np.float64(table[place])
        if order > 0:
            there = leaves[t] + lead[t]
            if there <= t:
                back = min(order, owed)
                owed -= back
                ages[0] += order - back
            else:
                on_order += order
                if there < periods:
                    due[there] += order
        asked = demand[t]
        left = asked
        for step in range(last + 1):
            age = step if lifo else last - step
            taken = min(ages[age], left)
            ages[age] -= taken
            left -= taken
        if waits:
            owed += left
        waste = 0.0
        if life > 0:
            waste = ages[last]
            for age in range(last, 0, -1):
                ages[age] = ages[age - 1]
            ages[0] = 0.0
        kept = ages.sum()
        if t >= warm:
            sums[0] += asked
            sums[1] += asked - left
            sums[2] += left
            sums[3] += owed
            sums[4] += kept
            if order > 0:
                sums[5] += 1.0
            sums[6] += order
            sums[7] += waste
            if left > 1e-12:
                sums[8] += 1.0
        if trace.shape[0] > 0:
            trace[t, 0], trace[t, 1], trace[t, 2], trace[t, 3] = order, left, waste, kept
    return sums


@numba.njit(nogil=True, cache=True)
def serial(demand, leaves, levels, leads, warm):  # type: ignore[no-untyped-def]
    """Follow a chain of stocks, the one next to the customers first, each ordering up to its own level.

    In a period demand and the orders it causes go up the chain, then deliveries and shipments come down. Unmet demand waits.

    Parameters
    ----------
    demand : (T,). leaves : (T,) period in which the outside supplier ships. levels : (N,) of each position. leads : (N,).

    Returns
    -------
    sums : (N, 5) summed after the warm-up: stock, owed downstream, on its way to the stock, units asked, met in their period;
    owed : (T,) to the customers.
    """
    periods, stages = demand.size, levels.size
    stock, owed, on_order, travelling = levels.copy(), np.zeros(stages), np.zeros(stages), np.zeros(stages)
    asked, order = np.zeros(stages), np.zeros(stages)
    due = np.zeros((stages, periods + 1))
    sums, customers = np.zeros((stages, 5)), np.zeros(periods)
    for t in range(periods):
        coming = demand[t]
        for n in range(stages):
            asked[n] = coming
            owed[n] += coming
            order[n] = max(levels[n] - (stock[n] - owed[n] + on_order[n]), 0.0)
            on_order[n] += order[n]
            coming = order[n]
        top = stages - 1
        if order[top] > 0:
            travelling[top] += order[top]
            there = leaves[t] + leads[top]
            if there < periods:
                due[top, there] += order[top]
        for n in range(top, -1, -1):
            come = due[n, t]
            stock[n] += come
            on_order[n] -= come
            travelling[n] -= come
            sent = min(stock[n], owed[n])
            stock[n] -= sent
            owed[n] -= sent
            if n > 0 and sent > 0:
                travelling[n - 1] += sent
                if t + leads[n - 1] < periods:
                    due[n - 1, t + leads[n - 1]] += sent
        customers[t] = owed[0]
        if t >= warm:
            for n in range(stages):
                sums[n, 0] += stock[n]
                sums[n, 1] += owed[n]
                sums[n, 2] += travelling[n]
                sums[n, 3] += asked[n]
                sums[n, 4] += asked[n] - min(owed[n], asked[n])
    return sums, customers
