"""Predictions on the log scale → estimates: ratios, and apart from them risks over a horizon, or rates.

A ratio of two treatments within one trial needs no background. Risks need one: events are taken to come at a constant
rate, so the risk by time t is `1 - exp(-rate t)`. The number needed to treat is one over the difference of two risks, with
its limits turned over; where the interval of the difference spans nought it runs through infinity (Altman 1998,
BMJ 317:1309).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from scipy.special import ndtri

from knowledge.schemas import Direction, Family
from personas.cohort import Cohort
from tools.response.charts import FAN_PROBABILITIES, FOREST_ROWS, fan_weeks
from tools.response.estimates import (
    LEVEL,
    RATE_UNIT,
    TAILS,
    EndpointResult,
    difference_estimate,
    estimate_of,
    ratio_unit,
    significant,
)
from tools.response.features import FloatArray
from tools.response.ratios import WEEKS_PER_YEAR
from tools.response.reach import BEYOND_TIME
from tools.response.treatments import Treatment
from tools.schemas import Chart, Estimate, Level, Point, Series

PERCENT, PEOPLE = "%", "people"
# Differences of risks below this many %-points have no number needed to treat worth the name.
SMALLEST_DIFFERENCE = 0.01


def is_ratio(result: EndpointResult) -> bool:
    """Whether the endpoint is a time to event or a rate."""
    return result.predicted.prediction.log


def risk_weeks(result: EndpointResult) -> float:
    """The time by which risks are given: the horizon, or the longest follow-up where that ends much earlier."""
    weeks, longest = result.predicted.weeks, result.predicted.longest_weeks
    return longest if longest is not None and weeks > BEYOND_TIME * longest else weeks


def ratio_estimate(result: EndpointResult, first: int, second: int, estimate_id: str, cohort: Cohort) -> Estimate:
    """Hazard or rate ratio of two treatments within one new trial, with its 90 % predictive interval."""
    made = difference_estimate(result, first, second, estimate_id, cohort)
    words = f"below 1 means fewer with {result.predicted.treatments[first].label}"
    if result.endpoint.direction is Direction.HIGHER_IS_BETTER:
        words = f"above 1 means sooner or more often with {result.predicted.treatments[first].label}"
    return made.model_copy(update={"note": "; ".join(filter(None, (made.note, words)))})


def level_estimate(result: EndpointResult, index: int, estimate_id: str, cohort: Cohort) -> Estimate | None:
    """Risk by the horizon (%), or events per 100 person-years; None where no trial tells how often events happen."""
    if not result.predicted.levels:
        return None
    values = levels(result, result.predicted.prediction.quantiles(TAILS)[:, index])
    made = estimate_of(result, estimate_id, cohort, index, values, _what(result))
    return made.model_copy(update={"unit": _level_unit(result), "horizon_weeks": risk_weeks(result)})


def level_difference(
    result: EndpointResult, first: int, second: int, estimate_id: str, cohort: Cohort
) -> Estimate | None:
    """Difference of two risks (%-points) or rates in one new trial; None where risks are not known."""
    if not result.predicted.levels:
        return None
    draws = levels(result, result.draws)
    values = np.quantile(draws[:, first] - draws[:, second], TAILS)
    made = estimate_of(result, estimate_id, cohort, first, values, f"{_what(result)}, difference")
    one, other = (result.predicted.treatments[index].label for index in (first, second))
    unit = "%-points" if _level_unit(result) == PERCENT else RATE_UNIT
    return made.model_copy(update={"arm": f"{one} minus {other}", "unit": unit, "horizon_weeks": risk_weeks(result)})


def number_needed(result: EndpointResult, difference: Estimate, estimate_id: str, arm: str) -> Estimate | None:
    """Number needed to treat for one person more or less with the event, from a difference of risks in %-points.

    None for rates and where there is no difference to speak of. Where the interval of the difference spans nought,
    there are no limits, and the note says how they run.
    """
    if difference.unit != "%-points" or abs(difference.point) < SMALLEST_DIFFERENCE:
        return None
    assert difference.lower is not None
    assert difference.upper is not None
    lower_is_better = result.endpoint.direction is not Direction.HIGHER_IS_BETTER
    helps = (difference.point < 0) == lower_is_better
    spans = difference.lower < 0 < difference.upper
    ends = sorted(100.0 / max(abs(value), 1e-9) for value in (difference.lower, difference.upper))
    note = "one over the difference of the risks"
    if spans:
        gain, loss = (difference.lower, difference.upper) if lower_is_better else (difference.upper, difference.lower)
        note = (
            f"the interval runs from one helped in {100.0 / abs(gain):.0f} through nobody to one harmed in "
            f"{100.0 / abs(loss):.0f}: no effect is within it (Altman 1998)"
        )
    word = "helped" if helps else "harmed"
    return difference.model_copy(
        update={
            "id": estimate_id,
            "quantity": f"people on treatment per person {word} (NNT), {result.endpoint.label}",
            "arm": arm,
            "unit": PEOPLE,
            "point": significant(100.0 / abs(difference.point)),
            "lower": None if spans else significant(ends[0]),
            "upper": None if spans else significant(ends[1]),
            "of": Level.COUNT,
            "note": note,
        }
    )


def pair_estimates(result: EndpointResult, first: int, second: int, suffix: str, cohort: Cohort) -> list[Estimate]:
    """Ratio, difference of risks or rates, and number needed to treat of one pair of treatments, as far as known."""
    name = result.endpoint.endpoint_id
    found: list[Estimate | None] = [ratio_estimate(result, first, second, f"{name}.ratio{suffix}", cohort)]
    difference = level_difference(result, first, second, f"{name}.difference{suffix}", cohort)
    found.append(difference)
    if difference is not None:
        arm = result.predicted.treatments[first].label
        found.append(number_needed(result, difference, f"{name}.number_needed{suffix}", arm))
    return [one for one in found if one is not None]


def treatment_estimates(result: EndpointResult, cohort: Cohort) -> list[Estimate]:
    """What is said about the first treatment beside the second: the ratio, then risks or rates where they are known."""
    name = result.endpoint.endpoint_id
    ratio, *rest = pair_estimates(result, 0, 1, "", cohort)
    sides = [level_estimate(result, index, f"{name}.{side}", cohort) for index, side in enumerate(("mean", "control"))]
    return [ratio, *(one for one in sides if one is not None), *rest]


def compared_estimates(
    result: EndpointResult,
    slugs: Sequence[str],
    cohort: Cohort,
    probabilities: Callable[[EndpointResult, int, int, str, Estimate], list[Estimate]],
) -> list[Estimate]:
    """Risks or rates of each of several treatments, and of each pair what `pair_estimates` and `probabilities` give."""
    name = result.endpoint.endpoint_id
    means = [level_estimate(result, index, f"{name}.mean.{slug}", cohort) for index, slug in enumerate(slugs)]
    found = [one for one in means if one is not None]
    for first, second in combinations(range(len(slugs)), 2):
        pair = f"{slugs[first]}.vs.{slugs[second]}"
        made = pair_estimates(result, first, second, f".{pair}", cohort)
        found += [*made, *probabilities(result, first, second, pair, made[0])]
    return found


def levels(result: EndpointResult, hazards: FloatArray) -> FloatArray:
    """Risks (%) by the horizon from events per 100 person-years; rates stay what they are."""
    if result.endpoint.family is Family.RATE:
        return hazards
    return risks_by(hazards, risk_weeks(result))


def risks_by(hazards: FloatArray, weeks: float) -> FloatArray:
    """Share (%) with an event by `weeks` at a constant number of events per 100 person-years."""
    return np.asarray(-100.0 * np.expm1(-hazards / 100.0 * weeks / WEEKS_PER_YEAR))


def _what(result: EndpointResult) -> str:
    if result.endpoint.family is Family.RATE:
        return f"rate of {result.endpoint.label} {RATE_UNIT}"
    return f"risk of {result.endpoint.label} within {risk_weeks(result):.3g} weeks"


def _level_unit(result: EndpointResult) -> str:
    return RATE_UNIT if result.endpoint.family is Family.RATE else PERCENT


def forest_of_ratios(result: EndpointResult, estimates: Sequence[Estimate]) -> Chart:
    """Published ratios that carry the prediction, with 90 % intervals, and the predicted ones."""
    name, half = result.endpoint.endpoint_id, float(ndtri(0.5 + LEVEL / 2))
    points = []
    for one in [one for one in result.influences if one.row.against is not None][:FOREST_ROWS]:
        row = one.row
        assert row.against is not None
        where = "" if row.arm.cohort == "all" else f", {row.arm.cohort}"
        value, lower, upper = (significant(float(np.exp(row.value + side * half * row.se))) for side in (0, -1, 1))
        label = f"{row.arm.trial}: {row.arm.arm} versus {row.against.arm}{where}"
        points.append(Point(x=label, y=value, lower=lower, upper=upper))
    predicted = tuple(
        Point(x=f"Prediction: {one.arm}", y=one.point, lower=one.lower, upper=one.upper)
        for one in estimates
        if one.id.startswith(f"{name}.ratio")
    )
    return Chart(
        kind="forest",
        title=f"{result.endpoint.label}: the published ratios that carry the prediction",
        x_label=f"{ratio_unit(result.endpoint)}, 90 % intervals",
        y_label="",
        series=(Series(name="published", points=tuple(points)), Series(name="prediction", points=predicted)),
    )


def ratio_charts(result: EndpointResult, treatments: Sequence[Treatment], cohort: Cohort) -> list[Chart]:
    """The forest of ratios; before it, for times to event with known risks, the risk over time."""
    forest = forest_of_ratios(result, [ratio_estimate(result, 0, 1, f"{result.endpoint.endpoint_id}.ratio", cohort)])
    if not result.predicted.levels or result.endpoint.family is Family.RATE:
        return [forest]
    bands = result.predicted.prediction.quantiles(FAN_PROBABILITIES)
    weeks = [0.0, *fan_weeks(risk_weeks(result))]
    series = []
    for index, treatment in enumerate(treatments):
        points = []
        for week in weeks:
            y, low, high, low_50, high_50 = (significant(float(v)) for v in risks_by(bands[:, index], week))
            points.append(Point(x=week, y=y, lower=low, upper=high, lower_50=low_50, upper_50=high_50))
        series.append(Series(name=treatment.label, points=tuple(points)))
    course = Chart(
        kind="fan",
        title=f"{result.endpoint.label} over time: share with an event, 50 % and 90 % of new trials",
        x_label="weeks",
        y_label="% with an event",
        series=tuple(series),
    )
    return [course, forest]
