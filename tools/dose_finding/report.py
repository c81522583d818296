"""From what trials did to estimates and charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.dose_finding.boin import NEVER
from tools.dose_finding.model import Table, ThreePlusThree
from tools.dose_finding.schemas import Decision
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.uncertainty import Spread, spread

FloatArray = npt.NDArray[np.float64]
VALIDATION = Validation.VERIFIED


@dataclass(frozen=True)
class Outcome:
    """What a design does, by draw of the DLT rates.

    Attributes
    ----------
    selected : (D, J + 1) shares of trials that choose no dose, then each dose.
    patients, toxicities : (D, R, J) by dose; R simulated trials, or R = 1 expectation.
    trials : simulated trials over all draws; 0 where the shares are exact.
    """

    selected: FloatArray
    patients: FloatArray
    toxicities: FloatArray
    trials: int


def exact_outcome(found: Sequence[ThreePlusThree]) -> Outcome:
    """Exact characteristics of each draw."""
    return Outcome(
        np.stack([np.concatenate([[one.none], one.selected]) for one in found]),
        np.stack([one.patients for one in found])[:, None],
        np.stack([one.toxicities for one in found])[:, None],
        0,
    )


def estimates(
    outcome: Outcome, names: Sequence[str], rates: FloatArray, target: float | None, level: float
) -> list[Estimate]:
    """Shares of trials by the dose they choose, people and DLTs by dose and in all.

    rates : (D, J) draws of the true DLT rates.
    """
    made = [_share("none", "trials that call no dose tolerated", outcome.selected[:, 0], outcome.trials, level)]
    for i, name in enumerate(names):
        what = f"trials that choose {name}"
        made.append(_share(f"selected.{name}", what, outcome.selected[:, i + 1], outcome.trials, level))
    if target is not None:
        nearest = np.abs(rates - target).argmin(axis=1)
        right = np.take_along_axis(outcome.selected[:, 1:], nearest[:, None], axis=1)[:, 0]
        made.append(
            _share("correct", "trials that choose the dose nearest to the target", right, outcome.trials, level)
        )
        high = (outcome.selected[:, 1:] * (rates > target + 1e-12)).sum(axis=1)
        made.append(_share("too_toxic", "trials that choose a dose above the target", high, outcome.trials, level))
    chance = outcome.trials > 0
    for what, key, unit, values in (
        ("people treated", "patients", "people", outcome.patients),
        ("dose-limiting toxicities", "toxicities", "people", outcome.toxicities),
    ):
        for i, name in enumerate(names):
            made.append(_count(f"{key}.{name}", f"{what} at {name}", unit, spread(values[..., i], level=level), chance))
        made.append(_count(f"{key}.total", f"{what} in a trial", unit, spread(values.sum(axis=2), level=level), chance))
    return made


def boundary_estimates(up: float, down: float) -> list[Estimate]:
    """The two boundaries of the observed DLT rate."""
    return [
        _plain("boundary.escalate", "highest observed DLT rate at which the dose goes up", up),
        _plain("boundary.deescalate", "lowest observed DLT rate at which the dose goes down", down),
    ]


def escalation_estimates(found: Sequence[ThreePlusThree], names: Sequence[str], level: float) -> list[Estimate]:
    """Probability to pass each dose once it is reached."""
    return [
        _share(f"escalated.{name}", f"trials that reach {name} and pass it", np.array([one.escalated[i] for one in found]),
               0, level)
        for i, name in enumerate(names)
    ]  # fmt: skip


def rows_of(table: Table, cohort_size: int) -> tuple[Decision, ...]:
    """The decision table at each full cohort."""
    return tuple(
        Decision(
            people=n, escalate_at_most=int(table.escalate[n - 1]), deescalate_at_least=int(table.deescalate[n - 1]),
            eliminate_at_least=int(table.eliminate[n - 1]) if table.eliminate[n - 1] < NEVER else None,
        )
        for n in range(cohort_size, table.escalate.size + 1, cohort_size)
    )  # fmt: skip


def charts(outcome: Outcome | None, names: Sequence[str], rows: Sequence[Decision]) -> tuple[Chart, ...]:
    """Shares of trials and people by dose; the decision table."""
    made = []
    if outcome is not None:
        shares = 100 * outcome.selected.mean(axis=0)
        people = outcome.patients.mean(axis=(0, 1))
        chosen = tuple(Point(x=x, y=float(y)) for x, y in zip(("none", *names), shares, strict=True))
        treated = tuple(Point(x=x, y=float(y)) for x, y in zip(names, people, strict=True))
        made += [
            Chart(kind="bars", title="Dose that the trial chooses", x_label="dose", y_label="% of trials",
                  series=(Series(name="chosen", points=chosen),)),
            Chart(kind="bars", title="People treated", x_label="dose", y_label="people",
                  series=(Series(name="treated", points=treated),)),
        ]  # fmt: skip
    if rows:
        series = (
            ("up with at most", [(r.people, r.escalate_at_most) for r in rows]),
            ("down with at least", [(r.people, r.deescalate_at_least) for r in rows]),
            (
                "leave with at least",
                [(r.people, r.eliminate_at_least) for r in rows if r.eliminate_at_least is not None],
            ),
        )
        made.append(
            Chart(kind="lines", title="Decision table", x_label="people treated at the dose", y_label="DLTs",
                  series=tuple(Series(name=name, points=tuple(Point(x=float(x), y=float(y)) for x, y in points))
                               for name, points in series))
        )  # fmt: skip
    return tuple(made)


def _share(key: str, what: str, shares: FloatArray, trials: int, level: float) -> Estimate:
    """A share of trials in %: over draws of the rates, or with the error of the simulation (Wilson 1927)."""
    point, lower, upper, source = float(shares.mean()), None, None, None
    if len(shares) > 1:
        kept, source = _of_rates(shares, trials)
        found = spread(kept, level=level)
        lower, upper = found.lower, found.upper
    elif trials:
        from scipy.special import ndtri

        z = float(ndtri((1 + level) / 2))
        centre = (point + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z / (1 + z**2 / trials) * (point * (1 - point) / trials + z**2 / (4 * trials**2)) ** 0.5
        lower, upper = max(centre - half, 0.0), min(centre + half, 1.0)
    return Estimate(
        id=key, quantity=what, unit="%", population="trials of this design", point=100 * point,
        lower=None if lower is None else 100 * lower, upper=None if upper is None else 100 * upper, level=level,
        kind=Kind.SCENARIO, of=Level.SHARE, validation=VALIDATION, from_parameters=source,
    )  # fmt: skip


def _of_rates(shares: FloatArray, trials: int) -> tuple[FloatArray, float | None]:
    """Shares by draw without the chance that is left in a limited number of trials, and the part of the variance of a
    single trial's choice that comes from the rates.
    """
    if not trials:
        return shares, 1.0
    each = trials / len(shares)
    within = float((shares * (1 - shares)).mean()) * each / (each - 1)
    between = float(shares.var(ddof=1))
    own = max(between - within / each, 0.0)
    mean = shares.mean()
    kept = mean + (shares - mean) * ((own / between) ** 0.5 if between > 0 else 0.0)
    return np.clip(kept, 0, 1), own / (own + within) if own + within > 0 else 0.0


def _count(key: str, what: str, unit: str, found: Spread, interval: bool) -> Estimate:
    interval = interval or found.draws > 1
    return Estimate(
        id=key, quantity=what, unit=unit, population="trials of this design", point=found.mean,
        lower=found.lower if interval else None, upper=found.upper if interval else None, level=found.level,
        kind=Kind.SCENARIO, of=Level.COUNT, validation=VALIDATION,
        from_parameters=found.from_parameters if interval else None,
    )  # fmt: skip


def _plain(key: str, what: str, value: float) -> Estimate:
    return Estimate(
        id=key, quantity=what, unit="share", population="this design", point=value, kind=Kind.SCENARIO, of=Level.SHARE,
        validation=VALIDATION,
    )  # fmt: skip
