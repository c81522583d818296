"""Mean and standard deviation of members, and back to the parameters of a cut normal.

A truncated normal states the mean and SD of the uncut normal; observations are of people inside the limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from knowledge.errors import InvalidInput
from personas.schemas import Attribute, Distribution

# How many SDs outside its limits the uncut mean may lie: `margin_fault` asks for a millionth of the normal inside.
_OUTSIDE = 4.5
_HALVINGS = 60
_CLOSE = 1e-3


@dataclass(frozen=True)
class CutNormal:
    """Parameters of the uncut normal, and whether the SD that was wanted can be had."""

    mean: float
    sd: float
    reached: bool


def member_moments(attribute: Attribute) -> tuple[float, float]:
    """Mean and SD of a measured attribute among members, in its unit."""
    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    if attribute.distribution is not Distribution.TRUNCATED_NORMAL:
        return mean, sd
    lower, upper = attribute.lower, attribute.upper
    return _cut_moments(mean, sd, -math.inf if lower is None else lower, math.inf if upper is None else upper)


def cut_normal(mean: float, sd: float, lower: float, upper: float) -> CutNormal:
    """The normal which, cut at `lower` and `upper`, has this mean and SD.

    No cut normal is as wide as a uniform distribution between the limits: where that is asked for, the widest with the
    mean is given and `reached` is False.

    Raises
    ------
    InvalidInput : the mean is not between the limits.
    """
    if not lower < mean < upper:
        raise InvalidInput(f"A mean of {mean:g} is not between the limits {lower:g} and {upper:g}.")
    width = min(mean - lower, upper - mean)
    narrow, wide = min(sd, width) * 0.3, 20 * max(sd, width)
    for _ in range(_HALVINGS):
        middle = math.sqrt(narrow * wide)
        centre = _centre(mean, middle, lower, upper)
        # Without a centre the mean lies too near a limit for so narrow a normal; or too far off the middle for so wide
        # a one. The SD of the cut normal grows with that of the uncut one.
        if centre is None:
            if _needs_wider(mean, middle, lower, upper):
                narrow = middle
            else:
                wide = middle
        elif _cut_moments(centre, middle, lower, upper)[1] < sd:
            narrow = middle
        else:
            wide = middle
    spread = narrow
    centre = _centre(mean, spread, lower, upper)
    if centre is None:
        raise InvalidInput(
            f"No normal cut at {lower:g} and {upper:g} has a mean of {mean:g} and an SD of {sd:g}.",
            "Check the figures, or state the attribute with another distribution.",
        )
    found = _cut_moments(centre, spread, lower, upper)[1]
    return CutNormal(centre, spread, abs(found - sd) <= _CLOSE * sd)


def _centre(mean: float, spread: float, lower: float, upper: float) -> float | None:
    """Mean of the uncut normal of this SD whose cut mean is `mean`; None when no admissible one has it."""
    low = lower - _OUTSIDE * spread if math.isfinite(lower) else mean - 1e-9
    high = upper + _OUTSIDE * spread if math.isfinite(upper) else mean + 1e-9
    if math.isinf(lower) and math.isinf(upper):
        return mean
    low, high = min(low, mean), max(high, mean)
    if not _cut_moments(low, spread, lower, upper)[0] <= mean <= _cut_moments(high, spread, lower, upper)[0]:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _cut_moments(middle, spread, lower, upper)[0] < mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _needs_wider(mean: float, spread: float, lower: float, upper: float) -> bool:
    """True when even the most extreme centre leaves the mean further from the limit than asked for."""
    return spread < min(mean - lower, upper - mean)


def _cut_moments(mean: float, sd: float, lower: float, upper: float) -> tuple[float, float]:
    """Mean and SD of a normal cut at two limits (Johnson, Kotz and Balakrishnan 1994, section 13.10.1)."""
    from scipy.special import log_ndtr

    a, b = (lower - mean) / sd, (upper - mean) / sd
    flipped = a > 0  # the same normal seen from the other side, where the tail probability is exact
    if flipped:
        a, b = -b, -a
    high, low = float(log_ndtr(b)), float(log_ndtr(a))
    inside = high + math.log1p(-math.exp(low - high)) if math.isfinite(a) else high
    at_low = math.exp(-0.5 * a * a - inside) / math.sqrt(2 * math.pi) if math.isfinite(a) else 0.0
    at_high = math.exp(-0.5 * b * b - inside) / math.sqrt(2 * math.pi) if math.isfinite(b) else 0.0
    shift = at_low - at_high
    weighted = (a * at_low if at_low else 0.0) - (b * at_high if at_high else 0.0)
    variance = max(1e-12, 1 + weighted - shift * shift)
    return mean + sd * (-shift if flipped else shift), sd * math.sqrt(variance)
