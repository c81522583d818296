"""From hazards to what happens to people on treatment: each adverse event, stopping for it, stopping otherwise, death.

Every event has a cumulative hazard H (t/T)^k: constant for k = 1, else Weibull. The first occurrence of an adverse event
makes a share of people stop. Events come independently of each other until one of them ends treatment. Shares come from
integrals over cause-specific hazards; people are followed one by one or counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
STEPS = 512
SURELY = 1e-6
MOST_PEOPLE = 10**12


@dataclass(frozen=True)
class Course:
    """Shares of people over time, T points from 0 to the horizon, for D draws and J adverse events.

    Attributes
    ----------
    times : (T,) share of the horizon, 0 to 1.
    occurred : (D, T, J) had the event while on treatment. stopped : (D, T, J) stopped for it.
    otherwise, died : (D, T) stopped for another reason, died on treatment. treated : (D, T) still on treatment.
    event_free : (D, T) on treatment and without any adverse event.
    `stopped`, `otherwise`, `died` and `treated` sum to one.
    """

    times: FloatArray
    occurred: FloatArray
    stopped: FloatArray
    otherwise: FloatArray
    died: FloatArray
    treated: FloatArray
    event_free: FloatArray


@dataclass(frozen=True)
class Counts:
    """People: (J,) with each event, (J,) who stopped for it, and the numbers in the other states."""

    occurred: IntArray
    stopped: IntArray
    otherwise: int
    died: int
    treated: int
    event_free: int


def _check(
    cumulative: npt.ArrayLike, shapes: npt.ArrayLike, stops: npt.ArrayLike, ending: npt.ArrayLike, dims: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    h, k, s, e = (np.asarray(one, dtype=np.float64) for one in (cumulative, shapes, stops, ending))
    events = h.shape[-1] if h.ndim else 0
    fit = h.ndim == e.ndim == dims and s.shape == h.shape and k.shape == (events + 2,)
    if not fit or e.shape != (*h.shape[:-1], 2):
        raise InvalidInput("Hazards, shapes and shares that stop do not belong together.")
    if not all(np.isfinite(one).all() and (one >= 0).all() for one in (h, k, s, e)):
        raise InvalidInput("Hazards, shapes and shares are numbers of 0 or more.")
    if (k <= 0).any() or (s > 1).any():
        raise InvalidInput("Weibull shapes lie above 0, and a share that stops is at most 1.")
    return h, k, s, e


def expected_course(
    cumulative: npt.ArrayLike,
    shapes: npt.ArrayLike,
    stops: npt.ArrayLike,
    ending: npt.ArrayLike,
    steps: int = STEPS,
) -> Course:
    """Exact shares (to about 1e-5 where shapes differ, else exactly) from hazards.

    Parameters
    ----------
    cumulative : (D, J) cumulative hazard of each adverse event at the horizon.
    shapes : (J + 2,) Weibull shapes of the events, of stopping otherwise and of death; 1 for a constant hazard.
    stops : (D, J) share of those with the event who stop for it.
    ending : (D, 2) cumulative hazards at the horizon of stopping otherwise and of death.

    Raises
    ------
    InvalidInput
        Arrays that do not fit, negative or infinite hazards, shapes of 0 or less, shares above 1.
    """
    h, k, s, e = _check(cumulative, shapes, stops, ending, 2)
    events = h.shape[1]
    # Many points near 0, where hazards with a shape below 1 are steep.
    times = np.linspace(0, 1, steps + 1) ** 3
    grown = np.power(times[:, None], k)  # (T, J + 2)
    alone = h[:, None, :] * grown[None, :, :events]  # (D, T, J) cumulative hazards of first occurrences
    ended = e[:, None, :] * grown[None, :, events:]
    # Stopping for an event, were it the only way to leave: 1 - s + s exp(-H) are still there.
    with np.errstate(divide="ignore"):
        left_for = -np.logaddexp(np.log1p(-s)[:, None, :], np.log(s)[:, None, :] - alone)
    leaving = np.concatenate([np.where(s[:, None, :] > 0, np.maximum(left_for, 0.0), 0.0), ended], axis=2)
    total = leaving.sum(axis=2)
    left = _shared_out(leaving, total)
    # First occurrences among those who have not had the event and whom nothing else has taken off treatment.
    occurred = np.empty_like(alone)
    for j in range(events):
        both = alone[:, :, j] + total - leaving[:, :, j]
        occurred[:, :, j] = _shared_out(alone[:, :, j : j + 1], both)[:, :, 0]
    known = np.broadcast_to(s[:, None, :] > SURELY, occurred.shape)
    np.divide(left[:, :, :events], s[:, None, :], out=occurred, where=known)
    free = np.exp(-alone.sum(axis=2) - ended.sum(axis=2))
    return Course(times, occurred, left[:, :, :events], left[:, :, -2], left[:, :, -1], np.exp(-total), free)


def _shared_out(parts: FloatArray, total: FloatArray) -> FloatArray:
    """(D, T, N) shares that have left by each cause, from cumulative hazards `parts` (D, T, N) out of `total` (D, T).

    Within a step those who leave are shared out by the growth of the hazards: exact where their ratio is constant.
    """
    steps = np.diff(total, axis=1)
    leave = np.exp(-total[:, :-1]) * -np.expm1(-steps)
    share = np.divide(leave, steps, out=np.zeros_like(steps), where=steps > 0)
    flow = np.diff(parts, axis=1) * share[:, :, None]
    return np.concatenate([np.zeros((len(parts), 1, parts.shape[2])), np.cumsum(flow, axis=1)], axis=1)


def follow_people(
    people: int,
    cumulative: npt.ArrayLike,
    shapes: npt.ArrayLike,
    stops: npt.ArrayLike,
    ending: npt.ArrayLike,
    rng: np.random.Generator,
) -> Counts:
    """Follow people one by one to the horizon; arguments as `expected_course` without the draws: (J,), (J + 2,), (J,), (2,).

    Memory does not grow with the number of people.

    Raises
    ------
    InvalidInput
        As `expected_course`; fewer than one person, or more than 10^12.
    """
    h, k, s, e = _check(cumulative, shapes, stops, ending, 1)
    _check_people(people)
    from tools.adverse_events.kernels import follow  # numba, which the start of the program would feel

    occurred, stopped = np.zeros(h.size, np.int64), np.zeros(h.size, np.int64)
    rest = np.zeros(4, np.int64)
    follow(rng, people, h, k, s, e, occurred, stopped, rest)
    return Counts(occurred, stopped, int(rest[0]), int(rest[1]), int(rest[2]), int(rest[3]))


def count_people(people: int, course: Course, draw: int, rng: np.random.Generator) -> Counts:
    """The same numbers at the horizon drawn from their shares: the end of treatment jointly, each event given it.

    Raises
    ------
    InvalidInput
        Fewer than one person, or more than 10^12.
    """
    _check_people(people)
    stopped, occurred = course.stopped[draw, -1], course.occurred[draw, -1]
    shares = np.concatenate([stopped, [course.otherwise[draw, -1], course.died[draw, -1], course.treated[draw, -1]]])
    shares = np.maximum(shares, 0)
    ends = rng.multinomial(people, shares / shares.sum())
    events = stopped.size
    rest = np.divide(occurred - stopped, 1 - stopped, out=np.zeros(events), where=stopped < 1)
    had = ends[:events] + rng.binomial(people - ends[:events], np.clip(rest, 0, 1))
    treated = int(ends[-1])
    free = course.event_free[draw, -1] / max(float(course.treated[draw, -1]), 1e-300)
    return Counts(
        had, ends[:events], int(ends[-3]), int(ends[-2]), treated, int(rng.binomial(treated, min(free, 1.0)))
    )  # fmt: skip


def _check_people(people: int) -> None:
    if not 1 <= people <= MOST_PEOPLE:
        raise InvalidInput("The cohort has one to 10^12 people.")
