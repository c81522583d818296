"""From the chain's draws to estimates, one group for each link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.cost_effectiveness.decisions import acceptability
from tools.policy.cost_link import VISITS, Cost, Visits
from tools.policy.filling import Matrix
from tools.policy.model import clinic_wait
from tools.policy.response_link import WEEKS_A_YEAR, Response
from tools.policy.schemas import Clinic, PolicyInput
from tools.policy.uptake_link import Uptake
from tools.schemas import Estimate, Kind, Level, Validation
from tools.uncertainty import spread
from tools.uptake.funnel import Counts
from tools.uptake.report import treatment_years

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VERIFIED
# Ratios get an interval only where next to no draw lies in another quadrant.
SAME_QUADRANT = 0.999
WEIGHT = ("weight_percent_change", "weight_change")


@dataclass(frozen=True)
class Frame:
    """What all estimates share."""

    population: str
    treatment: str
    level: float
    months: int
    horizon_weeks: float
    source_ids: tuple[str, ...]

    @property
    def weeks(self) -> float:
        """Weeks of the months that are counted."""
        return self.months / 12 * WEEKS_A_YEAR

    def make(
        self,
        key: str,
        quantity: str,
        unit: str,
        outcomes: npt.ArrayLike,
        of: Level,
        *,
        kind: Kind = Kind.SCENARIO,
        note: str = "",
        endpoint: str = "",
    ) -> Estimate:
        """An estimate from outcomes (D,) or (D, R)."""
        found = spread(outcomes, level=self.level)
        # What does not vary is taken as known: an interval without width would look like a measured certainty.
        varies = found.upper > found.lower
        return Estimate(
            id=f"policy.{key}", quantity=quantity, unit=unit, endpoint=endpoint, arm=self.treatment,
            horizon_weeks=self.horizon_weeks, population=self.population, point=found.mean, lower=found.lower if varies else None,
            upper=found.upper if varies else None, level=self.level, kind=kind, of=of, validation=VALIDATION, source_ids=self.source_ids,
            from_parameters=found.from_parameters if varies else None, note=note,
        )  # fmt: skip


def uptake_figures(frame: Frame, uptake: Uptake) -> list[Estimate]:
    """People at each step of the funnel under the plan, and how many more than today."""
    span = f"within {frame.months} months"

    def steps(counts: Counts) -> list[tuple[str, str, str, FloatArray]]:
        return [
            ("eligible", "people with this payer who are eligible", "people", counts.eligible[..., 0].astype(np.float64)),
            ("covered", "eligible people who are covered", "people", counts.covered[..., 0].astype(np.float64)),
            ("started", f"people who start {span}", "people", counts.started.sum(axis=(-1, -2)).astype(np.float64)),
            ("on_treatment", f"on treatment after {frame.months} months", "people", counts.on_treatment[..., 0, -1].astype(np.float64)),
            ("treatment_years", f"years on treatment {span}", "person-years", treatment_years(counts).sum(axis=-1)),
        ]  # fmt: skip

    now = steps(uptake.counts[0])
    made = [frame.make(f"uptake.{key}", what, unit, values, Level.COUNT) for key, what, unit, values in now]
    if uptake.before is not None:
        for (key, what, unit, values), old in zip(now[1:], steps(uptake.before)[1:], strict=True):
            more = values - old[3]
            made.append(frame.make(f"uptake.{key}.additional", f"{what}, more than today", unit, more, Level.COUNT))
    share = uptake.persistence
    made.append(
        frame.make("uptake.persistence", "share still on treatment a year after starting", "share", share, Level.SHARE)
    )
    return made


def response_key(response: Response) -> str:
    """Name of the change among the estimates."""
    name = response.endpoint.endpoint_id
    return "response.weight_change" if name in WEIGHT else f"response.{name}"


def response_figures(frame: Frame, response: Response) -> list[Estimate]:
    """Mean change at the horizon since starting: all starters, those who stay, those who stop, and without the drug."""
    course, unit, label = response.course, response.endpoint.unit, response.endpoint.label
    key, name = response_key(response), response.endpoint.endpoint_id
    when = f"{frame.months} months after starting"
    rows = [
        ("", f"{label} {when}, everybody who starts", course.everyone[:, -1], Kind.SCENARIO),
        (".persistent", f"{label} {when}, those still on treatment", course.persistent[:, -1], Kind.PREDICTIVE),
        (".without_drug", f"{label} {when}, without the drug", response.without, Kind.PREDICTIVE),
        (".gain", f"{label} {when}, everybody who starts, beyond that without the drug", response.gain.everyone[:, -1], Kind.SCENARIO),
    ]  # fmt: skip
    if course.on[:, -1].min() < 1 - 1e-12:
        rows.insert(2, (".stopped", f"{label} {when}, those who have stopped", course.stopped[:, -1], Kind.SCENARIO))
    made = [
        frame.make(f"{key}{suffix}", what, unit, values, Level.COHORT_MEAN, kind=kind, endpoint=name)
        for suffix, what, values, kind in rows
    ]
    weight = response.cohort.mean("weight")
    if name == "weight_percent_change" and weight is not None:
        kilos = course.everyone[:, -1] * weight / 100
        note = f"at the cohort's mean weight of {weight:.0f} kg"
        made.append(
            frame.make(f"{key}.kg", f"{label} {when}, everybody who starts", "kg", kilos, Level.COHORT_MEAN, note=note)
        )
    return made


def cost_figures(frame: Frame, cost: Cost, started: FloatArray) -> tuple[list[Estimate], str]:
    """Cost, QALYs, their ratio, net benefit and the payer's budget; and why the ratio is missing."""
    mean, people = Level.COHORT_MEAN, "per person who starts, against no treatment"
    made = [frame.make("cost.visits_per_starter", f"cost of visits {people}", "US$", cost.visits, mean)]
    if cost.drug is not None and cost.cost is not None:
        made.append(frame.make("cost.drug_per_starter", f"cost of the drug {people}", "US$", cost.drug, mean))
        made.insert(0, frame.make("cost.per_starter", f"cost of drug and visits {people}", "US$", cost.cost, mean))
    if cost.qaly is not None:
        made.append(frame.make("cost.qaly", f"quality-adjusted life years gained {people}", "QALY", cost.qaly, mean))
        gained = cost.qaly[:, None] * started
        made.append(
            frame.make("cost.qaly_total", "quality-adjusted life years gained in all", "QALY", gained, Level.COUNT)
        )
    why = cost.missing
    if cost.cost is not None and cost.qaly is not None:
        ratio, why = _ratio(frame, cost.cost, cost.qaly, why)
        made += ratio
        made += _decision(frame, cost.cost, cost.qaly, cost.threshold, started)
    if cost.budget:
        total = cost.budget[0].sum(axis=-1)
        if cost.before is not None:
            total = total - cost.before.sum(axis=-1)
        made.append(
            frame.make(
                "cost.budget", f"added cost to the payer within {frame.months} months", "US$", total, Level.COUNT,
                note="not discounted, less copays",
            )
        )  # fmt: skip
    return made, why


def _ratio(frame: Frame, cost: FloatArray, qaly: FloatArray, why: str) -> tuple[list[Estimate], str]:
    more, gained = float(cost.mean()), float(qaly.mean())
    if gained <= 0 and more > 0:
        return [], f"{why} No cost per QALY: the treatment costs more and gains nothing (it is dominated).".strip()
    if gained > 0 and more <= 0:
        return [], f"{why} No cost per QALY: the treatment gains health and saves money (it dominates).".strip()
    if gained == 0:
        return [], f"{why} No cost per QALY: no health is gained or lost.".strip()
    lower = upper = None
    note = "ratio of mean cost to mean QALYs; health-care sector, whoever pays"
    inside = (np.sign(qaly) == np.sign(gained)) & (np.sign(cost) == np.sign(more))
    if len(cost) > 1 and inside.mean() >= SAME_QUADRANT:
        tail = 50 * (1 - frame.level)
        lower, upper = (float(v) for v in np.percentile(cost[inside] / qaly[inside], [tail, 100 - tail]))
    elif len(cost) > 1:
        note += "; no interval, as the draws lie in several quadrants – see the acceptability curve"
    made = Estimate(
        id="policy.cost.icer", quantity="cost per QALY gained, against no treatment", unit="US$ per QALY",
        arm=frame.treatment, horizon_weeks=frame.horizon_weeks, population=frame.population, point=more / gained,
        lower=lower, upper=upper, level=frame.level, kind=Kind.SCENARIO, of=Level.COHORT_MEAN, validation=VALIDATION,
        source_ids=frame.source_ids, from_parameters=1.0 if lower is not None else None, note=note,
    )  # fmt: skip
    return [made], why


def _decision(
    frame: Frame, cost: FloatArray, qaly: FloatArray, threshold: float, started: FloatArray
) -> list[Estimate]:
    """Net benefit, probability and value of information at the threshold."""
    none = np.zeros_like(cost)
    found = acceptability(np.stack([none, cost], axis=1), np.stack([none, qaly], axis=1), [threshold])
    at = f"at US$ {threshold:,.0f} per QALY"
    evpi, chance = float(found.evpi[0]), float(found.probability[0, 1])
    evpi_total = evpi * float(started.mean())
    whole = Level.COHORT_MEAN
    return [
        frame.make("cost.net_benefit", f"net monetary benefit per person who starts, {at}", "US$", threshold * qaly - cost, whole),
        _bare(frame, "cost.probability", f"probability that the treatment is worth its cost, {at}", "share", chance, Level.SHARE),
        _bare(frame, "cost.evpi", f"value of perfect information per person who starts, {at}", "US$", evpi, whole),
        _bare(frame, "cost.evpi_total", f"value of perfect information for all who start, {at}", "US$", evpi_total, Level.COUNT),
    ]  # fmt: skip


def visit_figures(frame: Frame, request: PolicyInput, visits: Visits, matrix: Matrix) -> list[Estimate]:
    """Visits that the plan adds, per week, at the end of the horizon, and the clinicians' hours."""
    monthly = visits.by_month[0] if visits.before is None else visits.by_month[0] - visits.before
    added, weeks = monthly.sum(axis=-1), frame.weeks
    last = monthly[..., -1] / (WEEKS_A_YEAR / 12)
    hours = added * visits.minutes[:, None] / 60
    made = [
        frame.make("visits.added", f"clinic visits added within {frame.months} months", "visits", added, Level.COUNT),
        frame.make("visits.per_week", "clinic visits added per week, on average", "visits per week", added / weeks, Level.COUNT),
        frame.make("visits.last_month", "clinic visits added per week in the last month", "visits per week", last, Level.COUNT),
        frame.make("visits.hours", f"clinicians' hours added within {frame.months} months", "hours", hours, Level.COUNT),
        frame.make("visits.hours_per_week", "clinicians' hours added per week, on average", "hours per week", hours / weeks, Level.COUNT),
        frame.make(
            "visits.per_starter", f"visits of one person in the {frame.months} months after starting", "visits",
            visits.per_starter, Level.COHORT_MEAN,
        ),
    ]  # fmt: skip
    if request.clinic is not None:
        made += _waits(frame, request.clinic, visits, last.mean(axis=-1), matrix)
    return made


def _waits(frame: Frame, clinic: Clinic, visits: Visits, added: FloatArray, matrix: Matrix) -> list[Estimate]:
    """Waits in the clinics with the visits of the last month on top of today's."""
    now = matrix.given(VISITS, "visits today per week", clinic.visits_now_per_week, "visits per week", 0.0, 1e9)
    minutes = float(visits.minutes.mean())
    before, _ = clinic_wait(now, minutes, clinic.clinicians, clinic.hours_per_week)
    after, busy = clinic_wait(now + np.maximum(added, 0.0), minutes, clinic.clinicians, clinic.hours_per_week)
    matrix.assumptions.append(
        "Waits: all clinicians share one queue, visits come at random and last an exponential time (M/M/c)."
    )
    made = [
        frame.make(
            "visits.utilisation",
            "share of the clinicians' time that is busy in the last month",
            "share",
            busy,
            Level.SHARE,
        )
    ]
    lost = float(np.mean(busy >= 1))
    if lost > 0:
        made.append(
            _bare(frame, "visits.overloaded", "chance that the clinics cannot keep up", "share", lost, Level.SHARE)
        )
        matrix.warnings.append(
            f"In {100 * lost:.2g} % of the draws the clinics cannot keep up with the visits: the queue would grow for ever."
        )
    tail = (1 - frame.level) / 2
    known = [("wait", "wait in the last month", after)]
    if np.isfinite(before).all():
        known.append(("wait_added", "wait that the plan adds", after - before))
    for key, what, waits in known:
        low, middle, high = np.quantile(waits, [tail, 0.5, 1 - tail], method="inverted_cdf") * 60
        if np.isfinite(high):
            one = _bare(frame, f"visits.{key}", f"mean {what}", "minutes", float(middle), Level.COHORT_MEAN)
            more = {"lower": float(low), "upper": float(high), "from_parameters": 1.0, "note": "median over the draws"}
            made.append(one.model_copy(update=more))
    return made


def _bare(frame: Frame, key: str, quantity: str, unit: str, point: float, of: Level) -> Estimate:
    """An estimate without an interval."""
    return frame.make(key, quantity, unit, [point], of)


def rule_figures(frame: Frame, request: PolicyInput, uptake: Uptake, visits: Visits, cost: Cost) -> list[Estimate]:
    """Starters, visits and cost to the payer under each rule, from the same draws."""
    made = []
    for place, (rule, counts) in enumerate(zip(request.rules, uptake.counts, strict=True)):
        slug = "".join(c if c.isalnum() else "_" for c in rule.name.strip().lower())
        key, under = f"rule.{place + 1}_{slug}", f"under the rule '{rule.name}'"
        people = counts.started.sum(axis=(-1, -2)).astype(np.float64)
        seen = visits.by_month[place].sum(axis=-1)
        made.append(frame.make(f"{key}.started", f"people who start {under}", "people", people, Level.COUNT))
        made.append(frame.make(f"{key}.visits", f"clinic visits {under}", "visits", seen, Level.COUNT))
        if cost.budget:
            paid = cost.budget[place].sum(axis=-1)
            made.append(frame.make(f"{key}.budget", f"cost to the payer {under}", "US$", paid, Level.COUNT))
    return made
