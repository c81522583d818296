"""`simulate_treatment_response`: what a cohort would show under a treatment, beside a comparator."""

from __future__ import annotations

from tools.context import ToolContext
from tools.registry import tool
from tools.response.asking import (
    assumptions_of,
    horizon_of,
    predict_endpoints,
    read_question,
    warnings_of,
)
from tools.response.charts import fan_chart, fan_weeks, forest_chart, responder_chart
from tools.response.chosen import chosen_estimates
from tools.response.cohorts import cohort_covariates
from tools.response.compare import compare_treatments
from tools.response.engine import engine_for
from tools.response.estimates import (
    VALIDATION,
    difference_estimate,
    evidence_weights,
    individual_estimates,
    mean_estimate,
    measured_confidence,
    one_model_of_weight,
)
from tools.response.observed import by_endpoint
from tools.response.risks import is_ratio, ratio_charts, treatment_estimates
from tools.response.schemas import MeasuredConfidence, ResponseResult, SimulateResponseInput, TreatmentInput
from tools.response.threads import one_thread
from tools.schemas import Estimate, Level, Validation

__all__ = ["compare_treatments", "simulate_treatment_response"]

# Figures listed as evidence for each endpoint.
EVIDENCE_ROWS = 12


@tool("simulate_treatment_response", input=SimulateResponseInput, result=ResponseResult, validation=VALIDATION)
@one_thread()
def simulate_treatment_response(request: SimulateResponseInput, context: ToolContext) -> ResponseResult:
    """Predict how a cohort responds to a treatment, beside a comparator, from published trial arms.

    For each endpoint, in its own unit (HbA1c in %-points, weight in kg or %, harms in % of people) at
    `horizon_weeks`: the mean that a new trial in this cohort would report with treatment, with the comparator, and
    their difference, each with a 90 % predictive interval that includes trial-to-trial differences; the range of
    individuals and shares of responders beside those on the comparator; and the published arms that carry the
    prediction. For times to event and rates: the hazard or rate ratio, and apart from it risks (%) by the horizon,
    their difference and the number needed to treat (Altman 1998), or events per 100 person-years. Without
    `horizon_weeks` it is the follow-up most studied. Figures of a comparator arm in such people
    (`observed_control`) condition the prediction exactly. An `estimand` keeps what comes of prescribing (treatment
    policy) apart from what the drug does while taken (efficacy; ICH E9(R1)). Doses are per administration. Method:
    hierarchical model-based meta-analysis (Mandema et al 2011) with heterogeneity integrated over, predictive
    intervals after Higgins, Thompson and Spiegelhalter 2009, heterogeneity priors of Turner et al 2015 and Rhodes
    et al 2015. A drug without evidence on an endpoint borrows from its class, with a warning; a dose nobody has
    given is refused, and so is a drug whose trials are all in people of another kind.
    """
    engine = engine_for(context.knowledge, context.view)
    inputs = (request.treatment, request.comparator or TreatmentInput(intervention="placebo"))
    question = read_question(engine, inputs, request.endpoints, request.cohort, context)
    treatments, cohort, endpoints = question.treatments, question.cohort, question.choice.endpoints
    horizon, why = horizon_of(engine, question, request.horizon_weeks)
    seen = by_endpoint(request.observed_control, endpoints, context.knowledge.vocabulary)
    results, missing = predict_endpoints(engine, endpoints, treatments, cohort, horizon, context.progress, seen)
    predicted_ids = {result.endpoint.endpoint_id for result in results}
    estimates: list[Estimate] = []
    confidence: list[MeasuredConfidence] = []
    charts = []
    for result in results:
        if is_ratio(result):
            estimates += treatment_estimates(result, cohort)
            charts += ratio_charts(result, treatments, cohort)
            continue
        name = result.endpoint.endpoint_id
        mean = mean_estimate(result, 0, f"{name}.mean", cohort)
        estimates += [
            mean,
            mean_estimate(result, 1, f"{name}.control", cohort),
            difference_estimate(result, 0, 1, f"{name}.difference", cohort),
        ]
        measured = measured_confidence(result, mean, engine.prepared(name).evidence_hash)
        if measured is not None:
            confidence.append(measured)
            estimates[-3] = mean.model_copy(update={"validation": Validation.CALIBRATED})
        persons = individual_estimates(result, 0, name, "", cohort, engine)
        control = individual_estimates(result, 1, name, ".control", cohort, engine)
        # The comparator's shares stand beside the treatment's, so that a share is never read without them.
        persons += [one for one in control if one.of is Level.SHARE]
        estimates += one_model_of_weight(persons, predicted_ids)
        weeks = fan_weeks(horizon)
        covariates = cohort_covariates(cohort, result.endpoint)
        course = engine.course(name, treatments, covariates, weeks, result.predicted.observed)
        charts += [
            fan_chart(result.endpoint, treatments, weeks, course),
            forest_chart(result.endpoint, result.influences, mean),
        ]
    responders = responder_chart(estimates)
    chosen = chosen_estimates(engine, request, question, results, context.seed)
    return ResponseResult(
        title=f"{cohort.label}: {treatments[0].label} versus {treatments[1].label}, {horizon:g} weeks",
        estimates=(*estimates, *chosen.estimates),
        charts=(*charts, responders) if responders is not None else tuple(charts),
        assumptions=(*filter(None, [why]), *assumptions_of(engine, results, question), *chosen.assumptions),
        warnings=(*warnings_of(results, question), *chosen.warnings),
        source_ids=tuple(dict.fromkeys(source for result in results for source in result.source_ids)),
        treatment=treatments[0].label,
        comparator=treatments[1].label,
        horizon_weeks=horizon,
        evidence=tuple(weight for result in results for weight in evidence_weights(result, EVIDENCE_ROWS)),
        missing_endpoints=missing,
        confidence=tuple(confidence),
    )
