"""Retrieval metrics: pure functions on rankings and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences with its bootstrap interval, in the unit of the scores."""

    mean: float
    lower: float
    upper: float


def recall(ranking: Sequence[str], relevant: Set[str], k: int) -> float:
    """Share of the relevant documents among the first `k`, 0-1; never more than k / len(relevant).

    A document that is ranked twice counts once, at its first rank.
    """
    _check(relevant, k)
    return len(relevant & set(_first(ranking, k))) / len(relevant)


def ndcg(ranking: Sequence[str], relevant: Set[str], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, 0-1 (Järvelin and Kekäläinen 2002, ACM TOIS 20:422).

    A relevant document at rank r gains 1 / log2(r + 1); the best possible ranking scores 1.
    """
    _check(relevant, k)
    gained = sum(_gain(rank) for rank, key in enumerate(_first(ranking, k), start=1) if key in relevant)
    return gained / sum(_gain(rank) for rank in range(1, min(k, len(relevant)) + 1))


def neighbour_recall(found: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    """Mean share of the exact neighbours that were found, 0-1. Shapes (queries, k), (queries, k); -1 is no neighbour."""
    if found.shape != exact.shape or found.ndim != 2 or not exact.size:
        raise ValueError(f"found {found.shape} and exact {exact.shape} must have one shape (queries, k)")
    return float(np.mean((exact[:, :, None] == found[:, None, :]).any(axis=2)))


def paired_bootstrap(
    first: Sequence[float], second: Sequence[float], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 1
) -> Difference:
    """Mean of `first - second` over questions, with a percentile bootstrap interval at `level` (0-1).

    Questions are drawn with replacement, both scores of a question together (Efron and Tibshirani 1993, chapter 13;
    for retrieval Sakai 2006, SIGIR). Shapes (n,), (n,); n at least 1.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} scores cannot be paired")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    generator = np.random.default_rng(seed)
    # How often each question is drawn, instead of which: (resamples, n) small counts.
    n = len(differences)
    counts = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
    lower, upper = np.quantile(counts @ differences / n, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(differences.mean()), float(lower), float(upper))


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 1)


def _first(ranking: Sequence[str], k: int) -> list[str]:
    return list(dict.fromkeys(ranking))[:k]


def _check(relevant: Set[str], k: int) -> None:
    if not relevant or k < 1:
        raise ValueError(f"recall and nDCG need a relevant document and k of 1 or more, got {len(relevant)} and k {k}")
