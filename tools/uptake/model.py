"""The equations of market access in one place; each module behind it has one role (numpy and scipy, no I/O)."""

from __future__ import annotations

from tools.uptake.bass import Fitted, Peak, adopted, adoption_rate, fit_bass, peak
from tools.uptake.choice import (
    LogitFit,
    consumer_surplus_change,
    fit_logit,
    logsum,
    mixed_probabilities,
    probabilities,
)
from tools.uptake.funnel import (
    Counts,
    copay_factor,
    diffusion_start,
    expected_funnel,
    monthly_start,
    monthly_stay,
    odds_times,
    run_funnel,
)
from tools.uptake.tables import fit_logit_table

__all__ = [
    "Counts", "Fitted", "LogitFit", "Peak", "adopted", "adoption_rate", "consumer_surplus_change", "copay_factor",
    "diffusion_start", "expected_funnel", "fit_bass", "fit_logit", "fit_logit_table", "logsum", "mixed_probabilities", "monthly_start",
    "monthly_stay", "odds_times", "peak", "probabilities", "run_funnel",
]  # fmt: skip
