"""Microsimulation: one person after another through a Markov model with memory of the time in the present state.

Each person has an own random stream (a hash of seed, person and cycle: splitmix64, Steele, Lea & Flood
2014), so the same person meets the same luck under every strategy, and the result does not depend on
how people are cut into blocks. Nobody's history is kept: memory does not grow with the number of people. Model: Krijkamp
et al 2018 (Medical Decision Making 38:400).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.cost_effectiveness.cohorts import check_start

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Simulated:
    """Totals of n people: outcome sums, and the counts of who is where.

    Attributes
    ----------
    n : people. total, squares : (K,) sums of the outcomes of each person, and of their squares.
    occupancy : (T + 1, S) people in each state at each point of time.
    """

    n: int
    total: FloatArray
    squares: FloatArray
    occupancy: IntArray

    @property
    def mean(self) -> FloatArray:
        """(K,) mean outcome of a person."""
        return np.asarray(self.total / self.n)

    @property
    def sd(self) -> FloatArray:
        """(K,) standard deviation between people."""
        variance = (self.squares - self.total**2 / self.n) / max(self.n - 1, 1)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    @property
    def standard_error(self) -> FloatArray:
        """(K,) Monte Carlo error of the mean."""
        return np.asarray(self.sd / self.n**0.5)


def simulate_people(
    people: int,
    start: npt.ArrayLike,
    transitions: FloatArray,
    rewards: FloatArray,
    *,
    seed: int,
    first: int = 0,
    dead: int = -1,
    frailty: npt.ArrayLike = 1.0,
) -> Simulated:
    """Simulate people `first` to `first + people` of the population that `seed` makes.

    Parameters
    ----------
    start : (S,) shares at time 0.
    transitions : (T or 1, U, S, S) probabilities by cycle and by whole cycles already spent in the present state (0, 1,
        …; the last table serves for longer), checked.
    rewards : (K, T + 1, U', S) weighted and discounted reward by point of time and cycles in the state.
    dead : number of the state whose probability `frailty` changes; -1 for none.
    frailty : (people,) or one number: hazard ratio of dying of each person.

    Raises
    ------
    InvalidInput
        Nobody to simulate, or a frailty below 0.
    """
    if people < 1:
        raise InvalidInput("A microsimulation needs at least one person.")
    ratios = np.atleast_1d(np.asarray(frailty, dtype=np.float64))
    if not np.isfinite(ratios).all() or (ratios < 0).any() or len(ratios) not in (1, people):
        raise InvalidInput("Give one hazard ratio of 0 or more, or one for each person.")
    shares = check_start(start, transitions.shape[-1])
    outcomes, points = rewards.shape[0], rewards.shape[1]
    total, squares = np.zeros(outcomes), np.zeros(outcomes)
    occupancy = np.zeros((points, transitions.shape[-1]), dtype=np.int64)
    from tools.cost_effectiveness.kernels import walk  # numba, which the start of the program would feel

    walk(
        first, people, seed, shares, np.ascontiguousarray(transitions), np.ascontiguousarray(rewards), dead, ratios,
        total, squares, occupancy,
    )  # fmt: skip
    return Simulated(people, total, squares, occupancy)


def pooled(parts: list[Simulated]) -> Simulated:
    """Blocks of people taken together."""
    if not parts:
        raise InvalidInput("There is nobody to take together.")
    return Simulated(
        n=sum(part.n for part in parts),
        total=np.sum([part.total for part in parts], axis=0),
        squares=np.sum([part.squares for part in parts], axis=0),
        occupancy=np.sum([part.occupancy for part in parts], axis=0),
    )
