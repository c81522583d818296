"""Published figures beside the estimates of an answer, and the measures that come of the pair."""

from __future__ import annotations

from collections.abc import Sequence

from evals.case_schemas import Published
from evals.schemas import Check, Measure, Prediction
from evals.scorers import crps_split_normal, pit_split_normal
from evals.subject import Asked
from knowledge.base import KnowledgeBase
from tools.response.tolerances import tolerance_of
from tools.schemas import Estimate


def predictions_of(
    published: Sequence[Published],
    asked: Asked,
    knowledge: KnowledgeBase,
    *,
    cluster: str,
    area: str = "",
    attribute: str = "",
    subgroup: str = "",
) -> tuple[list[Prediction], list[Check]]:
    """A prediction for each published figure that the answer has an interval for in the same unit, and a check each.

    `cluster` is the trial where a figure does not name its own.
    """
    by_id = {estimate.id: estimate for estimate in asked.answer.estimates}
    found: list[Prediction] = []
    checks: list[Check] = []
    for figure in published:
        estimate = by_id.get(figure.estimate_id)
        fault = _fault(figure, estimate)
        checks.append(Check(name=f"predicts {figure.estimate_id}", passed=not fault, detail=fault))
        if estimate is None or fault:
            continue
        assert estimate.lower is not None
        assert estimate.upper is not None
        lower, upper = min(estimate.lower, estimate.point), max(estimate.upper, estimate.point)
        endpoint = knowledge.vocabulary.endpoints.get(estimate.endpoint)
        right = tolerance_of(endpoint) if endpoint else None
        shape = (estimate.point, lower, upper, estimate.level, figure.value)
        found.append(
            Prediction(
                estimate_id=figure.estimate_id,
                endpoint=estimate.endpoint,
                unit=figure.unit,
                published=figure.value,
                point=estimate.point,
                lower=estimate.lower,
                upper=estimate.upper,
                level=estimate.level,
                pit=pit_split_normal(*shape),
                crps=crps_split_normal(*shape),
                cluster=figure.trial or cluster,
                area=area,
                attribute=attribute,
                subgroup=subgroup,
                arm=estimate.arm,
                source=figure.source,
                locator=figure.locator,
                tolerance=right.tolerance if right else None,
                probability=_said(estimate, asked),
            )
        )
    return found, checks


def _fault(figure: Published, estimate: Estimate | None) -> str:
    if estimate is None:
        return "no such estimate"
    if estimate.lower is None or estimate.upper is None:
        return "no interval"
    return "" if estimate.unit == figure.unit else f"predicted in {estimate.unit}"


def _said(estimate: Estimate, asked: Asked) -> float | None:
    """The confidence that the tool gave for this endpoint's cohort mean; of the treatment's own arm only."""
    if not estimate.id.endswith(".mean"):
        return None
    for result in asked.results:
        for item in result.get("confidence", ()):
            if item["endpoint"] == estimate.endpoint:
                return float(item["probability"])
    return None


def measures_of(prediction: Prediction) -> list[Measure]:
    """Error, coverage, interval score and CRPS (in tolerances, where there is one), and the Brier score of the confidence."""
    groups = {"area": prediction.area, "endpoint": prediction.endpoint}
    if prediction.attribute:
        groups[prediction.attribute] = prediction.subgroup
    groups = {name: value for name, value in groups.items() if value}
    scores = {f"covered_{round(100 * prediction.level)}": float(prediction.inside)}
    in_unit = {"absolute_error": abs(prediction.error)}
    scale = prediction.tolerance
    if scale is not None:
        scores["scaled_error"] = abs(prediction.error) / scale
        scores["interval_score"] = penalty(prediction) / scale
        scores["relative_width"] = (prediction.upper - prediction.lower) / scale
        scores["within_tolerance"] = float(abs(prediction.error) <= scale)
        if prediction.crps is not None:
            scores["crps"] = prediction.crps / scale
        if prediction.probability is not None:
            scores["brier"] = (prediction.probability - scores["within_tolerance"]) ** 2
    found = [
        Measure(name=name, value=value, cluster=prediction.cluster, groups=groups) for name, value in scores.items()
    ]
    # Errors in units of measurement are only ever averaged within an endpoint.
    found += [
        Measure(
            name=name, value=value, cluster=prediction.cluster, groups={"endpoint": prediction.endpoint}, pooled=False
        )
        for name, value in in_unit.items()
    ]
    return found


def penalty(prediction: Prediction) -> float:
    """Interval score in the unit of the figure (Gneiting and Raftery 2007)."""
    miss = max(prediction.lower - prediction.published, 0.0) + max(prediction.published - prediction.upper, 0.0)
    return prediction.upper - prediction.lower + 2 / (1 - prediction.level) * miss
