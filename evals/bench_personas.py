"""Speed of drawing virtual patients, by turns with three other ways to do it; every figure is from one run.

All get the same latent correlations and margins. Peers: one patient after another in Python; the same formulas on whole
numpy columns; the Gaussian copula of statsmodels with the margins of scipy.stats. For a rare cohort the peer draws with
the numpy columns and keeps those who meet the restrictions. The peers leave out what only we check (no disease older
than its patient, no value outside what a person can have), which is to their advantage.
"""

from __future__ import annotations

import bisect
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personas.library import PersonaLibrary
from personas.margins import DISCRETE, level_shares
from personas.restrictions import parse_restrictions
from personas.sampling import draw, latent_structure, prevalence_of
from personas.schemas import Attribute, Distribution, Persona

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

ARCHETYPE = "t2d_adults"
RARE = ("age>=75", "egfr<30", "hba1c>=8")
PATIENTS, LOOPED, RARE_PATIENTS = 100_000, 1_000, 20_000


@dataclass(frozen=True)
class Prepared:
    """What the peers start from: drawn attributes in order, and the Cholesky factor of their latent correlation."""

    attributes: Mapping[str, Attribute]
    correlation: Floats
    factor: Floats

    @staticmethod
    def of(persona: Persona) -> Prepared:
        """The whole matrix: attributes that correlate with nothing have a row of their own in it."""
        drawn, latent = latent_structure(persona)
        names = list(drawn)
        place = [names.index(name) for name in latent.names]
        matrix = np.eye(len(names))
        matrix[np.ix_(place, place)] = latent.matrix
        return Prepared(drawn, matrix, np.asarray(np.linalg.cholesky(matrix), dtype=np.float64))


def scipy_margin(attribute: Attribute) -> Any:
    """A continuous margin as a frozen distribution of scipy.stats."""
    from scipy import stats

    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    lower, upper = attribute.lower or 0.0, attribute.upper or 0.0
    match attribute.distribution:
        case Distribution.NORMAL:
            return stats.norm(mean, sd)
        case Distribution.TRUNCATED_NORMAL:
            return stats.truncnorm((lower - mean) / sd, (upper - mean) / sd, mean, sd)
        case Distribution.LOGNORMAL:
            spread = math.sqrt(math.log1p((sd / mean) ** 2))
            return stats.lognorm(spread, scale=mean / math.exp(spread**2 / 2))
        case Distribution.BETA:
            size = mean * (1 - mean) / sd**2 - 1
            return stats.beta(mean * size, (1 - mean) * size)
        case Distribution.UNIFORM:
            return stats.uniform(lower, upper - lower)
    raise ValueError(f"the peers have no {attribute.distribution.value}")


def one_by_one(prepared: Prepared, n: int, seed: int) -> Columns:
    """Peer: a loop over patients, and over the attributes of each."""
    from scipy.special import betaincinv, ndtr, ndtri

    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        z = prepared.factor @ rng.standard_normal(len(prepared.factor))
        row = []
        for deviate, attribute in zip(z, prepared.attributes.values(), strict=True):
            if attribute.distribution in DISCRETE:
                edges = np.cumsum(level_shares(attribute))[:-1].tolist()
                row.append(float(bisect.bisect(edges, float(ndtr(deviate)))))
            else:
                row.append(float(_value(attribute, deviate, ndtr, ndtri, betaincinv)))
        rows.append(row)
    return dict(zip(prepared.attributes, np.array(rows).T, strict=True))


def whole_columns(prepared: Prepared, n: int, seed: int) -> Columns:
    """Peer: the same formulas on whole numpy columns."""
    from scipy.special import betaincinv, ndtr, ndtri

    deviates = prepared.factor @ np.random.default_rng(seed).standard_normal((len(prepared.factor), n))
    columns: dict[str, NDArray[Any]] = {}
    for z, (name, attribute) in zip(deviates, prepared.attributes.items(), strict=True):
        if attribute.distribution in DISCRETE:
            columns[name] = np.searchsorted(ndtri(np.cumsum(level_shares(attribute))[:-1]), z)
        else:
            columns[name] = _value(attribute, z, ndtr, ndtri, betaincinv)
    return columns


def _value(attribute: Attribute, z: Any, ndtr: Any, ndtri: Any, betaincinv: Any) -> Any:
    """Value of a continuous margin at a deviate, or at an array of them."""
    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    lower, upper = attribute.lower or 0.0, attribute.upper or 0.0
    match attribute.distribution:
        case Distribution.NORMAL:
            return mean + sd * z
        case Distribution.TRUNCATED_NORMAL:
            below = ndtr((lower - mean) / sd)
            return mean + sd * ndtri(below + (ndtr((upper - mean) / sd) - below) * ndtr(z))
        case Distribution.LOGNORMAL:
            variance = math.log1p((sd / mean) ** 2)
            return np.exp(math.log(mean) - variance / 2 + math.sqrt(variance) * z)
        case Distribution.BETA:
            size = mean * (1 - mean) / sd**2 - 1
            return betaincinv(mean * size, (1 - mean) * size, ndtr(z))
        case Distribution.UNIFORM:
            return lower + (upper - lower) * ndtr(z)
    raise ValueError(f"the peers have no {attribute.distribution.value}")


def copula_library(prepared: Prepared, n: int, seed: int) -> Columns:
    """Peer: `GaussianCopula` of statsmodels, margins of scipy.stats."""
    from statsmodels.distributions.copula.api import GaussianCopula

    copula = GaussianCopula(corr=prepared.correlation, k_dim=len(prepared.correlation))
    uniforms = copula.rvs(n, rng=np.random.default_rng(seed))
    columns: dict[str, NDArray[Any]] = {}
    for u, (name, attribute) in zip(np.asarray(uniforms).T, prepared.attributes.items(), strict=True):
        if attribute.distribution in DISCRETE:
            columns[name] = np.searchsorted(np.cumsum(level_shares(attribute))[:-1], u)
        else:
            columns[name] = scipy_margin(attribute).ppf(u)
    return columns


def rejection(prepared: Prepared, restrictions: tuple[str, ...], n: int, seed: int) -> int:
    """Peer: whole columns, of which those who meet the restrictions are kept, until there are `n`. The number drawn."""
    compare = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less}
    items = parse_restrictions(restrictions)
    found = drawn = 0
    while found < n:
        columns = whole_columns(prepared, PATIENTS, seed + drawn)
        meets = np.ones(PATIENTS, dtype=np.bool_)
        for item in items:
            meets &= compare[item.operator](columns[item.attribute], float(item.value))
        found += int(meets.sum())
        drawn += PATIENTS
    return drawn


def run_bench(runs: int, library: PersonaLibrary | None = None) -> Iterator[str]:
    """Yield the lines of the report."""
    persona = (library or PersonaLibrary()).get(ARCHETYPE)
    prepared = Prepared.of(persona)
    ways: dict[str, tuple[int, Callable[[int], object]]] = {
        "draw": (PATIENTS, lambda seed: draw(persona, (), PATIENTS, seed)),
        "peer: one patient after another": (LOOPED, lambda seed: one_by_one(prepared, LOOPED, seed)),
        "peer: whole numpy columns": (PATIENTS, lambda seed: whole_columns(prepared, PATIENTS, seed)),
        "peer: statsmodels GaussianCopula + scipy.stats": (
            PATIENTS,
            lambda seed: copula_library(prepared, PATIENTS, seed),
        ),
    }
    rates = _rates(ways, runs)
    count = len(prepared.attributes)
    yield f"{runs} runs by turns; {persona.id}, {count} attributes; median patients per second (lowest to highest)"
    yield from _lines(rates)
    own, *others = (statistics.median(found) for found in rates.values())
    ratios = ", ".join(f"{own / other:,.1f}" for other in others)
    yield f"  draw is faster than the peers by a factor of {ratios} (in their order)."

    rare = parse_restrictions(RARE)
    share = prevalence_of(persona, rare)
    # Rejection draws enough for a tenth of the rows only; its rate does not depend on how many.
    few = RARE_PATIENTS // 10
    rates = _rates(
        {
            "draw, restricted": (RARE_PATIENTS, lambda seed: draw(persona, rare, RARE_PATIENTS, seed)),
            "peer: whole numpy columns and rejection": (few, lambda seed: rejection(prepared, RARE, few, seed)),
        },
        runs,
    )
    yield f"The {100 * share:.2f} % with {', '.join(RARE)}:"
    yield from _lines(rates)
    own, other = (statistics.median(found) for found in rates.values())
    yield f"  draw is faster than rejection by a factor of {own / other:,.0f}."


def _rates(ways: Mapping[str, tuple[int, Callable[[int], object]]], runs: int) -> dict[str, list[float]]:
    """Patients per second of each way, one run of each after the other; the first round only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs + 1):
        for name, (n, way) in ways.items():
            started = time.perf_counter()
            way(run)
            if run:
                rates[name].append(n / (time.perf_counter() - started))
    return rates


def _lines(rates: Mapping[str, list[float]]) -> Iterator[str]:
    for name, found in rates.items():
        yield f"  {name:<48} {statistics.median(found):12,.0f}  ({min(found):,.0f} to {max(found):,.0f})"
