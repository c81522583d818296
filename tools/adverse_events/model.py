"""The equations of adverse events in one place; each module behind it has one role (numpy, scipy, numba, no I/O)."""

from __future__ import annotations

from tools.adverse_events.binomial import exact_interval, exact_upper_bound
from tools.adverse_events.competing import CumulativeIncidence, aalen_johansen, interval
from tools.adverse_events.hazards import Counts, Course, count_people, expected_course, follow_people
from tools.adverse_events.myelosuppression import Marrow, Suppression, grade_shares, suppress
from tools.adverse_events.pharmacokinetics import Doses, Modes, compartments, concentration, doses

__all__ = [
    "Counts", "Course", "CumulativeIncidence", "Doses", "Marrow", "Modes", "Suppression", "aalen_johansen",
    "compartments", "concentration", "count_people", "doses", "exact_interval", "exact_upper_bound", "expected_course",
    "follow_people", "grade_shares", "interval", "suppress",
]  # fmt: skip
