"""What the published trials let one expect of the trial that is being designed: draws from the response engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from knowledge.schemas import Endpoint, Family
from tools.context import ToolContext
from tools.response.asking import assumptions_of, horizon_of, predict_endpoints, read_question, warnings_of
from tools.response.engine import engine_for
from tools.response.schemas import TreatmentInput
from tools.response.threads import one_thread
from tools.trial_design.schemas import ExpectedFromEvidence

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """Joint draws (D,) of the cohort means of a new trial, in the endpoint's unit (shares 0-1 for proportions).

    Attributes
    ----------
    person_sd : typical person-to-person SD, None for proportions and times to event.
    """

    endpoint: Endpoint
    treatment: str
    comparator: str
    population: str
    weeks: float
    treated: FloatArray
    control: FloatArray
    person_sd: float | None
    source_ids: tuple[str, ...]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def effect(self) -> FloatArray:
        """(D,) difference of means or shares; of times to event the hazard ratio."""
        if self.endpoint.family is Family.TIME_TO_EVENT:
            return self.treated / self.control
        return self.treated - self.control


@one_thread()
def expected_from_evidence(asked: ExpectedFromEvidence, context: ToolContext) -> Expected:
    """Predict the trial's two arms (errors of the response engine; InvalidInput for endpoints that are rates)."""
    engine = engine_for(context.knowledge, context.view)
    inputs = (asked.treatment, asked.comparator or TreatmentInput(intervention="placebo"))
    question = read_question(engine, inputs, (asked.endpoint,), asked.cohort, context)
    weeks, why = horizon_of(engine, question, asked.horizon_weeks)
    results, _ = predict_endpoints(
        engine, question.choice.endpoints[:1], question.treatments, question.cohort, weeks, context.progress
    )
    result = results[0]
    if result.endpoint.family is Family.RATE:
        raise InvalidInput(
            f"{result.endpoint.label} is a rate; trials of rates are not designed here.",
            "Ask for a continuous outcome, a share of people or a time to an event.",
        )
    share = result.endpoint.family is Family.PROPORTION
    factor = 0.01 if share else 1.0
    selection = engine.prepared(result.endpoint.endpoint_id).selection
    return Expected(
        endpoint=result.endpoint,
        treatment=question.treatments[0].label,
        comparator=question.treatments[1].label,
        population=question.cohort.label,
        weeks=weeks,
        treated=result.draws[:, 0] * factor,
        control=result.draws[:, 1] * factor,
        person_sd=selection.individual_sd if result.endpoint.family is Family.CONTINUOUS else None,
        source_ids=result.source_ids,
        assumptions=(*filter(None, [why]), *assumptions_of(engine, results, question)),
        warnings=warnings_of(results, question),
    )
