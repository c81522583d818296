"""Exact bounds of a share from a count (Clopper, Pearson 1934, Biometrika), the rule of three among them."""

from __future__ import annotations

from scipy import stats

from knowledge.errors import InvalidInput


def exact_interval(events: int, people: int, level: float = 0.95) -> tuple[float, float]:
    """Two-sided exact interval of a share.

    Parameters
    ----------
    events : people with the event. people : all people. level : least coverage.

    Raises
    ------
    InvalidInput
        Nobody, more events than people, or a level outside (0, 1).
    """
    _check(events, people, level)
    tail = (1 - level) / 2
    lower = 0.0 if events == 0 else float(stats.beta.ppf(tail, events, people - events + 1))
    upper = 1.0 if events == people else float(stats.beta.ppf(1 - tail, events + 1, people - events))
    return lower, upper


def exact_upper_bound(events: int, people: int, level: float = 0.95) -> float:
    """One-sided exact upper bound; with no event it is 1 - (1 - level)^(1/n), near 3/n at 95 % (the rule of three).

    Raises
    ------
    InvalidInput
        As `exact_interval`.
    """
    _check(events, people, level)
    return 1.0 if events == people else float(stats.beta.ppf(level, events + 1, people - events))


def _check(events: int, people: int, level: float) -> None:
    if people < 1 or not 0 <= events <= people or events != int(events) or people != int(people):
        raise InvalidInput("Give whole numbers: at least one person, and no more events than people.")
    if not 0 < level < 1:
        raise InvalidInput(f"The level of an interval lies between 0 and 1, not at {level:g}.")
