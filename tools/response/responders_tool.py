"""`find_responders`: which sub-cohort gains most from a treatment, as far as published trials tell."""

from __future__ import annotations

import numpy as np

from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Direction
from personas.cohort import Cohort
from tools.context import ToolContext
from tools.registry import tool
from tools.response.asking import assumptions_of, read_question, warnings_of
from tools.response.cohorts import cohort_covariates, patient_covariates
from tools.response.engine import engine_for
from tools.response.estimates import VALIDATION, difference_estimate, predict_endpoint
from tools.response.explain_report import covariate_words
from tools.response.reach import outside_trials
from tools.response.responder_search import declared_splits, effect_draws, gaps_of, group_covariates
from tools.response.responders_report import (
    probability_estimates,
    responder_charts,
    responder_estimates,
    sub_cohorts_of,
    whole_effect,
)
from tools.response.responders_schemas import FindRespondersInput, RespondersResult
from tools.response.responders_verdict import verdict_on
from tools.response.risks import is_ratio, ratio_estimate
from tools.response.schemas import TreatmentInput
from tools.response.threads import one_thread


@tool("find_responders", input=FindRespondersInput, result=RespondersResult, validation=VALIDATION)
@one_thread()
def find_responders(request: FindRespondersInput, context: ToolContext) -> RespondersResult:
    """Find which sub-cohort gains most from a treatment, and say how surely it gains more than the rest.

    For one endpoint at `horizon_weeks`: the effect (treatment minus comparator, endpoint's unit, for times to event the
    hazard ratio, 90 % credible interval, averaged over trials) in the thirds of age, BMI, eGFR, baseline and whatever
    else modifies the effect in the evidence; how much more each gains than the rest of the cohort, with intervals that
    hold for all sub-cohorts at once; and the probability (%) that the best one truly gains more by `margin`. Cuts are
    declared beforehand and counted; slopes are shrunk by the hierarchical model. Where no interval excludes the margin
    it says that no sub-cohort can be told apart, and how large a difference is still possible. Effects differ here
    between trials, not between persons of one trial.
    """
    engine = engine_for(context.knowledge, context.view)
    inputs = (request.treatment, request.comparator or TreatmentInput(intervention="placebo"))
    asked = (request.endpoint,) if request.endpoint else ()
    question = read_question(engine, inputs, asked, request.cohort, context)
    name, treatments = question.choice.endpoints[0], question.treatments
    cohort = Cohort.build(request.cohort, context.personas, n=request.patients, seed=context.seed)
    endpoint = context.knowledge.vocabulary.endpoint(name)
    if endpoint.direction is Direction.NEUTRAL:
        raise InvalidInput(f"{endpoint.label} has no better side to gain on.", "Ask about another endpoint.")
    result = predict_endpoint(engine, name, treatments, cohort, request.horizon_weeks)
    prepared, posterior = engine.prepared(name), engine.posterior(name)
    columns = patient_covariates(cohort, endpoint)
    splits, reasons = declared_splits(prepared, columns)
    if not splits:
        raise NoEvidence(
            f"No covariate of this cohort modifies the effect on {endpoint.label} in the evidence base, so there is "
            "nothing to split the cohort by.",
            "Ask about a broader cohort, or about another endpoint.",
        )
    groups = [(split, group) for split in splits for group in split.groups]
    means = [cohort_covariates(cohort, endpoint), *(group_covariates(columns, group.members) for _, group in groups)]
    designs = [engine.designs(prepared, treatments, mean, request.horizon_weeks) for mean in means]
    effects = effect_draws(prepared, posterior, [(pair[0], pair[1]) for pair in designs])
    sign = -1.0 if endpoint.direction is Direction.LOWER_IS_BETTER else 1.0
    benefit = sign * effects[:, 1:]
    gaps = gaps_of(benefit, splits)
    outside = [tuple(item.attribute for item in outside_trials(prepared, mean)) for mean in means[1:]]
    subs = sub_cohorts_of(groups, effects[:, 1:], gaps, outside, endpoint, request.margin)
    order = np.argsort(-np.median(benefit, axis=0), kind="stable")
    ranked = tuple(subs[i] for i in order)
    truly_first = 100.0 * float(np.mean(np.argmax(benefit, axis=1) == order[0]))
    whole = (
        ratio_estimate(result, 0, 1, f"{name}.ratio", cohort)
        if is_ratio(result)
        else difference_estimate(result, 0, 1, f"{name}.difference", cohort)
    )
    estimates = [whole, whole_effect(effects[:, 0], whole), *responder_estimates(ranked, whole)]
    estimates += probability_estimates(ranked[0], truly_first, len(splits), len(subs), request.margin, whole)
    verdict = verdict_on(ranked, endpoint, whole.unit, truly_first, len(splits), request.margin)
    extrapolated = [one for one in ranked if one.extrapolated]
    warnings = list(warnings_of([result], question))
    if extrapolated:
        warnings.append(
            f"{len(extrapolated)} of the {len(ranked)} sub-cohorts lie outside the means of the trials in some respect, "
            f"{ranked[0].words} {'among them' if ranked[0].extrapolated else 'not among them'}: an extrapolation."
        )
    warnings.append(
        "That trials in one kind of people found larger effects does not prove that within one trial such people gain "
        "more: the slopes are between trials and their reported subgroups, not between persons."
    )
    if is_ratio(result):
        warnings.append(
            "What is compared is the ratio. At the same ratio, people at higher risk are spared more events."
        )
    return RespondersResult(
        title=(
            f"{cohort.label}: who gains most from {treatments[0].label} versus {treatments[1].label} "
            f"({endpoint.label}, {request.horizon_weeks:g} weeks)"
        ),
        estimates=tuple(estimates),
        charts=responder_charts(ranked, splits, endpoint, whole),
        assumptions=(
            *assumptions_of(engine, [result], question),
            f"{len(splits)} splits into {len(subs)} sub-cohorts were declared before looking at any effect: thirds of the "
            "virtual patients, or yes and no, of each covariate that modifies the effect in the model. No cut was searched for.",
        ),
        warnings=tuple(dict.fromkeys(warnings)),
        source_ids=result.source_ids,
        treatment=treatments[0].label,
        comparator=treatments[1].label,
        endpoint=name,
        unit=whole.unit,
        verdict=verdict,
        splits=len(splits),
        sub_cohorts=ranked,
        not_looked_at={covariate_words(one, endpoint)[0]: why for one, why in reasons.items()},
    )
