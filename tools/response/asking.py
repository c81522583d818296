"""What both response tools do first: read treatments, choose endpoints, say what was assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from knowledge.errors import InvalidInput, NoEvidence
from personas.cohort import Cohort
from personas.schemas import CohortSpec
from tools.context import ToolContext
from tools.response.engine import ResponseEngine
from tools.response.estimates import EndpointResult, predict_endpoint
from tools.response.reach import early_warnings, extrapolation_warnings
from tools.response.relevance import Choice, choose_endpoints
from tools.response.schemas import MissingEndpoint, TreatmentInput
from tools.response.treatments import Treatment


@dataclass(frozen=True)
class Question:
    """A question as understood: treatments with their doses, the cohort, and the endpoints to predict."""

    treatments: tuple[Treatment, ...]
    cohort: Cohort
    choice: Choice


def read_treatment(engine: ResponseEngine, asked: TreatmentInput) -> Treatment:
    """A checked treatment (UnknownDrug, InvalidInput, ImpossibleDose)."""
    return engine.treatment(asked.intervention, asked.dose, asked.dose_unit or "", asked.frequency or "")


def refuse_doubles(treatments: Sequence[Treatment]) -> None:
    """InvalidInput when a treatment is to be compared with itself."""
    labels = [(treatment.name, treatment.dose) for treatment in treatments]
    for position, one in enumerate(labels):
        if one in labels[:position]:
            raise InvalidInput(
                f"{treatments[position].label} is compared with itself.", "Name two different treatments or doses."
            )


def read_question(
    engine: ResponseEngine,
    inputs: Sequence[TreatmentInput],
    asked: Sequence[str],
    cohort: CohortSpec,
    context: ToolContext,
) -> Question:
    """Treatments, cohort and endpoints of a question; doses nobody stated are those most studied on the endpoints.

    Raises
    ------
    UnknownDrug, UnknownEndpoint, UnknownPersona, InvalidInput, ImpossibleDose : the question cannot be understood.
    NoEvidence : no trial is in people like the cohort.
    """
    treatments = [read_treatment(engine, one) for one in inputs]
    built = Cohort.build(cohort, context.personas, seed=context.seed)
    areas = {persona.area for persona in context.personas}
    choice = choose_endpoints(engine, treatments, asked, built, areas)
    settled = [
        treatment
        if one.dose is not None
        else engine.treatment(treatment.name, area=choice.area, endpoints=choice.endpoints)
        for one, treatment in zip(inputs, treatments, strict=True)
    ]
    refuse_doubles(settled)
    return Question(tuple(settled), built, choice)


def predict_endpoints(
    engine: ResponseEngine,
    endpoints: Sequence[str],
    treatments: Sequence[Treatment],
    cohort: Cohort,
    weeks: float,
    progress: Callable[[float, str], None],
) -> tuple[list[EndpointResult], tuple[MissingEndpoint, ...]]:
    """Predictions of those endpoints that have evidence, and reasons for the others; NoEvidence when none has."""
    results: list[EndpointResult] = []
    missing: list[MissingEndpoint] = []
    first_error: NoEvidence | None = None
    for position, name in enumerate(endpoints):
        progress(position / len(endpoints), f"predicting {engine.knowledge.vocabulary.endpoint(name).label}")
        try:
            results.append(predict_endpoint(engine, name, treatments, cohort, weeks))
        except NoEvidence as error:
            first_error = first_error or error
            missing.append(MissingEndpoint(endpoint=name, reason=error.message))
    if first_error is not None and not results:
        raise first_error
    return results, tuple(missing)


def assumptions_of(engine: ResponseEngine, results: Sequence[EndpointResult], question: Question) -> tuple[str, ...]:
    """What was assumed, in full sentences."""
    found = [note for treatment in question.treatments for note in treatment.notes]
    found += question.choice.assumptions
    found.append(
        "The prediction is for a new double-blind trial like the most recent ones; where the cohort does not say what "
        "other treatment people have, it is that of the average trial. Estimands are as published, treatment policy "
        "first where a trial gives several."
    )
    selections = [engine.prepared(result.endpoint.endpoint_id).selection for result in results]
    imputed = [
        f"{selection.imputed} of {len(selection.rows)} for {result.endpoint.label} "
        f"(SD {selection.individual_sd:.3g} {result.endpoint.unit})"
        for result, selection in zip(results, selections, strict=True)
        if selection.imputed
    ]
    if imputed:
        found.append(
            "Figures published without a standard error got one from the number of participants and the typical "
            f"person-to-person SD: {'; '.join(imputed)}."
        )
    skipped: Counter[str] = Counter()
    for selection in selections:
        skipped.update(selection.skipped)
    if skipped:
        used = sum(len(selection.rows) for selection in selections)
        reasons = "; ".join(f"{count}: {reason}" for reason, count in skipped.most_common())
        found.append(f"{used} published figures on these outcomes were used, {skipped.total()} were not ({reasons}).")
    return tuple(dict.fromkeys(found))


def warnings_of(results: Sequence[EndpointResult], question: Question) -> tuple[str, ...]:
    """Warnings about the choice and of all endpoints, each said once."""
    said = dict.fromkeys(question.choice.warnings)
    said |= dict.fromkeys(warning for result in results for warning in result.predicted.warnings)
    outside = [(result.endpoint, item) for result in results for item in result.predicted.outside]
    early = [(result.endpoint, result.predicted.early) for result in results if result.predicted.early is not None]
    weeks = results[0].predicted.weeks if results else 0.0
    return (*said, *early_warnings(early, weeks), *extrapolation_warnings(outside))
