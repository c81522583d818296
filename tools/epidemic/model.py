"""The equations of epidemics in one place; each module behind it has one role (numpy, scipy and numba, no I/O)."""

from __future__ import annotations

from tools.epidemic.branching import (
    extinction_probability,
    share_of_cases_causing,
    transmission_by_most_infectious,
)
from tools.epidemic.course import (
    doubling_time,
    growth_rate,
    herd_immunity_threshold,
    next_generation_matrix,
    peak_prevalence,
    reciprocal,
    reproduction_number,
    reproduction_number_from_growth,
)
from tools.epidemic.final_size import effective_reproduction_number, final_size, final_size_homogeneous
from tools.epidemic.stochastic import Biology, Runs, Setting, plain_setting, simulate_runs

__all__ = [
    "Biology", "Runs", "Setting", "doubling_time", "effective_reproduction_number", "extinction_probability",
    "final_size", "final_size_homogeneous", "growth_rate", "herd_immunity_threshold", "next_generation_matrix",
    "peak_prevalence", "plain_setting", "reciprocal", "reproduction_number", "reproduction_number_from_growth",
    "share_of_cases_causing", "simulate_runs", "transmission_by_most_infectious",
]  # fmt: skip
