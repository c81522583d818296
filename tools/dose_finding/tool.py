"""`find_dose`: how a phase I trial would go up and down the doses, and which it would choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.dose_finding import report
from tools.dose_finding.model import (
    Table,
    boundaries,
    check_rates,
    decision_table,
    simulate_boin,
    three_plus_three,
)
from tools.dose_finding.schemas import DoseFindingInput, DoseFindingResult
from tools.execution import Piece, pieces
from tools.parameter_sheet import ParameterSheet, read_parameters
from tools.quantities import as_uncertain
from tools.registry import tool

SHEET = Path(__file__).with_name("parameters.yaml")
FloatArray = npt.NDArray[np.float64]
TRIALS_AT_ONCE = 20_000
MOST_VALUES = 10_000_000


@tool("find_dose", input=DoseFindingInput, result=DoseFindingResult, validation=report.VALIDATION, offered=False)
def find_dose(request: DoseFindingInput, context: ToolContext) -> DoseFindingResult:
    """Say how a phase I dose-escalation trial would behave: which dose it would choose, and how many people are harmed.

    For true rates of dose-limiting toxicity (`rates`, lowest dose first; numbers or distributions): the share of trials
    that choose each dose or none, people treated and toxicities by dose. `design` '3+3' is computed exactly (Storer
    1989); 'boin' is the Bayesian optimal interval design (Liu, Yuan 2015), simulated, with its decision table: give
    `target`, the toxicity rate aimed at. Without `rates` BOIN gives the boundaries and the table alone.
    """
    sheet = read_parameters(SHEET)
    names = request.doses or tuple(f"dose {i + 1}" for i in range(len(request.rates)))
    rates, varies = _draw_rates(request, context.seed)
    if request.design == "3+3":
        exact = [three_plus_three(row, confirm=request.confirm) for row in rates]
        outcome = report.exact_outcome(exact)
        made = report.estimates(outcome, names, rates, request.target, request.level)
        made += report.escalation_estimates(exact, names, request.level)
        return DoseFindingResult(
            title=f"3+3 over {len(names)} doses", estimates=tuple(made), charts=report.charts(outcome, names, ()),
            assumptions=(*_assumed(varies), "Shares and expected numbers are exact, not simulated."),
            warnings=_warned(rates), design="3+3",
        )  # fmt: skip
    plan = _plan(request, sheet)
    rows = report.rows_of(plan.table, request.cohort_size)
    made = report.boundary_estimates(*plan.boundaries)
    found = _run(request, plan, rates, context) if request.rates else None
    if found is not None:
        made += report.estimates(found, names, rates, plan.target, request.level)
    return DoseFindingResult(
        title=f"Bayesian optimal interval design, target {100 * plan.target:g} % with a dose-limiting toxicity",
        estimates=tuple(made), charts=report.charts(found, names, rows), design="boin", table=rows,
        assumptions=(
            *_assumed(varies),
            f"DLT rates up to {plan.safe:.3g} count as too low and from {plan.toxic:.3g} as too high.",
            f"A dose is left for good above a posterior probability of {plan.eliminate:g} that it is too toxic.",
        ),
        warnings=_warned(rates), source_ids=sheet.source_ids,
    )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A BOIN trial, ready to run."""

    target: float
    safe: float
    toxic: float
    eliminate: float
    boundaries: tuple[float, float]
    table: Table
    cohorts: int
    cohort_size: int
    start: int
    enough: int | None


@dataclass(frozen=True)
class Job:
    """One piece: trials under each of some draws of the rates, `each` trials a draw."""

    piece: Piece
    plan: Plan
    rates: FloatArray
    each: int


def run_job(job: Job) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Chosen (D, R), people and DLTs (D, R, J); module-level, so that it travels to other processes."""
    rng, plan = job.piece.rng(), job.plan
    made = [
        simulate_boin(
            row, plan.table, plan.target, job.each, rng, cohorts=plan.cohorts, cohort_size=plan.cohort_size,
            start=plan.start, enough=plan.enough,
        )
        for row in job.rates
    ]  # fmt: skip
    return (
        np.stack([one.chosen for one in made]).astype(np.float64),
        np.stack([one.people for one in made]).astype(np.float64),
        np.stack([one.toxicities for one in made]).astype(np.float64),
    )


def _plan(request: DoseFindingInput, sheet: ParameterSheet) -> Plan:
    target = request.target
    if target is None:
        raise InvalidInput("BOIN needs `target`, the DLT rate aimed at.")
    safe = request.safe if request.safe is not None else sheet["safe_over_target"].value * target
    toxic = request.toxic if request.toxic is not None else sheet["toxic_over_target"].value * target
    cut = sheet["eliminate_above"].value
    people = request.cohorts * request.cohort_size
    if people > 1000:
        raise InvalidInput("A phase I trial of more than 1000 people is not simulated.", "Lower cohorts or their size.")
    return Plan(
        target, safe, toxic, cut, boundaries(target, safe, toxic), decision_table(target, safe, toxic, people, cut),
        request.cohorts, request.cohort_size, request.start - 1, request.enough,
    )  # fmt: skip


def _run(request: DoseFindingInput, plan: Plan, rates: FloatArray, context: ToolContext) -> report.Outcome:
    """Trials under all draws, in pieces; with certain rates the pieces share one draw."""
    draws, doses = rates.shape
    if request.trials * doses > MOST_VALUES:
        raise InvalidInput("These are too many trials and doses.", "Lower trials.")
    if draws == 1:
        work = [
            Job(piece, plan, rates, piece.size) for piece in pieces(request.trials, context.seed, size=TRIALS_AT_ONCE)
        ]
    else:
        each = max(2, request.trials // draws)
        work = [Job(one, plan, rates[one.start : one.stop], each) for one in pieces(draws, context.seed, size=50)]
    parts = context.executor.map(run_job, work)
    axis = 1 if draws == 1 else 0
    chosen, people, toxicities = (np.concatenate(column, axis=axis) for column in zip(*parts, strict=True))
    selected = np.stack([(chosen == i).mean(axis=1) for i in range(-1, doses)], axis=1)
    return report.Outcome(selected, people, toxicities, chosen.size)


def _draw_rates(request: DoseFindingInput, seed: int) -> tuple[FloatArray, bool]:
    """(D, J) draws of the rates, one row where all are certain."""
    given = [as_uncertain(one) for one in request.rates]
    varies = any(not one.certain for one in given)
    n = request.draws if varies else 1
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[4])
    drawn = np.array([one.draw(rng, n) for one in given]).T.reshape(n, len(given))
    if given:
        for row in drawn:
            check_rates(row)
    return drawn, varies


def _assumed(varies: bool) -> tuple[str, ...]:
    said = ["Each person's toxicity is known before the next decision, and people are alike given the dose."]
    if varies:
        said.append("Uncertain rates are drawn independently of each other; give draws to keep them in order.")
    return tuple(said)


def _warned(rates: FloatArray) -> tuple[str, ...]:
    if rates.shape[1] > 1 and (np.diff(rates, axis=1) < 0).any():
        return ("The DLT rate falls from one dose to the next in some draws; both designs take it to rise.",)
    return ()
