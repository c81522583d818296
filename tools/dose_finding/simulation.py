"""Simulated phase I trials, for what has no closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.dose_finding.boin import Table
from tools.dose_finding.three_plus_three import check_rates

IntArray = npt.NDArray[np.int64]
MOST_TRIALS = 20_000_000


@dataclass(frozen=True)
class Trials:
    """T trials: chosen (T,) number of the dose, -1 for none; people and DLTs by dose, (T, J)."""

    chosen: IntArray
    people: IntArray
    toxicities: IntArray


def _empty(trials: int, doses: int) -> Trials:
    if not 1 <= trials * doses <= MOST_TRIALS:
        raise InvalidInput(
            f"At least one trial, and at most {MOST_TRIALS:,} trials times doses, can be simulated at once."
        )
    shape = (trials, doses)
    return Trials(np.empty(trials, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64))


def simulate_boin(
    rates: npt.ArrayLike,
    table: Table,
    target: float,
    trials: int,
    rng: np.random.Generator,
    *,
    cohorts: int = 10,
    cohort_size: int = 3,
    start: int = 0,
    enough: int | None = None,
) -> Trials:
    """Trials of the Bayesian optimal interval design.

    Parameters
    ----------
    rates : (J,) true DLT rates from the lowest dose up.
    table : from `decision_table`, for at least cohorts x cohort_size people.
    start : number of the first dose, 0 for the lowest.
    enough : a trial that would stay at a dose ends once so many took it; None for never.

    Raises
    ------
    InvalidInput
        Rates outside [0, 1], no trials or too many, a table that is too short, or a first dose that is not there.
    """
    p = check_rates(rates)
    if cohorts < 1 or cohort_size < 1 or table.escalate.size < cohorts * cohort_size:
        raise InvalidInput("The decision table must reach to all people of the trial.")
    if not 0 <= start < p.size:
        raise InvalidInput("The trial starts at one of its doses.")
    from tools.dose_finding.kernels import boin_trials  # numba, which the start of the program would feel

    made = _empty(trials, p.size)
    boin_trials(
        rng, p, table.escalate, table.deescalate, table.eliminate, target, cohorts, cohort_size, start,
        enough or cohorts * cohort_size + 1, made.chosen, made.people, made.toxicities,
    )  # fmt: skip
    return made


def simulate_three_plus_three(rates: npt.ArrayLike, trials: int, rng: np.random.Generator) -> Trials:
    """Trials of the 3+3 rule without confirmation; errors as `simulate_boin`."""
    p = check_rates(rates)
    from tools.dose_finding.kernels import escalation_trials

    made = _empty(trials, p.size)
    escalation_trials(rng, p, made.chosen, made.people, made.toxicities)
    return made
