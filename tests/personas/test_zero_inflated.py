"""A share of exact zeros and lognormal values above: margins, rank correlations, restrictions, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from knowledge.errors import EmptyCohort, InvalidInput, PersonaError
from personas.library import PersonaLibrary
from personas.margins import margin_of
from personas.restrictions import parse_restrictions
from personas.sampling import draw, prevalence_of
from personas.schemas import Attribute, Correlation, Distribution, Persona

N = 100_000


def drinks(zeros: float = 0.3, mean: float = 8.0, sd: float = 7.0) -> Attribute:
    kind = Distribution.ZERO_INFLATED_LOGNORMAL
    return Attribute(distribution=kind, unit="per week", zeros=zeros, mean=mean, sd=sd, assumption="made up")


@pytest.fixture
def drinkers(people: Persona) -> Persona:
    """People with drinks a week, which go with age, and with cigarettes a day, which go with the drinks."""
    made = {"drinks": drinks(), "cigarettes": drinks(0.8, 15, 8)}
    tied = (("age", "drinks", -0.3), ("drinks", "cigarettes", 0.25), ("drinks", "hypertension", 0.2))
    pairs = tuple(Correlation(between=(a, b), spearman=value, assumption="made up") for a, b, value in tied)
    return people.model_copy(
        update={"behaviours": {**people.behaviours, **made}, "correlations": (*people.correlations, *pairs)}
    )


def test_margin_and_rank_correlations(drinkers: Persona) -> None:
    columns = draw(drinkers, (), N, seed=2).columns
    values = columns["drinks"]
    assert (values >= 0).all()
    assert (values == 0).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / N))
    spread = np.sqrt(np.log1p((7 / 8) ** 2))
    above = stats.lognorm(spread, scale=8 / np.exp(spread**2 / 2))
    assert stats.kstest(values[values > 0], above.cdf).pvalue > 1e-3
    for item in drinkers.correlations:
        found = stats.spearmanr(*(columns[name].astype(float) for name in item.between)).statistic
        assert found == pytest.approx(item.spearman, abs=0.02), item.between


@given(st.floats(0.02, 0.98), st.floats(0.5, 50), st.floats(0.2, 2.0))
@settings(max_examples=50, deadline=None)
def test_margin_and_deviate_are_inverse(zeros: float, mean: float, ratio: float) -> None:
    margin = margin_of(drinks(zeros, mean, ratio * mean))
    (edge,) = margin.thresholds
    assert stats.norm.cdf(edge) == pytest.approx(zeros)
    assert margin.values(np.array([-5.0, edge - 1e-9])).tolist() == [0.0, 0.0]
    deviates = np.linspace(edge + 0.1, edge + 3.0, 30)
    values = np.asarray(margin.values(deviates))
    assert (np.diff(values) > 0).all()
    assert values[0] > 0
    assert [margin.deviate(float(x)) for x in values] == pytest.approx(list(deviates), abs=5e-3)
    assert margin.deviate(-1.0) == -np.inf
    assert margin.box(0.0, 0.0) == (-np.inf, edge)


def test_restrictions_tell_zero_from_above(drinkers: Persona) -> None:
    none, some = (parse_restrictions([text]) for text in ("drinks=0", "drinks>0"))
    assert prevalence_of(drinkers, none) == pytest.approx(0.3, abs=1e-3)
    assert prevalence_of(drinkers, some) == pytest.approx(0.7, abs=1e-3)
    assert prevalence_of(drinkers, parse_restrictions(["drinks>=0"])) == pytest.approx(1.0)
    assert (draw(drinkers, none, 500, 1).columns["drinks"] == 0).all()
    assert (draw(drinkers, some, 500, 1).columns["drinks"] > 0).all()
    heavy = draw(drinkers, parse_restrictions(["drinks>=14", "drinks<28"]), 500, 1).columns["drinks"]
    assert 14 <= heavy.min() < heavy.max() < 28
    with pytest.raises(EmptyCohort, match="drinks<0"):
        draw(drinkers, parse_restrictions(["drinks<0"]), 500, 1)
    with pytest.raises(InvalidInput, match="exactly 3"):
        draw(drinkers, parse_restrictions(["drinks=3"]), 500, 1)


def test_limits_of_what_people_can_have_hold_above_zero() -> None:
    margin = margin_of(drinks(0.4, 10, 12), (0.0, 40.0))
    values = np.asarray(margin.values(np.random.default_rng(1).standard_normal(N)))
    assert (values == 0).mean() == pytest.approx(0.4, abs=0.01)
    assert 35 < values.max() <= 40


FAULTS = {
    "zeros: 0.3, mean: 8": "zero_inflated_lognormal needs sd",
    "zeros: 0.3, mean: -8, sd: 2": "lognormal mean must be above 0",
    "mean: 8, sd: 2": "zero_inflated_lognormal needs zeros",
    "zeros: 1.0, mean: 8, sd: 2": "less than 1",
    "zeros: 0.3, mean: 8, sd: 2, upper: 9": "takes no upper",
}


@pytest.mark.parametrize("stated", FAULTS)
def test_faults_in_a_file_are_named(tmp_path: Path, library: PersonaLibrary, stated: str) -> None:
    text = library.file_of("people").read_text("utf-8")
    line = f"  drinks: {{distribution: zero_inflated_lognormal, {stated}, unit: per week, assumption: made up}}\n"
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "people.yaml").write_text(text.replace("behaviours:\n", "behaviours:\n" + line), "utf-8")
    with pytest.raises(PersonaError, match=FAULTS[stated]):
        PersonaLibrary(tmp_path).get("people")
