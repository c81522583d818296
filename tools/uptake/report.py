"""From draws of the funnel, the diffusion and the choice to estimates and charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread
from tools.uptake import bass
from tools.uptake.funnel import Counts
from tools.uptake.simulation import Chosen

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VALIDATED
WEEKS_A_MONTH = 365.25 / 12 / 7


@dataclass(frozen=True)
class Frame:
    """What all estimates share."""

    population: str
    treatment: str
    level: float
    source_ids: tuple[str, ...]

    def estimate(
        self,
        key: str,
        quantity: str,
        unit: str,
        outcomes: npt.ArrayLike,
        of: Level,
        weeks: float | None = None,
        note: str = "",
    ) -> Estimate:
        """An estimate from outcomes (D,) or (D, R)."""
        summary = spread(outcomes, level=self.level)
        return Estimate(
            id=key, quantity=quantity, unit=unit, arm=self.treatment, horizon_weeks=weeks, population=self.population,
            point=summary.mean, lower=summary.lower, upper=summary.upper, level=self.level, kind=Kind.SCENARIO, of=of,
            validation=VALIDATION, source_ids=self.source_ids, from_parameters=summary.from_parameters, note=note,
        )  # fmt: skip


def treatment_years(counts: Counts) -> FloatArray:
    """(D, R, G) years on treatment within the horizon: mean of each month's two ends."""
    on = counts.on_treatment.astype(np.float64)
    return np.asarray((on.sum(axis=-1) - 0.5 * on[..., -1]) / 12 + 0.0)


def funnel_estimates(frame: Frame, payers: tuple[str, ...], after: Counts, before: Counts | None) -> list[Estimate]:
    """Counts at the end of the horizon, in all and by payer, and what the plan adds."""
    months = after.started.shape[-1]
    weeks = months * WEEKS_A_MONTH
    made: list[Estimate] = []

    def steps(counts: Counts) -> list[tuple[str, str, str, FloatArray, float | None]]:
        return [
            ("eligible", "eligible", "people", counts.eligible.astype(np.float64), None),
            ("covered", "eligible and covered", "people", counts.covered.astype(np.float64), None),
            ("started", f"started within {months} months", "people", counts.started.sum(axis=-1).astype(np.float64), weeks),
            ("on_treatment", f"on treatment after {months} months", "people", counts.on_treatment[..., -1].astype(np.float64), weeks),
            ("treatment_years", f"years on treatment within {months} months", "person-years", treatment_years(counts), weeks),
        ]  # fmt: skip

    rows_after, rows_before = steps(after), steps(before) if before is not None else None
    for place, (key, what, unit, values, when) in enumerate(rows_after):
        made.append(frame.estimate(f"{key}.total", what, unit, values.sum(axis=-1), Level.COUNT, when))
        if len(payers) > 1:
            made += [
                frame.estimate(f"{key}.{payer.lower()}", f"{what}: {payer}", unit, values[..., g], Level.COUNT, when)
                for g, payer in enumerate(payers)
            ]
        if rows_before is not None and key != "eligible":
            more = (values - rows_before[place][3]).sum(axis=-1)
            made.append(
                frame.estimate(f"{key}.additional", f"{what}, more than before the plan", unit, more, Level.COUNT, when)
            )
    return made


def funnel_charts(frame: Frame, payers: tuple[str, ...], after: Counts) -> list[Chart]:
    """On treatment and ever started over time, and the funnel as bars."""
    tails = [50 * (1 - frame.level), 25, 50, 75, 100 - 50 * (1 - frame.level)]

    def fan(values: FloatArray) -> tuple[Point, ...]:
        flat = values.reshape(-1, values.shape[-1])
        low, low_half, _, high_half, high = np.percentile(flat, tails, axis=0)
        return tuple(
            Point(x=float(m + 1), y=float(flat[:, m].mean()), lower=float(low[m]), upper=float(high[m]),
                  lower_50=float(low_half[m]), upper_50=float(high_half[m]))
            for m in range(values.shape[-1])
        )  # fmt: skip

    on = after.on_treatment.sum(axis=-2).astype(np.float64)
    ever = np.cumsum(after.started.sum(axis=-2), axis=-1).astype(np.float64)
    bars = [
        ("eligible", after.eligible),
        ("covered", after.covered),
        ("started", after.started.sum(axis=-1)),
        ("still on treatment", after.on_treatment[..., -1]),
    ]
    return [
        Chart(
            kind="fan",
            title=f"People on {frame.treatment}",
            x_label="months",
            y_label="people",
            series=(Series(name="on treatment", points=fan(on)), Series(name="ever started", points=fan(ever))),
        ),
        Chart(
            kind="bars",
            title="From eligible to staying on",
            x_label="people",
            y_label="",
            series=tuple(
                Series(
                    name=payer,
                    points=tuple(Point(x=name, y=float(counts[..., g].mean())) for name, counts in bars),
                )
                for g, payer in enumerate(payers)
            ),
        ),
    ]


def diffusion_report(
    frame: Frame, p: FloatArray, q: FloatArray, market: FloatArray, years: float
) -> tuple[list[Estimate], Chart]:
    """Peak and adoption over time from draws of the coefficients."""
    peaks = [bass.peak(float(a), float(b), float(c)) for a, b, c in zip(p, q, market, strict=True)]
    t = np.linspace(0, years, 61)
    curve = market[:, None] * bass.adopted(t[None], p[:, None], q[:, None])
    unit = "people" if market.max() > 1 else "share"
    made = [
        frame.estimate("diffusion.peak_time", "time of fastest adoption", "years", [one.time for one in peaks], Level.SHARE),
        frame.estimate("diffusion.peak_rate", "adoptions per year then", unit, [one.rate for one in peaks], Level.COUNT),
        frame.estimate("diffusion.peak_share", "share adopted by then", "share", [one.share for one in peaks], Level.SHARE),
        frame.estimate("diffusion.adopted", f"adopted after {years:g} years", unit, curve[:, -1], Level.COUNT, years * 52.18),
        frame.estimate(
            "diffusion.adopted_share", f"share of the market after {years:g} years", "share",
            curve[:, -1] / np.maximum(market, 1e-300), Level.SHARE, years * 52.18,
        ),
    ]  # fmt: skip
    tail = 50 * (1 - frame.level)
    low, high = np.percentile(curve, [tail, 100 - tail], axis=0)
    points = tuple(
        Point(x=float(when), y=float(curve[:, i].mean()), lower=float(low[i]), upper=float(high[i]))
        for i, when in enumerate(t)
    )
    chart = Chart(
        kind="fan", title=f"Adoption of {frame.treatment}", x_label="years since launch", y_label=f"adopted ({unit})",
        series=(Series(name="adopted", points=points),),
    )  # fmt: skip
    return made, chart


def choice_report(frame: Frame, chosen: Chosen) -> tuple[list[Estimate], list[Chart]]:
    """Shares before and after, and the gain in money."""
    made, bars = [], []
    for place, name in enumerate(chosen.names):
        key = "".join(c if c.isalnum() else "_" for c in name.lower())
        made += [
            frame.estimate(
                f"choice.{key}.before", f"choose {name}, before", "share", chosen.before[:, place], Level.SHARE
            ),
            frame.estimate(
                f"choice.{key}.after", f"choose {name}, after", "share", chosen.after[:, place], Level.SHARE
            ),
        ]
    for label, values in (("before", chosen.before), ("after", chosen.after)):
        points = tuple(Point(x=name, y=100 * float(values[:, i].mean())) for i, name in enumerate(chosen.names))
        bars.append(Series(name=label, points=points))
    if chosen.surplus is not None:
        made.append(
            frame.estimate(
                "choice.consumer_surplus", "gain in consumer surplus per choice", "money", chosen.surplus,
                Level.COHORT_MEAN, note="in the unit of the cost attribute",
            )
        )  # fmt: skip
    charts = (
        [Chart(kind="bars", title="What people choose", x_label="%", y_label="", series=tuple(bars))]
        if chosen.names
        else []
    )
    return made, charts
