"""The demand forecast's numeric functions in one place: accuracy, conformal intervals, hierarchies, the airline model."""

from __future__ import annotations

from tools.demand.accuracy import (
    holdout_scores,
    is_seasonal,
    mape,
    mase,
    naive,
    naive2,
    naive_error,
    owa,
    score_panel,
    seasonal_factors,
    seasonal_naive,
    smape,
)
from tools.demand.airline import AirlineFit, airline_fit, airline_log_likelihood
from tools.demand.conformal import (
    CoverageLaw,
    conformal_rank,
    coverage_law,
    errors_needed,
    highest_level,
    radius,
    simulated_coverage,
)
from tools.demand.reconciliation import Hierarchy, hierarchy, incoherence, reconcile, shrinkage, shrunk_covariance

__all__ = [
    "AirlineFit", "CoverageLaw", "Hierarchy", "airline_fit", "airline_log_likelihood", "conformal_rank", "coverage_law",
    "errors_needed", "hierarchy", "highest_level", "holdout_scores", "incoherence", "is_seasonal", "mape", "mase", "naive",
    "naive2", "naive_error", "owa", "radius", "reconcile", "score_panel", "seasonal_factors", "seasonal_naive", "shrinkage",
    "shrunk_covariance", "simulated_coverage", "smape",
]  # fmt: skip
