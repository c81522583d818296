"""`compare_treatments`: two to five treatments in the same cohort, from the same draws."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np

from knowledge.schemas import Direction
from tools.context import ToolContext
from tools.registry import tool
from tools.response.asking import (
    assumptions_of,
    horizon_of,
    predict_endpoints,
    read_question,
    warnings_of,
)
from tools.response.charts import comparison_chart, rank_chart
from tools.response.engine import engine_for
from tools.response.estimates import (
    VALIDATION,
    EndpointResult,
    difference_estimate,
    evidence_weights,
    individual_estimates,
    mean_estimate,
    measured_confidence,
    one_model_of_weight,
    significant,
)
from tools.response.features import FloatArray
from tools.response.risks import compared_estimates, forest_of_ratios, is_ratio
from tools.response.schemas import CompareInput, CompareResult, MeasuredConfidence
from tools.response.threads import one_thread
from tools.schemas import Chart, Estimate

EVIDENCE_ROWS = 8


@tool("compare_treatments", input=CompareInput, result=CompareResult, validation=VALIDATION)
@one_thread()
def compare_treatments(request: CompareInput, context: ToolContext) -> CompareResult:
    """Compare two to five treatments in the same cohort: which is better, by how much, and how surely.

    For each endpoint at `horizon_weeks`: each treatment's cohort mean with a 90 % predictive interval, the difference
    of each pair, and the probability (%) that the first of a pair does better, and better by at least the minimal
    clinically important difference where a sourced one exists. All treatments are arms of one new trial with the same
    virtual patients and the same posterior draws, so what they share cancels. Units and method as in
    simulate_treatment_response (Mandema et al 2011; Higgins, Thompson and Spiegelhalter 2009); ranks are reported as
    probabilities of each place (Salanti, Ades and Ioannidis 2011).
    """
    engine = engine_for(context.knowledge, context.view)
    question = read_question(engine, request.treatments, request.endpoints, request.cohort, context)
    treatments, cohort, endpoints = question.treatments, question.cohort, question.choice.endpoints
    horizon, why = horizon_of(engine, question, request.horizon_weeks)
    results, missing = predict_endpoints(engine, endpoints, treatments, cohort, horizon, context.progress)
    predicted_ids = {result.endpoint.endpoint_id for result in results}
    slugs = [_slug(treatment.label) for treatment in treatments]
    estimates: list[Estimate] = []
    charts: list[Chart] = []
    confidence: list[MeasuredConfidence] = []
    for result in results:
        name = result.endpoint.endpoint_id
        if is_ratio(result):
            estimates += compared_estimates(result, slugs, cohort, _probabilities)
            charts += [forest_of_ratios(result, estimates)]
            if result.endpoint.direction is not Direction.NEUTRAL and len(treatments) > 2:
                charts.append(rank_chart(result.endpoint, treatments, rank_probabilities(_benefit(result))))
            continue
        means = [mean_estimate(result, i, f"{name}.mean.{slug}", cohort) for i, slug in enumerate(slugs)]
        estimates += means
        measured = [measured_confidence(result, mean, engine.prepared(name).evidence_hash) for mean in means]
        known = [item for item in measured if item is not None]
        if len(known) == len(means):
            # A comparison is as sure as its less certain side.
            confidence.append(min(known, key=lambda item: item.probability))
        for first, second in combinations(range(len(treatments)), 2):
            pair = f"{slugs[first]}.vs.{slugs[second]}"
            difference = difference_estimate(result, first, second, f"{name}.difference.{pair}", cohort)
            estimates += [difference, *_probabilities(result, first, second, pair, difference)]
        for index, slug in enumerate(slugs):
            persons = individual_estimates(result, index, name, f".{slug}", cohort, engine)
            estimates += one_model_of_weight(persons, predicted_ids)
        charts.append(comparison_chart(result.endpoint, means))
        if result.endpoint.direction is not Direction.NEUTRAL and len(treatments) > 2:
            charts.append(rank_chart(result.endpoint, treatments, rank_probabilities(_benefit(result))))
    return CompareResult(
        title=f"{cohort.label}: {' versus '.join(t.label for t in treatments)}, {horizon:g} weeks",
        estimates=tuple(estimates),
        charts=tuple(charts),
        assumptions=(*filter(None, [why]), *assumptions_of(engine, results, question)),
        warnings=warnings_of(results, question),
        source_ids=tuple(dict.fromkeys(source for result in results for source in result.source_ids)),
        treatments=tuple(treatment.label for treatment in treatments),
        horizon_weeks=horizon,
        evidence=tuple(weight for result in results for weight in evidence_weights(result, EVIDENCE_ROWS)),
        missing_endpoints=missing,
        confidence=tuple(confidence),
    )


def rank_probabilities(benefit: FloatArray) -> FloatArray:
    """Probability of each rank (treatments, ranks) from K joint draws of benefit (K, treatments), higher is better."""
    count = benefit.shape[1]
    order = np.argsort(-benefit, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(count), order.shape), axis=1)
    return np.array([[np.mean(places[:, arm] == place) for place in range(count)] for arm in range(count)])


def _benefit(result: EndpointResult) -> FloatArray:
    """Draws with the sign turned so that higher is better."""
    lower = result.endpoint.direction is Direction.LOWER_IS_BETTER
    return -result.draws if lower else result.draws


def _probabilities(result: EndpointResult, first: int, second: int, pair: str, difference: Estimate) -> list[Estimate]:
    """P(first better than second), and better by at least the minimal important difference, in %."""
    endpoint = result.endpoint
    if endpoint.direction is Direction.NEUTRAL:
        return []
    benefit = _benefit(result)
    gain = benefit[:, first] - benefit[:, second]
    labels = [result.predicted.treatments[index].label for index in (first, second)]
    found = [
        (
            "probability_better",
            f"probability that {labels[0]} does better than {labels[1]} on {endpoint.label}",
            float(np.mean(gain > 0)),
        )
    ]
    if endpoint.mcid is not None and endpoint.mcid_source:
        what = (
            f"probability that {labels[0]} does better than {labels[1]} on {endpoint.label} by at least "
            f"{endpoint.mcid:g} {endpoint.unit}"
        )
        found.append(("probability_important", what, float(np.mean(gain >= endpoint.mcid))))
    return [
        difference.model_copy(
            update={
                "id": f"{endpoint.endpoint_id}.{name}.{pair}",
                "quantity": what,
                "unit": "%",
                "point": significant(100.0 * share),
                "lower": None,
                "upper": None,
                "note": "share of joint draws of the two cohort means in one new trial",
            }
        )
        for name, what, share in found
    ]


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.casefold()).strip("-")
