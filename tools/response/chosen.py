"""What a question may choose on top of a prediction: one estimand, and a dose that is raised in steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.response.asking import Question
from tools.response.engine import ResponseEngine
from tools.response.estimand_report import estimand_estimates
from tools.response.estimates import EndpointResult
from tools.response.schemas import SimulateResponseInput
from tools.response.titration_report import read_steps, titrated_estimates
from tools.schemas import Estimate


@dataclass(frozen=True)
class Chosen:
    """Estimates and sentences to add to a result; empty where nothing was chosen."""

    estimates: tuple[Estimate, ...] = ()
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def chosen_estimates(
    engine: ResponseEngine,
    request: SimulateResponseInput,
    question: Question,
    results: Sequence[EndpointResult],
    seed: int,
) -> Chosen:
    """What `request.estimand` and `request.titration` ask for (InvalidInput where the steps cannot be read)."""
    estimates: list[Estimate] = []
    assumptions: list[str] = []
    warnings: list[str] = []
    if request.estimand is not None:
        found = estimand_estimates(engine, results, question.cohort, request.estimand, seed)
        estimates += found.estimates
        assumptions += found.assumptions
        warnings += found.warnings
    if request.titration:
        asked = [(step.from_week, step.dose) for step in request.titration]
        unit, frequency = request.treatment.dose_unit or "", request.treatment.frequency or ""
        steps = read_steps(engine, question.treatments[0], asked, unit, frequency)
        raised = titrated_estimates(results, engine, question.cohort, steps, seed)
        estimates += raised.estimates
        assumptions += raised.assumptions
    return Chosen(tuple(estimates), tuple(assumptions), tuple(warnings))
