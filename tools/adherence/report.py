"""From draws and measures to estimates and charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.adherence import implementation
from tools.adherence.filling import Drawn
from tools.adherence.measures import COLUMNS, Adherence, Discontinuation
from tools.adherence.schemas import SimulateInput
from tools.adherence.simulation import Outcomes
from tools.response.estimands import adherence_share
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VERIFIED
MEASURED = Validation.VALIDATED
WORDS = {
    "CMA1": "days' supply without the last event's, over first to last event",
    "CMA2": "days' supply, over first event to the window's end",
    "CMA3": "as CMA1, at most 1",
    "CMA4": "as CMA2, at most 1",
    "CMA5": "days without gaps, over first to last event",
    "CMA6": "days without gaps, over first event to the window's end",
    "CMA7": "days without gaps in the whole window, with supply from before",
    "CMA8": "as CMA7, from when the supply from before is used up",
    "CMA9": "share of supplied days, spread over each interval between events",
    "PDC": "proportion of days covered, from the first event in the window",
}


@dataclass(frozen=True)
class Frame:
    """What all estimates share."""

    population: str
    treatment: str
    level: float
    source_ids: tuple[str, ...]
    weeks: float

    def estimate(
        self,
        key: str,
        quantity: str,
        unit: str,
        outcomes: npt.ArrayLike,
        of: Level,
        expected: npt.ArrayLike | None = None,
        note: str = "",
    ) -> Estimate:
        """An estimate from outcomes (D,) or (D, R); the point is the mean of what is expected of each draw."""
        summary = spread(outcomes, level=self.level)
        point = summary.mean if expected is None else float(np.asarray(expected, dtype=np.float64).mean())
        return Estimate(
            id=key, quantity=quantity, unit=unit, arm=self.treatment, horizon_weeks=self.weeks,
            population=self.population, point=point, lower=min(summary.lower, point), upper=max(summary.upper, point),
            level=self.level, kind=Kind.SCENARIO, of=of, validation=VALIDATION, source_ids=self.source_ids,
            from_parameters=summary.from_parameters, note=note,
        )  # fmt: skip


def simulated(request: SimulateInput, drawn: Drawn, found: Outcomes, frame: Frame) -> list[Estimate]:
    """Persistence, cover, what is left of the dose and effect, supply, groups and hazard ratios."""
    days = request.horizon_days
    end = f"after {days:g} days"
    make = frame.estimate
    late, taken = found.curve[..., -1], drawn.taken[:, None]
    rows = [
        make("persistence.at_end", f"still on treatment {end}", "share", late, Level.SHARE, found.curve_expected[:, -1]),
        make(
            "persistence.median_days", "half have stopped by", "days", drawn.scale * np.log(2) ** (1 / drawn.shape),
            Level.INDIVIDUAL, note="may lie beyond the horizon",
        ),
        make("time.on_treatment", f"mean time on treatment within {days:g} days", "days", found.days, Level.COHORT_MEAN,
             found.days_expected),
        make("pdc.mean", "mean proportion of days covered", "share", found.cover, Level.COHORT_MEAN, found.cover_expected,
             note="the share of all prescribed doses that is taken, stopping counted; scales dose, and with it drug cost"),
    ]  # fmt: skip
    if found.adherent is not None and found.adherent_expected is not None:
        what = f"with a proportion of days covered of {request.adherent_from:g} or more"
        rows.append(make("pdc.adherent_share", what, "share", found.adherent, Level.SHARE, found.adherent_expected))
    rows.append(
        make(
            "dose.at_end", f"mean share of the prescribed dose taken {end}", "share", late * taken, Level.COHORT_MEAN,
            found.curve_expected[:, -1] * drawn.taken, note="who has stopped counts as 0",
        )
    )  # fmt: skip
    doses = found.days * taken * request.doses_per_day
    doses_expected = found.days_expected * drawn.taken * request.doses_per_day
    rows.append(make("supply.doses", "doses taken per person", "doses", doses, Level.COHORT_MEAN, doses_expected))
    nodes = implementation.people_nodes(drawn.taken, drawn.taken_sd or 0.0)
    if request.pack_doses is not None:
        packs = implementation.packs_begun(
            request.pack_doses / request.doses_per_day, nodes, days, drawn.shape, drawn.scale
        )
        rows.append(
            make("supply.packs", "packs begun per person", "packs", packs, Level.COHORT_MEAN,
                 note="expected, without chance: one on day 0, another whenever one is used up")
        )  # fmt: skip
    if request.dose_response is not None and drawn.half_dose is not None:
        kept = _kept(request.dose_response.dose, drawn.half_dose, nodes)
        rows.append(
            make(
                "effect.remaining", f"share of the full effect {end}", "share", late * kept[:, None], Level.COHORT_MEAN,
                found.curve_expected[:, -1] * kept, note="who has stopped counts as without effect",
            )
        )  # fmt: skip
    on = found.days_expected / days
    rows += [
        make(f"pdc.mean.{name}", f"mean proportion of days covered: {name.replace('_', ' ')}", "share", on * share,
             Level.COHORT_MEAN, note="expected, without chance")
        for name, share in drawn.groups.items()
    ]  # fmt: skip
    rows += [
        make(f"hazard_ratio.{name}", f"hazard ratio of stopping per unit of {name}", "ratio", values, Level.COHORT_MEAN,
             [float(np.exp(row.log_hazard_ratio))])
        for row in drawn.fitted
        for name, values in [(row.name, drawn.hazard_ratios[row.name])]
    ]  # fmt: skip
    return rows


def _kept(dose: float, half_dose: FloatArray, nodes: FloatArray) -> FloatArray:
    """(D,) effect of the doses taken by who is on treatment over that of all doses (Emax)."""
    return np.asarray(adherence_share(nodes, dose, half_dose[:, None]).mean(axis=1))


def curve_chart(times: FloatArray, found: Outcomes, frame: Frame) -> Chart:
    """Still on treatment over time, with the interval of draws and chance."""
    tail = 50 * (1 - frame.level)
    flat = found.curve.reshape(-1, times.size)
    low, low_half, high_half, high = np.percentile(flat, [tail, 25, 75, 100 - tail], axis=0)
    expected = found.curve_expected.mean(axis=0)
    points = tuple(
        Point(x=float(when), y=float(expected[i]), lower=float(low[i]), upper=float(high[i]),
              lower_50=float(low_half[i]), upper_50=float(high_half[i]))
        for i, when in enumerate(times)
    )  # fmt: skip
    return Chart(
        kind="survival", title=f"Still on {frame.treatment}", x_label="days", y_label="share on treatment",
        series=(Series(name=frame.population, points=points),),
    )  # fmt: skip


def measured(found: Adherence, stopped: Discontinuation, limit: float, level: float) -> list[Estimate]:
    """Mean of each measure over the patients it is defined for, share adherent, and discontinuation."""
    patients = len(found.patients)
    rows: list[Estimate] = []

    def add(key: str, quantity: str, unit: str, values: FloatArray, of: Level, note: str = "") -> None:
        tail = 50 * (1 - level)
        low, high = np.percentile(values, [tail, 100 - tail]) if of is Level.INDIVIDUAL else (None, None)
        rows.append(
            Estimate(
                id=key, quantity=quantity, unit=unit, population=f"{patients} patients with refill records",
                point=float(values.mean()), lower=None if low is None else float(low),
                upper=None if high is None else float(high), level=level, kind=Kind.DESCRIPTIVE, of=of,
                validation=MEASURED, source_ids=("doi-10.1371-journal.pone.0174426",), note=note,
            )
        )  # fmt: skip

    for name in COLUMNS[3:]:
        values = found.of(name)
        defined = values[np.isfinite(values)]
        if defined.size:
            note = f"defined for {defined.size} of {patients} patients; the interval is between patients"
            add(f"{name.lower()}.mean", f"{name}: {WORDS[name]}", "share", defined, Level.INDIVIDUAL, note)
    cover = found.of("PDC")
    cover = cover[np.isfinite(cover)]
    if cover.size:
        add(
            "pdc.adherent_share",
            f"PDC of {limit:g} or more",
            "share",
            (cover >= limit - 1e-9).astype(float),
            Level.SHARE,
        )
    add("discontinued.share", "discontinued within the follow-up", "share", stopped.stopped.astype(float), Level.SHARE)
    add(
        "time.on_treatment",
        "days from the first record to discontinuation or the end",
        "days",
        stopped.days,
        Level.INDIVIDUAL,
    )
    return rows


def measured_chart(rows: list[Estimate]) -> Chart:
    """Means of the measures."""
    points = tuple(
        Point(x=one.id.split(".")[0].upper(), y=one.point, lower=one.lower, upper=one.upper)
        for one in rows
        if one.id.endswith(".mean")
    )
    return Chart(
        kind="forest", title="Refill adherence by measure", x_label="share", y_label="",
        series=(Series(name="mean, and interval between patients", points=points),),
    )  # fmt: skip
