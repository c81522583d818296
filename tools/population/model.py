"""The equations of population forecasts in one place; each module behind it has one role (numpy, scipy, numba, no I/O)."""

from __future__ import annotations

from tools.population.markov import (
    Expected,
    expected_forecast,
    generator,
    mean_time_in_states,
    occupancy,
    transition_probabilities,
)
from tools.population.panel import PanelFit, fit_panel
from tools.population.simulation import simulate_counts, simulate_people
from tools.population.tables import fit_panel_table

__all__ = [
    "Expected", "PanelFit", "expected_forecast", "fit_panel", "fit_panel_table", "generator", "mean_time_in_states",
    "occupancy", "simulate_counts", "simulate_people", "transition_probabilities",
]  # fmt: skip
