"""Simulation-based calibration (Talts and others 2018): truths drawn from the prior, data from the truth.

Were a posterior wrong, its 90 % intervals would not hold the truth nine times in ten, and the truth's place in it would
not be evenly spread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from personas.library import PersonaLibrary
from personas.margins import margin_of
from personas.schemas import Persona
from personas.updating.beliefs import figures, lognormal_intervals, prior_belief, surprise, updated
from personas.updating.conjugate import LevelsBelief, MeanBelief, RateBelief, ShareBelief, adjusted_p_values
from personas.updating.moments import member_moments
from personas.updating.people import people_observations

REPLICATIONS = 500
LEVEL = 0.9
BINS = 10
Generator = np.random.Generator


def _spread_evenly(places: NDArray[np.float64]) -> float:
    """p-value of the rank histogram's chi-square against even bins."""
    counts, _ = np.histogram(places, bins=BINS, range=(0, 1))
    return float(stats.chisquare(counts).pvalue)


def _mean_case(rng: Generator) -> list[tuple[bool, float]]:
    prior = MeanBelief(7.2, 1.4**2, 17.0, 17.0)
    variance = prior.degrees * prior.variance / rng.chisquare(prior.degrees)
    mean = rng.normal(prior.mean, np.sqrt(variance / prior.weight))
    seen = rng.normal(mean, np.sqrt(variance), size=int(rng.integers(2, 120)))
    after = prior.updated(len(seen), float(seen.mean()), float(seen.std(ddof=1)))
    (low, high), (least, most) = after.mean_interval(LEVEL), after.sd_interval(LEVEL)
    place = stats.t.cdf((mean - after.mean) / np.sqrt(after.variance / after.weight), after.degrees)
    spread = stats.chi2.sf(after.degrees * after.variance / variance, after.degrees)
    return [(low <= mean <= high, place), (least <= np.sqrt(variance) <= most, spread)]


def _share_case(rng: Generator) -> list[tuple[bool, float]]:
    prior = ShareBelief(3.1, 7.4)
    share = rng.beta(prior.yes, prior.no)
    n = int(rng.integers(1, 200))
    after = prior.updated(n, int(rng.binomial(n, share)))
    low, high = after.interval(LEVEL)
    return [(low <= share <= high, stats.beta.cdf(share, after.yes, after.no))]


def _levels_case(rng: Generator) -> list[tuple[bool, float]]:
    prior = LevelsBelief({"a": 2.5, "b": 6.0, "c": 4.0})
    shares = rng.dirichlet(list(prior.counts.values()))
    seen = dict(zip(prior.counts, (int(k) for k in rng.multinomial(int(rng.integers(1, 150)), shares)), strict=True))
    after = prior.updated(seen)
    low, high = after.intervals(LEVEL)["b"]
    return [(low <= shares[1] <= high, stats.beta.cdf(shares[1], after.counts["b"], after.weight - after.counts["b"]))]


def _rate_case(rng: Generator) -> list[tuple[bool, float]]:
    prior = RateBelief(10.0, 240.0)
    rate = rng.gamma(prior.events, 1 / prior.years)
    years = float(rng.uniform(5, 800))
    after = prior.updated(int(rng.poisson(rate * years)), years)
    low, high = after.interval(LEVEL)
    return [(low <= 100 * rate <= high, stats.gamma.cdf(rate, after.events, scale=1 / after.years))]


def _log_case(rng: Generator) -> list[tuple[bool, float]]:
    """The mean of a lognormal, whose interval is drawn."""
    prior = MeanBelief(1.95, 0.19**2, 17.0, 17.0)
    variance = prior.degrees * prior.variance / rng.chisquare(prior.degrees)
    centre = rng.normal(prior.mean, np.sqrt(variance / prior.weight))
    seen = rng.normal(centre, np.sqrt(variance), size=int(rng.integers(2, 120)))
    after = prior.updated(len(seen), float(seen.mean()), float(seen.std(ddof=1)))
    (low, high), (least, most) = lognormal_intervals(after, LEVEL)
    truth = np.exp(centre + variance / 2)
    sd = truth * np.sqrt(np.expm1(variance))
    return [(bool(low <= truth <= high), np.nan), (bool(least <= sd <= most), np.nan)]


@pytest.mark.parametrize("case", [_mean_case, _share_case, _levels_case, _rate_case, _log_case])
def test_intervals_cover_and_ranks_are_even(case: Callable[[Generator], list[tuple[bool, float]]]) -> None:
    rng = np.random.default_rng(20261121)
    outcomes = [case(rng) for _ in range(REPLICATIONS)]
    for parameter in range(len(outcomes[0])):
        covered = np.mean([outcome[parameter][0] for outcome in outcomes])
        assert 0.87 <= covered <= 0.93, (parameter, covered)
        places = np.array([outcome[parameter][1] for outcome in outcomes])
        if not np.isnan(places).any():
            assert _spread_evenly(places) > 0.01, parameter


def test_a_wrong_posterior_would_be_found() -> None:
    """The check above has teeth: data counted twice make intervals too narrow and ranks U-shaped."""
    rng = np.random.default_rng(1)
    covered, places = [], []
    for _ in range(REPLICATIONS):
        share = rng.beta(3.1, 7.4)
        count = int(rng.binomial(60, share))
        after = ShareBelief(3.1, 7.4).updated(60, count).updated(60, count)
        low, high = after.interval(LEVEL)
        covered.append(low <= share <= high)
        places.append(stats.beta.cdf(share, after.yes, after.no))
    assert np.mean(covered) < 0.87
    assert _spread_evenly(np.array(places)) < 0.01


@pytest.mark.parametrize("name", ["age", "hba1c", "sbp", "adherence_pdc", "egfr"])
def test_people_of_a_known_archetype_give_back_its_mean(library: PersonaLibrary, name: str) -> None:
    """From single people to the printed interval: the truth is the archetype's own margin, the prior weak and wrong."""
    persona: Persona = library.get("people")
    attribute = persona.attributes[name]
    truth = member_moments(attribute)[0]
    margin = margin_of(attribute)
    wrong = attribute.model_copy(update={"sd": 0.9 * (attribute.sd or 1.0)})
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(REPLICATIONS):
        people = np.asarray(margin.values(rng.standard_normal(150)), dtype=np.float64)
        (seen,) = people_observations({(name, date(2026, 1, 1)): list(people)}, persona.attributes)
        if seen.log_mean is not None:
            seen = seen.model_copy(update={"mean": seen.log_mean, "sd": seen.log_sd})
        before = prior_belief(name, wrong, 1.0)
        mean = figures(attribute, before, updated(before, seen, 1.0), LEVEL)[0]
        covered.append(mean.lower <= truth <= mean.upper)
    assert 0.87 <= np.mean(covered) <= 0.93


def test_false_alarms_are_as_rare_as_the_threshold_says() -> None:
    """Twelve attributes a set, all as believed: an alarm in about one set of a hundred, not in one of eight."""
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(2000):
        found: dict[str, float] = {}
        for number in range(4):
            prior = MeanBelief(7.2, 1.4**2, 17.0, 17.0)
            variance = prior.degrees * prior.variance / rng.chisquare(prior.degrees)
            mean = rng.normal(prior.mean, np.sqrt(variance / prior.weight))
            seen = rng.normal(mean, np.sqrt(variance), size=80)
            found |= {f"m{number}{k}": v for k, v in prior.surprise(80, seen.mean(), seen.std(ddof=1)).items()}
            share = rng.beta(4, 9)
            found[f"s{number}"] = ShareBelief(4, 9).surprise(50, int(rng.binomial(50, share)))["share"]
            shares = rng.dirichlet([3, 5, 6])
            counts = dict(zip("abc", (int(k) for k in rng.multinomial(90, shares)), strict=True))
            found[f"l{number}"] = LevelsBelief({"a": 3, "b": 5, "c": 6}).surprise(counts)["shares"]
            rate = rng.gamma(10, 1 / 240)
            found[f"r{number}"] = RateBelief(10, 240).surprise(int(rng.poisson(rate * 300)), 300)["rate"]
        alarms += min(adjusted_p_values(found).values()) < 0.01
    # 20 expected; 99.9 % of binomial counts lie below 36. Discrete mid-p-values and a chi-square are approximate.
    assert 2 <= alarms <= 36


def test_a_clear_contradiction_is_always_seen() -> None:
    prior = MeanBelief(7.2, 1.4**2, 17.0, 17.0)
    assert prior.surprise(60, 9.2, 1.4)["mean"] < 0.0005
    assert prior.surprise(60, 7.2, 4.0)["SD"] < 0.0005
    assert ShareBelief(6, 11).surprise(100, 95)["share"] < 0.01
    assert ShareBelief(6, 11).surprise(10_000, 9_500)["share"] < 0.01
    assert LevelsBelief({"a": 8, "b": 9}).surprise({"a": 2, "b": 98})["shares"] < 0.01
    assert RateBelief(10, 240).surprise(60, 300)["rate"] < 0.001
    assert RateBelief(10, 240).surprise(0, 300)["rate"] < 0.001


def test_surprise_agrees_with_scipy() -> None:
    k, n = 9, 40
    below = stats.betabinom.cdf(k - 1, n, 6, 11) + stats.betabinom.pmf(k, n, 6, 11) / 2
    assert ShareBelief(6, 11).surprise(n, k)["share"] == pytest.approx(2 * min(below, 1 - below), rel=1e-9)
    below = stats.nbinom.cdf(4, 10, 0.6) + stats.nbinom.pmf(5, 10, 0.6) / 2
    assert RateBelief(10, 60).surprise(5, 40)["rate"] == pytest.approx(2 * min(below, 1 - below), rel=1e-9)


def test_holm() -> None:
    assert adjusted_p_values({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


def test_the_dispatch_takes_what_it_is_given(library: PersonaLibrary) -> None:
    """Beliefs by name of attribute come out as by class."""
    persona = library.get("people")
    values = {("hypertension", date(2026, 1, 1)): [1.0, 0.0, 1.0, 1.0]}
    (seen,) = people_observations(values, persona.attributes)
    belief = prior_belief("hypertension", persona.attributes["hypertension"], 10)
    assert updated(belief, seen, 1.0) == ShareBelief(4.5 + 3, 5.5 + 1)
    assert surprise(belief, seen) == ShareBelief(4.5, 5.5).surprise(4, 3)
