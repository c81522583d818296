"""Two-stage adaptive enrichment: after stage one go on in everybody, in the marker-positive only, or stop.

Strong control of the familywise error by closed testing: inverse normal combination of stage-wise p-values (Lehmacher,
Wassmer 1999, Biometrics 55:1286), Simes' test for the intersection of both hypotheses, after Jenkins, Stone, Jennison
2011 (Pharmaceutical Statistics, doi 10.1002/pst.472). Normal outcomes with SD 1; arrays only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EnrichmentDesign:
    """A two-stage enrichment trial.

    Attributes
    ----------
    stage_one, stage_two : participants an arm in each stage (all of stage two are marker-positive once enriched).
    prevalence : share of marker-positive people.
    enrich_below : the trial is enriched when the interim standardised difference of the marker-negative lies below.
    stop_below : it stops when that of the marker-positive lies below.
    alpha : one-sided familywise error.
    """

    stage_one: int
    stage_two: int
    prevalence: float
    enrich_below: float = 0.0
    stop_below: float = 0.0
    alpha: float = 0.025

    def __post_init__(self) -> None:
        """Refuse what cannot be run (InvalidInput)."""
        if self.stage_one < 4 or self.stage_two < 4:
            raise InvalidInput("Each stage needs at least 4 participants an arm.")
        if not 0 < self.prevalence < 1:
            raise InvalidInput("The share of marker-positive people lies between 0 and 1.")
        if not 0 < self.alpha < 0.5:
            raise InvalidInput("alpha lies between 0 and 0.5.")


@dataclass(frozen=True)
class EnrichmentRuns:
    """What came of each of T simulated trials, all (T,)."""

    all_claimed: BoolArray
    positive_claimed: BoolArray
    enriched: BoolArray
    stopped: BoolArray
    participants: FloatArray


def simulate_enrichment(
    design: EnrichmentDesign,
    positive: float | FloatArray,
    negative: float | FloatArray,
    trials: int,
    rng: np.random.Generator,
) -> EnrichmentRuns:
    """Simulate trials; `positive` and `negative` are standardised effects in the two strata, numbers or (trials,)."""
    if trials < 1:
        raise InvalidInput("At least one trial must be simulated.")
    up, down = (np.broadcast_to(np.asarray(x, dtype=np.float64), (trials,)) for x in (positive, negative))
    first = _stage(design.stage_one, design.prevalence, up, down, rng)
    stopped = first.positive < design.stop_below
    enriched = ~stopped & (first.negative < design.enrich_below)
    share = np.where(enriched, 1.0, design.prevalence)
    second = _stage(design.stage_two, share, up, down, rng)
    weights = np.sqrt(np.array([design.stage_one, design.stage_two]) / (design.stage_one + design.stage_two))
    critical = stats.norm.ppf(1 - design.alpha)

    def combined(one: FloatArray, two: FloatArray) -> BoolArray:
        return np.asarray(weights[0] * -special.ndtri(one) + weights[1] * -special.ndtri(two) > critical)

    # Once enriched, the whole population is no longer tested: its intersection is carried by the marker-positive.
    both_two = np.where(enriched, second.p_positive, _simes(second.p_positive, second.p_all))
    both = combined(_simes(first.p_positive, first.p_all), both_two)
    positive_claimed = ~stopped & both & combined(first.p_positive, second.p_positive)
    all_claimed = ~stopped & ~enriched & both & combined(first.p_all, second.p_all)
    participants = 2.0 * np.where(stopped, design.stage_one, design.stage_one + design.stage_two)
    return EnrichmentRuns(all_claimed, positive_claimed, enriched, stopped, participants)


@dataclass(frozen=True)
class _Stage:
    positive: FloatArray
    negative: FloatArray
    p_positive: FloatArray
    p_all: FloatArray


def _stage(
    size: int, prevalence: float | FloatArray, up: FloatArray, down: FloatArray, rng: np.random.Generator
) -> _Stage:
    """Differences of one stage: stratum sizes are drawn, the same in both arms (stratified randomisation)."""
    trials = len(up)
    count = np.clip(rng.binomial(size, prevalence, trials), 2, size).astype(np.float64)
    rest = np.maximum(size - count, 0.0)
    positive = up + rng.standard_normal(trials) * np.sqrt(2 / count)
    noise = rng.standard_normal(trials)
    negative = down + noise * np.sqrt(2 / np.maximum(rest, 1.0))
    everybody = (count * positive + rest * negative) / (count + rest)
    tiny = 1e-300
    p_positive = np.maximum(special.ndtr(-positive * np.sqrt(count / 2)), tiny)
    p_all = np.maximum(special.ndtr(-everybody * np.sqrt((count + rest) / 2)), tiny)
    return _Stage(positive, negative, np.minimum(p_positive, 1 - 1e-16), np.minimum(p_all, 1 - 1e-16))


def _simes(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(np.minimum(2 * np.minimum(first, second), np.maximum(first, second)))
