"""From draws to what users read: estimates, charts, the table of strategies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tools.cost_effectiveness import decisions
from tools.cost_effectiveness.decisions import Acceptability, FrontierRow, Standing
from tools.cost_effectiveness.schemas import StrategyOutcome
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VALIDATED
# Marks of a strategy on the plane; more would only be ink.
MARKS = 150
# Bars of the tornado.
TORNADO = 15
# Ratios get an interval only where next to no draw lies in another quadrant.
SAME_QUADRANT = 0.999


@dataclass(frozen=True)
class Weighed:
    """Everything a report needs. cost, effect : (D, R, S); life_years the same, or None; base : (S, 2)."""

    names: tuple[str, ...]
    cost: FloatArray
    effect: FloatArray
    life_years: FloatArray | None
    base: FloatArray
    rows: list[FrontierRow]
    base_rows: list[FrontierRow]
    acceptance: Acceptability
    at_threshold: Acceptability
    threshold: float
    effect_label: str
    effect_unit: str
    currency: str
    population: str
    level: float
    source_ids: tuple[str, ...]


def slug(name: str, position: int) -> str:
    """A name as part of an estimate's id, its own by position when nothing of it is left."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or f"strategy_{position + 1}"


def slugs(names: tuple[str, ...]) -> tuple[str, ...]:
    """Ids of all strategies, made different where names are alike."""
    found: list[str] = []
    for position, name in enumerate(names):
        one = slug(name, position)
        found.append(one if one not in found else f"{one}_{position + 1}")
    return tuple(found)


def estimates(weighed: Weighed) -> list[Estimate]:
    """Cost, effect and net benefit of each strategy, increments and ICERs along the frontier, EVPI."""
    ids, made = slugs(weighed.names), []

    def add(name: str, quantity: str, unit: str, outcomes: FloatArray, arm: str, note: str = "") -> None:
        summary = spread(outcomes, level=weighed.level)
        made.append(
            Estimate(
                id=name, quantity=quantity, unit=unit, arm=arm, population=weighed.population, point=summary.mean,
                lower=summary.lower, upper=summary.upper, level=weighed.level, kind=Kind.SCENARIO,
                of=Level.COHORT_MEAN, validation=VALIDATION, source_ids=weighed.source_ids,
                from_parameters=summary.from_parameters, note=note,
            )
        )  # fmt: skip

    benefit = weighed.threshold * weighed.effect - weighed.cost
    unit = weighed.effect_unit
    for place, (key, name) in enumerate(zip(ids, weighed.names, strict=True)):
        add(f"{key}.cost", "discounted cost per person", weighed.currency, weighed.cost[..., place], name)
        add(f"{key}.effect", f"{weighed.effect_label} per person", unit, weighed.effect[..., place], name)
        if weighed.life_years is not None:
            years = weighed.life_years[..., place]
            add(f"{key}.life_years", "discounted life years per person", "years", years, name)
        add(f"{key}.net_benefit", "net monetary benefit per person", weighed.currency, benefit[..., place], name)
    order = sorted((row for row in weighed.rows if row.standing is Standing.FRONTIER), key=lambda row: row.cost)
    for before, row in pairwise(order):
        key, name = ids[row.index], f"{weighed.names[row.index]} instead of {weighed.names[before.index]}"
        cost = weighed.cost[..., row.index] - weighed.cost[..., before.index]
        effect = weighed.effect[..., row.index] - weighed.effect[..., before.index]
        add(f"{key}.incremental_cost", "additional cost per person", weighed.currency, cost, name)
        add(f"{key}.incremental_effect", f"additional {weighed.effect_label} per person", unit, effect, name)
        made.append(_ratio(weighed, f"{key}.icer", name, row, cost, effect))
    made.append(
        Estimate(
            id="evpi", quantity="expected value of perfect information per person", unit=weighed.currency,
            population=weighed.population, point=float(weighed.at_threshold.evpi[0]), kind=Kind.SCENARIO,
            of=Level.COHORT_MEAN, validation=VALIDATION, from_parameters=1.0,
            note=f"at {weighed.currency} {weighed.threshold:,.0f} per {unit}",
        )
    )  # fmt: skip
    return made


def _ratio(weighed: Weighed, name: str, arm: str, row: FrontierRow, cost: FloatArray, effect: FloatArray) -> Estimate:
    """ICER of the means; its interval from the draws where they all lie in one quadrant."""
    costs, effects = cost.mean(axis=1), effect.mean(axis=1)
    lower = upper = None
    note = "ratio of the mean cost to the mean effect"
    if len(costs) > 1 and ((costs > 0) & (effects > 0)).mean() >= SAME_QUADRANT:
        kept = (costs > 0) & (effects > 0)
        tail = 50 * (1 - weighed.level)
        lower, upper = (float(v) for v in np.percentile(costs[kept] / effects[kept], [tail, 100 - tail]))
    elif len(costs) > 1:
        note += "; no interval, as the draws lie in several quadrants – see the acceptability curve"
    return Estimate(
        id=name, quantity=f"cost per {weighed.effect_unit} gained", unit=f"{weighed.currency} per {weighed.effect_unit}",
        arm=arm, population=weighed.population, point=float(row.icer or 0.0), lower=lower, upper=upper,
        level=weighed.level, kind=Kind.SCENARIO, of=Level.COHORT_MEAN, validation=VALIDATION,
        source_ids=weighed.source_ids, from_parameters=1.0 if lower is not None else None, note=note,
    )  # fmt: skip


def strategy_table(weighed: Weighed) -> tuple[StrategyOutcome, ...]:
    """One row a strategy, in the order given."""
    made = []
    for row, base in zip(weighed.rows, weighed.base_rows, strict=True):
        cost, effect = (spread(values[..., row.index]) for values in (weighed.cost, weighed.effect))
        years = None if weighed.life_years is None else float(weighed.life_years[..., row.index].mean())
        chance = weighed.cost.shape[1] ** 0.5
        made.append(
            StrategyOutcome(
                name=weighed.names[row.index],
                cost=row.cost,
                effect=row.effect,
                life_years=years,
                base_case_cost=base.cost,
                base_case_effect=base.effect,
                standing=row.standing.value,
                incremental_cost=row.incremental_cost,
                incremental_effect=row.incremental_effect,
                icer=row.icer,
                base_case_icer=base.icer,
                net_monetary_benefit=weighed.threshold * row.effect - row.cost,
                probability_cost_effective=float(weighed.at_threshold.probability[0, row.index]),
                probability_standard_error=float(weighed.at_threshold.standard_error[0, row.index]),
                cost_standard_error=cost.standard_error if cost.draws > 1 else cost.chance_sd / chance,
                effect_standard_error=effect.standard_error if effect.draws > 1 else effect.chance_sd / chance,
            )
        )
    return tuple(made)


def tornado(weighed: Weighed, ends: Sequence[tuple[str, FloatArray, FloatArray]]) -> list[Chart]:
    """Which uncertain input moves the net benefit of the last strategy over the first most.

    ends : for each input its name, and (S, 2) cost and effect with it at the 5th and at the 95th percentile.
    """
    if len(weighed.names) < 2 or not ends:
        return []

    def gain(pairs: FloatArray) -> float:
        more = pairs[-1] - pairs[0]
        return float(weighed.threshold * more[1] - more[0])

    both = [(name, gain(low), gain(high)) for name, low, high in ends]
    rows = [(name, min(low, high), max(low, high)) for name, low, high in both]
    rows = sorted(rows, key=lambda row: row[2] - row[1], reverse=True)[:TORNADO]
    points = tuple(
        Point(x=name.replace("_", " "), y=gain(weighed.base), lower=low, upper=high) for name, low, high in rows
    )
    return [
        Chart(
            kind="tornado",
            title=f"What moves the net benefit of {weighed.names[-1]} over {weighed.names[0]} (5th to 95th percentile)",
            x_label=f"{weighed.currency} per person",
            y_label="",
            series=(Series(name="net monetary benefit", points=points),),
        )
    ]


def charts(weighed: Weighed, budget: FloatArray | None) -> list[Chart]:
    """Plane, acceptability curves, frontier and expected loss, value of information, budget."""
    made = [_plane(weighed)]
    if len(weighed.names) > 1:
        made += [_acceptability(weighed), _information(weighed)]
    if budget is not None:
        tail = 50 * (1 - weighed.level)
        low, middle, high = np.percentile(budget, [tail, 50, 100 - tail], axis=0)
        made.append(
            Chart(
                kind="bars",
                title="Additional budget in each year",
                x_label="year",
                y_label=weighed.currency,
                series=(
                    Series(
                        name="additional cost",
                        points=tuple(
                            Point(x=f"year {year + 1}", y=float(m), lower=float(lo), upper=float(hi))
                            for year, (m, lo, hi) in enumerate(zip(middle, low, high, strict=True))
                        ),
                    ),
                ),
            )
        )
    return made


def _plane(weighed: Weighed) -> Chart:
    cost, effect = weighed.cost.mean(axis=1), weighed.effect.mean(axis=1)
    shown = np.unique(np.linspace(0, len(cost) - 1, min(MARKS, len(cost))).astype(np.int64))
    clouds = tuple(
        Series(
            name=name,
            points=tuple(Point(x=float(effect[i, place]), y=float(cost[i, place])) for i in shown),
        )
        for place, name in enumerate(weighed.names)
    )
    edge = sorted((r for r in weighed.rows if r.standing is Standing.FRONTIER), key=lambda r: r.cost)
    line = Series(name="frontier (means)", points=tuple(Point(x=r.effect, y=r.cost) for r in edge))
    return Chart(
        kind="plane",
        title="Cost and effect of each strategy",
        x_label=f"{weighed.effect_label} per person ({weighed.effect_unit})",
        y_label=f"cost per person ({weighed.currency})",
        series=(*clouds, line),
    )


def _acceptability(weighed: Weighed) -> Chart:
    found = weighed.acceptance
    curves = tuple(
        Series(
            name=name,
            points=tuple(
                Point(x=float(t), y=100 * float(p))
                for t, p in zip(found.thresholds, found.probability[:, i], strict=True)
            ),
        )
        for i, name in enumerate(weighed.names)
    )
    best = Series(
        name="frontier: the strategy with the highest expected net benefit",
        points=tuple(
            Point(x=float(t), y=100 * float(p)) for t, p in zip(found.thresholds, found.frontier, strict=True)
        ),
    )
    return Chart(
        kind="acceptability",
        title="How likely each strategy is the best buy",
        x_label=f"willingness to pay ({weighed.currency} per {weighed.effect_unit})",
        y_label="% of draws",
        series=(*curves, best),
    )


def _information(weighed: Weighed) -> Chart:
    found = weighed.acceptance
    losses = [(f"expected loss: {name}", found.expected_loss[:, i]) for i, name in enumerate(weighed.names)]
    return Chart(
        kind="lines",
        title="What a wrong decision may cost",
        x_label=f"willingness to pay ({weighed.currency} per {weighed.effect_unit})",
        y_label=f"{weighed.currency} per person",
        series=tuple(
            Series(
                name=name,
                points=tuple(Point(x=float(t), y=float(v)) for t, v in zip(found.thresholds, values, strict=True)),
            )
            for name, values in [("value of perfect information", found.evpi), *losses]
        ),
    )


def weighed_rows(cost: FloatArray, effect: FloatArray) -> list[FrontierRow]:
    """Frontier of the means over draws and replicates."""
    return decisions.frontier(cost.mean(axis=(0, 1)), effect.mean(axis=(0, 1)))
