"""Panel data as intervals between observations, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """n intervals between two observations of a person.

    Attributes
    ----------
    states : S. transitions : allowed moves, row by row.
    origin : (n,) state at the beginning. lengths : (n, K) time spent in each period between cut points.
    unit : (n,) which set of covariates. design : (U, K, L) columns of the linear predictor of each set and period.
    target : (n, S) states the observation at the end may stand for. exact : (n,) state entered exactly then, or -1.
    """

    states: int
    transitions: tuple[tuple[int, int], ...]
    origin: npt.NDArray[np.int64]
    lengths: FloatArray
    unit: npt.NDArray[np.int64]
    design: FloatArray
    target: npt.NDArray[np.bool_]
    exact: npt.NDArray[np.int64]
    observations: int
    subjects: int


def intervals_of(
    subject: npt.ArrayLike,
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    allowed: npt.ArrayLike,
    *,
    exact: Sequence[int],
    censored: Mapping[int, Sequence[int]] | None,
    covariates: npt.ArrayLike | None,
    cut_points: Sequence[float],
    first_state: int,
) -> Intervals:
    """Check and cut; arguments and errors as `panel.fit_panel`."""
    who, when, what = np.asarray(subject), np.asarray(time, dtype=np.float64), np.asarray(state, dtype=np.float64)
    possible = np.array(allowed, dtype=np.float64)
    if who.ndim != 1 or who.shape != when.shape or who.shape != what.shape or len(who) < 2:
        raise InvalidInput("Subject, time and state are columns of the same length with two rows or more.")
    if not (np.isfinite(when).all() and np.isfinite(what).all()) or (what != np.floor(what)).any():
        raise InvalidInput("Times are finite numbers, and states are whole numbers.")
    if possible.ndim != 2 or possible.shape[0] != possible.shape[1] or not np.isfinite(possible).all():
        raise InvalidInput("Allowed moves need one row and one column for each state.")
    np.fill_diagonal(possible, 0)
    states = len(possible)
    transitions = tuple((int(a), int(b)) for a, b in np.argwhere(possible > 0))
    if not transitions:
        raise InvalidInput("No move between states is allowed.")
    codes = {int(code): [int(one) - first_state for one in may] for code, may in (censored or {}).items()}
    seen = what.astype(np.int64)
    hidden = np.isin(seen, list(codes))
    index = np.where(hidden, -1, seen - first_state)
    entered = [int(one) - first_state for one in exact]
    named = [*entered, *(one for may in codes.values() for one in may)]
    if (index[~hidden] < 0).any() or (index >= states).any() or any(not 0 <= one < states for one in named):
        raise InvalidInput("A state is not among those of the model.", f"They are numbered from {first_state}.")
    change = np.flatnonzero(who[1:] != who[:-1]) + 1
    starts = np.concatenate([[0], change])
    if len(np.unique(who[starts])) != len(starts):
        raise InvalidInput("The rows of a person stand together.", "Sort by subject and time.")
    same = who[1:] == who[:-1]
    if (np.diff(when)[same] <= 0).any():
        raise InvalidInput("The observations of a person are in the order of time, each at its own.")
    begin = np.flatnonzero(same)
    if not len(begin):
        raise InvalidInput("Nobody was seen twice.")
    if hidden[begin].any():
        raise InvalidInput("An unknown state may only be a person's last observation.", "Leave out the others.")
    end = begin + 1
    target = np.zeros((len(begin), states), dtype=bool)
    target[np.arange(len(begin)), np.maximum(index[end], 0)] = ~hidden[end]
    for code, may in codes.items():
        rows = np.flatnonzero(seen[end] == code)
        for one in may:
            target[rows, one] = True
    reach = _reachable(possible)
    if (~(reach[index[begin]] & target).any(axis=1)).any():
        row = int(np.flatnonzero(~(reach[index[begin]] & target).any(axis=1))[0])
        raise InvalidInput(
            f"Somebody goes from state {seen[begin[row]]} to {seen[end[row]]}, which the allowed moves rule out."
        )
    cuts = np.asarray(sorted(cut_points), dtype=np.float64)
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    lengths = np.clip(
        np.minimum(when[end][:, None], edges[None, 1:]) - np.maximum(when[begin][:, None], edges[None, :-1]), 0, None
    )
    unit, sets = _units(covariates, len(who), begin)
    periods = len(cuts) + 1
    design = np.zeros((len(sets), periods, 1 + len(cuts) + sets.shape[1]))
    design[..., 0] = 1.0
    for k in range(1, periods):
        design[:, k, k] = 1.0
    design[:, :, periods:] = sets[:, None, :]
    into = np.where(np.isin(index[end], entered), index[end], -1)
    return Intervals(
        states, transitions, index[begin], lengths, unit, design, target, into, len(who), len(starts)
    )  # fmt: skip


def crude_rates(data: Intervals) -> dict[tuple[int, int], float]:
    """Moves seen over time in the state before, as if nothing happened between observations; never 0."""
    spent = np.zeros(data.states)
    np.add.at(spent, data.origin, data.lengths.sum(axis=1))
    last = data.target.argmax(axis=1)
    found = {}
    for a, b in data.transitions:
        moves = int(((data.origin == a) & (last == b) & (data.target.sum(axis=1) == 1)).sum())
        found[a, b] = max(moves, 0.5) / max(spent[a], 1e-9 + spent.sum() / len(spent) / 100)
    return found


def _reachable(possible: FloatArray) -> npt.NDArray[np.bool_]:
    reach = (possible > 0) | np.eye(len(possible), dtype=bool)
    for _ in range(len(possible)):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return reach


def _units(
    covariates: npt.ArrayLike | None, rows: int, begin: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    if covariates is None:
        return np.zeros(len(begin), dtype=np.int64), np.zeros((1, 0))
    given = np.asarray(covariates, dtype=np.float64)
    given = given[:, None] if given.ndim == 1 else given
    if given.shape[0] != rows or not np.isfinite(given).all():
        raise InvalidInput("Covariates need a finite number in every row.")
    sets, unit = np.unique(given[begin], axis=0, return_inverse=True)
    return unit.ravel().astype(np.int64), sets
