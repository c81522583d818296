"""From single people's values to what a belief needs of them: counts, means and spreads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from knowledge.errors import InvalidInput
from personas.margins import DISCRETE
from personas.schemas import Attribute, Distribution
from personas.units import attribute_label
from personas.updating.schemas import Observation


def people_observations(
    values: Mapping[tuple[str, date], Sequence[float]], attributes: Mapping[str, Attribute]
) -> list[Observation]:
    """One observation an attribute and day.

    Parameters
    ----------
    values : by attribute and day, one number a person in the attribute's unit; yes/no as 1 and 0, levels as positions.
    """
    return [_observation(name, day, column, attributes[name]) for (name, day), column in values.items()]


def _observation(name: str, day: date, values: Sequence[float], attribute: Attribute) -> Observation:
    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    if attribute.distribution is Distribution.BERNOULLI:
        return Observation(name=name, on=day, n=n, count=int(numbers.sum()))
    if attribute.distribution in DISCRETE:
        levels = list(attribute.levels or {})
        counted = np.bincount(numbers.astype(int), minlength=len(levels))
        return Observation(name=name, on=day, n=n, counts={lv: int(c) for lv, c in zip(levels, counted, strict=True)})
    logs: dict[str, float] = {}
    if attribute.distribution is Distribution.LOGNORMAL:
        if numbers.min() <= 0:
            raise InvalidInput(
                f"{attribute_label(name)} is stated as lognormal and can only be above 0, and {numbers.min():g} was given.",
                "Leave out what was not measured.",
            )
        logs = {"log_mean": float(np.log(numbers).mean()), "log_sd": _spread(np.log(numbers))}
    return Observation(
        name=name,
        on=day,
        n=n,
        mean=float(numbers.mean()),
        sd=_spread(numbers),
        **logs,
    )


def _spread(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0
