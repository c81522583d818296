"""`forecast_demand`: demand of cohorts, sites or products from their history, with intervals that a backtest has measured."""

from __future__ import annotations

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.demand import report
from tools.demand.filling import History, read_history
from tools.demand.forecasters import LABELS, is_intermittent
from tools.demand.schemas import Backtest, DemandInput, DemandResult
from tools.demand.simulation import SHEET, Forecasted, courses, forecast
from tools.parameter_sheet import read_parameters
from tools.registry import tool

BIASED = 0.05  # mean error over mean demand from which a warning is given
NAMED = 5  # series named in a sentence


@tool("forecast_demand", input=DemandInput, result=DemandResult, validation=report.VALIDATION, offered=False)
def forecast_demand(request: DemandInput, context: ToolContext) -> DemandResult:
    """Forecast demand from its history: counts per day, week, month … of one series, or of several that add up.

    Give `series` with `counts` (oldest first; optional `dates`; `parent` names the series of which one is a part, e.g. the payer of a
    cohort), `frequency` and `horizon`. For each series the model that did best in a rolling backtest is taken; its error is reported
    on later folds that did not choose it, and intervals are as wide as the backtest's errors (split conformal). Forecasts of a
    hierarchy add up. `events` are known changes to come that the user states, shown as a scenario beside the forecast. `draws` of the
    result are courses of demand for simulate_supply. Too little history is refused.
    """
    history = read_history(request)
    chosen = request.paths_of or history.tree.names[0]
    if chosen not in history.tree.names:
        raise InvalidInput(f"There is no series '{chosen}' to hand on.", f"There are: {', '.join(history.tree.names)}.")
    found = forecast(request, history, context)
    rows = report.forecasts(request, history, found)
    tested = report.backtests(history, found)
    keep = (history.tree.names.index(chosen),) if request.paths else ()
    drawn, factors, certain = courses(request, history, found, context, keep)
    runs = drawn.courses.swapaxes(0, 1).reshape(-1, request.horizon, len(keep)) if keep else None
    made = report.estimates(request, history, found, rows, tested, drawn)
    total = made[0]
    title = (
        f"{total.point:,.4g} {request.unit} in the next {request.horizon} {request.frequency}s "
        f"({total.lower:,.4g} to {total.upper:,.4g}), by {LABELS[rows[0].model]}"
    )
    return DemandResult(
        title=title,
        estimates=tuple(made),
        charts=(*report.charts(request, history, rows, factors), *report.error_chart(request, tested)),
        assumptions=tuple(_assumptions(request, history, found, certain)),
        warnings=tuple(_warnings(request, history, found, tested)),
        source_ids=report.SOURCES,
        forecasts=tuple(rows),
        backtests=tuple(tested),
        draws_of=chosen if keep else "",
        draws=tuple(tuple(run[:, 0].tolist()) for run in runs[: request.paths]) if runs is not None else (),
        folds=found.plan.folds,
        selection_folds=found.plan.selection,
        report_folds=found.plan.folds - found.plan.report,
    )


def _assumptions(request: DemandInput, history: History, found: Forecasted, certain: bool) -> list[str]:
    laid = found.plan
    said = [
        f"Of {laid.folds} backtest forecasts of {request.horizon} {request.frequency}s the first {laid.selection} chose the model and the "
        f"last {laid.folds - laid.report} report its error"
        + (
            ", on periods that the choice has not seen."
            if laid.apart
            else "; the history is too short to keep their periods apart."
        ),
        "The future is taken to be as hard to forecast as the backtest was; errors of neighbouring folds resemble each other, so that the "
        "intervals' coverage is approximate.",
        "Intervals hold chance, choice of model and its estimation together; they cannot be told apart. A share from parameters is given "
        "for the events only.",
    ]
    if request.season_length is None:
        said.append(f"A season is taken to be {history.season} {request.frequency}s long.")
    if history.first is None and not request.start:
        said.append("The periods follow each other without gaps.")
    if len(history.tree.names) > len(history.tree.bottom):
        how = {
            "mint_shrink": "by the errors of all series (MinT)",
            "ols": "by least squares",
            "bottom_up": "by adding up the parts",
        }
        said.append(f"Forecasts of the hierarchy were made to add up {how[request.reconcile]}.")
    rare = [name for name, values in zip(history.tree.names, history.values, strict=True) if is_intermittent(values)]
    if rare:
        said.append(
            f"Demand of {', '.join(rare[:NAMED])} is intermittent: its model was chosen by squared error, which rewards the right mean."
        )
    if any(one.model == "tsb" for one in found.tried):
        said += list(read_parameters(SHEET).assumed)
    for event in request.events:
        said.append(f"The event '{event.name}' and its size are the user's; the history holds nothing about it.")
    if request.events and certain:
        said.append("The sizes of the events are taken as exactly known.")
    return said


def _warnings(request: DemandInput, history: History, found: Forecasted, tested: list[Backtest]) -> list[str]:
    said = [*history.said, *found.said]
    poor = [one.name for one in tested if one.mase is not None and one.owa is not None and one.owa > 1]
    if poor:
        said.append(
            f"In the backtest the forecast of {', '.join(poor[:NAMED])} was worse than a simple seasonal reference (OWA above 1)."
        )
    biased = [
        f"{one.name} {abs(one.bias):,.3g} {request.unit} too {'low' if one.bias > 0 else 'high'}"
        for one, came in zip(tested, found.came, strict=True)
        if abs(one.bias) > BIASED * float(came.mean())
    ]
    if biased:
        more = f", and {len(biased) - NAMED} more" if len(biased) > NAMED else ""
        said.append(f"In the backtest forecasts were on average off to one side: {', '.join(biased[:NAMED])}{more}.")
    if not any(one.coverage is not None for one in tested):
        said.append("There are too few folds to measure how often the intervals hold what comes.")
    if not history.values.any():
        said.append("There was no demand at all in the history.")
    if request.horizon > history.values.shape[1] // 2:
        said.append("The horizon is longer than half of the history.")
    return said
