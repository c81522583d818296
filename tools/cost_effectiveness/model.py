"""The equations of cost-effectiveness in one place; each module behind it has one role (numpy and numba, no I/O)."""

from __future__ import annotations

from tools.cost_effectiveness.accounting import cycle_weights, discount_factors, point_weights
from tools.cost_effectiveness.cohorts import (
    check_transitions,
    cohort_totals,
    cohort_trace,
    state_rewards,
    transition_rewards,
)
from tools.cost_effectiveness.comparison import Gains, treatment_gains
from tools.cost_effectiveness.daly import (
    Burden,
    Event,
    Weighting,
    cascade,
    combined_disability,
    present_years,
    years_lived_with_disability,
    years_of_life_lost,
)
from tools.cost_effectiveness.decisions import (
    Acceptability,
    FrontierRow,
    Standing,
    acceptability,
    budget_impact,
    frontier,
    icer,
    net_health_benefit,
    net_monetary_benefit,
    population_evpi,
)
from tools.cost_effectiveness.microsim import Simulated, pooled, simulate_people
from tools.cost_effectiveness.mortality import gompertz_cumulative_hazard, table_cumulative_hazard
from tools.cost_effectiveness.survival import partition, read_off, survival
from tools.expressions import probability_to_rate, rate_to_probability

__all__ = [
    "Acceptability", "Burden", "Event", "FrontierRow", "Gains", "Simulated", "Standing", "Weighting", "acceptability",
    "budget_impact", "cascade", "check_transitions", "cohort_totals", "cohort_trace", "combined_disability",
    "cycle_weights", "discount_factors", "frontier", "gompertz_cumulative_hazard", "icer", "net_health_benefit",
    "net_monetary_benefit", "partition", "point_weights", "pooled", "population_evpi", "present_years",
    "probability_to_rate", "rate_to_probability", "read_off", "simulate_people", "state_rewards", "survival",
    "table_cumulative_hazard", "transition_rewards", "treatment_gains", "years_lived_with_disability",
    "years_of_life_lost",
]  # fmt: skip
