"""From an archetype's stated values to beliefs and back.

Normal and lognormal attributes are normal-inverse-gamma on their own or the logarithmic scale. A truncated normal or
beta attribute is believed through the mean and SD of its members, of which the same belief is an approximation for
large groups, and its parameters are those with that mean and SD.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from knowledge.errors import InvalidInput
from personas.margins import level_shares, margin_fault, support
from personas.schemas import Attribute, Distribution, LifeEvent
from personas.units import attribute_label
from personas.updating.conjugate import LevelsBelief, MeanBelief, RateBelief, ShareBelief
from personas.updating.moments import cut_normal, member_moments
from personas.updating.schemas import Figure, Kept, KeptLevels, KeptMean, KeptRate, KeptShare, Observation

Belief = MeanBelief | ShareBelief | LevelsBelief | RateBelief

_DIGITS = 6
_DRAWS = 20_000
_MEASURED = (Distribution.NORMAL, Distribution.TRUNCATED_NORMAL, Distribution.LOGNORMAL, Distribution.BETA)
_LEVELLED = (Distribution.CATEGORICAL, Distribution.ORDINAL)


def is_log(attribute: Attribute) -> bool:
    """True when the attribute is believed on the logarithmic scale."""
    return attribute.distribution is Distribution.LOGNORMAL


def prior_belief(name: str, attribute: Attribute, weight: float) -> Belief:
    """The stated distribution as a belief worth `weight` people.

    Raises
    ------
    InvalidInput : a distribution that a mean and an SD do not determine (uniform, zero-inflated).
    """
    if attribute.distribution is Distribution.BERNOULLI:
        share = attribute.probability or 0.0
        return ShareBelief(weight * share, weight * (1 - share))
    if attribute.distribution in _LEVELLED:
        shares = level_shares(attribute)
        return LevelsBelief({lv: weight * s for lv, s in zip(attribute.levels or {}, shares, strict=True)})
    if attribute.distribution not in _MEASURED:
        raise InvalidInput(
            f"{attribute_label(name)} is stated as {attribute.distribution.value.replace('_', ' ')}, which has no conjugate "
            "update, and cannot learn.",
            "State it with another distribution first, such as lognormal.",
        )
    mean, sd = member_moments(attribute)
    if is_log(attribute):
        mean, sd = log_moments(mean, sd)
    return MeanBelief(mean, sd**2, weight, weight)


def prior_rate(event: LifeEvent, events: float) -> RateBelief:
    """The stated hazard as a belief worth `events` events.

    Raises
    ------
    InvalidInput : a rate of 0, which says that the event cannot happen.
    """
    if event.rate <= 0:
        raise InvalidInput(
            f"The archetype says that '{event.event}' never happens, so it cannot learn how often it does.",
            "Give the event a rate above 0 first.",
        )
    return RateBelief(events, 100 * events / event.rate)


def log_moments(mean: float, sd: float) -> tuple[float, float]:
    """Mean and SD of the logarithm of a lognormal with this mean and SD."""
    spread = math.sqrt(math.log1p((sd / mean) ** 2))
    return math.log(mean) - spread**2 / 2, spread


def updated(belief: Belief, seen: Observation, power: float) -> Belief:
    """The belief after an observation, its likelihood raised to `power`."""
    if isinstance(belief, ShareBelief):
        return belief.updated(seen.n, seen.count or 0, power)
    if isinstance(belief, LevelsBelief):
        return belief.updated(seen.counts or {}, power)
    if isinstance(belief, RateBelief):
        return belief.updated(seen.count or 0, seen.person_years or 0.0, power)
    return belief.updated(seen.n, seen.mean or 0.0, seen.sd or 0.0, power)


def surprise(belief: Belief, seen: Observation) -> dict[str, float]:
    """Prior predictive p-values of an observation by what was tested."""
    if isinstance(belief, ShareBelief):
        return belief.surprise(seen.n, seen.count or 0)
    if isinstance(belief, LevelsBelief):
        return belief.surprise(seen.counts or {})
    if isinstance(belief, RateBelief):
        return belief.surprise(seen.count or 0, seen.person_years or 0.0)
    return belief.surprise(seen.n, seen.mean or 0.0, seen.sd or 0.0)


def weight_of(seen: Observation) -> float:
    """People, or person-years, that an observation is worth."""
    return seen.person_years if seen.person_years is not None else float(seen.n)


def to_attribute(name: str, attribute: Attribute, belief: Belief, why: str) -> tuple[Attribute, tuple[str, ...]]:
    """The attribute with the belief's centre as its parameters, and notes on what could not be had.

    Raises
    ------
    InvalidInput : the distribution of the attribute cannot have the belief's mean and SD.
    """
    notes: tuple[str, ...] = ()
    if isinstance(belief, ShareBelief):
        changed: dict[str, object] = {"probability": _rounded(belief.share)}
    elif isinstance(belief, LevelsBelief):
        changed = {"levels": {level: _rounded(share) for level, share in belief.shares.items()}}
    elif isinstance(belief, MeanBelief):
        changed, notes = _measured(name, attribute, belief)
    else:
        raise TypeError("a life event has no attribute")
    learned = attribute.model_copy(update={**changed, "source": None, "assumption": why})
    fault = margin_fault(learned)
    if fault:
        raise InvalidInput(f"{attribute_label(name)} cannot be as observed: {fault}.", "Check the observations.")
    return learned, notes


def _measured(name: str, attribute: Attribute, belief: MeanBelief) -> tuple[dict[str, object], tuple[str, ...]]:
    mean, sd = belief.mean, math.sqrt(belief.variance)
    if is_log(attribute):
        mean, sd = _from_log(belief.mean, belief.variance)
    if attribute.distribution is not Distribution.TRUNCATED_NORMAL:
        return {"mean": _rounded(mean), "sd": _rounded(sd)}, ()
    lower, upper = support(attribute)
    cut = cut_normal(mean, sd, lower, upper)
    if cut.reached:
        return {"mean": _rounded(cut.mean), "sd": _rounded(cut.sd)}, ()
    changed: dict[str, object] = {"mean": _rounded(cut.mean), "sd": _rounded(cut.sd)}
    had = member_moments(attribute.model_copy(update=changed))[1]
    note = (
        f"{attribute_label(name)} is stated as a normal cut at {lower:g} and {upper:g}, which with this mean can have "
        f"an SD of {had:.3g} at most; the observations say {sd:.3g}."
    )
    return changed, (note,)


def figures(attribute: Attribute, before: Belief, after: Belief, level: float) -> tuple[Figure, ...]:
    """The attribute's figures before and after, with the interval of each after."""
    if isinstance(before, ShareBelief) and isinstance(after, ShareBelief):
        low, high = after.interval(level)
        return (_figure("share", "%", before.share, after.share, (low, high), 100),)
    if isinstance(before, LevelsBelief) and isinstance(after, LevelsBelief):
        earlier, later, bounds = before.shares, after.shares, after.intervals(level)
        return tuple(_figure(name, "%", earlier[name], later[name], bounds[name], 100) for name in bounds)
    if not isinstance(before, MeanBelief) or not isinstance(after, MeanBelief):
        raise TypeError("a life event has no attribute")
    if is_log(attribute):
        return _log_figures(attribute.unit, before, after, level)
    first, second = after.mean_interval(level), after.sd_interval(level)
    return (
        _figure("mean", attribute.unit, before.mean, after.mean, first),
        _figure("SD", attribute.unit, math.sqrt(before.variance), math.sqrt(after.variance), second),
    )


def rate_figures(before: RateBelief, after: RateBelief, level: float) -> tuple[Figure, ...]:
    """The rate before and after, with its interval after."""
    return (_figure("rate", "per 100 person-years", before.rate, after.rate, after.interval(level)),)


def lognormal_intervals(belief: MeanBelief, level: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Central intervals of the mean and SD of the value itself, by 20,000 draws of the belief with a fixed seed."""
    rng = np.random.default_rng(0)
    variance = belief.degrees * belief.variance / rng.chisquare(belief.degrees, _DRAWS)
    centre = belief.mean + np.sqrt(variance / belief.weight) * rng.standard_normal(_DRAWS)
    # A belief worth a few people allows spreads whose exponential has no number.
    logs = np.minimum(centre + variance / 2, 700.0)
    spread = logs + 0.5 * np.log(np.expm1(np.minimum(variance, 700.0)))
    tails = ((1 - level) / 2, (1 + level) / 2)
    means, sds = np.exp(np.quantile(logs, tails)), np.exp(np.minimum(np.quantile(spread, tails), 700.0))
    return (float(means[0]), float(means[1])), (float(sds[0]), float(sds[1]))


def _log_figures(unit: str, before: MeanBelief, after: MeanBelief, level: float) -> tuple[Figure, ...]:
    first, second = lognormal_intervals(after, level)
    (mean, sd), (new_mean, new_sd) = (_from_log(b.mean, b.variance) for b in (before, after))
    return _figure("mean", unit, mean, new_mean, first), _figure("SD", unit, sd, new_sd, second)


def _from_log(mean: float, variance: float) -> tuple[float, float]:
    value = math.exp(mean + variance / 2)
    return value, value * math.sqrt(math.expm1(variance))


def _figure(
    what: str, unit: str, before: float, after: float, bounds: tuple[float, float], scale: float = 1.0
) -> Figure:
    low, high = bounds
    return Figure(
        what=what, unit=unit, before=before * scale, after=after * scale, lower=low * scale, upper=high * scale
    )


def keep(belief: Belief, *, log: bool = False) -> Kept:
    """The belief as it is written down."""
    if isinstance(belief, MeanBelief):
        scale = "log" if log else "natural"
        return KeptMean.model_validate({"scale": scale, **belief.__dict__})
    if isinstance(belief, ShareBelief):
        return KeptShare(yes=belief.yes, no=belief.no)
    if isinstance(belief, LevelsBelief):
        return KeptLevels(counts=dict(belief.counts))
    return KeptRate(events=belief.events, years=belief.years)


def recall(kept: Kept) -> Belief:
    """The belief that was written down."""
    if isinstance(kept, KeptMean):
        return MeanBelief(kept.mean, kept.variance, kept.weight, kept.degrees)
    if isinstance(kept, KeptShare):
        return ShareBelief(kept.yes, kept.no)
    if isinstance(kept, KeptLevels):
        return LevelsBelief(kept.counts)
    return RateBelief(kept.events, kept.years)


def base_digest(stated: Attribute | LifeEvent) -> str:
    """Sixteen hex digits of a stated value, by which a later change of the archetype's file is noticed."""
    return hashlib.sha256(stated.model_dump_json(exclude_none=True).encode()).hexdigest()[:16]


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
