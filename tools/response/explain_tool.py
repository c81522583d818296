"""`explain_prediction`: which trials, covariates and uncertainties a prediction is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.context import ToolContext
from tools.registry import tool
from tools.response.asking import assumptions_of, read_question, warnings_of
from tools.response.cohorts import cohort_covariates
from tools.response.designs import to_arms
from tools.response.engine import engine_for
from tools.response.estimates import (
    VALIDATION,
    EndpointResult,
    difference_estimate,
    mean_estimate,
    measured_confidence,
    predict_endpoint,
)
from tools.response.explain import average_design, covariate_shifts, leave_trials_out, variance_parts
from tools.response.explain_refit import Asked, influences_of
from tools.response.explain_report import (
    average_estimate,
    contribution_estimate,
    contribution_of,
    covariate_words,
    difference_unit,
    explanation_charts,
    refit_estimates,
    trial_estimates,
    variance_estimate,
    variance_shares,
)
from tools.response.explain_schemas import ExplainInput, ExplainResult, LeftOut
from tools.response.explain_verdict import verdict_on
from tools.response.ratios import WEEKS_PER_YEAR
from tools.response.risks import ratio_estimate
from tools.response.schemas import TreatmentInput
from tools.response.threads import one_thread
from tools.response.wording import signed
from tools.schemas import Estimate

# Trials listed, and drawn.
TRIALS = 8
# The refit is said to disagree when it is off by more than this share of the prediction's 90 % half-width.
DISAGREES = 0.1


@tool("explain_prediction", input=ExplainInput, result=ExplainResult, validation=VALIDATION)
@one_thread()
def explain_prediction(request: ExplainInput, context: ToolContext) -> ExplainResult:
    """Say why a response is predicted: the trials that drive it, the cohort's covariates, and what it is unsure about.

    For one endpoint, treatment and comparator at `horizon_weeks`: each trial's weight (%) and by how much the predicted
    difference (endpoint's unit; a ratio for times to event) would move without it, foretold in closed form (Sundararajan
    and Keerthi 2001) and, for the `refits` trials that move it most, found by fitting again without each; what each
    covariate of the cohort adds beside the average trial, with a 90 % interval; the prediction for the average trial;
    and the shares (%) of the variance of the predicted difference: between-trial differences, the drug's effect,
    carrying over to this cohort, sampling, each with what would make it smaller.
    """
    engine = engine_for(context.knowledge, context.view)
    inputs = (request.treatment, request.comparator or TreatmentInput(intervention="placebo"))
    asked = (request.endpoint,) if request.endpoint else ()
    question = read_question(engine, inputs, asked, request.cohort, context)
    name, treatments, cohort = question.choice.endpoints[0], question.treatments, question.cohort
    result = predict_endpoint(engine, name, treatments, cohort, request.horizon_weeks)
    prepared, posterior = engine.prepared(name), engine.posterior(name)
    # The new trial's year stays the same when a refit leaves out the latest trial.
    covariates = {**cohort_covariates(cohort, result.endpoint), "year": prepared.latest_year}
    designs = engine.designs(prepared, treatments, covariates, request.horizon_weeks)
    arms = to_arms(designs, prepared)
    logged = result.predicted.prediction.log
    variance = None
    if request.participants is not None:
        size = float(request.participants) * (request.horizon_weeks / WEEKS_PER_YEAR / 100.0 if logged else 1.0)
        sizes = np.full(len(arms), size)
        variance = result.predicted.prediction.sampling_variance(sizes, prepared.data.individual_sd)
        sampled = posterior.predict(arms, sampling_variance=variance)
        result = replace(
            result, predicted=replace(result.predicted, prediction=sampled), draws=sampled.draws(len(result.draws))
        )
    versus = np.array([1.0, -1.0])
    moves = leave_trials_out(prepared, posterior, arms, versus)
    this = Asked(engine, context, treatments, covariates, result, versus, difference_unit(result), request.participants)
    influences = influences_of(this, moves, TRIALS, request.refits)
    # Without the trials that tell how often events happen there is a ratio, but no mean.
    means = (
        []
        if logged
        else [mean_estimate(result, i, f"{name}.{what}", cohort) for i, what in ((0, "mean"), (1, "control"))]
    )
    difference = (
        ratio_estimate(result, 0, 1, f"{name}.ratio", cohort)
        if logged
        else difference_estimate(result, 0, 1, f"{name}.difference", cohort)
    )
    average_arms = to_arms([average_design(design, prepared) for design in designs], prepared)
    average = posterior.predict(average_arms, sampling_variance=variance)
    combinations = [("difference", versus, difference), *(("mean", np.array([1.0, 0.0]), mean) for mean in means[:1])]
    contributions = [
        (contribution_of(shift, of, result), whole)
        for of, combination, whole in combinations
        for shift in covariate_shifts(prepared, posterior, designs, combination)
    ]
    variances = variance_shares(variance_parts(prepared, posterior, designs, versus, variance))
    estimates = [*means, difference, average_estimate(average, versus, result, difference)]
    estimates += [made for one in influences.trials for made in trial_estimates(one, difference)]
    estimates += [made for one in influences.refits for made in refit_estimates(one, difference)]
    estimates += [contribution_estimate(one, whole) for one, whole in contributions]
    estimates += [variance_estimate(part, difference) for part in variances]
    measured = measured_confidence(result, means[0], prepared.evidence_hash) if means else None
    warnings = [*warnings_of([result], question), *influences.impossible.values()]
    warnings += [said for one in influences.refits for said in _disagreement(one, difference, result)]
    return ExplainResult(
        title=(
            f"{cohort.label}: why {treatments[0].label} versus {treatments[1].label} is predicted so "
            f"({result.endpoint.label}, {request.horizon_weeks:g} weeks)"
        ),
        estimates=tuple(estimates),
        charts=explanation_charts(result, influences.trials, [one for one, _ in contributions], variances, difference),
        assumptions=(*assumptions_of(engine, [result], question), *_method(result)),
        warnings=tuple(dict.fromkeys(warnings)),
        source_ids=tuple(
            dict.fromkeys([*result.source_ids, *(one for trial in influences.trials for one in trial.source_ids)])
        ),
        treatment=treatments[0].label,
        comparator=treatments[1].label,
        endpoint=name,
        unit=this.unit,
        verdict=verdict_on(result.endpoint, difference, influences, variances),
        trials=influences.trials,
        left_out=influences.refits,
        contributions=tuple(one for one, _ in contributions),
        variance=variances,
        confidence=(measured,) if measured is not None else (),
    )


def left_out_disagrees(left_out: LeftOut, difference: Estimate) -> bool:
    """Whether the refit moved the prediction by clearly more or less than the weights foretold."""
    assert difference.lower is not None
    assert difference.upper is not None
    half = (difference.upper - difference.lower) / 2
    return abs(left_out.actual - left_out.foretold) > DISAGREES * half


def _disagreement(one: LeftOut, difference: Estimate, result: EndpointResult) -> list[str]:
    if not left_out_disagrees(one, difference):
        return []
    why = "slopes, scales and heterogeneity were made again without it"
    if one.no_longer_used:
        words = " and ".join(covariate_words(name, result.endpoint)[0] for name in one.no_longer_used)
        why = f"too few other trials report {words} for the model to use it"
    return [
        f"Without {one.trial} the refit moved the prediction by {signed(one.actual, 3)} {one.unit}, not by the "
        f"{signed(one.foretold, 3)} that its weights foretold: {why}. The refit is what counts."
    ]


def _method(result: EndpointResult) -> tuple[str, ...]:
    prediction = result.predicted.prediction
    scale = "in the endpoint's unit"
    if prediction.proportion or prediction.log:
        scale = "on the log-odds scale" if prediction.proportion else "on the log scale"
    return (
        "What leaving a trial out would do is computed from the fit itself: exactly for the settings of the model as they "
        "are, and with the settings reweighted as if the trial had not been seen. For the trials at the head of the list "
        "everything was fitted again, and they are in the order that this gave. The shares of variance are those of the "
        f"predicted difference, {scale}; a negative share is a part that offsets the others.",
    )
