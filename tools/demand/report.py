"""From forecasts, errors and courses to estimates, backtest rows and charts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tools.demand import accuracy
from tools.demand.backtest import coverage
from tools.demand.conformal import radius
from tools.demand.filling import History, period_label
from tools.demand.forecasters import LABELS
from tools.demand.paths import Drawn
from tools.demand.schemas import Backtest, DemandInput, SeriesForecast
from tools.demand.simulation import Forecasted
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VERIFIED
SOURCES = (
    "doi-10.1016-j.ijforecast.2018.06.001", "web-arxiv-2303.02770", "doi-10.1080-01621459.2018.1448825",
    "doi-10.2202-1544-6115.1175",
)  # fmt: skip
SHOWN = 12  # series in charts; the rest are in `forecasts`
PAST = 60  # periods of history in charts
WEEKS = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 84, "quarter": 365.25 / 28, "year": 365.25 / 7, "hour": 1 / 168}


def labels(request: DemandInput, history: History) -> tuple[str, ...]:
    """Names of the periods ahead: dates, or +1, +2 …"""
    if history.first is None:
        return tuple(f"+{k}" for k in range(1, request.horizon + 1))
    begin = history.first + history.values.shape[1]
    return tuple(period_label(begin + k, request.frequency) for k in range(request.horizon))


def forecasts(request: DemandInput, history: History, found: Forecasted) -> list[SeriesForecast]:
    """Point and conformal interval of each period."""
    named, made = labels(request, history), []
    for n, one in enumerate(found.tried):
        wide, points = radius(found.errors[n], request.level), found.future[n]
        made.append(
            SeriesForecast(
                name=one.name, model=one.model, periods=named, points=tuple(points.tolist()),
                lower=tuple(np.maximum(points - wide, 0.0).tolist()), upper=tuple((points + wide).tolist()),
            )
        )  # fmt: skip
    return made


def backtests(history: History, found: Forecasted) -> list[Backtest]:
    """Errors of the winners on the folds that did not choose them."""
    laid, made = found.plan, []
    for n, one in enumerate(found.tried):
        values, came, said = history.values[n], found.came[n, laid.report :], found.later[n]
        begun = laid.origins[laid.report]
        unit = accuracy.naive_error(values[:begun], laid.season)
        off = np.abs(came - said).mean(axis=0)
        symmetric = [accuracy.smape(came[:, h], said[:, h]) for h in range(laid.horizon)]
        reference = np.array(
            [accuracy.naive2(values[:o], laid.season, laid.horizon) for o in laid.origins[laid.report :]]
        )
        theirs = float(np.abs(came - reference).mean()), accuracy.smape(came.ravel(), reference.ravel())
        smape = accuracy.smape(came.ravel(), said.ravel())
        both = np.concatenate([found.early[n], came - said])
        made.append(
            Backtest(
                name=one.name, model=one.model, chosen_by=one.scores, smape=smape,
                mase=float(off.mean() / unit) if unit > 0 else None,
                # Both errors are in the unit of MASE, which cancels.
                owa=accuracy.owa(smape, float(off.mean()), theirs[1], theirs[0]) if min(theirs) > 0 else None,
                bias=float((came - said).mean()),
                coverage=coverage(both, laid.selection, laid.level),
                mase_by_horizon=tuple((off / unit).tolist()) if unit > 0 else (), smape_by_horizon=tuple(symmetric),
            )
        )  # fmt: skip
    return made


def estimates(
    request: DemandInput,
    history: History,
    found: Forecasted,
    rows: list[SeriesForecast],
    tested: list[Backtest],
    drawn: Drawn,
) -> list[Estimate]:
    """Next period, whole horizon, error; and the whole horizon with the events."""
    weeks = WEEKS.get(request.frequency)
    made: list[Estimate] = []

    def add(
        key: str,
        what: str,
        population: str,
        point: float,
        ends: tuple[float, float] | None,
        kind: Kind,
        ahead: int,
        **more: object,
    ) -> None:
        unit = str(more.pop("unit", request.unit))
        made.append(
            Estimate(
                id=key, quantity=what, unit=unit, population=population, point=point, lower=ends[0] if ends else None,
                upper=ends[1] if ends else None, level=request.level, kind=kind, of=Level.COUNT, validation=VALIDATION,
                horizon_weeks=weeks * ahead if weeks else None, **more,
            )
        )  # fmt: skip

    span = f"{request.horizon} {request.frequency}s" if request.horizon > 1 else f"{request.frequency}"
    for n, (row, test) in enumerate(zip(rows, tested, strict=True)):
        who, note = f"demand of {row.name}", f"Chosen model: {LABELS[row.model]}."
        wide = float(radius(found.errors[n].sum(axis=1), request.level))
        total = float(found.future[n].sum())
        add(
            f"{row.name}.total",
            f"demand in the next {span} together",
            who,
            total,
            (max(total - wide, 0.0), total + wide),
            Kind.PREDICTIVE,
            request.horizon,
            note=note,
        )
        add(
            f"{row.name}.next",
            f"demand in the next {request.frequency} ({row.periods[0]})",
            who,
            row.points[0],
            (row.lower[0], row.upper[0]),
            Kind.PREDICTIVE,
            1,
            note=note,
        )
        if test.mase is not None:
            add(
                f"{row.name}.mase",
                "backtest error, 1 is that of repeating the last season",
                who,
                test.mase,
                None,
                Kind.DESCRIPTIVE,
                request.horizon,
                unit="ratio",
            )
        add(
            f"{row.name}.smape",
            "symmetric percentage error in the backtest",
            who,
            test.smape,
            None,
            Kind.DESCRIPTIVE,
            request.horizon,
            unit="%",
        )
        if request.events:
            outcome = spread(drawn.totals[:, :, n], level=request.level)
            extra = spread((drawn.totals - drawn.plain)[:, :, n], level=request.level)
            add(
                f"scenario.{row.name}_total",
                f"demand in the next {span} together, with the events stated",
                who,
                outcome.mean,
                (outcome.lower, outcome.upper),
                Kind.SCENARIO,
                request.horizon,
                from_parameters=outcome.from_parameters,
            )
            add(
                f"scenario.{row.name}_added",
                "demand that the events stated add",
                who,
                extra.mean,
                (extra.lower, extra.upper),
                Kind.SCENARIO,
                request.horizon,
                from_parameters=extra.from_parameters,
            )
    covered = [test.coverage for test in tested if test.coverage is not None]
    if covered:
        add(
            "backtest.coverage",
            f"share of later outcomes inside {100 * request.level:g} % intervals made of earlier errors",
            "all series",
            float(np.mean(covered)),
            None,
            Kind.DESCRIPTIVE,
            request.horizon,
            unit="share",
        )
    return made


def charts(request: DemandInput, history: History, rows: list[SeriesForecast], factors: FloatArray) -> list[Chart]:
    """History and forecast of the first series as fans, their backtest errors by horizon as lines."""
    made, periods = [], history.values.shape[1]
    upper = len(history.tree.names) - len(history.tree.bottom)
    for n, row in enumerate(rows[:SHOWN]):
        past = history.values[n, -PAST:]
        first = periods - past.size + 1
        lines = [
            Series(name="history", points=tuple(Point(x=float(first + k), y=float(y)) for k, y in enumerate(past))),
            Series(
                name=f"forecast, {100 * request.level:g} % interval",
                points=tuple(
                    Point(x=float(periods + k + 1), y=y, lower=low, upper=high)
                    for k, (y, low, high) in enumerate(zip(row.points, row.lower, row.upper, strict=True))
                ),
            ),
        ]
        if request.events:
            # Factors are of the bottom series; a sum is that of its changed parts.
            parts = np.array([rows[upper + k].points for k in range(len(history.tree.bottom))])
            changed = history.tree.sums[n] @ (parts * factors.T)
            lines.append(
                Series(
                    name="with the events stated",
                    points=tuple(Point(x=float(periods + k + 1), y=float(y)) for k, y in enumerate(changed)),
                )
            )
        made.append(
            Chart(
                kind="fan",
                title=f"Demand of {row.name}",
                x_label=f"{request.frequency}s since the history begins",
                y_label=request.unit,
                series=tuple(lines),
            )
        )
    return made


def error_chart(request: DemandInput, tested: list[Backtest]) -> list[Chart]:
    """MASE by how far ahead."""
    lines = tuple(
        Series(name=one.name, points=tuple(Point(x=float(h + 1), y=y) for h, y in enumerate(one.mase_by_horizon)))
        for one in tested[:SHOWN] if one.mase_by_horizon
    )  # fmt: skip
    title = "Backtest error by how far ahead (1: repeating the last season)"
    return (
        [Chart(kind="lines", title=title, x_label=f"{request.frequency}s ahead", y_label="MASE", series=lines)]
        if lines
        else []
    )
