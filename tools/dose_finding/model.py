"""The equations of dose finding in one place; each module behind it has one role (numpy, scipy, numba, no I/O)."""

from __future__ import annotations

from tools.dose_finding.boin import Table, boundaries, choose_dose, decision_table, isotonic, most_tolerated
from tools.dose_finding.simulation import Trials, simulate_boin, simulate_three_plus_three
from tools.dose_finding.three_plus_three import ThreePlusThree, check_rates, escalation_probability, three_plus_three

__all__ = [
    "Table", "ThreePlusThree", "Trials", "boundaries", "check_rates", "choose_dose", "decision_table",
    "escalation_probability", "isotonic", "most_tolerated", "simulate_boin", "simulate_three_plus_three",
    "three_plus_three",
]  # fmt: skip
