"""Two indexes as one: the shipped passages, which everybody shares, and the few that one owner imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from knowledge.index import DenseIndex, ExactIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class JoinedIndex:
    """Nearest passages of both. A passage that is in both counts as the owner's.

    Parameters
    ----------
    shared : of others too; closing this index leaves it open.
    own : the owner's.
    in_both : number of passages that stand in both.
    """

    def __init__(self, shared: DenseIndex | ExactIndex | JoinedIndex, own: ExactIndex, in_both: int) -> None:
        self._shared, self._own, self._in_both = shared, own, in_both
        self.count: int = shared.count + own.count - in_both

    def query(
        self, vector: NDArray[np.float32], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """As `DenseIndex.query`."""
        mine = self._own.ids if among is None else self._own.ids.intersection(among)
        others = None if among is None else [key for key in among if key not in self._own.ids]
        found = self._shared.query(vector, k + self._in_both, among=others)
        found = [hit for hit in found if hit[0] not in self._own.ids]
        found += self._own.query(vector, k, among=sorted(mine))
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]

    def similarities(self, vector: NDArray[np.float32], passage_ids: Sequence[str]) -> dict[str, float]:
        """As `DenseIndex.similarities`."""
        mine = [key for key in passage_ids if key in self._own.ids]
        others = [key for key in passage_ids if key not in self._own.ids]
        return {**self._shared.similarities(vector, others), **self._own.similarities(vector, mine)}

    def close(self) -> None:
        """Nothing of its own is held open."""
