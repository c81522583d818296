"""Markov cohort models: many draws of the transition probabilities at once, totals without keeping the traces.

Method: Beck & Pauker 1983 (Medical Decision Making); rewards on states and on transitions as in
Alarid-Escudero et al 2023 (doi 10.1177/0272989X221103163) and their tutorial of time-dependent models.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
TOLERANCE = 1e-8


def check_transitions(transitions: npt.ArrayLike) -> FloatArray:
    """The array (…, S, S) as float64, rows summing to one exactly.

    Raises
    ------
    InvalidInput
        Not square, an entry outside [0, 1] or not a number, or a row that does not sum to one (within 1e-8).
    """
    array = np.asarray(transitions, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.size == 0:
        raise InvalidInput("Transition probabilities are a square table: from each state (row) to each (column).")
    if not np.isfinite(array).all():
        raise InvalidInput("A transition probability is not a number.")
    if array.min() < -TOLERANCE or array.max() > 1 + TOLERANCE:
        worst = array.min() if array.min() < -TOLERANCE else array.max()
        raise InvalidInput(f"A transition probability is {worst:.6g}; all lie between 0 and 1.")
    sums = array.sum(axis=-1)
    off = np.abs(sums - 1.0)
    if off.max() > TOLERANCE:
        where = np.unravel_index(int(off.argmax()), off.shape)
        raise InvalidInput(
            f"The probabilities from state {where[-1] + 1} sum to {sums[where]:.6g}.",
            "Each row sums to one; write 'rest' for the cell that takes the remainder.",
        )
    clipped = np.clip(array, 0.0, 1.0)
    return np.asarray(clipped / clipped.sum(axis=-1, keepdims=True))


def check_start(start: npt.ArrayLike, states: int) -> FloatArray:
    """(S,) shares of the cohort at the beginning (InvalidInput unless they are shares that sum to one)."""
    shares = np.asarray(start, dtype=np.float64)
    if (
        shares.shape != (states,)
        or not np.isfinite(shares).all()
        or shares.min() < 0
        or abs(shares.sum() - 1) > TOLERANCE
    ):
        raise InvalidInput(f"The cohort at the beginning is {states} shares that sum to one.")
    return shares


def cohort_trace(start: npt.ArrayLike, transitions: npt.ArrayLike, cycles: int) -> FloatArray:
    """(T + 1, S) share of the cohort in each state at each point of time.

    Parameters
    ----------
    start : (S,) shares at time 0.
    transitions : (S, S), or (T, S, S) when they change from cycle to cycle; rows sum to one (InvalidInput).
    cycles : T.
    """
    array = check_transitions(transitions)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[0] not in (1, cycles) or cycles < 1:
        raise InvalidInput(f"Give one table of transitions, or one for each of the {cycles} cycles.")
    trace = np.empty((cycles + 1, array.shape[-1]))
    trace[0] = check_start(start, array.shape[-1])
    for cycle in range(cycles):
        trace[cycle + 1] = trace[cycle] @ array[cycle % array.shape[0]]
    return trace


def cohort_totals(start: npt.ArrayLike, transitions: FloatArray, rewards: FloatArray) -> FloatArray:
    """(D, K) expected totals of K outcomes for each draw, without keeping the traces.

    Parameters
    ----------
    start : (S,) shares at time 0.
    transitions : (D or 1, T or 1, S, S), checked (see `check_transitions`).
    rewards : (D or 1, K, T + 1, S) what a person in a state at a point of time adds, weighted and discounted already
        (see `state_rewards` and `transition_rewards`).
    """
    from tools.cost_effectiveness.kernels import totals  # numba, which the start of the program would feel

    shares = check_start(start, transitions.shape[-1])
    return np.asarray(
        totals(shares, np.ascontiguousarray(transitions), np.ascontiguousarray(rewards)), dtype=np.float64
    )


def weighted_occupancy(start: npt.ArrayLike, transitions: FloatArray, weights: FloatArray) -> FloatArray:
    """(D or 1, W, S) expected time in each state, each point of time counted with its weight.

    Parameters
    ----------
    start : (S,). transitions : (D or 1, T or 1, S, S), checked. weights : (W, T + 1).
    """
    from tools.cost_effectiveness.kernels import occupancy  # numba, which the start of the program would feel

    shares = check_start(start, transitions.shape[-1])
    found = occupancy(shares, np.ascontiguousarray(transitions), np.ascontiguousarray(weights))
    return np.asarray(found, dtype=np.float64)


def state_rewards(values: FloatArray, begins: FloatArray, ends: FloatArray) -> FloatArray:
    """(D, T + 1, S) weighted rewards of being in a state.

    Parameters
    ----------
    values : (D or 1, T or 1, S) reward a cycle in each cycle.
    begins, ends : (T + 1,) weights of `accounting.point_weights`.
    """
    points = len(begins)
    cycles = np.arange(points)
    if values.shape[1] == 1:
        return np.asarray(values * (begins + ends)[None, :, None])
    here = values[:, np.minimum(cycles, points - 2)]
    left = values[:, np.maximum(cycles - 1, 0)]
    return np.asarray(here * begins[None, :, None] + left * ends[None, :, None])


def transition_rewards(transitions: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """(D, T + 1, S) expected weighted rewards of the moves that begin in a state at a point of time.

    Parameters
    ----------
    transitions : (D or 1, T or 1, S, S). values : (D or 1, T or 1, S, S) reward of each move.
    weights : (T + 1,) discounted weights; a move counts at the point at which it ends.
    """
    expected = (transitions * values).sum(axis=-1)
    rewards = np.zeros((expected.shape[0], len(weights), expected.shape[2]))
    rewards[:, :-1] = expected * weights[None, 1:, None]
    return rewards
