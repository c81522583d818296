"""Do predictions still hold? Answered questions beside outcomes that were observed later: calibration over time, and alarms.

Several figures of one answer are not independent. The calibration counts them all; each chart takes one step a run and
day, the mean of its figures, which under a stated forecast varies at most as much as a single figure does: the stated
rate of false alarms is then an upper limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from statistics import NormalDist

import numpy as np
from pydantic import Field

from evals.drift_charts import ODDS_RATIO, crossings, error_limit, error_paths, miss_limit, miss_paths
from evals.observations import FollowedUp
from evals.scorers import wilson
from knowledge.schemas import Frozen

HORIZON = 100  # runs followed up, within which the chance of a false alarm is stated
FALSE_ALARMS = 0.05  # of all charts together
WINDOW = 20  # runs


class Calibration(Frozen):
    """How well predictions held. Shares are 0-1; None where there was nothing to count.

    Attributes
    ----------
    covered : share of the outcomes inside their interval, of probability `level`; `covered_low`, `covered_high` 95 %.
    mean_error : mean standardised error, observed minus predicted; 0 when nothing drifts, above 0 when more was observed.
    spread : its standard deviation about 0; 1 when intervals are as wide as they should be.
    brier : mean squared difference of stated confidence and hit; `brier_expected` is what it is if every stated
        confidence is true.
    hits, stated : share of hits, and mean confidence.
    """

    name: str
    first: date
    last: date
    runs: int
    figures: int
    level: float
    covered: float
    covered_low: float
    covered_high: float
    mean_error: float
    spread: float
    with_confidence: int
    hits: float | None = None
    stated: float | None = None
    brier: float | None = None
    brier_expected: float | None = None


class Step(Frozen):
    """A run and day on a chart."""

    run_id: str
    on: date
    value: float
    path: float


class ControlChart(Frozen):
    """A cumulative sum of the runs followed up. `alarms` are the days on which it rose above its limit."""

    name: str
    finds: str = Field(description="what it rises for")
    limit: float
    false_alarms: float = Field(description="chance of a false alarm within `horizon` runs, 0-1")
    horizon: int
    steps: tuple[Step, ...]
    alarms: tuple[date, ...]


class DriftReport(Frozen):
    """What is known about predictions that were followed up."""

    overall: Calibration
    windows: tuple[Calibration, ...]
    endpoints: tuple[Calibration, ...]
    charts: tuple[ControlChart, ...]
    false_alarms: float
    horizon: int
    followed_up: tuple[FollowedUp, ...]

    @property
    def alarm(self) -> bool:
        """True when a chart has risen above its limit."""
        return any(chart.alarms for chart in self.charts)

    def text(self) -> str:
        """The report for a terminal."""
        lines = [_sentence(self.overall), ""]
        lines += ["By time:", *(f"  {_sentence(one)}" for one in self.windows)] if len(self.windows) > 1 else []
        lines += ["By endpoint:", *(f"  {_sentence(one)}" for one in self.endpoints), ""]
        for chart in self.charts:
            now = chart.steps[-1].path if chart.steps else 0.0
            days = ", ".join(str(day) for day in chart.alarms)
            state = f"ALARM on {days}" if chart.alarms else "no alarm"
            lines.append(f"{chart.name}: {state} (now {now:.2f}, limit {chart.limit:.2f}; rises for {chart.finds})")
        lines.append(
            f"While predictions hold, one of these alarms rings falsely in at most {100 * self.false_alarms:.0f} % of "
            f"stretches of {self.horizon} runs."
        )
        return "\n".join(lines)


def standardised(one: FollowedUp) -> float:
    """Observed minus predicted over the standard deviation on that side of the interval, joined with the outcome's own."""
    quantile = NormalDist().inv_cdf((1 + one.level) / 2)
    side = one.upper - one.point if one.observed >= one.point else one.point - one.lower
    deviation = (side / quantile) ** 2 + (one.se or 0.0) ** 2
    # A limit at the point itself says that nothing lies on that side; the width of the whole interval stands in.
    deviation = deviation or ((one.upper - one.lower) / (2 * quantile)) ** 2
    return (one.observed - one.point) / math.sqrt(deviation)


def missed(one: FollowedUp) -> bool:
    """Whether the outcome lies outside the interval, which is widened by the outcome's own standard error."""
    return abs(standardised(one)) > NormalDist().inv_cdf((1 + one.level) / 2)


def hit(one: FollowedUp) -> bool | None:
    """Whether the outcome lies within the tolerance; None where no confidence was stated."""
    if one.tolerance is None or one.probability is None:
        return None
    return abs(one.observed - one.point) <= one.tolerance


def assess(
    followed_up: Sequence[FollowedUp],
    *,
    window: int = WINDOW,
    horizon: int = HORIZON,
    false_alarms: float = FALSE_ALARMS,
) -> DriftReport:
    """Calibration over all outcomes, by stretches of `window` runs and by endpoint, and the three charts.

    Parameters
    ----------
    followed_up : in the order of observation, at least one.
    false_alarms : chance (0-1) of any false alarm within `horizon` runs; each chart has a third of it.
    """
    steps = _runs(followed_up)
    parts = [steps[i : i + window] for i in range(0, len(steps), window)]
    if len(parts) > 1 and len(parts[-1]) < window / 2:
        parts[-2:] = [parts[-2] + parts[-1]]
    share = false_alarms / 3
    return DriftReport(
        overall=_calibration("all", followed_up),
        windows=tuple(
            _calibration(f"{number}", [one for run in part for one in run]) for number, part in enumerate(parts, 1)
        ),
        endpoints=tuple(
            _calibration(name, [one for one in followed_up if (one.endpoint or one.estimate_id) == name])
            for name in sorted({one.endpoint or one.estimate_id for one in followed_up})
        ),
        charts=(_errors(steps, horizon, share), _misses(steps, horizon, share), _confidence(steps, horizon, share)),
        false_alarms=false_alarms,
        horizon=horizon,
        followed_up=tuple(followed_up),
    )


def _runs(followed_up: Sequence[FollowedUp]) -> list[list[FollowedUp]]:
    ordered = sorted(followed_up, key=lambda one: (one.observed_on, one.run_id))
    return [list(group) for _, group in groupby(ordered, key=lambda one: (one.observed_on, one.run_id))]


def _errors(runs: Sequence[Sequence[FollowedUp]], horizon: int, rate: float) -> ControlChart:
    values = [float(np.mean([standardised(one) for one in run])) for run in runs]
    path, limit = error_paths(values), error_limit(horizon, rate)
    return _chart("Errors", "predictions that are too low or too high", runs, values, path, limit, horizon, rate)


def _misses(runs: Sequence[Sequence[FollowedUp]], horizon: int, rate: float) -> ControlChart:
    values = [float(np.mean([missed(one) for one in run])) for run in runs]
    chances = [float(np.mean([1 - one.level for one in run])) for run in runs]
    finds = f"outcomes outside their interval at {ODDS_RATIO:g} times the odds that were stated"
    path, limit = miss_paths(values, chances), miss_limit(chances, horizon, rate)
    return _chart("Intervals", finds, runs, values, path, limit, horizon, rate)


def _confidence(runs: Sequence[Sequence[FollowedUp]], horizon: int, rate: float) -> ControlChart:
    stated = [[one for one in run if one.probability is not None] for run in runs]
    told = [run for run in stated if run]
    finds = f"predictions further off than the confidence allows at {ODDS_RATIO:g} times the odds"
    if not told:
        return _chart("Confidence", finds, [], [], np.zeros(0), 0.0, horizon, rate)
    values = [float(np.mean([not hit(one) for one in run])) for run in told]
    chances = [float(np.mean([1 - (one.probability or 0.0) for one in run])) for run in told]
    path, limit = miss_paths(values, chances), miss_limit(chances, horizon, rate)
    return _chart("Confidence", finds, told, values, path, limit, horizon, rate)


def _chart(
    name: str,
    finds: str,
    runs: Sequence[Sequence[FollowedUp]],
    values: Sequence[float],
    path: np.typing.NDArray[np.float64],
    limit: float,
    horizon: int,
    rate: float,
) -> ControlChart:
    return ControlChart(
        name=name,
        finds=finds,
        limit=limit,
        false_alarms=rate,
        horizon=horizon,
        steps=tuple(
            Step(run_id=run[0].run_id, on=run[0].observed_on, value=value, path=float(height))
            for run, value, height in zip(runs, values, path, strict=True)
        ),
        alarms=tuple(runs[place][0].observed_on for place in crossings(path, limit)),
    )


def _calibration(name: str, figures: Sequence[FollowedUp]) -> Calibration:
    inside = sum(not missed(one) for one in figures)
    low, high = wilson(inside, len(figures))
    errors = np.array([standardised(one) for one in figures])
    told = [(one.probability, float(bool(hit(one)))) for one in figures if one.probability is not None]
    stated, hits = np.array([p for p, _ in told]), np.array([right for _, right in told])
    return Calibration(
        name=name,
        first=min(one.observed_on for one in figures),
        last=max(one.observed_on for one in figures),
        runs=len({one.run_id for one in figures}),
        figures=len(figures),
        level=float(np.mean([one.level for one in figures])),
        covered=inside / len(figures),
        covered_low=low,
        covered_high=high,
        mean_error=float(errors.mean()),
        spread=float(np.sqrt(np.mean(errors**2))),
        with_confidence=len(told),
        hits=float(hits.mean()) if told else None,
        stated=float(stated.mean()) if told else None,
        brier=float(np.mean((stated - hits) ** 2)) if told else None,
        brier_expected=float(np.mean(stated * (1 - stated))) if told else None,
    )


def _sentence(one: Calibration) -> str:
    name = "" if one.name == "all" else f"{one.name}: "
    text = (
        f"{name}{one.figures} outcomes of {one.runs} runs, {one.first} to {one.last}: "
        f"{100 * one.covered:.0f} % inside the {100 * one.level:.0f} % interval "
        f"({100 * one.covered_low:.0f} to {100 * one.covered_high:.0f} %), "
        f"mean standardised error {one.mean_error:+.2f}, spread {one.spread:.2f}"
    )
    if one.brier is None or one.hits is None or one.stated is None or one.brier_expected is None:
        return f"{text}; no confidence was stated"
    return (
        f"{text}; {100 * one.hits:.0f} % right where {100 * one.stated:.0f} % was stated, "
        f"Brier {one.brier:.3f} (as stated: {one.brier_expected:.3f})"
    )
