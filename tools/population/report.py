"""From realisations of a forecast to estimates and charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.population.filling import Drawn
from tools.population.running import Realised
from tools.population.schemas import FittedRate, PopulationInput
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VALIDATED
WEEKS_A_YEAR = 365.25 / 7
Z = 1.959963984540054


@dataclass(frozen=True)
class Frame:
    """What all estimates share."""

    population: str
    years: int
    level: float

    def estimate(
        self, key: str, what: str, unit: str, values: FloatArray, of: Level = Level.COUNT, note: str = ""
    ) -> Estimate:
        """An estimate from outcomes (D,) or (D, R)."""
        found = spread(values, level=self.level)
        return Estimate(
            id=key, quantity=what, unit=unit, horizon_weeks=self.years * WEEKS_A_YEAR, population=self.population,
            point=found.mean, lower=found.lower, upper=found.upper, level=self.level, kind=Kind.SCENARIO, of=of,
            validation=VALIDATION, from_parameters=found.from_parameters, note=note,
        )  # fmt: skip


def labels(request: PopulationInput, what: str) -> dict[str, list[int]]:
    """States by stage or line of therapy; those without one are left out."""
    found: dict[str, list[int]] = {}
    for i, state in enumerate(request.states):
        label = getattr(state, what)
        if label:
            found.setdefault(label, []).append(i)
    return found


def count_estimates(frame: Frame, request: PopulationInput, found: Realised) -> list[Estimate]:
    """People by state, stage and line; new cases, deaths and starts, at and in the last year."""
    last, entries = found.people[:, :, -1], found.entries
    living = [i for i, one in enumerate(request.states) if not one.dead]
    dead = [i for i, one in enumerate(request.states) if one.dead]
    year = f"at the end of year {frame.years}"
    made = [frame.estimate("prevalence", f"people alive in any state {year}", "people", last[..., living].sum(axis=-1))]
    for i, state in enumerate(request.states):
        made.append(frame.estimate(f"people.{state.name}", f"{state.name} {year}", "people", last[..., i]))
        if i in living:
            made.append(
                frame.estimate(f"starts.{state.name}", f"people who come into {state.name} in year {frame.years}",
                               "people per year", entries[:, :, -1, i])
            )  # fmt: skip
    for what in ("stage", "line"):
        for label, members in labels(request, what).items():
            alive = [i for i in members if i in living]
            made.append(frame.estimate(f"{what}.{label}", f"{what} {label} {year}", "people",
                                       last[..., alive].sum(axis=-1)))  # fmt: skip
    if dead:
        deaths = entries[..., dead].sum(axis=-1)
        made += [
            frame.estimate("deaths", f"deaths in year {frame.years}", "people per year", deaths[..., -1]),
            frame.estimate("deaths.total", f"deaths in {frame.years} years", "people", deaths.sum(axis=-1)),
        ]
    return made


def incidence_estimate(frame: Frame, drawn: Drawn) -> Estimate:
    """New cases in the last year."""
    new = drawn.inflow[:, -1].sum(axis=-1)
    return frame.estimate("incidence", f"new cases in year {frame.years}", "people per year", new)


def need_of(name: str, drawn: Drawn, found: Realised) -> FloatArray:
    """(D, R, T) need of a resource by year."""
    by_time = (found.person_years * drawn.per_person_year[name][:, None, None, :]).sum(axis=-1)
    return np.asarray(by_time + (found.entries * drawn.per_entry[name][:, None, None, :]).sum(axis=-1))


def need_report(
    frame: Frame, request: PopulationInput, drawn: Drawn, found: Realised
) -> tuple[list[Estimate], list[Chart]]:
    """Need by resource in the last year, and by which year what is available no longer suffices."""
    made, charts = [], []
    for resource in request.resources:
        need = need_of(resource.name, drawn, found)
        unit = f"{resource.unit} per year"
        made.append(frame.estimate(f"need.{resource.name}", f"{resource.name} in year {frame.years}", unit,
                                   need[..., -1]))  # fmt: skip
        series = [Series(name=resource.name, points=_band(need, lambda t: float(t + 1), frame.level))]
        if resource.available_per_year is not None:
            short = need > resource.available_per_year
            made.append(
                frame.estimate(f"short.{resource.name}", f"chance that {resource.name} fall short by year {frame.years}",
                               "share", short.any(axis=-1).astype(np.float64).mean(axis=1), Level.SHARE)
            )  # fmt: skip
            mean = need.mean(axis=(0, 1)) > resource.available_per_year
            if mean.any():
                made.append(
                    frame.estimate(f"short.{resource.name}.first_year",
                                   f"first year in which the mean need for {resource.name} exceeds what there is",
                                   "years", np.array([float(mean.argmax() + 1)]))
                )  # fmt: skip
            line = tuple(Point(x=float(t + 1), y=resource.available_per_year) for t in range(frame.years))
            series.append(Series(name="available", points=line))
        charts.append(
            Chart(kind="fan", title=f"Need: {resource.name}", x_label="year", y_label=unit, series=tuple(series))
        )
    return made, charts


def count_chart(request: PopulationInput, found: Realised, level: float) -> Chart:
    """People over time by state, stage or line."""
    members = {one.name: [i] for i, one in enumerate(request.states) if not one.dead}
    if request.show != "states":
        members = labels(request, request.show[:-1]) or members
    series = tuple(
        Series(name=name, points=_band(found.people[..., places].sum(axis=-1), float, level))
        for name, places in members.items()
    )
    return Chart(kind="lines", title=f"People by {request.show[:-1]}", x_label="year", y_label="people", series=series)


def fitted_rates(request: PopulationInput, drawn: Drawn) -> tuple[FittedRate, ...]:
    """Rates fitted to panel data with 95 % confidence intervals."""
    fit = drawn.fit
    if fit is None:
        return ()
    told = []
    for (a, b), group in zip(fit.transitions, fit.groups, strict=True):
        log, error = fit.coefficients[0, group], fit.errors[0, group]
        told.append(
            FittedRate(
                source=request.states[a].name, target=request.states[b].name, rate=float(np.exp(log)),
                lower=float(np.exp(log - Z * error)), upper=float(np.exp(log + Z * error)),
            )
        )  # fmt: skip
    return tuple(told)


def _band(values: FloatArray, x: Callable[[int], float], level: float) -> tuple[Point, ...]:
    """Mean and bands over (D, R, T)."""
    flat = values.reshape(-1, values.shape[-1])
    tail = 50 * (1 - level)
    lower, low, high, upper = np.percentile(flat, [tail, 25, 75, 100 - tail], axis=0)
    mean = flat.mean(axis=0)
    return tuple(
        Point(x=x(t), y=float(mean[t]), lower=float(lower[t]), upper=float(upper[t]), lower_50=float(low[t]),
              upper_50=float(high[t]))
        for t in range(flat.shape[-1])
    )  # fmt: skip
