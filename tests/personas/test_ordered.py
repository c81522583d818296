"""A disease is not older than its patient, and yet margins and rank correlation are as stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from personas.drawing import Model, Plan
from personas.margins import margin_of
from personas.ordered import NEGLIGIBLE, ordered_pair
from personas.restrictions import parse_restrictions
from personas.sampling import draw, prevalence_of
from personas.schemas import Attribute, Correlation, Distribution, Persona

N = 100_000


def since_youth(people: Persona, spearman: float | None = 0.5, mean: float = 22.0) -> Persona:
    """People of 18 and over who fell ill young: one draw in ten would be ill for longer than they live."""
    years = Attribute(
        distribution=Distribution.TRUNCATED_NORMAL,
        mean=mean,
        sd=13,
        lower=0,
        upper=60,
        unit="years",
        assumption="made up",
    )
    pairs = (
        ()
        if spearman is None
        else (Correlation(between=("age", "diabetes_duration"), spearman=spearman, assumption="made up"),)
    )
    return people.model_copy(
        update={
            "biomarkers": {**people.biomarkers, "diabetes_duration": years},
            "correlations": (*people.correlations, *pairs),
            "restrictions": (),
            "demographics": {
                **people.demographics,
                "age": people.demographics["age"].model_copy(update={"mean": 44.0, "sd": 14.0}),
            },
        }
    )


@pytest.mark.parametrize("spearman", [0.5, 0.3, None])
def test_margins_and_correlation_are_those_of_the_people_drawn(people: Persona, spearman: float | None) -> None:
    persona = since_youth(people, spearman)
    columns = draw(persona, (), N, 3).columns
    age, years = columns["age"], columns["diabetes_duration"]
    assert (years <= age).all()
    for values, a in ((age, persona.attributes["age"]), (years, persona.attributes["diabetes_duration"])):
        assert a.mean is not None
        assert a.sd is not None
        assert a.lower is not None
        assert a.upper is not None
        stated = stats.truncnorm((a.lower - a.mean) / a.sd, (a.upper - a.mean) / a.sd, a.mean, a.sd)
        assert stats.kstest(values, stated.cdf).statistic < 0.015
        assert values.mean() == pytest.approx(stated.mean(), abs=0.02 * stated.std())
    if spearman is not None:
        assert stats.spearmanr(age, years).statistic == pytest.approx(spearman, abs=0.01)


def test_restricted_draws_agree_with_brute_force(people: Persona) -> None:
    persona = since_youth(people)
    limits = parse_restrictions(["age<35", "diabetes_duration>=15"])
    crowd = draw(persona, (), 400_000, 5)
    meets = (crowd.columns["age"] < 35) & (crowd.columns["diabetes_duration"] >= 15)
    cohort = draw(persona, limits, 20_000, 6)
    count = int(meets.sum())
    assert cohort.prevalence == pytest.approx(count / crowd.n, rel=0.04)
    for name in ("age", "diabetes_duration", "egfr"):
        kept, drawn = crowd.columns[name][meets], cohort.columns[name]
        error = np.sqrt(kept.var() * (1 / len(kept) + 1 / len(drawn)))
        assert abs(kept.mean() - drawn.mean()) < 4.5 * error, name
    assert prevalence_of(persona, limits) == cohort.prevalence


def test_a_pair_that_hardly_breaks_its_order_is_left_as_it_is(people: Persona) -> None:
    rare = since_youth(people, mean=-20.0)
    model = Model.of(rare)
    assert 1 - Plan.of(model, {}).consistent_share() < NEGLIGIBLE
    assert model.margins["age"] is margin_of(rare.attributes["age"], (0, 120))


def test_margins_no_pair_can_have_are_approached_and_stay_in_order() -> None:
    """Illness of 40 years in people of 20 to 60, half of whom are younger: impossible, and it still ends."""

    def made(mean: float, lower: float, upper: float) -> Attribute:
        kind = Distribution.TRUNCATED_NORMAL
        return Attribute(
            distribution=kind, mean=mean, sd=8, lower=lower, upper=upper, unit="years", assumption="made up"
        )

    pair = ordered_pair(margin_of(made(40, 10, 70)), margin_of(made(38, 20, 60)), 0.0, 0.4)
    z = np.linspace(-4, 4, 801)
    for margin in (pair.first, pair.second):
        values = np.asarray(margin.values(z))
        assert np.isfinite(values).all()
        assert (np.diff(values) >= 0).all()
        inner = np.linspace(-2, 2, 21)
        assert [margin.deviate(float(x)) for x in margin.values(inner)] == pytest.approx(list(inner), abs=0.02)
    assert 0 < pair.broken < 1
    assert -1 < pair.spearman < 1
