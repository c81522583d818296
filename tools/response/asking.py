"""What both response tools do first: read treatments, choose endpoints, say what was assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Family
from personas.cohort import Cohort
from personas.schemas import CohortSpec
from tools.context import ToolContext
from tools.response.cohorts import cohort_covariates
from tools.response.control import forecast_of
from tools.response.engine import ResponseEngine
from tools.response.estimates import LEVEL, EndpointResult, predict_endpoint
from tools.response.observed import observed_arm
from tools.response.reach import early_warnings, extrapolation_warnings
from tools.response.relevance import HARMS, Choice, choose_endpoints
from tools.response.risks import risk_weeks, risks_by
from tools.response.schemas import MissingEndpoint, ObservedControl, TreatmentInput
from tools.response.treatments import Treatment

# Weeks where neither the question nor any trial tells a time.
FALLBACK_WEEKS = 26.0


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


def horizon_of(engine: ResponseEngine, question: Question, asked: float | None) -> tuple[float, str]:
    """Weeks to predict for, and a sentence that says where they come from when nobody asked for a time.

    Unasked it is the follow-up most studied for the first active treatment and the first outcome that is not a harm.
    """
    if asked is not None:
        return asked, ""
    actives = [treatment for treatment in question.treatments if treatment.drug_class is not None]
    for name in sorted(question.choice.endpoints, key=lambda name: name in HARMS):
        for treatment in actives or question.treatments:
            usual = engine.usual_time(name, treatment)
            if usual is None:
                continue
            what = f"trials of {treatment.name} that report {engine.knowledge.vocabulary.endpoints[name].label}"
            if usual.of_trials == 1:
                why = f"the follow-up of the one trial of {treatment.name} {what.partition(' that ')[2].replace('report', 'that reports')}"
            elif usual.trials > 1:
                why = f"the follow-up that most {what} have ({usual.trials} of {usual.of_trials})"
            else:
                why = f"the middle one of the follow-ups of the {usual.of_trials} {what}"
            return usual.weeks, f"No time was asked for, so it is {usual.weeks:.3g} weeks, {why}."
    return FALLBACK_WEEKS, f"No time was asked for and no trial tells one, so it is {FALLBACK_WEEKS:g} weeks."


def predict_endpoints(
    engine: ResponseEngine,
    endpoints: Sequence[str],
    treatments: Sequence[Treatment],
    cohort: Cohort,
    weeks: float,
    progress: Callable[[float, str], None],
    observed: Mapping[str, ObservedControl] | None = None,
) -> tuple[list[EndpointResult], tuple[MissingEndpoint, ...]]:
    """Predictions of those endpoints that have evidence, and reasons for the others; NoEvidence when none has.

    `observed` holds, by endpoint, what the second treatment's arm has been seen to report (InvalidInput where that
    cannot be).
    """
    results: list[EndpointResult] = []
    missing: list[MissingEndpoint] = []
    first_error: NoEvidence | None = None
    for position, name in enumerate(endpoints):
        progress(position / len(endpoints), f"predicting {engine.knowledge.vocabulary.endpoint(name).label}")
        try:
            given = (observed or {}).get(name)
            if given is None:
                results.append(predict_endpoint(engine, name, treatments, cohort, weeks))
            else:
                results.append(_given(engine, given, treatments, cohort, weeks))
        except NoEvidence as error:
            first_error = first_error or error
            missing.append(MissingEndpoint(endpoint=name, reason=error.message))
    if first_error is not None and not results:
        raise first_error
    return results, tuple(missing)


def _given(
    engine: ResponseEngine, given: ObservedControl, treatments: Sequence[Treatment], cohort: Cohort, weeks: float
) -> EndpointResult:
    """The prediction given an observed control arm, with a warning where that is not what the trials led to expect."""
    arm = observed_arm(given, engine.prepared(given.endpoint))
    result = predict_endpoint(engine, given.endpoint, treatments, cohort, weeks, arm)
    endpoint = result.endpoint
    before = engine.predict(endpoint.endpoint_id, treatments, cohort_covariates(cohort, endpoint), arm.weeks)
    low, high = forecast_of(before.prediction, arm, LEVEL)
    if endpoint.family is Family.TIME_TO_EVENT:
        low, high = (float(risks_by(np.array(value), arm.weeks)) for value in (low, high))
    unforeseen = before.prediction.log and not before.levels
    if low <= given.value <= high or unforeseen:
        return result
    surprise = (
        f"The observed control arm ({arm.told}) is not what the trials here led to expect of it ({low:.3g} to "
        f"{high:.3g}, {100 * LEVEL:g} %): check that people and outcome are the same."
    )
    return replace(result, predicted=replace(result.predicted, warnings=(*result.predicted.warnings, surprise)))


def assumptions_of(engine: ResponseEngine, results: Sequence[EndpointResult], question: Question) -> tuple[str, ...]:
    """What was assumed, in full sentences."""
    found = [note for treatment in question.treatments for note in treatment.notes]
    found += question.choice.assumptions
    found.append(
        "The prediction is for a new double-blind trial like the most recent ones; where the cohort does not say what "
        "other treatment people have, it is that of the average trial. Estimands are as published, treatment policy "
        "first where a trial gives several."
    )
    told = [result.predicted.observed.told for result in results if result.predicted.observed is not None]
    if told:
        found.append(
            f"The prediction is conditional on what a {question.treatments[1].label} arm has reported ({'; '.join(told)}), "
            "taken to be of the same people, at the same time and by the same definition as the arms predicted here."
        )
    found += _on_ratios(results)
    selections = [engine.prepared(result.endpoint.endpoint_id).selection for result in results]
    imputed = [
        f"{selection.imputed} of {len(selection.rows)} for {result.endpoint.label} "
        f"(SD {selection.individual_sd:.3g} {result.endpoint.unit})"
        for result, selection in zip(results, selections, strict=True)
        if selection.imputed and selection.individual_sd is not None
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


def _on_ratios(results: Sequence[EndpointResult]) -> list[str]:
    """What is assumed about times to event and rates."""
    logged = [result for result in results if result.predicted.prediction.log]
    if not logged:
        return []
    found = ["A hazard or rate ratio is taken to hold from the start and throughout."]
    if any(result.endpoint.family is Family.TIME_TO_EVENT for result in logged):
        found[0] += " Risk ratios of trials were turned into hazard ratios with the comparator's risk."
    known = [result for result in logged if result.predicted.levels]
    if known:
        told = "; ".join(f"{result.endpoint.label}, {_told_by(result)}" for result in known)
        found.append(
            f"How often events happen is from the trials that report it ({told}), at a constant rate over time; it "
            "differs between populations far more than the ratio does, so the intervals of risks and rates are wide."
        )
    unknown = [result.endpoint.label for result in logged if not result.predicted.levels]
    if unknown:
        found.append(f"No trial here tells how often events happen ({'; '.join(unknown)}), so no risks are given.")
    short = {
        result.endpoint.label: risk_weeks(result) for result in known if risk_weeks(result) < result.predicted.weeks
    }
    if short:
        ends = "; ".join(f"{label}, {weeks:.3g} weeks" for label, weeks in short.items())
        found.append(
            f"Risks are given for the longest follow-up of the trials where the horizon is far beyond it ({ends})."
        )
    return found


def _told_by(result: EndpointResult) -> str:
    """Who tells how often events happen."""
    given = result.predicted.observed is not None
    count = (result.predicted.levels or 0) - given
    trials = f"{count} trial" if count == 1 else f"{count} trials"
    return f"{trials} and the arm that was given" if given else trials


def warnings_of(results: Sequence[EndpointResult], question: Question) -> tuple[str, ...]:
    """Warnings about the choice and of all endpoints, each said once."""
    said = dict.fromkeys(question.choice.warnings)
    said |= dict.fromkeys(warning for result in results for warning in result.predicted.warnings)
    outside = [(result.endpoint, item) for result in results for item in result.predicted.outside]
    early = [(result.endpoint, result.predicted.early) for result in results if result.predicted.early is not None]
    weeks = results[0].predicted.weeks if results else 0.0
    return (*said, *early_warnings(early, weeks), *extrapolation_warnings(outside))
