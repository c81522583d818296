"""Charts of a predicted response: course over time, the trials behind it, responders, comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from knowledge.schemas import Endpoint, Family
from tools.response.engine import Influence
from tools.response.estimates import LEVEL, significant
from tools.response.mixture import Prediction
from tools.response.treatments import Treatment
from tools.schemas import Chart, Estimate, Level, Point, Series

FAN_POINTS = 12
FAN_PROBABILITIES = np.array([0.5, 0.05, 0.95, 0.25, 0.75])
# Figures shown in a forest.
FOREST_ROWS = 12


def fan_weeks(horizon: float) -> list[float]:
    """Times of a fan chart, the horizon last."""
    return [round(horizon * step / FAN_POINTS, 3) for step in range(1, FAN_POINTS + 1)]


def fan_chart(
    endpoint: Endpoint, treatments: Sequence[Treatment], weeks: Sequence[float], course: Sequence[Prediction]
) -> Chart:
    """Median with 50 % and 90 % bands of the cohort mean over time, a series for each treatment."""
    bands = [prediction.quantiles(FAN_PROBABILITIES) for prediction in course]
    series = []
    for index, treatment in enumerate(treatments):
        points = []
        if endpoint.family is Family.CONTINUOUS:
            points.append(Point(x=0.0, y=0.0, lower=0.0, upper=0.0, lower_50=0.0, upper_50=0.0))
        for week, band in zip(weeks, bands, strict=True):
            y, low, high, low_50, high_50 = (significant(float(value)) for value in band[:, index])
            points.append(Point(x=week, y=y, lower=low, upper=high, lower_50=low_50, upper_50=high_50))
        series.append(Series(name=treatment.label, points=tuple(points)))
    return Chart(
        kind="fan",
        title=f"{endpoint.label} over time: cohort mean, 50 % and 90 % of new trials",
        x_label="weeks",
        y_label=f"{endpoint.label} ({endpoint.unit})",
        series=tuple(series),
    )


def forest_chart(endpoint: Endpoint, influences: Sequence[Influence], predicted: Estimate) -> Chart:
    """Published figures of active arms that carry the prediction, with 90 % intervals, and the prediction itself."""
    active = [one for one in influences if one.row.against is None and not one.row.arm.arm_role.is_control]
    points = []
    for one in active[:FOREST_ROWS]:
        arm = one.row.arm
        lower, upper = _interval(one, endpoint)
        where = "" if arm.cohort == "all" else f", {arm.cohort}"
        when = f", {arm.weeks:g} weeks" if arm.weeks else ""
        points.append(Point(x=f"{arm.trial}: {arm.arm}{where}{when}", y=arm.value, lower=lower, upper=upper))
    forecast = Point(x=f"Prediction: {predicted.arm}", y=predicted.point, lower=predicted.lower, upper=predicted.upper)
    return Chart(
        kind="forest",
        title=f"{endpoint.label}: the published arms that carry the prediction",
        x_label=f"{endpoint.label} ({endpoint.unit}), 90 % intervals",
        y_label="",
        series=(Series(name="published", points=tuple(points)), Series(name="prediction", points=(forecast,))),
    )


def responder_chart(estimates: Sequence[Estimate]) -> Chart | None:
    """Shares of individuals; None when there are none."""
    shares = [estimate for estimate in estimates if estimate.of is Level.SHARE]
    if not shares:
        return None
    series = []
    for arm in dict.fromkeys(estimate.arm for estimate in shares):
        points = tuple(
            Point(x=one.quantity, y=one.point, lower=one.lower, upper=one.upper) for one in shares if one.arm == arm
        )
        series.append(Series(name=arm, points=points))
    return Chart(
        kind="bars", title="Individuals who respond", x_label="", y_label="% of individuals", series=tuple(series)
    )


def comparison_chart(endpoint: Endpoint, means: Sequence[Estimate]) -> Chart:
    """Cohort means of several treatments side by side, with 90 % intervals."""
    points = tuple(Point(x=one.arm, y=one.point, lower=one.lower, upper=one.upper) for one in means)
    return Chart(
        kind="forest",
        title=f"{endpoint.label}: treatments side by side, and where 90 % of new trials would be",
        x_label=f"{endpoint.label} ({endpoint.unit})",
        y_label="",
        series=(Series(name="predicted", points=points),),
    )


def rank_chart(endpoint: Endpoint, treatments: Sequence[Treatment], ranks: np.ndarray) -> Chart:
    """Probability (%) of each rank for each treatment: `ranks` (treatments, ranks)."""
    series = tuple(
        Series(
            name=treatment.label,
            points=tuple(Point(x=float(place + 1), y=significant(100.0 * float(p))) for place, p in enumerate(row)),
        )
        for treatment, row in zip(treatments, ranks, strict=True)
    )
    return Chart(
        kind="acceptability",
        title=f"{endpoint.label}: how likely each treatment is best, second, …",
        x_label="rank",
        y_label="probability (%)",
        series=series,
    )


def _interval(one: Influence, endpoint: Endpoint) -> tuple[float, float]:
    """90 % interval of a published figure in the endpoint's unit, from the SE the model used."""
    half = float(ndtri(0.5 + LEVEL / 2)) * one.row.se
    if endpoint.family is not Family.PROPORTION:
        return significant(one.row.arm.value - half), significant(one.row.arm.value + half)
    ends = 100.0 / (1.0 + np.exp(-(one.row.value + half * np.array([-1.0, 1.0]))))
    return significant(float(ends[0])), significant(float(ends[1]))
