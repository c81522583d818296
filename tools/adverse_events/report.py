"""From realisations, predictions and counts to estimates and charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.adverse_events.harms import Harms
from tools.adverse_events.model import aalen_johansen, exact_interval, interval
from tools.adverse_events.running import Realised
from tools.adverse_events.schemas import AdverseEventsInput, Count, Observed
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VALIDATED
WORDS = (
    "stopped treatment for another reason",
    "died on treatment",
    "still on treatment",
    "on treatment without any event",
)
KEYS = ("stopped.other", "died", "treated", "event_free")


@dataclass(frozen=True)
class Frame:
    """What the estimates of one question share."""

    population: str
    weeks: float | None
    level: float
    arm: str = ""
    source_ids: tuple[str, ...] = ()
    trials: int | None = None
    endpoint: str = ""
    kind: Kind = Kind.SCENARIO

    def estimate(self, key: str, what: str, unit: str, values: FloatArray, of: Level, note: str = "") -> Estimate:
        """An estimate from outcomes (D,) or (D, R): their mean, and of predictions the median as the response engine has it."""
        found, alone = spread(values, level=self.level), values.size == 1
        return Estimate(
            id=key, quantity=what, unit=unit, horizon_weeks=self.weeks, population=self.population,
            point=float(np.median(values)) if self.kind is Kind.PREDICTIVE else found.mean,
            lower=None if alone else found.lower, upper=None if alone else found.upper, level=self.level, kind=self.kind,
            of=of, validation=VALIDATION, arm=self.arm, endpoint=self.endpoint, source_ids=self.source_ids,
            n_trials=self.trials, from_parameters=None if alone else found.from_parameters, note=note,
        )  # fmt: skip


def event_report(request: AdverseEventsInput, found: Realised) -> tuple[list[Estimate], list[Chart]]:
    """People with each event, what became of treatment, and the course."""
    frame = Frame(f"{request.people:,} people on treatment", request.weeks, request.level)
    within = f"within {request.weeks:g} weeks"
    made = []
    for i, one in enumerate(request.events):
        made += [
            frame.estimate(f"occurred.{one.name}", f"people with {one.name} {within}", "people",
                           found.occurred[..., i], Level.COUNT),
            frame.estimate(f"share.{one.name}", f"share with {one.name} {within}", "%",
                           100 * found.occurred[..., i] / request.people, Level.SHARE),
            frame.estimate(f"stopped.{one.name}", f"people who stop treatment for {one.name} {within}", "people",
                           found.stopped[..., i], Level.COUNT),
        ]  # fmt: skip
    stopped = found.stopped.sum(axis=2)
    made.append(
        frame.estimate(
            "stopped.for_events", f"people who stop for an adverse event {within}", "people", stopped, Level.COUNT
        )
    )
    for i, (key, what) in enumerate(zip(KEYS, WORDS, strict=True)):
        made.append(frame.estimate(key, f"people {what} {within}", "people", found.rest[..., i], Level.COUNT))
    names = [*(one.name for one in request.events), "stopped treatment", "died"]
    tail = 50 * (1 - request.level)
    bands = 100 * np.percentile(found.curves, [tail, 100 - tail], axis=0)
    mean = 100 * found.curves.mean(axis=0)
    series = tuple(
        Series(name=name, points=tuple(
            Point(x=float(t * request.weeks), y=float(mean[j, i]), lower=float(bands[0, j, i]), upper=float(bands[1, j, i]))
            for j, t in enumerate(found.times)))
        for i, name in enumerate(names)
    )  # fmt: skip
    ends = [*((f"stopped for {one.name}", found.stopped[..., i]) for i, one in enumerate(request.events)),
            *((word, found.rest[..., i]) for i, word in enumerate(WORDS[:3]))]  # fmt: skip
    bars = tuple(Point(x=name, y=float(values.mean())) for name, values in ends)
    charts = [
        Chart(kind="lines", title="Cumulative incidence", x_label="weeks", y_label="% of people", series=series),
        Chart(kind="bars", title=f"What has become of treatment {within}", x_label="", y_label="people",
              series=(Series(name="people", points=bars),)),
    ]  # fmt: skip
    return made, charts


def harm_report(
    request: AdverseEventsInput, harms: Harms, seed: int
) -> tuple[list[Estimate], list[Chart], dict[str, tuple[float, ...]]]:
    """Shares and numbers of people with each harm under the treatment and the comparator."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(6)[5])
    made: list[Estimate] = []
    treated: list[Point] = []
    control: list[Point] = []
    draws: dict[str, tuple[float, ...]] = {}
    within = f"within {harms.weeks:.4g} weeks"
    for harm in harms.harms:
        name, label = harm.endpoint.endpoint_id, harm.endpoint.label
        people = rng.binomial(request.people, harm.shares[:, None, :].repeat(request.replicates, axis=1)).astype(
            np.float64
        )
        frame = Frame(harms.population, harms.weeks, request.level, harms.treatment, harm.source_ids, harm.trials, name,
                      Kind.PREDICTIVE)  # fmt: skip
        other = Frame(harms.population, harms.weeks, request.level, harms.comparator, harm.source_ids, harm.trials, name,
                      Kind.PREDICTIVE)  # fmt: skip
        both = f"{harms.treatment} minus {harms.comparator}"
        shares = [
            one.model_copy(update={
                "id": f"{name}.{side}", "quantity": f"{label} {within}", "validation": VALIDATION, "n_trials": harm.trials,
                "from_parameters": 1.0,
            })
            for side, one in zip(("share", "control_share"), harm.told, strict=True)
        ]  # fmt: skip
        made += [
            *shares,
            frame.estimate(f"{name}.people", f"people of {request.people:,} with: {label} {within}", "people",
                           people[..., 0], Level.COUNT),
            other.estimate(f"{name}.control_people", f"people of {request.people:,} with: {label} {within}", "people",
                           people[..., 1], Level.COUNT),
            frame.estimate(f"{name}.extra", f"more people of {request.people:,} with: {label} {within}", "people",
                           people[..., 0] - people[..., 1], Level.COUNT, note=both).model_copy(update={"arm": both}),
        ]  # fmt: skip
        draws[f"{name}.people"] = tuple(people[:, 0, 0].tolist())
        for points, one in ((treated, shares[0]), (control, shares[1])):
            points.append(Point(x=label, y=one.point, lower=one.lower, upper=one.upper))
    series = (Series(name=harms.treatment, points=tuple(treated)), Series(name=harms.comparator, points=tuple(control)))
    chart = Chart(kind="bars", title=f"Harms {within}", x_label="", y_label="% of people", series=series)
    return made, [chart], draws


def observed_report(observed: Observed, level: float) -> tuple[list[Estimate], list[Chart]]:
    """Aalen-Johansen estimates at the times asked for, and the curves (InvalidInput as `aalen_johansen`)."""
    names = list(dict.fromkeys(one for one in observed.causes if one))
    number = {name: i + 1 for i, name in enumerate(names)} | {"": 0}
    found = aalen_johansen(observed.times, [number[one] for one in observed.causes])
    at = np.array(observed.at or (float(found.times[found.incidence.sum(axis=1).argmax()]),))
    free, shares, variance = found.at(at)
    lower, upper = interval(shares, variance, level)
    who = f"{len(observed.times):,} people observed"
    made = []
    for t, time in enumerate(at):
        for i, name in enumerate(names):
            made.append(
                Estimate(
                    id=f"observed.{name}.{time:g}", quantity=f"cumulative incidence of {name} by {time:g} {observed.unit}",
                    unit="%", population=who, point=100 * float(shares[t, i]), lower=100 * float(lower[t, i]),
                    upper=100 * float(upper[t, i]), level=level, kind=Kind.CONFIDENCE, of=Level.SHARE, validation=VALIDATION,
                )
            )  # fmt: skip
        made.append(
            Estimate(
                id=f"observed.free.{time:g}", quantity=f"without any event by {time:g} {observed.unit}", unit="%",
                population=who, point=100 * float(free[t]), level=level, kind=Kind.DESCRIPTIVE, of=Level.SHARE,
                validation=VALIDATION,
            )
        )  # fmt: skip
    keep = np.unique(np.linspace(0, len(found.times) - 1, 200).astype(int))
    low, high = interval(found.incidence[keep], found.variance[keep], level)
    series = tuple(
        Series(name=name, points=(Point(x=0.0, y=0.0), *(
            Point(x=float(found.times[k]), y=100 * float(found.incidence[k, i]), lower=100 * float(low[j, i]),
                  upper=100 * float(high[j, i])) for j, k in enumerate(keep))))
        for i, name in enumerate(names)
    )  # fmt: skip
    title = "Cumulative incidence of competing events, as observed"
    return made, [Chart(kind="lines", title=title, x_label=observed.unit, y_label="% of people", series=series)]


def count_report(counts: tuple[Count, ...], level: float) -> list[Estimate]:
    """Shares with exact intervals (InvalidInput as `exact_interval`)."""
    made = []
    for one in counts:
        lower, upper = exact_interval(one.events, one.people, level)
        note = f"exact interval; each limit alone holds {100 * (1 + level) / 2:g} %"
        if one.events == 0:
            note += ". Nobody had it: the upper limit is what the rule of three approximates"
        made.append(
            Estimate(
                id=f"count.{one.name}", quantity=f"share with {one.name}: {one.events:,} of {one.people:,}", unit="%",
                population=f"{one.people:,} people", point=100 * one.events / one.people, lower=100 * lower,
                upper=100 * upper, level=level, kind=Kind.CONFIDENCE, of=Level.SHARE, validation=VALIDATION, note=note,
            )
        )  # fmt: skip
    return made
