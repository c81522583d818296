"""`measure_adherence` from refill records, and `simulate_adherence`: who stays on a treatment and takes how much of it."""

from __future__ import annotations

import numpy as np

from tools.adherence import report
from tools.adherence.filling import drawn_of
from tools.adherence.measures import COLUMNS, Windows, adherence_of, discontinuation_of
from tools.adherence.refills import arrange
from tools.adherence.schemas import (
    MeasureInput,
    MeasureResult,
    PatientAdherence,
    SimulateInput,
    SimulateResult,
)
from tools.adherence.simulation import simulate
from tools.context import ToolContext
from tools.registry import tool

FEW = 30
LISTED = 1000


@tool("simulate_adherence", input=SimulateInput, result=SimulateResult, validation=report.VALIDATION, offered=False)
def simulate_adherence(request: SimulateInput, context: ToolContext) -> SimulateResult:
    """Simulate adherence: how many people stay on a treatment over time, and what share of its doses they take.

    Give `people`, the horizon in days, persistence (a share still on treatment at a time and a Weibull shape, shares at
    several times, or seen times to fit a Weibull and a Cox model to) and `implementation`, the share of doses taken while
    on treatment with its spread between people; a `cohort` whose archetype tells them may stand in for both. Also the
    effect of more doses a day, of a raised copay, and between groups. Returns persistence, the proportion of days
    covered, who reaches 80 %, how much of dose and effect remains, and doses and packs per person.
    """
    context.progress(0.1, "drawing persistence and doses taken")
    drawn = drawn_of(request, context.personas, context.seed)
    times, found = simulate(request, drawn, context)
    context.progress(0.9, "summarising")
    frame = report.Frame(
        drawn.population, request.treatment, request.level, tuple(drawn.source_ids), request.horizon_days / 7
    )
    warnings = list(drawn.warnings)
    if drawn.taken_sd is None:
        warnings.append("How people differ is not known: the share who reach the limit of adherence is left out; give "
                        "'implementation_sd'.")  # fmt: skip
    if request.people < FEW:
        warnings.append(f"With fewer than {FEW} people the interval of mean cover is approximate.")
    assumptions = [
        *drawn.assumptions,
        "Nobody restarts. Who stops early and who takes fewer doses are taken as unrelated.",
    ]
    if request.dose_response is not None:
        assumptions.append("Nothing of the effect is left in who has stopped; simulate_stopping tells what may return.")
    late = float(found.curve_expected[:, -1].mean())
    return SimulateResult(
        title=f"{drawn.population}: about {100 * late:.0f} % are still on {request.treatment} after "
        f"{request.horizon_days:g} days",
        estimates=tuple(report.simulated(request, drawn, found, frame)),
        charts=(report.curve_chart(times, found, frame),),
        assumptions=tuple(assumptions),
        warnings=tuple(warnings),
        source_ids=tuple(drawn.source_ids),
        fitted=drawn.fitted,
        draws={
            "persistence": tuple(found.curve_expected[:, -1].tolist()),
            "implementation": tuple(drawn.taken.tolist()),
            "cover": tuple(found.cover_expected.tolist()),
            "days_on_treatment": tuple(found.days_expected.tolist()),
        },
    )


@tool("measure_adherence", input=MeasureInput, result=MeasureResult, validation=report.MEASURED, offered=False)
def measure_adherence(request: MeasureInput, context: ToolContext) -> MeasureResult:
    """Measure adherence in refill records: CMA1 to CMA9 of AdhereR, proportion of days covered, and discontinuation.

    Give `records` (patient, day or date, days' supply, and when known medication and daily dose), the follow-up and the
    observation window in days since each patient's first record, how oversupply is carried on, and the permissible gap
    after which a treatment counts as discontinued. Returns means over patients and the measures of each patient.
    """
    records = request.records
    when = [one.date.toordinal() if one.date is not None else one.day for one in records]
    refills = arrange(
        np.array([one.patient for one in records]),
        np.array(when, dtype=np.float64),
        np.array([one.days_supply for one in records]),
        np.array([one.medication for one in records]),
        np.array([one.daily_dose for one in records]),
    )
    context.progress(0.3, "measuring refills")
    windows = Windows(
        request.followup_start, request.followup_days, request.observation_start, request.observation_days
    )
    found = adherence_of(
        refills, windows, same_medication=request.carry_same_medication, dose_change=request.consider_dose_change
    )
    stopped = discontinuation_of(
        refills,
        request.permissible_gap,
        followup_days=request.followup_start + request.followup_days,
        same_medication=request.carry_same_medication,
        dose_change=request.consider_dose_change,
        change_ends=request.medication_change_ends,
    )
    rows = report.measured(found, stopped, request.adherent_from, request.level)
    patients = tuple(
        PatientAdherence(
            patient=str(found.patients[p]),
            events=int(found.values[p, 0]),
            events_in_window=int(found.values[p, 1]),
            days_supply=float(found.values[p, 2]),
            measures={
                name: float(value) for name, value in zip(COLUMNS[3:], found.values[p, 3:], strict=True) if np.isfinite(value)
            },
            days_on_treatment=float(stopped.days[p]),
            discontinued=bool(stopped.stopped[p]),
        )
        for p in range(min(len(found.patients), LISTED))
    )  # fmt: skip
    warnings = []
    if len({(one.patient, one.day, one.date, one.medication, one.days_supply) for one in records}) < len(records):
        warnings.append("Some records are the same in patient, day, medication and supply; each is counted.")
    if len(found.patients) > LISTED:
        warnings.append(f"The first {LISTED} of {len(found.patients)} patients are listed; the means are of all.")
    silent = int((found.of("events_in_window") == 0).sum())
    if silent:
        warnings.append(f"{silent} of {len(found.patients)} patients have no supply in the observation window.")
    return MeasureResult(
        title=f"Refill adherence of {len(found.patients)} patients",
        estimates=tuple(rows),
        charts=(report.measured_chart(rows),),
        assumptions=(
            "All supplies are recorded and taken by the patient they were for, oversupply before new supply.",
        ),
        warnings=tuple(warnings),
        source_ids=("doi-10.1371-journal.pone.0174426",),
        patients=patients,
    )
