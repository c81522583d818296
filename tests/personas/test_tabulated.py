from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv, ndtr, ndtri

from personas.library import PersonaLibrary
from personas.margins import margin_of
from personas.schemas import Distribution
from personas.tabulated import REACH, tabulate

DEVIATES = np.random.default_rng(1).uniform(-6.0, 6.0, 50_000)


def test_a_straight_line_is_read_exactly_and_ends_where_the_table_ends() -> None:
    read = tabulate(lambda z: 3.0 * z + 1.0)
    assert read(DEVIATES) == pytest.approx(3.0 * DEVIATES + 1.0, abs=1e-12)
    assert read(np.array([-50.0, 50.0])) == pytest.approx([1 - 3 * REACH, 1 + 3 * REACH], abs=1e-6)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.9))
@example(0.0625, 0.84375)  # scipy's inverse falls by 2e-308 in the lower tail
@settings(max_examples=40, deadline=None)
def test_what_rises_still_rises(mean: float, width: float) -> None:
    sd = width * np.sqrt(mean * (1 - mean))
    size = mean * (1 - mean) / sd**2 - 1
    read = tabulate(lambda z: betaincinv(mean * size, (1 - mean) * size, ndtr(z)))
    values = read(np.sort(DEVIATES))
    assert (np.diff(values) >= -1e-15).all()  # the last digit of a value near 1
    assert 0 <= values[0] <= values[-1] <= 1


def test_the_table_errs_less_than_stated_in_every_shipped_archetype(shipped: PersonaLibrary) -> None:
    """Against scipy without a table: below 1e-5 of the SD."""
    checked = 0
    seen = set()
    for persona in shipped:
        for name, a in persona.attributes.items():
            key = (a.distribution, a.mean, a.sd, a.lower, a.upper)
            if key in seen or a.mean is None or a.sd is None:
                continue
            seen.add(key)
            if a.distribution is Distribution.BETA:
                size = a.mean * (1 - a.mean) / a.sd**2 - 1
                exact = betaincinv(a.mean * size, (1 - a.mean) * size, ndtr(DEVIATES))
                bound = 1e-5
            elif a.distribution is Distribution.TRUNCATED_NORMAL and a.lower is not None and a.upper is not None:
                low, high = ndtr((a.lower - a.mean) / a.sd), ndtr((a.upper - a.mean) / a.sd)
                exact = a.mean + a.sd * ndtri(low + (high - low) * ndtr(DEVIATES))
                bound = 1e-5
            else:
                continue
            error = np.abs(np.asarray(margin_of(a).values(DEVIATES)) - exact)
            assert error.max() < bound * a.sd, (persona.id, name)
            checked += 1
    assert checked > 10
