"""What follows for one person who starts: time on treatment, visits, the change over time and QALYs. Arrays in and out.

People stop with a constant hazard, as in the funnel of `tools.uptake`. After stopping a share of the change comes back,
plateau · (1 − exp(−rate · t)), as `simulate_stopping` fits it. Discounting is continuous, exp(−ln(1 + rate) · t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
STEPS_A_YEAR = 104


def _stays(persistence: npt.ArrayLike) -> FloatArray:
    share = np.asarray(persistence, dtype=np.float64)
    if not np.isfinite(share).all() or (share <= 0).any() or (share > 1).any():
        raise InvalidInput("The share still on treatment after a year lies above 0 and is at most 1.")
    return share


def years_on(
    persistence: npt.ArrayLike, begin: npt.ArrayLike, end: npt.ArrayLike, *, discount: float = 0.0
) -> FloatArray:
    """Expected years on treatment between two times since starting, ∫ s^t · (1 + discount)^−t dt in closed form.

    Parameters
    ----------
    persistence : share still on after a year, (0, 1]. begin, end : years since starting, 0 ≤ begin; 0 where end ≤ begin.
    discount : per year. The arrays broadcast.

    Raises
    ------
    InvalidInput
        A share outside (0, 1], a negative or infinite time, or a discount rate of −1 or below.
    """
    share = _stays(persistence)
    first, last = np.asarray(begin, dtype=np.float64), np.asarray(end, dtype=np.float64)
    if not (np.isfinite(first).all() and np.isfinite(last).all()) or (first < 0).any() or not discount > -1:
        raise InvalidInput("A time is a number of 0 or more, and a discount rate lies above -1.")
    last = np.maximum(last, first)
    hazard = -np.log(share) + np.log1p(discount)
    flat = np.abs(hazard) < 1e-12
    safe = np.where(flat, 1.0, hazard)
    return np.asarray(np.where(flat, last - first, np.exp(-safe * first) * -np.expm1(-safe * (last - first)) / safe))


@dataclass(frozen=True)
class VisitPlan:
    """Visits of one person: once at the start, then at two rates while on treatment.

    Attributes
    ----------
    initiation : visits at the start. early, later : visits per year on treatment before and after `early_years`.
    """

    initiation: FloatArray
    early: FloatArray
    later: FloatArray
    early_years: float


def visits_until(
    persistence: npt.ArrayLike, years: npt.ArrayLike, plan: VisitPlan, *, discount: float = 0.0
) -> FloatArray:
    """Expected visits of a starter by `years` after starting; none before 0 (InvalidInput as `years_on`)."""
    until = np.asarray(years, dtype=np.float64)
    if any((np.asarray(v) < 0).any() for v in (plan.initiation, plan.early, plan.later)) or plan.early_years < 0:
        raise InvalidInput("Visits and times are not negative.")
    turn = np.clip(until, 0.0, plan.early_years)
    end = np.maximum(until, 0.0)
    early = plan.early * years_on(persistence, 0.0, turn, discount=discount)
    later = plan.later * years_on(persistence, turn, end, discount=discount)
    return np.asarray(np.where(until >= 0, plan.initiation + early + later, 0.0))


@dataclass(frozen=True)
class Course:
    """Mean change since starting, in the endpoint's unit.

    Attributes
    ----------
    years : (G,) since starting. on : (D, G) share still on treatment.
    persistent : (D, G) of those on treatment. stopped : (D, G) of those who have stopped, 0 where nobody has.
    everyone : (D, G) of all who started.
    """

    years: FloatArray
    on: FloatArray
    persistent: FloatArray
    stopped: FloatArray
    everyone: FloatArray


def change_course(
    effect: npt.ArrayLike,
    shape: npt.ArrayLike,
    persistence: npt.ArrayLike,
    plateau: npt.ArrayLike,
    rate: npt.ArrayLike,
    years: npt.ArrayLike,
) -> Course:
    """The mean change over time of those who stay, of those who stop, and of all who started.

    Parameters
    ----------
    effect : (D,) change on treatment at the horizon. shape : (G,) share of it reached at each time, 0 at the start.
    persistence : (D,) after a year. plateau : (D,) share of the change that comes back in the end.
    rate : (D,) per year; infinite: at once. years : (G,) evenly spaced from 0.

    Raises
    ------
    InvalidInput
        Sizes that do not fit, a share outside (0, 1], a negative rate, or a value that is not a number.
    """
    t, form = np.asarray(years, dtype=np.float64), np.asarray(shape, dtype=np.float64)
    size, share, back, speed = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (effect, persistence, plateau, rate))
    )
    _stays(share)
    if t.ndim != 1 or len(t) < 2 or form.shape != t.shape or t[0] != 0 or not np.allclose(np.diff(t), t[1] - t[0]):
        raise InvalidInput("The course has evenly spaced times from 0 on, and a share of the effect at each.")
    if not (np.isfinite(size).all() and np.isfinite(form).all() and np.isfinite(back).all()) or np.isnan(speed).any():
        raise InvalidInput("The change and what returns of it are numbers.")
    if (speed < 0).any() or t[1] <= 0:
        raise InvalidInput("The speed of return is not negative, and time goes forward.")
    width = t[1]
    on = share[:, None] ** t
    persistent = size[:, None] * form
    # People leave evenly within a step: this is what is left of their change, on average, at the step's end.
    within = np.ones_like(speed)
    moving = speed * width > 1e-12
    within[moving] = -np.expm1(-speed[moving] * width) / (speed[moving] * width)
    kept = np.exp(-speed * width)
    leaving = (on[:, :-1] - on[:, 1:]) * 0.5 * (persistent[:, :-1] + persistent[:, 1:])
    lasting = np.concatenate([np.zeros((len(size), 1)), np.cumsum(leaving, axis=1)], axis=1)
    fading = np.zeros_like(lasting)
    for step in range(leaving.shape[1]):
        fading[:, step + 1] = fading[:, step] * kept + leaving[:, step] * within
    gone = (1 - back)[:, None] * lasting + back[:, None] * fading
    off = 1 - on
    return Course(
        years=t,
        on=on,
        persistent=persistent,
        stopped=np.where(off > 1e-12, gone / np.maximum(off, 1e-12), 0.0),
        everyone=on * persistent + gone,
    )


def grid(years: float) -> FloatArray:
    """Evenly spaced times from 0 to `years` (InvalidInput unless it lies above 0)."""
    if not (np.isfinite(years) and years > 0):
        raise InvalidInput("The horizon lies above 0.")
    return np.linspace(0.0, years, max(int(np.ceil(years * STEPS_A_YEAR)), 12) + 1)


def utility_years(course: Course, utility: npt.ArrayLike, *, discount: float = 0.0) -> FloatArray:
    """(D,) QALYs gained per starter: ∫ utility · change dt, with utility (D,) per unit of change, discounted."""
    worth = np.atleast_1d(np.asarray(utility, dtype=np.float64))
    present = np.exp(-np.log1p(discount) * course.years)
    return np.asarray(worth * np.trapezoid(course.everyone * present, course.years, axis=1))
