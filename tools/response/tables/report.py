"""What a backtest says: scores of every method, how often intervals held, and how much better than each rival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from knowledge.schemas import Frozen
from tools.response.features import FloatArray
from tools.response.tables.forecasts import ENGINE, METHODS, Forecasts
from tools.response.tables.holdout import Holdout
from tools.response.tables.rivals import RIVALS
from tools.response.tables.scoring import (
    LEVELS,
    MEDIAN,
    by_study,
    covered,
    crps,
    interval,
    interval_score,
    pit,
    ratio_interval,
)
from tools.response.tables.within import auroc, brier, excess_calibration_error, probability_within

LEVEL = 0.9
PIT_BINS = 10
FEWEST = 3  # figures; fewer are not scored


class Skill(Frozen):
    """Score of the engine over the score of a rival on the same figures, with its 90 % interval by resampling trials.

    Below 1 the engine is better.
    """

    ratio: float
    lower: float
    upper: float


class MethodScore(Frozen):
    """Scores of one method; errors in the endpoint's unit, coverage and width averaged over trials."""

    mean_absolute_error: float
    crps: float
    interval_score: float
    width: float
    coverage: Mapping[float, float]


class Within(Frozen):
    """The engine's probability of being right within the tolerance, against what happened.

    Attributes
    ----------
    share : of figures that were within `tolerance` of the point; `said` : mean probability that they would be.
    brier, brier_of_share : of the probabilities, and of saying the overall share each time.
    auroc : chance that a hit had the higher probability; None when all were hits, or none.
    calibration_error, excess : over ten bins; the second is what is left after the error that a perfectly calibrated
        forecaster of the same size would show.
    """

    tolerance: float
    share: float
    said: float
    brier: float
    brier_of_share: float
    auroc: float | None
    calibration_error: float
    excess: float


class Section(Frozen):
    """Arms, or differences of arms, of one endpoint of one table."""

    what: Literal["arms", "contrasts"]
    figures: int
    trials: int
    scores: Mapping[str, MethodScore]
    skill: Mapping[str, Skill]
    best_rival: str
    pit: tuple[int, ...]
    within: Within | None = None


class TableReport(Frozen):
    """One endpoint of one table."""

    table: str
    endpoint: str
    unit: str
    sections: tuple[Section, ...]
    not_predicted: int
    notes: tuple[str, ...]


class PooledReport(Frozen):
    """Geometric means over tables (a table of several endpoints counts once), with intervals by resampling trials.

    Attributes
    ----------
    interval_score, mean_absolute_error : rival -> ratio; `best afterwards` is each endpoint's best rival on the scored
        figures themselves, a bar that no method could have chosen beforehand.
    coverage : level -> share, averaged over trials within an endpoint, endpoints within a table, tables.
    """

    what: Literal["arms", "contrasts"]
    tables: int
    interval_score: Mapping[str, Skill]
    mean_absolute_error: Mapping[str, Skill]
    coverage: Mapping[float, float]


class BacktestReport(Frozen):
    """A whole backtest."""

    by: str
    tables: tuple[TableReport, ...]
    pooled: tuple[PooledReport, ...]


def make_report(by: str, holdouts: Sequence[tuple[str, Holdout]]) -> BacktestReport:
    """Score finished backtests, each under the name of its table."""
    tables = tuple(_table(name, holdout) for name, holdout in holdouts)
    pooled = [_pooled(what, holdouts) for what in ("arms", "contrasts")]
    return BacktestReport(by=by, tables=tables, pooled=tuple(one for one in pooled if one is not None))


def _table(name: str, holdout: Holdout) -> TableReport:
    sections = [_section("arms", holdout.arms, holdout.tolerance), _section("contrasts", holdout.contrasts)]
    return TableReport(
        table=name,
        endpoint=holdout.endpoint,
        unit=holdout.unit,
        sections=tuple(section for section in sections if section is not None),
        not_predicted=holdout.not_predicted,
        notes=holdout.notes,
    )


def _scored(found: Forecasts, method: str) -> bool:
    return bool(np.isfinite(found.quantiles[method]).all())


def _section(what: Literal["arms", "contrasts"], found: Forecasts, tolerance: float | None = None) -> Section | None:
    if len(found) < FEWEST:
        return None
    methods = [method for method in METHODS if _scored(found, method)]
    scores = {method: _score(found, method) for method in methods}
    rivals = [method for method in methods if method != ENGINE]
    own = interval_score(found.quantiles[ENGINE], found.observed, LEVEL)
    skill = {}
    for rival in rivals:
        theirs = interval_score(found.quantiles[rival], found.observed, LEVEL)
        ratio, lower, upper = ratio_interval([own], [theirs], [found.study])
        skill[rival] = Skill(ratio=ratio, lower=lower, upper=upper)
    counts, _ = np.histogram(pit(found.quantiles[ENGINE], found.observed), bins=PIT_BINS, range=(0.0, 1.0))
    return Section(
        what=what,
        figures=len(found),
        trials=len(np.unique(found.study)),
        scores=scores,
        skill=skill,
        best_rival=min(rivals, key=lambda rival: scores[rival].interval_score) if rivals else "",
        pit=tuple(int(count) for count in counts),
        within=None if tolerance is None else _within(found, tolerance),
    )


def _within(found: Forecasts, tolerance: float) -> Within:
    quantiles = found.quantiles[ENGINE]
    said = probability_within(quantiles, tolerance)
    hit = (np.abs(found.observed - quantiles[MEDIAN]) <= tolerance).astype(float)
    rank = auroc(said, hit)
    error, excess = excess_calibration_error(said, hit)
    return Within(
        tolerance=tolerance,
        share=float(hit.mean()),
        said=float(said.mean()),
        brier=brier(said, hit),
        brier_of_share=float(hit.mean() * (1 - hit.mean())),
        auroc=rank if np.isfinite(rank) else None,
        calibration_error=error,
        excess=excess,
    )


def _score(found: Forecasts, method: str) -> MethodScore:
    quantiles, observed = found.quantiles[method], found.observed
    lower, upper = interval(quantiles, LEVEL)
    return MethodScore(
        mean_absolute_error=float(np.mean(np.abs(quantiles[MEDIAN] - observed))),
        crps=float(np.mean(crps(quantiles, observed))),
        interval_score=float(np.mean(interval_score(quantiles, observed, LEVEL))),
        width=by_study(upper - lower, found.study),
        coverage={level: by_study(covered(quantiles, observed, level), found.study) for level in LEVELS},
    )


def _pooled(what: Literal["arms", "contrasts"], holdouts: Sequence[tuple[str, Holdout]]) -> PooledReport | None:
    usable = [
        (name, found)
        for name, holdout in holdouts
        if len(found := getattr(holdout, what)) >= FEWEST and all(_scored(found, method) for method in METHODS)
    ]
    if not usable:
        return None
    names = [name for name, _ in usable]
    weights = np.array([1.0 / names.count(name) for name in names])

    def ratios(score: str) -> dict[str, Skill]:
        each = {method: [_each(found, method, score) for _, found in usable] for method in METHODS}
        best = [
            min((each[rival][i] for rival in RIVALS), key=lambda own: float(own.mean())) for i in range(len(usable))
        ]
        found = {}
        for rival, theirs in {**{name: each[name] for name in RIVALS}, "best afterwards": best}.items():
            point, lower, upper = ratio_interval(each[ENGINE], theirs, [own.study for _, own in usable], weights)
            found[rival] = Skill(ratio=point, lower=lower, upper=upper)
        return found

    coverage = {
        level: float(
            np.average(
                [by_study(covered(own.quantiles[ENGINE], own.observed, level), own.study) for _, own in usable],
                weights=weights,
            )
        )
        for level in LEVELS
    }
    return PooledReport(
        what=what,
        tables=len(set(names)),
        interval_score=ratios("interval_score"),
        mean_absolute_error=ratios("absolute_error"),
        coverage=coverage,
    )


def _each(found: Forecasts, method: str, score: str) -> FloatArray:
    quantiles = found.quantiles[method]
    if score == "interval_score":
        return interval_score(quantiles, found.observed, LEVEL)
    return np.asarray(np.abs(quantiles[MEDIAN] - found.observed))
