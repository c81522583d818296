"""Differential privacy: noise on every count, so that no file depends noticeably on any one person.

Two-sided geometric mechanism (Ghosh, Roughgarden & Sundararajan 2009), the discrete form of the Laplace mechanism
(Dwork et al. 2006); whole numbers spare it the leak of floating-point noise (Mironov 2012). One person more or less
changes one cell of each attribute's counts (or its number of missing values) and at most one cell of each table of a
pair: with a attributes and p pairs, half of epsilon is divided among the a sets of counts and half among the p tables,
so that the whole file is epsilon-differentially private under adding or removing one person. Each set has sensitivity 1.
Numbers are counted in their coarse bins only, which no data have shaped: noise on hundreds of nearly empty bins would
drown the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import InvalidInput
from personas.fitting.design import Axis
from personas.fitting.grouping import Groups, regroup
from personas.fitting.statistics import AttributeCounts, PairCounts, Statistics

Floats = NDArray[np.float64]


def add_noise(complete: Statistics, epsilon: float, seed: int | None = None) -> Statistics:
    """Noisy statistics, negative counts set to 0 (which costs no privacy). The file holds no other number.

    Parameters
    ----------
    complete : counts in whole numbers of people.
    epsilon : > 0; 1 is a common choice, larger means less noise and less privacy.
    seed : for tests only. Whoever knows it can take the noise off again; without one the system's entropy is used.

    Raises
    ------
    InvalidInput : epsilon is not a positive number.
    """
    if not 0 < epsilon < np.inf:
        raise InvalidInput(f"epsilon must be above 0, and {epsilon:g} is not.", "1 is a common choice.")
    rng = np.random.default_rng(seed)
    each = epsilon / (2 * len(complete.attributes)) if complete.pairs else epsilon / len(complete.attributes)
    per_pair = epsilon / (2 * len(complete.pairs)) if complete.pairs else 0.0
    attributes = {}
    for name, item in complete.attributes.items():
        axis = complete.design.axis(name)
        groups = _coarse_groups(axis) if axis.kind == "number" else tuple(range(axis.bins))
        noisy = _noisy(np.array([*regroup(np.array(item.counts), groups), item.missing]), each, rng)
        attributes[name] = AttributeCounts(groups=groups, counts=tuple(noisy[:-1]), missing=float(noisy[-1]))
    pairs = tuple(
        PairCounts(between=pair.between, table=tuple(map(tuple, _noisy(np.array(pair.table), per_pair, rng))))
        for pair in complete.pairs
    )
    totals = [sum(item.counts) + item.missing for item in attributes.values()]
    people = float(np.median(totals))
    return complete.model_copy(
        update={"attributes": attributes, "pairs": pairs, "people": people, "epsilon": epsilon, "files": ()}
    )


def _coarse_groups(axis: Axis) -> Groups:
    """Group of each bin of a number: its coarse bin; what the restrictions exclude stays apart."""
    low = axis.edges.index(axis.lower) if axis.lower is not None else 0
    high = axis.edges.index(axis.upper) if axis.upper is not None else axis.bins
    cuts = sorted({*axis.coarse[1:-1], low, high} - {0, axis.bins})
    return tuple(int(group) for group in np.searchsorted(np.array(cuts), np.arange(axis.bins), side="right"))


def noise_sd(epsilon: float) -> float:
    """Standard deviation of the noise on one count under `epsilon` for its table."""
    ratio = float(np.exp(-epsilon))
    return float(np.sqrt(2 * ratio) / (1 - ratio))


def _noisy(counts: Floats, epsilon: float, rng: np.random.Generator) -> Floats:
    success = 1.0 - np.exp(-epsilon)
    noise = rng.geometric(success, counts.shape) - rng.geometric(success, counts.shape)
    result: Floats = np.maximum(counts + noise, 0.0)
    return result
