"""From the figures of the runs to estimates and charts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tools.capacity.arrivals import FloatArray
from tools.capacity.schemas import ClinicInput, ClinicResult
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

VALIDATION = Validation.VERIFIED
QUANTITIES = {
    "wait_mean": ("mean wait", "time"),
    "wait_p90": ("wait that 9 of 10 patients do not exceed", "time"),
    "waited_share": ("patients who wait", "share"),
    "wait_over": ("patients who wait longer than {over:g} {time}", "share"),
    "queue_length": ("patients waiting, on average over time", "patients"),
    "utilisation": ("open server time that is used", "share"),
    "served": ("patients served", "rate"),
    "lost_share": ("patients turned away or who give up waiting", "share"),
    "arrivals": ("patients who arrive in a run", "patients"),
    "in_clinic_mean": ("time from arrival to leaving, whole pathway", "time"),
    "in_clinic_p90": ("time from arrival to leaving that 9 of 10 do not exceed", "time"),
    "completed_share": ("patients who complete their pathway", "share"),
    "cost": ("cost", "money"),
}


def estimates(request: ClinicInput, found: Mapping[str, FloatArray]) -> list[Estimate]:
    """An estimate for each figure that the request tells."""
    made = []
    units = {
        "time": request.time_unit, "share": "share", "patients": "patients",
        "rate": f"patients per {request.time_unit.removesuffix('s')}",
        "money": f"{request.currency} per {request.time_unit.removesuffix('s')}",
    }  # fmt: skip
    for key, values in found.items():
        where, figure = key.split(".")
        base, stream = (
            ("wait_mean", figure.removeprefix("wait_mean_")) if figure.startswith("wait_mean_") else (figure, "")
        )
        if (figure == "wait_over" and request.wait_over is None) or (figure == "cost" and not request.currency):
            continue
        what, kind = QUANTITIES[base]
        what = what.format(over=request.wait_over or 0, time=request.time_unit) + (f" of {stream}" if stream else "")
        summary = spread(values, level=request.level)
        made.append(
            Estimate(
                id=key, quantity=what, unit=units[kind], arm="" if where == "clinic" else where,
                population=f"patients of {where.replace('_', ' ')}", point=summary.mean, lower=summary.lower,
                upper=summary.upper, level=request.level, kind=Kind.SCENARIO,
                of=Level.SHARE if kind == "share" else Level.COUNT if kind in ("patients", "rate") else Level.COHORT_MEAN,
                validation=VALIDATION, from_parameters=summary.from_parameters,
            )
        )  # fmt: skip
    return made


def standard_errors(found: Mapping[str, FloatArray]) -> dict[str, dict[str, float]]:
    """Monte Carlo error of each mean, by station and figure."""
    table: dict[str, dict[str, float]] = {}
    for key, values in found.items():
        where, figure = key.split(".")
        table.setdefault(where, {})[figure] = spread(values).standard_error
    return table


def bars(request: ClinicInput, made: list[Estimate]) -> list[Chart]:
    """Waits and utilisation by station."""
    by_id = {one.id: one for one in made}

    def series(figure: str, factor: float = 1.0) -> tuple[Point, ...]:
        rows = [(s.name, by_id[f"{s.name}.{figure}"]) for s in request.stations if f"{s.name}.{figure}" in by_id]
        return tuple(
            Point(x=name, y=factor * e.point, lower=factor * (e.lower or 0), upper=factor * (e.upper or 0))
            for name, e in rows
        )

    return [
        Chart(
            kind="bars", title="Waits by station", x_label=request.time_unit, y_label="",
            series=(Series(name="mean", points=series("wait_mean")), Series(name="9 of 10 wait less", points=series("wait_p90"))),
        ),
        Chart(
            kind="bars", title="Utilisation by station", x_label="% of open server time", y_label="",
            series=(Series(name="used", points=series("utilisation", 100.0)),),
        ),
    ]  # fmt: skip


def sweep_report(request: ClinicInput, tried: Mapping[int, FloatArray]) -> ClinicResult:
    """What each number of servers gives, and the smallest that meets the target.

    Parameters
    ----------
    tried : (D, R) figures by number of servers.
    """
    assert request.sweep is not None  # called with a sweep only
    sweep = request.sweep
    counts = sorted(tried)
    unit = "share" if sweep.measure in ("wait_over", "lost_share", "utilisation") else request.time_unit
    what = QUANTITIES[sweep.measure][0].format(over=request.wait_over or 0, time=request.time_unit)
    summaries = {c: spread(tried[c], level=request.level) for c in counts}
    good = [c for c in counts if summaries[c].mean < sweep.below]
    by_draw = np.array(
        [min([c for c in counts if tried[c][d].mean() < sweep.below], default=counts[-1] + 1) for d in range(request.draws)]
    )  # fmt: skip
    tail = 50 * (1 - request.level)
    made = []
    if good:
        made.append(
            Estimate(
                id="sweep.servers_needed", quantity=f"servers needed so that the {what} lies below {sweep.below:g} {unit}",
                unit="servers", arm=sweep.station, population=f"patients of {sweep.station.replace('_', ' ')}",
                point=float(good[0]), lower=float(np.floor(np.percentile(by_draw, tail))),
                upper=float(np.ceil(np.percentile(by_draw, 100 - tail))), level=request.level, kind=Kind.SCENARIO,
                of=Level.COUNT, validation=VALIDATION, from_parameters=1.0 if request.draws > 1 else 0.0,
                note="interval over the draws of uncertain quantities; one more than the largest tried stands for more",
            )
        )  # fmt: skip
    chart = Chart(
        kind="lines", title=f"More or fewer servers: {sweep.station}", x_label="servers", y_label=f"{what} ({unit})",
        series=(
            Series(name=what, points=tuple(
                Point(x=float(c), y=summaries[c].mean, lower=summaries[c].lower, upper=summaries[c].upper) for c in counts
            )),
            Series(name="target", points=tuple(Point(x=float(c), y=sweep.below) for c in counts)),
        ),
    )  # fmt: skip
    rows = tuple(
        {"servers": float(c), "mean": summaries[c].mean, "lower": summaries[c].lower, "upper": summaries[c].upper,
         "standard_error": summaries[c].standard_error}
        for c in counts
    )  # fmt: skip
    missed = () if good else (f"None of the numbers of servers tried brings the {what} below {sweep.below:g} {unit}.",)
    return ClinicResult(
        title="", estimates=tuple(made), charts=(chart,), warnings=missed, sweep=rows,
        servers_needed=good[0] if good else None,
    )  # fmt: skip
