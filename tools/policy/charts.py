"""A chart for each link, what moves the outcomes, and the rules side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tools.cost_effectiveness.decisions import acceptability
from tools.policy.cost_link import Cost, Visits
from tools.policy.figures import Frame
from tools.policy.model import Driver
from tools.policy.response_link import WEEKS_A_YEAR, Response
from tools.policy.schemas import RuleOutcome
from tools.schemas import Chart, Estimate, Point, Series

FloatArray = npt.NDArray[np.float64]
CURVE_POINTS = 41
COURSE_POINTS = 26
# Bars of a tornado.
BARS = 12


def _fan(xs: Sequence[float], values: FloatArray, level: float) -> tuple[Point, ...]:
    """Mean and bands over draws of values (D, X)."""
    tail = 50 * (1 - level)
    low, low_half, high_half, high = np.percentile(values, [tail, 25, 75, 100 - tail], axis=0)
    mean = values.mean(axis=0)
    return tuple(
        Point(x=float(x), y=float(mean[i]), lower=float(low[i]), upper=float(high[i]), lower_50=float(low_half[i]),
              upper_50=float(high_half[i]))
        for i, x in enumerate(xs)
    )  # fmt: skip


def response_chart(frame: Frame, response: Response) -> Chart:
    """The change since starting of all starters and of those who stay."""
    course = response.course
    shown = np.unique(np.linspace(0, len(course.years) - 1, COURSE_POINTS).astype(np.int64))
    weeks = [round(float(course.years[i]) * WEEKS_A_YEAR, 2) for i in shown]
    return Chart(
        kind="fan",
        title=f"{response.endpoint.label} after starting {frame.treatment}",
        x_label="weeks since starting",
        y_label=f"{response.endpoint.label} ({response.endpoint.unit})",
        series=(
            Series(name="everybody who starts", points=_fan(weeks, course.everyone[:, shown], frame.level)),
            Series(name="those still on treatment", points=_fan(weeks, course.persistent[:, shown], frame.level)),
        ),
    )


def cost_charts(frame: Frame, cost: Cost) -> list[Chart]:
    """Acceptability of the treatment against none."""
    if cost.cost is None or cost.qaly is None:
        return []
    none = np.zeros_like(cost.cost)
    levels = np.linspace(0, max(2 * cost.threshold, 2 * _ratio(cost)), CURVE_POINTS)
    found = acceptability(np.stack([none, cost.cost], axis=1), np.stack([none, cost.qaly], axis=1), levels)
    series = tuple(
        Series(
            name=name,
            points=tuple(
                Point(x=float(t), y=100 * float(p)) for t, p in zip(levels, found.probability[:, i], strict=True)
            ),
        )
        for i, name in enumerate(("no treatment", frame.treatment))
    )
    return [
        Chart(
            kind="acceptability",
            title="How likely the treatment is worth its cost",
            x_label="willingness to pay (US$ per QALY)",
            y_label="probability of the highest net benefit (%)",
            series=series,
        )
    ]


def _ratio(cost: Cost) -> float:
    """Mean cost over mean QALYs where both are gains, else 0: the curve shall show where it turns."""
    if cost.cost is None or cost.qaly is None or not (cost.cost.mean() > 0 and cost.qaly.mean() > 0):
        return 0.0
    return float(min(cost.cost.mean() / cost.qaly.mean(), 1e8))


def visits_chart(frame: Frame, visits: Visits) -> Chart:
    """Visits added in each month."""
    monthly = visits.by_month[0] if visits.before is None else visits.by_month[0] - visits.before
    flat = monthly.reshape(-1, monthly.shape[-1])
    months = [float(m + 1) for m in range(flat.shape[1])]
    return Chart(
        kind="fan", title="Clinic visits added", x_label="month of the rule", y_label="visits per month",
        series=(Series(name="added visits", points=_fan(months, flat, frame.level)),),
    )  # fmt: skip


def tornado(outcome: Estimate, middle: float, drivers: Sequence[Driver]) -> Chart:
    """Expected outcome at the 5th and 95th percentile of each uncertain input, the widest first."""
    widest = sorted(drivers, key=lambda one: -abs(one.high - one.low))[:BARS]
    return Chart(
        kind="tornado",
        title=f"What moves the {outcome.quantity} (5th to 95th percentile of each input)",
        x_label=outcome.unit,
        y_label="",
        series=(
            Series(
                name=outcome.quantity,
                points=tuple(
                    Point(x=one.name, y=middle, lower=min(one.low, one.high), upper=max(one.low, one.high))
                    for one in widest
                ),
            ),
        ),
    )


def variance_chart(outcome: Estimate, drivers: Sequence[Driver]) -> Chart:
    """Share of the outcome's variance that each uncertain input explains."""
    return Chart(
        kind="bars",
        title=f"Where the uncertainty of the {outcome.quantity} comes from",
        x_label="% of the variance",
        y_label="",
        series=(
            Series(
                name="share of the variance",
                points=tuple(Point(x=one.name, y=100 * one.share) for one in drivers[:BARS]),
            ),
        ),
    )


def rules_charts(rules: Sequence[RuleOutcome]) -> list[Chart]:
    """Starters and budget of each rule."""
    if len(rules) < 2:
        return []
    made = [
        Chart(
            kind="bars", title="People who start under each rule", x_label="people", y_label="",
            series=(Series(name="start", points=tuple(Point(x=one.name, y=one.started) for one in rules)),),
        )
    ]  # fmt: skip
    paid = [(one.name, one.budget) for one in rules if one.budget is not None]
    if paid:
        made.append(
            Chart(
                kind="bars", title="Cost to the payer under each rule", x_label="US$", y_label="",
                series=(Series(name="cost", points=tuple(Point(x=name, y=value) for name, value in paid)),),
            )
        )  # fmt: skip
    return made
