"""The equations of adherence and persistence in one place; each module behind it has one role (numpy, scipy, numba)."""

from __future__ import annotations

from tools.adherence.implementation import (
    beta_of,
    cover_moments,
    group_shares,
    odds_over,
    packs_begun,
    people_nodes,
    share_covered,
)
from tools.adherence.measures import (
    COLUMNS,
    Adherence,
    Discontinuation,
    Windows,
    adherence_of,
    discontinuation_of,
    measure,
)
from tools.adherence.persistence import (
    CoxFit,
    Weibull,
    WeibullFit,
    fit_cox,
    fit_cox_table,
    fit_weibull,
    persistence,
    survival,
    time_on_treatment,
    weibull_points,
    weibull_scale,
    weibull_through,
)
from tools.adherence.refills import Refills, arrange

__all__ = [
    "COLUMNS", "Adherence", "CoxFit", "Discontinuation", "Refills", "Weibull", "WeibullFit", "Windows", "adherence_of", "arrange",
    "beta_of", "cover_moments", "discontinuation_of", "fit_cox", "fit_cox_table", "fit_weibull", "group_shares", "measure",
    "odds_over", "packs_begun", "people_nodes", "persistence", "share_covered", "survival", "time_on_treatment",
    "weibull_points", "weibull_scale", "weibull_through",
]  # fmt: skip
