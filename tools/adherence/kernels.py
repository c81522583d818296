"""Compiled passes over refill records. Imported where used, as numba loads slowly.

Definitions: AdhereR (Dima & Dediu 2017, PLoS ONE 12(4):e0174426; CMA1 to CMA8 after Vollmer et al 2012, BMC Health Services
Research 12:155). Oversupply is taken before the next supply is begun, so that what is left moves on from event to event.
"""

from __future__ import annotations

import numba
import numpy as np

EVENTS, EVENTS_INSIDE, SUPPLY, CMA1, CMA5, CMA7, CMA8, CMA9, PDC, COLUMNS = 0, 1, 2, 3, 7, 9, 10, 11, 12, 13


@numba.njit(nogil=True, cache=True)
def moves_on(left, i, medication, dose, same_only, dose_change):  # type: ignore[no-untyped-def]
    """Days that oversupply `left` of event i lasts from event i + 1 on."""
    if left <= 0.0:
        return 0.0
    if same_only and medication[i] != medication[i + 1]:
        return 0.0
    if dose_change:
        return left * dose[i] / dose[i + 1]
    return left


@numba.njit(nogil=True, cache=True)
def whole_window(lo, hi, begin, end, day, supply, medication, dose, same_only, dose_change):  # type: ignore[no-untyped-def]
    """CMA7 of events lo to hi (excluded; none after `end`) in a window, and when what came before it is used up."""
    if lo == hi or not end > begin:
        return np.nan, begin
    carry, gaps, prior, used_up, first = 0.0, 0.0, -1.0, begin, hi
    for i in range(lo, hi):
        until = day[i + 1] if i + 1 < hi else end
        gap = until - day[i] - supply[i] - carry
        if day[i] < begin:
            prior = max(gap, 0.0)
            used_up = max(used_up, day[i] + supply[i] + carry)
        else:
            gaps += max(gap, 0.0)
            first = min(first, i)
        if i + 1 < hi:
            carry = moves_on(-gap, i, medication, dose, same_only, dose_change)
    length = end - begin
    if first == hi:
        return (1.0 - prior / length if prior <= length else 0.0), used_up
    before = day[first] - begin
    if first > lo:
        before = min(prior, before)
    return 1.0 - (gaps + before) / length, used_up


@numba.njit(nogil=True, cache=True)
def days_covered(lo, hi, end, day, supply, medication, medications):  # type: ignore[no-untyped-def]
    """Days up to `end` with any medication at hand; early refills of one medication wait until the last is used up."""
    if medications == 1:
        covered, until = 0.0, -np.inf
        for i in range(lo, hi):
            begin = max(day[i], until)
            until = begin + supply[i]
            covered += max(0.0, min(until, end) - begin)
        return covered
    begins, ends, used_up = np.empty(hi - lo), np.empty(hi - lo), np.full(medications, -np.inf)
    for i in range(lo, hi):
        begins[i - lo] = max(day[i], used_up[medication[i]])
        ends[i - lo] = used_up[medication[i]] = begins[i - lo] + supply[i]
    covered, until = 0.0, -np.inf
    for k in np.argsort(begins):
        begin, stop = max(begins[k], until), min(ends[k], end)
        if stop > begin:
            covered += stop - begin
            until = stop
    return covered


@numba.njit(nogil=True, cache=True)
def measure(  # type: ignore[no-untyped-def]
    starts, day, supply, medication, dose, medications, windows, relative, same_only, dose_change, out
):
    """Fill `out` (P, COLUMNS) with one pass over each patient's records; NaN where a measure is not defined.

    windows : (4,) start and length of the follow-up, start (within it) and length of the observation, in days.
    """
    for p in range(starts.size - 1):
        lo, hi = starts[p], starts[p + 1]
        followed = windows[0] + (day[lo] if relative else 0.0)
        ended = followed + windows[1]
        begin = followed + windows[2]
        end = begin + windows[3]
        while lo < hi and day[lo] < followed:
            lo += 1
        while hi > lo and day[hi - 1] > ended:
            hi -= 1
        first = lo
        while first < hi and day[first] < begin:
            first += 1
        last = hi  # events of the observation window: first to last (excluded)
        while last > first and day[last - 1] > end:
            last -= 1
        upto = last if last > first else first  # events before the window count, those after it do not
        row = out[p]
        row[:] = np.nan
        row[EVENTS], row[EVENTS_INSIDE], row[SUPPLY] = hi - lo, last - first, 0.0
        carry, gaps, last_gap = 0.0, 0.0, 0.0
        for i in range(first, last):
            row[SUPPLY] += supply[i]
            until = day[i + 1] if i + 1 < last else end
            gap = until - day[i] - supply[i] - carry
            last_gap = max(gap, 0.0)
            gaps += last_gap
            if i + 1 < last:
                carry = moves_on(-gap, i, medication, dose, same_only, dose_change)
        if last - first > 1 and day[last - 1] > day[first]:
            length = day[last - 1] - day[first]
            row[CMA1] = (row[SUPPLY] - supply[last - 1]) / length
            row[CMA1 + 2] = min(row[CMA1], 1.0)
            row[CMA5] = 1.0 - (gaps - last_gap) / length
        if last > first and end > day[first]:
            length = end - day[first]
            row[CMA1 + 1] = row[SUPPLY] / length
            row[CMA1 + 3] = min(row[CMA1 + 1], 1.0)
            row[CMA5 + 1] = 1.0 - gaps / length
            row[PDC] = days_covered(first, last, end, day, supply, medication, medications) / length
        row[CMA7], later = whole_window(lo, upto, begin, end, day, supply, medication, dose, same_only, dose_change)
        row[CMA8] = row[CMA7]
        if later > begin:
            row[CMA8], later = whole_window(lo, upto, later, end, day, supply, medication, dose, same_only, dose_change)
        if upto > lo and end > begin:
            carry, weighted = 0.0, 0.0
            for i in range(lo, hi):
                until = day[i + 1] if i + 1 < hi else ended
                gap = until - day[i] - supply[i] - carry
                inside = min(until, end) - max(day[i], begin)
                if until > day[i] and inside > 0.0:
                    weighted += inside * (1.0 - max(gap, 0.0) / (until - day[i]))
                if i + 1 < hi:
                    carry = moves_on(-gap, i, medication, dose, same_only, dose_change)
            row[CMA9] = weighted / (end - begin)


@numba.njit(nogil=True, cache=True)
def first_episode(  # type: ignore[no-untyped-def]
    starts, day, supply, medication, dose, permissible, follow_up, same_only, dose_change, change_ends, times, stopped
):
    """Days from the first record to the end of the supply before the first gap longer than `permissible`."""
    for p in range(starts.size - 1):
        lo, hi = starts[p], starts[p + 1]
        ended = day[lo] + follow_up
        while day[hi - 1] > ended:
            hi -= 1
        carry = 0.0
        times[p], stopped[p] = follow_up, False
        for i in range(lo, hi):
            until = day[i + 1] if i + 1 < hi else ended
            gap = until - day[i] - supply[i] - carry
            switched = change_ends and i + 1 < hi and medication[i] != medication[i + 1]
            if max(gap, 0.0) > permissible or switched:
                times[p], stopped[p] = until - max(gap, 0.0) - day[lo], True
                break
            if i + 1 < hi:
                carry = moves_on(-gap, i, medication, dose, same_only, dose_change)
