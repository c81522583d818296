"""Standard errors from what a publication printed (Cochrane Handbook 6.5, chapter 6: 6.3.1, 6.5.2)."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from knowledge.schemas import Family, Statistic

RATIOS = frozenset({Statistic.HAZARD_RATIO, Statistic.ODDS_RATIO, Statistic.RISK_RATIO})
MISSING = (None, "missing")


@lru_cache(maxsize=64)
def normal_quantile(level: float) -> float:
    """Half-width of a two-sided normal interval in standard errors; `level` in % (95 → 1.960)."""
    return NormalDist().inv_cdf(0.5 + level / 200.0)


def derive_se(
    statistic: Statistic,
    family: Family,
    *,
    value: float,
    n: int | None = None,
    se: float | None = None,
    sd: float | None = None,
    ci: tuple[float, float] | None = None,
    ci_level: float = 95.0,
    events: int | None = None,
) -> tuple[float | None, str]:
    """The standard error of a printed figure and what it was derived from.

    Tried in this order: printed SE; SD and n (means only); confidence interval, taken as normal; events or value
    and n (proportions, binomial, with p = (events + 0.5) / (n + 1) when nobody or everybody had the event, after
    Agresti and Coull 1998); events (rates of first events, Poisson).

    Parameters
    ----------
    statistic, family : what the value is. Ratios are put on the log scale and only take a confidence interval.
    value : the figure, in the endpoint's unit; proportions in %, rates per 100 person-years.
    n : participants.
    se, sd : as printed, in the unit of the value.
    ci, ci_level : limits and level in %.
    events : participants with the event.

    Returns
    -------
    (se, se_from) : in the unit of the value (log scale for ratios); se_from is printed, sd, ci, events or missing.
    """
    if statistic in RATIOS:
        if ci is None or ci[0] <= 0:
            return MISSING
        return _positive((math.log(ci[1]) - math.log(ci[0])) / (2 * normal_quantile(ci_level)), "ci")
    if se is not None:
        return _positive(se, "printed")
    if sd is not None and n is not None and statistic in (Statistic.MEAN_CHANGE, Statistic.PERCENT_CHANGE):
        return _positive(sd / math.sqrt(n), "sd")
    if ci is not None:
        return _positive((ci[1] - ci[0]) / (2 * normal_quantile(ci_level)), "ci")
    if statistic is Statistic.PROPORTION and n is not None:
        return _positive(_binomial_se(value, n, events), "events")
    if statistic is Statistic.RATE and family is Family.TIME_TO_EVENT and events:
        return _positive(value / math.sqrt(events), "events")
    return MISSING


def _binomial_se(value: float, n: int, events: int | None) -> float:
    """SE of a proportion in %."""
    count = value / 100.0 * n if events is None else float(events)
    share = count / n
    if share <= 0.0 or share >= 1.0:
        share = (count + 0.5) / (n + 1.0)
    return 100.0 * math.sqrt(share * (1.0 - share) / n)


def _positive(se: float, origin: str) -> tuple[float | None, str]:
    """A standard error that is not a positive number is none."""
    return (se, origin) if math.isfinite(se) and se > 0 else MISSING
