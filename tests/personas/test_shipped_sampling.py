"""Every shipped archetype, 100,000 patients: margins by Kolmogorov-Smirnov and χ², rank correlations within 0.02.

All of them are slow to check; the default run takes every twentieth.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from personas.drawing import Model, Plan
from personas.library import PersonaLibrary
from personas.margins import level_shares
from personas.sampling import draw, latent_structure
from personas.schemas import Attribute, Distribution, Persona
from personas.units import attribute_info

N = 100_000
# The KS distance that one sample in a million exceeds; the χ² quantile likewise. There are hundreds of margins.
ONE_IN_A_MILLION = 1e-6
KS = math.sqrt(-math.log(ONE_IN_A_MILLION / 2) / (2 * N))
IDS = PersonaLibrary().ids()
CHOSEN = [
    pytest.param(name, marks=[] if position % 20 == 0 else [pytest.mark.slow]) for position, name in enumerate(IDS)
]


def stated(attribute: Attribute) -> Any:
    """The distribution in scipy.stats' words; of a zero-inflated one, that of the values above zero."""
    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    lower, upper = attribute.lower or 0.0, attribute.upper or 0.0
    spread = math.sqrt(math.log1p((sd / mean) ** 2)) if mean > 0 else 1.0
    lognormal = stats.lognorm(spread, scale=max(mean, 1e-9) / math.exp(spread**2 / 2))
    size = mean * (1 - mean) / sd**2 - 1
    makers = {
        Distribution.NORMAL: lambda: stats.norm(mean, sd),
        Distribution.TRUNCATED_NORMAL: lambda: stats.truncnorm((lower - mean) / sd, (upper - mean) / sd, mean, sd),
        Distribution.LOGNORMAL: lambda: lognormal,
        Distribution.ZERO_INFLATED_LOGNORMAL: lambda: lognormal,
        Distribution.BETA: lambda: stats.beta(mean * size, (1 - mean) * size),
        Distribution.UNIFORM: lambda: stats.uniform(lower, upper - lower),
    }
    return makers[attribute.distribution]()


def ks_distance(attribute: Attribute, values: np.ndarray, limits: tuple[float, float] | None) -> float:
    """Largest distance of the distribution functions; tails beyond what a person can have are cut off."""
    if attribute.distribution is Distribution.ZERO_INFLATED_LOGNORMAL:
        share = float((values == 0).mean())
        assert share == pytest.approx(attribute.zeros, abs=5 * math.sqrt(0.25 / N))
        values = values[values > 0]
    distribution, low, high = stated(attribute), -math.inf, math.inf
    if limits is not None and attribute.distribution not in (Distribution.TRUNCATED_NORMAL, Distribution.UNIFORM):
        low, high = limits
    below, above = distribution.cdf([low, high])

    def cdf(x: np.ndarray) -> np.ndarray:
        return np.clip((distribution.cdf(x) - below) / (above - below), 0.0, 1.0)

    return float(stats.kstest(values, cdf).statistic) * math.sqrt(len(values) / N)


def noise(first: np.ndarray, second: np.ndarray) -> float:
    """Standard error of a rank correlation, from 40 pieces; above 0.004 only where both are rare (1 in 50)."""
    pieces = zip(first.reshape(40, -1), second.reshape(40, -1), strict=True)
    found = [stats.spearmanr(a, b).statistic for a, b in pieces if a.std() > 0 and b.std() > 0]
    return float(np.std(found) / math.sqrt(len(found)))


@pytest.mark.parametrize("name", CHOSEN)
def test_margins_and_rank_correlations(shipped: PersonaLibrary, name: str) -> None:
    persona: Persona = shipped.get(name).model_copy(update={"restrictions": ()})
    columns = draw(persona, (), N, seed=17).columns
    drawn, latent = latent_structure(persona)
    model = Model.of(persona)
    tied = {attribute for pair in model.at_most for attribute in pair}
    # Those who would be ill for longer than they live are not drawn; no distribution moves by more than their share.
    dropped = 1.0 - Plan.of(model, {}).consistent_share() if tied else 0.0
    for attribute, stating in drawn.items():
        column = columns[attribute]
        near = dropped if dropped else 0.0
        if column.dtype == np.float64:
            info = attribute_info(attribute)
            distance = ks_distance(stating, column, info.limits if info else None)
            assert distance < KS + near, (attribute, distance)
            continue
        shares = np.array(level_shares(stating))
        counts = np.bincount(column.astype(int), minlength=len(shares))
        assert counts[shares == 0].sum() == 0
        if dropped:
            assert counts / N == pytest.approx(shares, abs=near + 5 * math.sqrt(0.25 / N)), attribute
        elif (shares > 0).sum() > 1:
            assert stats.chisquare(counts[shares > 0], shares[shares > 0] * N).pvalue > ONE_IN_A_MILLION, attribute
    for item in persona.correlations:
        if not set(item.between) <= set(drawn):
            continue
        first, second = (columns[attribute].astype(float) for attribute in item.between)
        if first.std() > 0 and second.std() > 0:
            found = float(stats.spearmanr(first, second).statistic)
            off = abs(found - item.spearman)
            assert off < 0.02 or off < 5 * noise(first, second), (item.between, item.spearman, found, latent.moved)
