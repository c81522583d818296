"""From the figures of the runs to estimates and charts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.supply import model
from tools.supply.filling import FloatArray
from tools.supply.schemas import Lot, SupplyInput
from tools.uncertainty import spread

VALIDATION = Validation.VALIDATED
QUANTITIES = {
    "fill_rate": ("demand met at once from stock", "share"),
    "periods_short": ("periods with unmet demand", "share"),
    "short": ("demand not met at once", "flow"),
    "stock": ("stock at the end of a period", "amount"),
    "orders": ("orders placed", "orders"),
    "ordered": ("units ordered", "flow"),
    "wasted": ("units that expire", "flow"),
    "waste_share": ("ordered units that expire", "share"),
    "cost": ("cost, less what is received", "money"),
}


def _units(request: SupplyInput) -> dict[str, str]:
    return {
        "share": "share", "flow": f"{request.unit} per {request.period}", "amount": request.unit,
        "orders": f"orders per {request.period}", "money": f"{request.currency} per {request.period}",
    }  # fmt: skip


def has_costs(request: SupplyInput, figures: Mapping[str, FloatArray]) -> bool:
    """Whether costs were given."""
    return bool(request.currency) and bool(np.any(figures["supply.cost"]))


def estimates(request: SupplyInput, found: Mapping[str, FloatArray]) -> list[Estimate]:
    """An estimate of each figure, and of what the disruption adds."""
    rows = dict(found)
    for key in list(found):
        name, figure = key.split(".")
        if name == "undisrupted" and figure in ("short", "cost", "wasted"):
            rows[f"disruption.{figure}"] = found[f"supply.{figure}"] - found[key]
    units, made = _units(request), []
    for key, values in rows.items():
        name, figure = key.split(".")
        base = next(k for k in sorted(QUANTITIES, key=len, reverse=True) if figure == k or figure.startswith(f"{k}_"))
        stage = figure[len(base) + 1 :]
        if base == "cost" and not has_costs(request, found):
            continue
        what, kind = QUANTITIES[base]
        what += f" at {stage}" if stage else ""
        what += {"undisrupted": ", without the disruption", "disruption": ", added by the disruption"}.get(name, "")
        summary = spread(values, level=request.level)
        made.append(
            Estimate(
                id=key, quantity=what, unit=units[kind], population=f"demand for {request.product}", point=summary.mean,
                lower=summary.lower, upper=summary.upper, level=request.level, kind=Kind.SCENARIO,
                of=Level.SHARE if kind == "share" else Level.COUNT, validation=VALIDATION,
                from_parameters=summary.from_parameters,
            )
        )  # fmt: skip
    return made


def exact(key: str, what: str, unit: str, value: float, product: str) -> Estimate:
    """An estimate that a formula gives."""
    return Estimate(
        id=key, quantity=what, unit=unit, population=f"demand for {product}", point=value, kind=Kind.SCENARIO,
        of=Level.COUNT, validation=VALIDATION,
    )  # fmt: skip


def standard_errors(found: Mapping[str, FloatArray]) -> dict[str, dict[str, float]]:
    """Monte Carlo error of each mean, by the two parts of its id."""
    table: dict[str, dict[str, float]] = {}
    for key, values in found.items():
        name, figure = key.split(".")
        table.setdefault(name, {})[figure] = spread(values).standard_error
    return table


def lot_report(lot: Lot, request: SupplyInput) -> tuple[list[Estimate], Chart]:
    """Order quantity, its cost, and how the cost grows when another quantity is ordered."""
    plain = model.eoq(lot.fixed_cost, lot.holding_cost, lot.demand_rate)
    disrupted = None
    if lot.shortage_cost is not None and lot.disruption_rate is not None and lot.recovery_rate is not None:
        disrupted = (lot.shortage_cost, lot.demand_rate, lot.disruption_rate, lot.recovery_rate)
    best = model.eoq_with_disruptions(lot.fixed_cost, lot.holding_cost, *disrupted) if disrupted else plain
    money = f"{request.currency} per unit of time" if request.currency else "money per unit of time"
    made = [
        exact("lot.quantity", "units per order at the lowest cost", request.unit, best.level, request.product),
        exact("lot.cost", "ordering, holding and shortage cost", money, best.cost, request.product),
    ]

    def cost(quantity: float) -> float:
        if disrupted:
            return model.eoq_with_disruptions_cost(quantity, lot.fixed_cost, lot.holding_cost, *disrupted)
        return lot.fixed_cost * lot.demand_rate / quantity + lot.holding_cost * quantity / 2

    tried = best.level * np.linspace(0.25, 3.0, 45)
    chart = Chart(
        kind="lines", title="Cost of ordering more or less at once", x_label=request.unit, y_label=money,
        series=(Series(name="cost", points=tuple(Point(x=float(q), y=cost(float(q))) for q in tried)),),
    )  # fmt: skip
    return made, chart


def charts(request: SupplyInput, found: Mapping[str, FloatArray], traces: Mapping[str, FloatArray]) -> list[Chart]:
    """Service as bars, and stock (of a chain: units owed) over the first periods."""
    names = {"supply": "with the disruption" if "undisrupted" in traces else "supply", "undisrupted": "without it"}
    bars = tuple(
        Series(name=names[name], points=tuple(
            Point(x=QUANTITIES[key][0], y=100 * s.mean, lower=100 * s.lower, upper=100 * s.upper)
            for key in ("fill_rate", "periods_short", "waste_share") if f"{name}.{key}" in found
            for s in [spread(found[f"{name}.{key}"], level=request.level)]
        ))
        for name in traces
    )  # fmt: skip
    made = [Chart(kind="bars", title=f"Service of {request.product}", x_label="%", y_label="", series=bars)]
    if all(trace.size for trace in traces.values()):
        what = "owed to the customers" if request.stages else "stock"
        made.append(
            Chart(
                kind="lines", title=f"{what.capitalize()}, mean of the runs", x_label=f"{request.period}s",
                y_label=request.unit,
                series=tuple(
                    Series(name=names[name], points=tuple(Point(x=float(t), y=float(y)) for t, y in enumerate(trace)))
                    for name, trace in traces.items()
                ),
            )
        )  # fmt: skip
    return made
