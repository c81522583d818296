"""From patients' blood cells to estimates, a chart and sentences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tools.adverse_events.marrow_filling import Typical
from tools.adverse_events.model import Doses, suppress
from tools.adverse_events.report import Frame
from tools.adverse_events.schemas import Cells, MyelosuppressionInput
from tools.parameter_sheet import ParameterSheet
from tools.schemas import Chart, Estimate, Level, Point, Series

FloatArray = npt.NDArray[np.float64]
UNIT = "10^9 per litre"


def typical_estimates(frame: Frame, typical: Typical, given: Doses, hours: float, cells: Cells) -> list[Estimate]:
    """The typical patient's lowest count and its day, under each draw."""
    lowest, days = [], []
    for draw in range(len(typical.clearance)):
        marrow, modes, oral = typical.patients(draw, 1, None)
        found = suppress(marrow, modes, given, hours, absorption=oral, available=typical.available)
        lowest.append(found.nadir[0])
        days.append(found.nadir_day[0])
    return [
        frame.estimate("nadir.typical", f"lowest {cells.kind} of the typical patient", UNIT, np.array(lowest), Level.INDIVIDUAL),
        frame.estimate("nadir_day.typical", "its day, from the first dose", "days", np.array(days), Level.INDIVIDUAL),
    ]  # fmt: skip


def patient_estimates(frame: Frame, lowest: FloatArray, days: FloatArray, cells: Cells, differ: bool) -> list[Estimate]:
    """Lowest counts and their days from patient to patient; none where patients are alike."""
    if not differ:
        return []
    return [
        frame.estimate("nadir.patients", f"lowest {cells.kind}, from patient to patient", UNIT, lowest, Level.INDIVIDUAL),
        frame.estimate("nadir_day.patients", "its day, from patient to patient", "days", days, Level.INDIVIDUAL),
    ]  # fmt: skip


def count_chart(curves: FloatArray, grid: FloatArray, limits: dict[str, float], cells: Cells, level: float) -> Chart:
    """Counts over time from patient to patient, with the limits."""
    tail = 50 * (1 - level)
    lower, low, middle, high, upper = np.percentile(curves, [tail, 25, 50, 75, 100 - tail], axis=0)
    points = tuple(
        Point(x=float(grid[g] / 24), y=float(middle[g]), lower=float(lower[g]), upper=float(upper[g]),
              lower_50=float(low[g]), upper_50=float(high[g]))
        for g in range(grid.size)
    )  # fmt: skip
    ends = (0.0, float(grid[-1] / 24))
    bounds = (Series(name=name, points=tuple(Point(x=x, y=bound) for x in ends)) for name, bound in limits.items())
    return Chart(
        kind="fan", title=f"{cells.kind.capitalize()} from patient to patient", x_label="days", y_label=UNIT,
        series=(Series(name=cells.kind, points=points), *bounds),
    )  # fmt: skip


def sources_of(request: MyelosuppressionInput, sheet: ParameterSheet) -> tuple[str, ...]:
    """Sources of the parameters and limits that were used."""
    used = [one.source_id for name, one in sheet.items() if request.drug and name.startswith(request.drug)]
    used += [one.source_id for name, one in sheet.items() if "_grade_" in name and not request.limits]
    return tuple(dict.fromkeys(used))


def assumptions_of(
    request: MyelosuppressionInput, typical: Typical, sheet: ParameterSheet, followed: int
) -> tuple[str, ...]:
    """What was taken for granted, in full sentences."""
    said = ["Doses are given as planned, whatever the counts; growth factors are not given."]
    if request.drug and request.compartments is None:
        said.append(f"All patients have the same pharmacokinetics of {request.drug}, that of the typical patient.")
    if request.drug and request.cells is None:
        said.append(f"{sheet[f'{request.drug}_baseline'].description}.")
    if typical.certain:
        said.append(
            "Parameters are taken as exactly known: intervals show differences between patients and chance only."
        )
    if not any(typical.spread.values()):
        said.append("All patients are alike: no differences between them were given.")
    if followed < request.people:
        said.append(
            f"{followed:,} patients are followed under each draw; the cohort's numbers are drawn from their shares."
        )
    return tuple(said)


def warnings_of(request: MyelosuppressionInput, cells: Cells, sheet: ParameterSheet) -> tuple[str, ...]:
    """Where the parameters are used beyond what they were estimated for."""
    warned = []
    if request.drug and request.infusion_hours is not None:
        usual = sheet[f"{request.drug}_infusion"].value
        if request.infusion_hours != usual:
            warned.append(f"The parameters of {request.drug} were estimated with infusions of {usual:g} h.")
    if request.drug and cells.kind == "leukocytes" and not request.limits:
        warned.append("These are leukocytes; neutrophils, by which dosing is decided, fall further.")
    return tuple(warned)
