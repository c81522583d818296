"""The benches compare like with like: the peers compute what the tools compute."""

from __future__ import annotations

import numpy as np
import pytest

from evals import bench_cost_effectiveness as cea
from evals import bench_uptake as uptake
from tools.context import ToolContext


def test_sensitivity_analysis_agrees_with_the_loop(shipped, library):
    draws = cea.sick_sicker_draws(5)
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    found = cea.ours(cea.sick_sicker(draws), 5, context)
    np.testing.assert_allclose(found, cea.one_by_one(draws, 5), rtol=1e-9)


def test_funnel_agrees_with_the_loop():
    people = 5000
    for one, other in zip(uptake.whole_groups(people, 1), uptake.person_by_person(people, 2), strict=True):
        assert abs(one - other) < 5 * (one + other) ** 0.5
