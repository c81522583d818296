"""`simulate_supply`: stock-outs, waste and cost of a way to order, and what a disruption does to it."""

from __future__ import annotations

from tools.context import ToolContext
from tools.registry import tool
from tools.schemas import Chart, Estimate
from tools.supply import report
from tools.supply.filling import Filled, fill
from tools.supply.schemas import SupplyInput, SupplyResult
from tools.supply.simulation import simulate
from tools.uncertainty import FloatArray


@tool("simulate_supply", input=SupplyInput, result=SupplyResult, validation=report.VALIDATION, offered=False)
def simulate_supply(request: SupplyInput, context: ToolContext) -> SupplyResult:
    """Simulate a stock: how often it runs out, what is wasted, what it costs, and what a disruption of supply does.

    Give `demand` per period (a distribution with mean, or `paths` drawn by a forecast) and a `policy`: base_stock, s_S, r_Q,
    or the best rule computed exactly (newsvendor, optimal_s_S, optimal_perishable). Lead times, `life` of perishables with
    oldest- or freshest-first issuing, unmet demand that waits or is lost, `disruption` (random, or given outages), which is
    compared with no disruption. `stages` is a chain of stocks instead of one. `lot` gives the economic order quantity, also
    with disruptions. Demand, lead times and costs are the user's; they may be uncertain.
    """
    made: list[Estimate] = []
    drawn: list[Chart] = []
    title: list[str] = []
    filled: Filled | None = None
    found: dict[str, FloatArray] = {}
    best: tuple[tuple[int, ...], ...] = ()
    if request.demand is not None:
        filled = fill(request, context.seed)
        found, traces = simulate(request, filled, context)
        made += _rule(request, filled)
        made += report.estimates(request, found)
        drawn += report.charts(request, found, traces)
        met = next(one for one in made if one.id == "supply.fill_rate")
        title.append(f"{100 * met.point:.3g} % of the demand for {request.product} is met at once")
        if filled.policy == 3 and request.life == 2 and request.lead_time == 1:
            table = filled.table.reshape(filled.base, filled.base)
            best = tuple(tuple(int(cell) for cell in row) for row in table)
    if request.lot is not None:
        rows, chart = report.lot_report(request.lot, request)
        made += rows
        drawn.append(chart)
        title.append(f"order {rows[0].point:,.0f} {request.unit} at once")
    one_rule = filled is not None and request.policy is not None and filled.policy != 3
    return SupplyResult(
        title="; ".join(title),
        estimates=tuple(made),
        charts=tuple(drawn),
        assumptions=tuple(_assumptions(request, filled)),
        warnings=tuple(_warnings(request, found)),
        standard_errors=report.standard_errors(found),
        reorder=filled.low if filled and one_rule and filled.policy in (1, 2) else None,
        order_up_to=filled.level if filled and one_rule and filled.policy in (0, 1) else None,
        best_orders=best,
        runs=request.draws * request.replicates if filled else 0,
    )


def _rule(request: SupplyInput, filled: Filled) -> list[Estimate]:
    """The computed rule, where one was asked for."""
    if filled.expected is None or request.policy is None:
        return []
    made = []
    if filled.policy != 3:
        made.append(
            report.exact("policy.level", "order up to, at the lowest cost", request.unit, filled.level, request.product)
        )
    if filled.policy == 1:
        made.append(
            report.exact("policy.reorder", "order at or below this position", request.unit, filled.low, request.product)
        )
    cost = f"{request.currency} per {request.period}"
    what = "cost of the best rule in the long run, by exact calculation"
    made.append(report.exact("policy.expected_cost", what, cost, filled.expected, request.product))
    return made


def _assumptions(request: SupplyInput, filled: Filled | None) -> list[str]:
    said = []
    if filled is not None:
        said.append(
            "In each period deliveries arrive, the order is placed, demand comes, what is too old is thrown away, and costs are counted."
            if not request.stages
            else "In each period demand and orders go up the chain, then deliveries and shipments come down, and costs are counted."
        )
        if request.demand is not None and not request.demand.paths:
            said.append("Demand of different periods is independent, apart from the pattern given.")
        if filled.certain:
            said.append("Mean demand and costs are taken as exactly known; intervals show chance only.")
        else:
            said.append(
                "Intervals are over runs under drawn values of what is uncertain, so they hold ignorance and chance."
            )
        if request.policy is not None and filled.expected is not None and not filled.certain:
            said.append("The best rule was computed for the base case of the uncertain quantities.")
        if request.warm_up == 0:
            said.append(
                f"The stock begins with {request.start_stock:g} {request.unit}; nothing is left out at the beginning."
            )
        if request.disruption is not None:
            said.append("While the supplier is down orders are accepted; they leave when it is up again.")
    if request.lot is not None:
        said.append("The order quantity is for steady demand and immediate delivery; demand in an outage is lost.")
    return said


def _warnings(request: SupplyInput, found: dict[str, FloatArray]) -> list[str]:
    said = []
    if request.demand is not None and request.demand.paths and request.draws > len(request.demand.paths):
        said.append(f"{len(request.demand.paths)} paths of demand are used again for {request.draws} draws.")
    if request.demand is not None and request.demand.distribution == "normal" and (request.demand.cv or 0) > 0.33:
        said.append("Normal demand with so large a spread is often below 0 and is then taken as 0; gamma fits better.")
    if request.disruption is not None and request.policy is not None and "optimal" in request.policy.kind:
        said.append("The best rule was computed for a supplier that never fails.")
    if found and float(found["supply.fill_rate"].mean()) < 0.5:
        said.append("Less than half of the demand is met at once: the ordering rule is too low for this demand.")
    return said
