"""What states and moves of a cohort model add to each outcome, kept small where nothing changes from cycle to cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tools.cost_effectiveness import cohorts

FloatArray = npt.NDArray[np.float64]


@dataclass
class Rewards:
    """Rewards of one strategy.

    Attributes
    ----------
    outcomes : K. points : T + 1.
    steady : (outcome, values (D or 1, S), weights (T + 1,)): the same in all cycles but for the weight.
    varying : by outcome (D or 1, T + 1, S), weighted.
    """

    outcomes: int
    points: int
    states: int
    steady: list[tuple[int, FloatArray, FloatArray]] = field(default_factory=list)
    varying: dict[int, FloatArray] = field(default_factory=dict)

    def add_state(self, outcome: int, values: FloatArray, begins: FloatArray, ends: FloatArray) -> None:
        """Being in a state: values (D or 1, T or 1, S) a cycle, weights of `accounting.point_weights`."""
        if values.shape[1] == 1:
            self.steady.append((outcome, values[:, 0], begins + ends))
        else:
            self._vary(outcome, cohorts.state_rewards(values, begins, ends))

    def add_moves(self, outcome: int, transitions: FloatArray, values: FloatArray, weights: FloatArray) -> None:
        """Moves: values (D or 1, T or 1, S, S), counted at the point at which a move ends, with weights (T + 1,)."""
        if transitions.shape[1] == 1 and values.shape[1] == 1:
            expected = (transitions * values).sum(axis=-1)[:, 0]
            self.steady.append((outcome, expected, np.append(weights[1:], 0.0)))
        else:
            self._vary(outcome, cohorts.transition_rewards(transitions, values, weights))

    def _vary(self, outcome: int, weighted: FloatArray) -> None:
        before = self.varying.get(outcome)
        self.varying[outcome] = weighted if before is None else before + weighted

    def dense(self) -> FloatArray:
        """(D or 1, K, T + 1, S) everything weighted, for models that follow single people."""
        parts = [(k, v[:, None] * w[None, :, None]) for k, v, w in self.steady] + list(self.varying.items())
        draws = max((part.shape[0] for _, part in parts), default=1)
        found = np.zeros((draws, self.outcomes, self.points, self.states))
        for outcome, part in parts:
            found[:, outcome] += part
        return found


def shared_totals(start: FloatArray, transitions: FloatArray, strategies: Sequence[Rewards]) -> list[FloatArray]:
    """(D or 1, K) totals of strategies that share their transitions (D or 1, T or 1, S, S): the cohort moves once."""
    rows: dict[bytes, int] = {}
    weights: list[FloatArray] = []
    for one in strategies:
        for _, _, row in one.steady:
            if rows.setdefault(row.tobytes(), len(weights)) == len(weights):
                weights.append(row)
    spent = cohorts.weighted_occupancy(start, transitions, np.stack(weights)) if weights else None
    found = []
    for one in strategies:
        draws = max(
            [transitions.shape[0], *(v.shape[0] for _, v, _ in one.steady), *(v.shape[0] for v in one.varying.values())]
        )
        total = np.zeros((draws, one.outcomes))
        if spent is not None:
            for outcome, values, row in one.steady:
                total[:, outcome] += (values * spent[:, rows[row.tobytes()]]).sum(axis=-1)
        for outcome, weighted in one.varying.items():
            total[:, outcome] += cohorts.cohort_totals(start, transitions, weighted[:, None])[:, 0]
        found.append(total)
    return found
