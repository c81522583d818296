"""What the exact rules share: the result, and the check that a number lies above 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knowledge.errors import InvalidInput


def positive(**values: float) -> None:
    """InvalidInput names the first value that is not a number above 0."""
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise InvalidInput(f"{name.replace('_', ' ')} lies above 0, not at {value:g}.")


@dataclass(frozen=True)
class Rule:
    """A best ordering rule. `level`: order up to it, or that much. `reorder`: order when the position is at or below it.

    `cost` per period; `backorder_share` of the demand that waits on purpose (economic order quantity with backorders).
    """

    level: float
    cost: float
    reorder: float | None = None
    backorder_share: float = 0.0

    @property
    def policy(self) -> tuple[float, float]:
        """(s, S)."""
        return (self.level - 1 if self.reorder is None else self.reorder, self.level)
