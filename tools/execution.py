"""Where a simulation's draws are computed: in this thread, in several threads, in processes, or on a Dask cluster.

The work is always cut into the same pieces, each with a random stream of its own, so that the numbers do not depend on
where, or in what order, the pieces are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from knowledge.errors import InvalidInput

T = TypeVar("T")
R = TypeVar("R")

PIECES = 0x91EC  # with it, what spawns from the bare seed is another family of streams


class Executor(Protocol):
    """Applies a function to each item and gives the results in the order of the items."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`[function(item) for item in items]`; what the function raises is raised here."""
        ...


class InThisThread:
    """One piece after the other."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Apply in order."""
        return [function(item) for item in items]


@dataclass(frozen=True)
class Threads:
    """Threads of this process: for kernels that release the interpreter lock (numpy, numba with nogil)."""

    workers: int = 2

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Apply in threads."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(function, items))


@dataclass(frozen=True)
class Processes:
    """Processes of this machine; function and items must be picklable."""

    workers: int = 2

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Apply in freshly started processes."""
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn")) as pool:
            return list(pool.map(function, items))


@dataclass(frozen=True)
class DaskCluster:
    """A Dask cluster, through the client that the caller has connected (extra `scale`)."""

    client: Any

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Apply on the cluster's workers."""
        return list(self.client.gather(self.client.map(function, list(items), pure=False)))


@dataclass(frozen=True)
class Piece:
    """Draws `start` to `stop` (excluded) of a simulation, with their own random stream.

    Attributes
    ----------
    index : number of the piece, from 0.
    seeds : stream of this piece; `rng()` starts it.
    """

    index: int
    start: int
    stop: int
    seeds: np.random.SeedSequence

    @property
    def size(self) -> int:
        """Draws in this piece."""
        return self.stop - self.start

    def rng(self) -> np.random.Generator:
        """A generator at the beginning of this piece's stream."""
        return np.random.default_rng(self.seeds)


def pieces(draws: int, seed: int, *, size: int = 250) -> list[Piece]:
    """Cut `draws` into pieces of at most `size`, each with an independent stream (numpy's SeedSequence.spawn).

    The streams are none that a tool spawns from the seed itself for its parameters.

    Raises
    ------
    InvalidInput
        No draws, or a piece of no size.
    """
    if draws < 1 or size < 1:
        raise InvalidInput("A simulation needs at least one draw.")
    streams = np.random.SeedSequence([seed, PIECES]).spawn(-(-draws // size))
    return [
        Piece(index, start, stop, stream)
        for index, ((start, stop), stream) in enumerate(zip(_bounds(draws, size), streams, strict=True))
    ]


def _bounds(draws: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, draws, size):
        yield start, min(start + size, draws)
