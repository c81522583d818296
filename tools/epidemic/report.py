"""From runs of the epidemic to estimates and charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.epidemic import model
from tools.epidemic.filling import Drawn, Scene, biology_of, setting_of
from tools.epidemic.running import Outcomes
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VERIFIED
MOST_POINTS = 200
OUTCOMES = ("infections", "hospitalisations", "deaths")


@dataclass(frozen=True)
class Frame:
    """What all estimates share."""

    population: str
    weeks: float | None
    level: float

    def estimate(self, key: str, what: str, unit: str, values: npt.ArrayLike, of: Level, note: str = "") -> Estimate:
        """An estimate from outcomes (D,) or (D, R)."""
        found = spread(values, level=self.level)
        return Estimate(
            id=key, quantity=what, unit=unit, horizon_weeks=self.weeks, population=self.population, point=found.mean,
            lower=found.lower, upper=found.upper, level=self.level, kind=Kind.SCENARIO, of=of, validation=VALIDATION,
            from_parameters=found.from_parameters, note=note,
        )  # fmt: skip


def told_outcomes(scene: Scene) -> tuple[str, ...]:
    """Infections, and hospital stays and deaths where their rates are given for any group."""
    given = {"hospitalisations": "hospitalised", "deaths": "died"}
    return tuple(
        what
        for what in OUTCOMES
        if what == "infections" or any(getattr(g, given[what]) is not None for g in scene.groups)
    )


def course_estimates(frame: Frame, scene: Scene, found: Outcomes, minor_share: float) -> list[Estimate]:
    """Totals, attack rates, peak and extinction."""
    made = [
        frame.estimate(f"{what}.total", what, "people", found.burden(what), Level.COUNT)
        for what in told_outcomes(scene)
    ]
    people = scene.people.sum(axis=0)
    made.append(
        frame.estimate(
            "attack_rate", "infected at least once or again, per person", "share",
            found.burden("infections") / people.sum(), Level.SHARE,
        )
    )  # fmt: skip
    if len(people) > 1:
        for g, group in enumerate(scene.groups):
            for what in told_outcomes(scene):
                key = f"attack_rate.{group.name}" if what == "infections" else f"{what}_share.{group.name}"
                rate = getattr(found, what)[..., g] / people[g]
                made.append(frame.estimate(key, f"{what} per person: {group.name}", "share", rate, Level.SHARE))
    died_out = (found.ended >= 0) & (found.burden("infections") < max(2.0, minor_share * float(people.sum())))
    made += [
        frame.estimate("peak.cases_per_day", "most new infections in a day", "people per day",
                       found.incidence.max(axis=-1), Level.COUNT),
        frame.estimate("peak.day", "day with most new infections", "days",
                       found.incidence.argmax(axis=-1).astype(np.float64), Level.COUNT),
        frame.estimate("peak.infectious", "most people infectious at one time", "people", found.largest, Level.COUNT),
        frame.estimate("extinction.probability", "outbreaks that die out early", "share",
                       died_out.astype(np.float64).mean(axis=1), Level.SHARE,
                       f"Ended with fewer than {100 * minor_share:g} % of the population infected."),
    ]  # fmt: skip
    return made


def closed_forms(frame: Frame, scene: Scene, drawn: Drawn) -> list[Estimate]:
    """What theory says at the start, with the immunity and vaccination of the start and no measures."""
    rows = []
    for d in range(len(drawn)):
        setting, biology = setting_of(scene, drawn, d, act=False), biology_of(scene, drawn, d)
        people = setting.people.sum(axis=0).astype(np.float64)
        present = setting.start.sum(axis=0) / people[:, None]
        taken = np.broadcast_to(biology.relative[:, 0], present.shape)
        contacts = setting.mixing / people[None, :]
        start = model.effective_reproduction_number(biology.reproduction_number, contacts, people, taken, present)
        infected = model.final_size(biology.reproduction_number, contacts, people, taken, present)
        total = float(((present * infected).sum(axis=1) * people).sum() / people.sum())
        growth = model.growth_rate(start, biology.latent, biology.infectious) if start > 0 else np.nan
        rows.append((start, total, model.extinction_probability(start, biology.dispersion, 1), growth))
    start, size, extinct, growth = np.asarray(rows, dtype=np.float64).T
    made = [
        frame.estimate("r_effective.start", "reproduction number at the start", "people per case", start, Level.COUNT),
        frame.estimate("extinction.one_case", "chance that one case starts no epidemic (branching process)", "share",
                       extinct, Level.SHARE),
    ]  # fmt: skip
    if scene.request.immunity_days is None and not scene.request.variants:
        made.append(
            frame.estimate("final_size.theory", "infected in the end of a large epidemic, without measures", "share",
                           size, Level.SHARE)
        )  # fmt: skip
    if np.isfinite(growth).all():
        made.append(frame.estimate("growth.per_day", "early growth", "per day", growth, Level.COUNT))
        if (growth > 0).all():
            made.append(frame.estimate("doubling.days", "early doubling time", "days", np.log(2) / growth, Level.COUNT))
    return made


def final_size(frame: Frame, scene: Scene, drawn: Drawn) -> list[Estimate]:
    """Closed forms that need no course over time."""
    made = [one for one in closed_forms(frame, scene, drawn) if one.id.split(".")[0] not in ("growth", "doubling")]
    share = next(one for one in made if one.id == "final_size.theory")
    people = int(scene.people.sum())
    ends = {end: None if value is None else people * value
            for end, value in (("lower", share.lower), ("upper", share.upper))}  # fmt: skip
    infected = share.model_copy(
        update={"id": "final_size.people", "quantity": "people infected in the end of a large epidemic, without measures",
                "unit": "people", "point": people * share.point, "of": Level.COUNT, **ends}
    )  # fmt: skip
    return [infected, share, *(one for one in made if one is not share)]


def averted_estimates(frame: Frame, scene: Scene, with_it: Outcomes, without: Outcomes) -> list[Estimate]:
    """What measures and vaccination during the outbreak prevent."""
    return [
        frame.estimate(f"averted.{what}", f"{what} averted by measures and vaccination", "people",
                       without.burden(what) - with_it.burden(what), Level.COUNT)
        for what in told_outcomes(scene)
    ]  # fmt: skip


def protection(
    frame: Frame, scene: Scene, nobody: Outcomes, choices: dict[str, Outcomes]
) -> tuple[list[Estimate], Chart, tuple[str, ...]]:
    """What each choice of whom to vaccinate before the outbreak prevents, and the order of the choices."""
    target = scene.request.protect_against
    made, bars = [], []
    for name, found in choices.items():
        for what in told_outcomes(scene):
            averted = nobody.burden(what) - found.burden(what)
            made.append(
                frame.estimate(f"protect.{name}.{what}_averted", f"{what} averted: {name} first", "people", averted,
                               Level.COUNT)
            )  # fmt: skip
            if what == target:
                bars.append((name, made[-1]))
    bars.sort(key=lambda one: -one[1].point)
    chart = Chart(
        kind="bars", title=f"Whom to protect first: {target} averted", x_label="people", y_label="",
        series=(Series(name=f"{target} averted", points=tuple(
            Point(x=name, y=one.point, lower=one.lower, upper=one.upper) for name, one in bars)),),
    )  # fmt: skip
    return made, chart, tuple(name for name, _ in bars)


def charts(scene: Scene, found: Outcomes, without: Outcomes | None, level: float) -> list[Chart]:
    """New infections a day, the reproduction number over time, and attack rates."""
    days = np.arange(0, found.incidence.shape[-1], max(1, found.incidence.shape[-1] // MOST_POINTS))
    flat = found.incidence.reshape(-1, found.incidence.shape[-1])[:, days]
    tail = 50 * (1 - level)
    bands = np.percentile(flat, [tail, 25, 75, 100 - tail], axis=0)
    series = [
        Series(name="new infections", points=tuple(
            Point(x=float(day), y=float(flat[:, i].mean()), lower=float(bands[0, i]), upper=float(bands[3, i]),
                  lower_50=float(bands[1, i]), upper_50=float(bands[2, i]))
            for i, day in enumerate(days)
        ))
    ]  # fmt: skip
    if without is not None:
        mean = without.incidence.reshape(-1, without.incidence.shape[-1])[:, days].mean(axis=0)
        series.append(
            Series(
                name="without measures",
                points=tuple(Point(x=float(day), y=float(y)) for day, y in zip(days, mean, strict=True)),
            )
        )
    new, used = found.incidence.mean(axis=(0, 1)), found.spent.mean(axis=(0, 1))
    ratio = [Point(x=float(d), y=float(new[d] / used[d])) for d in days if used[d] > 1]
    made = [
        Chart(kind="fan", title="New infections", x_label="days", y_label="people per day", series=tuple(series)),
    ]
    if ratio:
        made.append(
            Chart(
                kind="lines", title="Reproduction number over time (Rt)", x_label="days", y_label="people per case",
                series=(Series(name="Rt", points=tuple(ratio)),),
            )
        )  # fmt: skip
    if len(scene.groups) > 1:
        people = scene.people.sum(axis=0)
        made.append(
            Chart(
                kind="bars", title="Infections per person, by group", x_label="share", y_label="",
                series=(Series(name="attack rate", points=tuple(
                    Point(x=group.name, y=float(found.infections[..., g].mean() / people[g]))
                    for g, group in enumerate(scene.groups))),),
            )
        )  # fmt: skip
    return made
