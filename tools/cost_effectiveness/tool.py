"""`evaluate_cost_effectiveness`: what a treatment costs for the health it gives, and what to decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.cost_effectiveness import arrays, decisions, report
from tools.cost_effectiveness.evaluation import Evaluated, evaluate_model
from tools.cost_effectiveness.filling import Filled, fill
from tools.cost_effectiveness.schemas import (
    Comparison,
    CostEffectivenessInput,
    CostEffectivenessResult,
    DiseaseBurden,
    MarkovModel,
    Microsimulation,
    PartitionedSurvival,
)
from tools.quantities import as_uncertain
from tools.registry import tool
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series

FloatArray = npt.NDArray[np.float64]
SHEET = Path(__file__).with_name("parameters.yaml")
CURVE_POINTS = 41
# Column of the outcomes, and its sign so that more is better.
EFFECTS = {"qaly": (arrays.QALY, 1.0), "life_year": (arrays.LIFE_YEARS, 1.0), "daly_averted": (arrays.DALY, -1.0)}
LABELS = {
    "qaly": ("quality-adjusted life years", "QALY"),
    "life_year": ("life years", "life year"),
    "daly_averted": ("DALYs averted", "DALY averted"),
}


@tool(
    "evaluate_cost_effectiveness",
    input=CostEffectivenessInput,
    result=CostEffectivenessResult,
    validation=report.VALIDATION,
    offered=False,
)
def evaluate_cost_effectiveness(request: CostEffectivenessInput, context: ToolContext) -> CostEffectivenessResult:
    """Compute what treatments cost for the health they give: QALYs or DALYs, ICERs, net benefit, decision uncertainty.

    `model.kind` is one of: `comparison` (a yearly cost, an effect and its worth in utility: the simple question),
    `markov` (cohort, several strategies, time-dependent cells), `microsimulation` (people with memory),
    `partitioned_survival`, `burden` (DALYs of cascading events), `outcomes` (costs and effects as numbers or draws).
    Gives for each strategy discounted cost, effect and net monetary benefit with intervals from the draws of all
    uncertain parameters; dominance, extended dominance and ICERs along the frontier; acceptability curves and frontier;
    the expected value of perfect information; and with `starters` the budget impact in each year. A scenario: as good
    as the costs, utilities and probabilities it is given.
    """
    filled = fill(request, SHEET)
    model = filled.model
    years = len(request.starters)
    cycles, length = 1, 1.0
    if isinstance(model, (MarkovModel, Microsimulation, PartitionedSurvival)):
        cycles, length = model.cycles, model.cycle_years
    counting = arrays.count(
        cycles,
        length,
        correction=request.correction or ("none" if isinstance(model, Microsimulation) else "half_cycle"),
        cost_rate=filled.cost_rate,
        effect_rate=filled.effect_rate,
        timing=request.discount_timing,
        undiscounted_years=request.undiscounted_years,
        compounding=request.compounding,
        years=years,
    )
    found = evaluate_model(model, counting, request.draws, context)
    weighed = _weigh(request, filled, found)
    estimates, budget = report.estimates(weighed), None
    if years:
        budget = _budget(request, found, context.seed)
        estimates += _budget_estimates(request, budget, weighed)
    table = report.strategy_table(weighed)
    at = weighed.at_threshold
    people = request.decision_people_per_year
    best = weighed.names[int(at.best[0])]
    keep = slice(0, min(len(found.outcomes), request.draws))
    return CostEffectivenessResult(
        title=f"{' / '.join(weighed.names[:4])}: {best} is the best buy at "
        f"{request.currency} {filled.threshold:,.0f} per {weighed.effect_unit}",
        estimates=tuple(estimates),
        charts=(
            *report.charts(weighed, budget),
            *report.tornado(
                weighed, [(name, _pairs(request, low), _pairs(request, high)) for name, low, high in found.one_way]
            ),
            *_states(model, found, weighed.names),
        ),
        assumptions=filled.assumptions,
        warnings=_warnings(request, filled, found),
        source_ids=filled.source_ids,
        strategies=table,
        frontier=tuple(
            row.name for row in sorted(table, key=lambda one: one.cost) if row.standing == "on the frontier"
        ),
        threshold=filled.threshold,
        best=best,
        evpi=float(at.evpi[0]),
        evpi_population=None
        if people is None
        else decisions.population_evpi(float(at.evpi[0]), people, request.decision_years, filled.cost_rate),
        budget=() if budget is None else tuple(float(v) for v in budget.mean(axis=0)),
        cost_draws=tuple(tuple(weighed.cost[keep, 0, i].tolist()) for i in range(len(weighed.names))),
        effect_draws=tuple(tuple(weighed.effect[keep, 0, i].tolist()) for i in range(len(weighed.names))),
    )


def _weigh(request: CostEffectivenessInput, filled: Filled, found: Evaluated) -> report.Weighed:
    """The chosen effect, weighed against cost."""
    column, sign = EFFECTS[request.effect]
    cost, effect = found.outcomes[..., arrays.COST], sign * found.outcomes[..., column]
    base = _pairs(request, found.base)
    thresholds = (
        np.asarray(request.thresholds) if request.thresholds else np.linspace(0, 2 * filled.threshold, CURVE_POINTS)
    )
    mean_cost, mean_effect = cost.mean(axis=1), effect.mean(axis=1)
    label, unit = LABELS[request.effect]
    with_years = (
        isinstance(filled.model, (MarkovModel, Microsimulation, PartitionedSurvival)) and request.effect == "qaly"
    )
    return report.Weighed(
        names=filled.names,
        cost=cost,
        effect=effect,
        life_years=found.outcomes[..., arrays.LIFE_YEARS] if with_years else None,
        base=base,
        rows=report.weighed_rows(cost, effect),
        base_rows=decisions.frontier(base[:, 0], base[:, 1]),
        acceptance=decisions.acceptability(mean_cost, mean_effect, thresholds),
        at_threshold=decisions.acceptability(mean_cost, mean_effect, [filled.threshold]),
        threshold=filled.threshold,
        effect_label=label,
        effect_unit=unit,
        currency=request.currency,
        population=request.population,
        level=request.level,
        source_ids=filled.source_ids,
    )


def _pairs(request: CostEffectivenessInput, outcomes: FloatArray) -> FloatArray:
    """(S, 2) cost and chosen effect of outcomes (S, K)."""
    column, sign = EFFECTS[request.effect]
    return np.stack([outcomes[:, arrays.COST], sign * outcomes[:, column]], axis=1)


def _budget(request: CostEffectivenessInput, found: Evaluated, seed: int) -> FloatArray:
    """(D, Y) additional cost of the last strategy against the first, undiscounted."""
    yearly = found.outcomes[..., arrays.DALY + 1 :].mean(axis=1)
    if yearly.shape[-1] == 0 or yearly.shape[1] < 2:
        raise InvalidInput("A budget needs two strategies and yearly costs.", "Leave out 'starters'.")
    quantities = [as_uncertain(one) for one in request.starters]
    draws = len(yearly) if len(yearly) > 1 or all(one.certain for one in quantities) else request.draws
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
    starters = np.stack([one.draw(rng, draws) for one in quantities], axis=1)
    return decisions.budget_impact(yearly[:, -1] - yearly[:, 0], starters)


def _budget_estimates(request: CostEffectivenessInput, budget: FloatArray, weighed: report.Weighed) -> list[Estimate]:
    tail = 50 * (1 - request.level)
    sums = [("budget.total", "additional budget over all years", budget.sum(axis=1), len(request.starters) * 52.0)]
    sums += [
        (f"budget.year_{year + 1}", f"additional budget in year {year + 1}", budget[:, year], 52.0 * (year + 1))
        for year in range(budget.shape[1])
    ]
    return [
        Estimate(
            id=key, quantity=name, unit=request.currency, population=request.population, horizon_weeks=weeks,
            arm=f"{weighed.names[-1]} instead of {weighed.names[0]}", point=float(values.mean()),
            lower=float(np.percentile(values, tail)), upper=float(np.percentile(values, 100 - tail)),
            level=request.level, kind=Kind.SCENARIO, of=Level.COUNT, validation=report.VALIDATION,
            source_ids=weighed.source_ids, from_parameters=1.0, note="not discounted",
        )
        for key, name, values, weeks in sums
    ]  # fmt: skip


def _states(model: object, found: Evaluated, names: tuple[str, ...]) -> tuple[Chart, ...]:
    """Where the cohort is over time, for each strategy of a model with states."""
    if isinstance(model, (MarkovModel, Microsimulation)):
        states: tuple[str, ...] = model.states
    elif isinstance(model, PartitionedSurvival):
        states = (*(curve.state for curve in model.strategies[0].curves), "dead")
    else:
        return ()
    shown = []
    for name, shares in zip(names, found.occupancy, strict=False):
        points = np.unique(np.linspace(0, len(shares) - 1, min(61, len(shares))).astype(np.int64))
        series = tuple(
            Series(
                name=state,
                points=tuple(
                    Point(x=round(float(i * model.cycle_years), 4), y=100 * float(shares[i, k])) for i in points
                ),
            )
            for k, state in enumerate(states[: shares.shape[1]])
        )
        shown.append(
            Chart(kind="lines", title=f"Where the cohort is: {name}", x_label="years", y_label="%", series=series)
        )
    return tuple(shown)


def _warnings(request: CostEffectivenessInput, filled: Filled, found: Evaluated) -> tuple[str, ...]:
    said = list(filled.warnings)
    if found.crossed > 0:
        said.append(f"Survival curves crossed at {found.crossed:.0%} of the points and were cut to the upper one.")
    if found.outcomes.shape[0] == 1 and not found.people:
        said.append(
            "Nothing was given as uncertain: the figures have no interval, and the acceptability curve is a step."
        )
    if isinstance(filled.model, (Comparison, DiseaseBurden)) and request.effect == "life_year":
        said.append("This kind of model does not count life years; the effect shown is not one.")
    return tuple(said)
