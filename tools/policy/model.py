"""The equations of the chain in one place; each module behind it has one role (numpy, no I/O)."""

from __future__ import annotations

from tools.policy.drivers import Driver, first_order
from tools.policy.per_starter import (
    Course,
    VisitPlan,
    change_course,
    grid,
    utility_years,
    visits_until,
    years_on,
)
from tools.policy.totals import by_month, clinic_wait, monthly_profile

__all__ = [
    "Course",
    "Driver",
    "VisitPlan",
    "by_month",
    "change_course",
    "clinic_wait",
    "first_order",
    "grid",
    "monthly_profile",
    "utility_years",
    "visits_until",
    "years_on",
]
