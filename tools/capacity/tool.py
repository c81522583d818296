"""`simulate_clinic_capacity`: waits, utilisation and cost of a clinic, and how many servers it needs."""

from __future__ import annotations

from dataclasses import replace

from knowledge.errors import InvalidInput
from tools.capacity import report
from tools.capacity.filling import Filled, fill
from tools.capacity.schemas import ClinicInput, ClinicResult
from tools.capacity.simulation import simulate
from tools.context import ToolContext
from tools.registry import tool
from tools.uncertainty import FloatArray


@tool("simulate_clinic_capacity", input=ClinicInput, result=ClinicResult, validation=report.VALIDATION, offered=False)
def simulate_clinic_capacity(request: ClinicInput, context: ToolContext) -> ClinicResult:
    """Simulate patients passing through a clinic: waits, utilisation, queues, patients lost, cost.

    Stations are beds, scanners, infusion chairs or staff (`servers`, or `shifts` in a cycle) with a service duration, a
    waiting room, patience and balking; `then` routes patients on with shares and new priorities (triage). Streams of
    patients come at a rate, at rates that vary by period, or by appointment with no-shows. All times are in `time_unit`.
    `sweep` answers how many servers a station needs, e.g. chairs so that 9 of 10 wait less than 7 days. Arrival rates,
    durations and costs are the user's; they may be uncertain, or draws of another tool.
    """
    filled = fill(request, context.seed)
    found, patients = simulate(request, filled, context)
    made = report.estimates(request, found)
    swept = ClinicResult(title="")
    if request.sweep is not None:
        swept = report.sweep_report(request, _sweep(request, filled, context))
    waits = "; ".join(
        f"{one.arm}: {one.point:.3g} {one.unit}" for one in made if one.id.endswith(".wait_p90") and one.arm
    )
    title = f"Nine of ten patients wait no longer than – {waits}"
    if swept.servers_needed is not None and request.sweep is not None:
        title = f"{swept.servers_needed} servers at {request.sweep.station} meet the target. {title}"
    return ClinicResult(
        title=title,
        estimates=(*swept.estimates, *made),
        charts=(*swept.charts, *report.bars(request, made)),
        assumptions=tuple(_assumptions(request, filled)),
        warnings=(*swept.warnings, *_warnings(request, found)),
        standard_errors=report.standard_errors(found),
        servers_needed=swept.servers_needed,
        sweep=swept.sweep,
        runs=request.draws * request.replicates,
        patients=patients,
    )


def _sweep(request: ClinicInput, filled: Filled, context: ToolContext) -> dict[int, FloatArray]:
    """(D, R) of the measure for each number of servers; the same patients come in each."""
    if request.sweep is None:
        return {}
    place = [s.name for s in request.stations].index(request.sweep.station)
    where = "clinic" if request.sweep.measure == "in_clinic_p90" else request.sweep.station
    tried = {}
    if request.stations[place].shifts:
        raise InvalidInput(
            "A sweep changes a constant number of servers.", "Give `servers` instead of shifts at this station."
        )
    for step, count in enumerate(sorted(set(request.sweep.servers))):
        changed = replace(
            filled,
            clinics=[clinic.with_servers(place, count) for clinic in filled.clinics],
            capacity=filled.capacity.copy(),
        )
        changed.capacity[place] = count * (request.run_length - request.warm_up)
        context.progress(0.3 + 0.6 * step / len(request.sweep.servers), f"with {count} servers")
        quiet = replace(context, progress=lambda _fraction, _message: None)
        tried[count] = simulate(request, changed, quiet)[0][f"{where}.{request.sweep.measure}"]
    return tried


def _assumptions(request: ClinicInput, filled: Filled) -> list[str]:
    said = [
        "Patients come independently of one another, and service times do not depend on how busy the clinic is.",
        "Services that have begun are finished, also after closing; nobody new is called then.",
        "Waits are those of patients who were served; all who arrived within a run are followed until they leave.",
    ]
    if filled.certain:
        said.append(
            "All rates, durations and costs are taken as exactly known; intervals show differences between runs."
        )
    else:
        said.append(
            "Intervals are over runs under drawn values of what is uncertain, so they hold ignorance and chance."
        )
    if request.warm_up == 0:
        said.append("The clinic starts empty and nothing is left out at the beginning (warm-up 0).")
    if request.currency:
        said.append("Scheduled server time is paid whether used or not; overtime costs nothing extra.")
    return said


def _warnings(request: ClinicInput, found: dict[str, FloatArray]) -> list[str]:
    full = [s.name for s in request.stations if float(found[f"{s.name}.utilisation"].mean()) > 0.98]
    return [
        f"{name} is used for 98 % of its time or more: its queue may keep growing, so that waits depend on the run's length."
        for name in full
    ]
