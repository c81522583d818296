"""One set of observations into one archetype: beliefs updated in the order of dates, contradictions found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from knowledge.errors import InvalidInput
from personas.schemas import Attribute, LifeEvent, Persona, Provenanced
from personas.units import attribute_label
from personas.updating.beliefs import (
    Belief,
    base_digest,
    figures,
    is_log,
    keep,
    log_moments,
    prior_belief,
    prior_rate,
    rate_figures,
    recall,
    surprise,
    to_attribute,
    updated,
    weight_of,
)
from personas.updating.conjugate import LevelsBelief, RateBelief, ShareBelief, adjusted_p_values
from personas.updating.schemas import Change, Learned, Observation, ObservationSet
from personas.updating.settings import UpdatingSettings

_DAYS = 365.25


@dataclass(frozen=True)
class Prior:
    """What stands before the observations.

    Attributes
    ----------
    stated : the archetype without what it has itself learned.
    held : what it has learned, by attribute or event.
    weight_of : a stated value → people it is worth, and why.
    dated : a stated value → when it was published, None when nobody knows.
    weight : people each stated value is worth, instead of `weight_of`; for life events person-years.
    half_life_years : after which a belief, or a set that comes late, has half its weight; None for never.
    """

    stated: Persona
    held: Mapping[str, Learned]
    weight_of: Callable[[str, Provenanced], tuple[float, str]]
    dated: Callable[[Provenanced], date | None]
    weight: float | None = None
    half_life_years: float | None = None


@dataclass
class _Step:
    """One parameter on its way through the observations."""

    name: str
    belief: Belief
    prior_weight: float
    data_weight: float
    on: date | None
    reason: str
    start: Belief = field(init=False)
    seen: float = 0.0
    p_values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start = self.belief


def learn(
    observed: ObservationSet, prior: Prior, settings: UpdatingSettings
) -> tuple[tuple[Change, ...], dict[str, Learned], tuple[str, ...]]:
    """What the observations teach.

    Returns
    -------
    changes : by attribute or event of the set.
    learned : everything the archetype has learned, with what `prior.held` already had.
    skipped : sentences about what had nothing to learn.

    Raises
    ------
    InvalidInput : observations that the archetype's definition rules out; values its distributions cannot take on.
    """
    steps: list[_Step] = []
    skipped: list[str] = []
    ordered = sorted(observed.observations, key=lambda seen: (seen.name, seen.on))
    for name, group in groupby(ordered, key=lambda seen: seen.name):
        seen = list(group)
        step = _start(name, prior, settings)
        settled = _settled(step.belief, name, seen)
        if settled:
            skipped.append(settled)
            continue
        for item in seen:
            _take(step, _on_scale(item, prior.stated), prior.half_life_years)
        steps.append(step)
    if not steps:
        raise InvalidInput(f"{observed.name} teaches nothing: {' '.join(skipped)}", "Give other observations.")
    adjusted = adjusted_p_values({f"{s.name}|{test}": p for s in steps for test, p in s.p_values.items()})
    changes, learned = [], dict(prior.held)
    for step in steps:
        mine = {test: adjusted[f"{step.name}|{test}"] for test in step.p_values}
        change, result = _finish(step, prior, settings, mine, observed)
        changes.append(change)
        learned[step.name] = result
    return tuple(changes), learned, tuple(skipped)


def _start(name: str, prior: Prior, settings: UpdatingSettings) -> _Step:
    held = prior.held.get(name)
    if held is not None:
        reason = "what was learned before"
        return _Step(name, recall(held.belief), held.prior_weight, held.data_weight, held.on, reason)
    stated = _stated(name, prior.stated)
    if isinstance(stated, LifeEvent):
        believed = prior_rate(stated, settings.prior_events.value)
        reason = f"as if {settings.prior_events.value:g} events had been seen"
        if prior.weight is not None:
            believed, reason = believed.faded(prior.weight / believed.years), "weight given by the user"
        return _Step(name, believed, believed.years, 0.0, prior.dated(stated), reason)
    weight, reason = prior.weight_of(name, stated)
    if prior.weight is not None:
        weight, reason = prior.weight, "weight given by the user"
    return _Step(name, prior_belief(name, stated, weight), weight, 0.0, prior.dated(stated), reason)


def _stated(name: str, persona: Persona) -> Attribute | LifeEvent:
    if name in persona.attributes:
        return persona.attributes[name]
    return next(event for event in persona.life_events if event.event == name)


def _settled(belief: Belief, name: str, seen: list[Observation]) -> str:
    """A sentence when the archetype leaves nothing to learn; InvalidInput when the observations contradict that."""
    label = attribute_label(name)
    if isinstance(belief, ShareBelief) and (belief.yes == 0 or belief.no == 0):
        against = sum((item.count or 0) if belief.yes == 0 else item.n - (item.count or 0) for item in seen)
        everybody = "Nobody" if belief.yes == 0 else "Everybody"
        if against:
            raise InvalidInput(
                f"{everybody} in this archetype has {label} by definition, and {against} of the people observed "
                "contradict it.",
                "Leave them out, or update another archetype.",
            )
        return f"{everybody} in this archetype has {label} by definition."
    if isinstance(belief, LevelsBelief):
        possible = [level for level, count in belief.counts.items() if count > 0]
        for item in seen:
            beyond = [level for level, count in (item.counts or {}).items() if count and level not in possible]
            if beyond:
                raise InvalidInput(
                    f"Nobody in this archetype has {label} '{beyond[0]}' by definition, and {(item.counts or {})[beyond[0]]} "
                    "of the people observed contradict it.",
                    "Leave them out, or update another archetype.",
                )
        if len(possible) == 1:
            return f"Everybody in this archetype has {label} '{possible[0]}' by definition."
    return ""


def _on_scale(seen: Observation, persona: Persona) -> Observation:
    """The observation on the scale of the belief."""
    attribute = persona.attributes.get(seen.name)
    if attribute is None or not is_log(attribute) or seen.mean is None:
        return seen
    if seen.log_mean is not None:
        return seen.model_copy(update={"mean": seen.log_mean, "sd": seen.log_sd})
    if seen.mean <= 0:
        raise InvalidInput(
            f"{attribute_label(seen.name)} is stated as lognormal and can only be above 0, and its mean is {seen.mean:g}.",
            "Check the figure.",
        )
    mean, sd = log_moments(seen.mean, seen.sd or 0.0)
    return seen.model_copy(update={"mean": mean, "sd": sd})


def _take(step: _Step, seen: Observation, half_life_years: float | None) -> None:
    """One observation. The older of belief and observation counts for less, whichever came first."""
    step.on = step.on or seen.on
    reference = max(step.on, seen.on)
    fade = _power(reference, step.on, half_life_years)
    power = _power(reference, seen.on, half_life_years)
    step.belief = step.belief.faded(fade)
    step.prior_weight *= fade
    step.data_weight = step.data_weight * fade + power * weight_of(seen)
    step.seen += weight_of(seen)
    for test, p_value in surprise(step.belief, seen).items():
        step.p_values[f"{test} {seen.on.isoformat()}"] = p_value
    step.belief = updated(step.belief, seen, power)
    step.on = reference


def _power(reference: date, on: date, half_life_years: float | None) -> float:
    if half_life_years is None:
        return 1.0
    return float(0.5 ** ((reference - on).days / _DAYS / half_life_years))


def _finish(
    step: _Step, prior: Prior, settings: UpdatingSettings, p_values: dict[str, float], observed: ObservationSet
) -> tuple[Change, Learned]:
    stated = _stated(step.name, prior.stated)
    level = settings.interval_level.value
    held = prior.held.get(step.name)
    assert step.on is not None  # every step took an observation
    unit = "person-years" if isinstance(stated, LifeEvent) else "people"
    why = (
        f"Learned: the archetype's own value, worth {step.prior_weight:.3g} {unit}, and observations worth "
        f"{step.data_weight:.4g} {unit} up to {step.on}, the last from {_inert(observed.name)}."
    )
    attribute, event, notes = None, None, tuple[str, ...]()
    if isinstance(stated, LifeEvent):
        before, after = step.start, step.belief
        if not isinstance(before, RateBelief) or not isinstance(after, RateBelief):
            raise TypeError("a life event is believed through its rate")
        shown = rate_figures(before, after, level)
        event = LifeEvent(event=stated.event, rate=float(f"{after.rate:.6g}"), assumption=why)
    else:
        attribute, notes = to_attribute(step.name, stated, step.belief, why)
        shown = figures(stated, step.start, step.belief, level)
    drift = any(p < settings.drift_threshold.value for p in p_values.values())
    change = Change(
        name=step.name,
        label=attribute_label(step.name),
        figures=shown,
        n=step.seen,
        prior_weight=step.prior_weight,
        data_weight=step.data_weight,
        prior_reason=step.reason,
        p_values=p_values,
        drift=drift,
        notes=notes,
    )
    learned = Learned(
        name=step.name,
        belief=keep(step.belief, log=isinstance(stated, Attribute) and is_log(stated)),
        prior_weight=step.prior_weight,
        data_weight=step.data_weight,
        on=step.on,
        base=held.base if held else base_digest(stated),
        attribute=attribute,
        event=event,
    )
    return change, learned


def _inert(name: str) -> str:
    """A file's name as data: printable characters only."""
    return "'" + "".join(c for c in name if c.isprintable())[:60] + "'"
