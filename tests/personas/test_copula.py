from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import PersonaError
from personas.copula import (
    latent_correlation,
    latent_of_spearman,
    nearest_correlation,
    reachable_spearman,
    spearman_of_latent,
)
from personas.schemas import Attribute, Correlation, Distribution, Persona

SHARES = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5).map(lambda xs: tuple(x / sum(xs) for x in xs))
MARGIN = st.one_of(st.none(), SHARES)


def test_two_continuous_margins_follow_kruskal() -> None:
    assert latent_of_spearman(0.5) == pytest.approx(2 * math.sin(math.pi / 12))
    assert spearman_of_latent(0.5, None, None) == pytest.approx(6 / math.pi * math.asin(0.25))


def test_two_even_halves_follow_sheppard() -> None:
    """Medial dichotomies: the correlation of the two indicators is 2/π · asin(ρ) (Sheppard 1899)."""
    for latent in (-0.9, -0.3, 0.2, 0.7, 0.95):
        expected = 2 / math.pi * math.asin(latent)
        assert spearman_of_latent(latent, (0.5, 0.5), (0.5, 0.5)) == pytest.approx(expected, abs=1e-9)


@given(MARGIN, MARGIN, st.floats(-0.97, 0.97))
@settings(max_examples=150, deadline=None)
def test_latent_and_spearman_are_inverse(
    first: tuple[float, ...] | None, second: tuple[float, ...] | None, latent: float
) -> None:
    spearman = spearman_of_latent(latent, first, second)
    assert abs(spearman) <= abs(latent) + 1e-9
    again = spearman_of_latent(latent_of_spearman(spearman, first, second), first, second)
    assert again == pytest.approx(spearman, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second"),
    [(None, (0.9, 0.1)), ((0.3, 0.7), (0.2, 0.5, 0.3)), (None, (0.1, 0.2, 0.3, 0.4)), ((0.85, 0.15), (0.55, 0.45))],
)
def test_the_formula_agrees_with_a_large_sample(
    first: tuple[float, ...] | None, second: tuple[float, ...] | None
) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(3)
    latent = 0.6
    z = rng.multivariate_normal([0, 0], [[1, latent], [latent, 1]], size=400_000)

    def cut(values: np.ndarray, shares: tuple[float, ...] | None) -> np.ndarray:
        if shares is None:
            return values
        return np.searchsorted(np.quantile(values, np.cumsum(shares)[:-1]), values)

    sampled = spearmanr(cut(z[:, 0], first), cut(z[:, 1], second)).statistic
    assert spearman_of_latent(latent, first, second) == pytest.approx(sampled, abs=0.005)


def test_a_rare_disease_cannot_correlate_strongly() -> None:
    with pytest.raises(PersonaError, match=r"out of reach.*0\.\d+ at most"):
        latent_of_spearman(0.5, None, (0.98, 0.02))


def test_nearest_correlation_is_highams_example() -> None:
    """Higham 2002, section 4: the nearest correlation matrix to [[1,1,0],[1,1,1],[0,1,1]]."""
    given_ = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    nearest = nearest_correlation(given_, smallest=0.0)
    expected = np.array([[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]])
    assert nearest == pytest.approx(expected, abs=2e-4)


@given(st.integers(2, 7), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_nearest_correlation_is_one_and_leaves_one_alone(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wild = rng.uniform(-1, 1, (size, size))
    wild = (wild + wild.T) / 2
    np.fill_diagonal(wild, 1.0)
    nearest = nearest_correlation(wild)
    assert np.diag(nearest) == pytest.approx(1.0)
    assert np.linalg.eigvalsh(nearest)[0] > 0
    assert nearest_correlation(nearest) == pytest.approx(nearest, abs=1e-5)


def _normal() -> Attribute:
    return Attribute(distribution=Distribution.NORMAL, unit="u", mean=0, sd=1, assumption="made up")


def _pair(a: str, b: str, spearman: float) -> Correlation:
    return Correlation(between=(a, b), spearman=spearman, assumption="made up")


def test_unstated_pairs_are_independent_given_the_rest() -> None:
    attributes = {name: _normal() for name in "abcd"}
    stated = [_pair("a", "b", 0.8), _pair("b", "c", 0.7), _pair("a", "d", -0.4)]
    latent = latent_correlation(attributes, stated)
    inverse = np.linalg.inv(latent.matrix)
    assert latent.moved == 0.0
    assert inverse[0, 2] == pytest.approx(0.0, abs=1e-6)
    assert inverse[1, 3] == pytest.approx(0.0, abs=1e-6)
    ab, bc = latent_of_spearman(0.8), latent_of_spearman(0.7)
    assert latent.matrix[0, 2] == pytest.approx(ab * bc, abs=1e-6)  # a chain multiplies


def test_a_small_contradiction_is_repaired_and_a_large_one_measured() -> None:
    attributes = {name: _normal() for name in "abc"}
    small = latent_correlation(attributes, [_pair("a", "b", 0.8), _pair("b", "c", 0.8), _pair("a", "c", 0.25)])
    assert 0 < small.moved < 0.05
    assert np.linalg.eigvalsh(small.matrix)[0] > 0
    large = latent_correlation(attributes, [_pair("a", "b", 0.9), _pair("b", "c", 0.9), _pair("a", "c", -0.9)])
    assert large.moved > 0.3
    assert set(large.moved_pair) <= {"a", "b", "c"}


def test_an_attribute_everybody_shares_correlates_with_nothing() -> None:
    certain = Attribute(distribution=Distribution.BERNOULLI, unit="yes/no", probability=1.0, assumption="made up")
    latent = latent_correlation({"a": _normal(), "b": certain}, [_pair("a", "b", 0.4)])
    assert latent.names == ()


def test_unordered_levels_have_no_rank_correlation(people: Persona) -> None:
    with pytest.raises(PersonaError, match="ethnicity have no order"):
        latent_correlation(people.attributes, [_pair("age", "ethnicity", 0.2)])


def test_an_inherited_correlation_shrinks_where_the_disease_is_rare() -> None:
    def share(probability: float) -> Attribute:
        return Attribute(
            distribution=Distribution.BERNOULLI, unit="yes/no", probability=probability, assumption="made up"
        )

    stated = _pair("age", "cvd", 0.28)
    common, rare = {"age": _normal(), "cvd": share(0.3)}, {"age": _normal(), "cvd": share(0.004)}
    assert reachable_spearman(stated, common, common) == 0.28
    shrunk = reachable_spearman(stated, common, rare)
    assert 0 < shrunk < 0.1
    latent = latent_of_spearman(0.28, None, (0.7, 0.3))
    assert latent_of_spearman(shrunk, None, (0.996, 0.004)) == pytest.approx(latent, abs=0.01)
