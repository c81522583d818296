from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from knowledge.errors import EmptyCohort, InvalidInput, UnknownPersona
from personas.cohort import Cohort, parse_cohort
from personas.library import PersonaLibrary
from personas.mixture import MixtureSampler, common_attributes, mixed_persona
from personas.restrictions import parse_restrictions
from personas.sampling import draw, draw_from, prevalence_of
from personas.schemas import Attribute, CohortSpec, Distribution, MixturePart, Persona

WEIGHTS = {"people": 3.0, "people_older": 1.0}


def spec(*restrictions: str, **weights: float) -> CohortSpec:
    parts = tuple(MixturePart(persona_id=name, weight=weight) for name, weight in (weights or WEIGHTS).items())
    return CohortSpec(mixture=parts, restrictions=parse_restrictions(restrictions))


def test_a_mixture_has_the_mixed_margins(library: PersonaLibrary) -> None:
    n = 100_000
    mixed = Cohort.build(spec(), library, n=n, seed=5)
    parts = {name: draw(library.get(name), (), n, seed=6) for name in WEIGHTS}
    assert mixed.prevalence == 1.0
    assert mixed.effective_sample_size == n
    for name, column in mixed.patients.columns.items():
        means = [weight / 4 * parts[part].columns[name].mean() for part, weight in WEIGHTS.items()]
        spread = max(part.columns[name].std() for part in parts.values()) + np.ptp(means)
        assert column.mean() == pytest.approx(sum(means), abs=8 * spread / np.sqrt(n)), name


def test_restrictions_weigh_the_parts_anew(library: PersonaLibrary) -> None:
    """Bayes: each part counts with its weight times the share of it that meets them."""
    limits = ("age>=75", "sex=female")
    sampler = MixtureSampler.of(
        [(library.get(name), weight) for name, weight in WEIGHTS.items()], spec(*limits).restrictions
    )
    shares = [
        weight / 4 * prevalence_of(library.get(name), parse_restrictions(limits)) for name, weight in WEIGHTS.items()
    ]
    assert sampler.prevalence == pytest.approx(sum(shares))
    assert sampler.shares == pytest.approx([share / sum(shares) for share in shares])
    crowd = draw_from(MixtureSampler.of([(library.get(n), w) for n, w in WEIGHTS.items()], ()), 400_000, 8)
    meets = (crowd.columns["age"] >= 75) & (crowd.columns["sex"] == 0)
    assert meets.mean() == pytest.approx(sampler.prevalence, abs=4 * np.sqrt(0.1 / 400_000))
    drawn = draw_from(sampler, 20_000, 9)
    for name in ("age", "egfr", "hypertension", "adherence_pdc"):
        kept = crowd.columns[name][meets].astype(float)
        error = np.sqrt(kept.var() * (1 / len(kept) + 1 / drawn.n))
        assert abs(drawn.columns[name].mean() - kept.mean()) < 4.5 * error, name
    assert drawn.columns["age"].min() >= 75
    assert set(drawn.labels("sex")) == {"female"}


def test_weights_are_relative(library: PersonaLibrary) -> None:
    small = Cohort.build(spec(people=0.75, people_older=0.25), library, n=2000, seed=3)
    large = Cohort.build(spec(people=300, people_older=100), library, n=2000, seed=3)
    assert (small.patients.columns["age"] == large.patients.columns["age"]).all()
    assert small.label == large.label == "75 % People and 25 % Older people"


def test_a_part_that_cannot_meet_the_restrictions_gives_nobody(library: PersonaLibrary) -> None:
    mixed = Cohort.build(spec("age<40"), library, n=3000, seed=3)
    assert mixed.patients.columns["age"].max() < 40
    assert mixed.prevalence == pytest.approx(0.75 * prevalence_of(library.get("people"), parse_restrictions("age<40")))


def test_nobody_left_in_any_part(library: PersonaLibrary) -> None:
    with pytest.raises(EmptyCohort, match=r"Fewer than 1 in 100,000.*'People and Older people'.*drop egfr<6"):
        Cohort.build(spec("sex=female", "age<30", "egfr<6", "hypertension=yes"), library)
    with pytest.raises(EmptyCohort, match="both age>=65 and age<40"):
        Cohort.build(spec("age<40", people_older=1, people_frail=2), library)
    with pytest.raises(InvalidInput, match="no level 'martian'"):
        Cohort.build(spec("ethnicity=martian"), library)
    with pytest.raises(UnknownPersona):
        Cohort.build(spec(people=1, martians=1), library)


def _with(persona: Persona, **attributes: Attribute) -> Persona:
    return persona.model_copy(update={"behaviours": {**persona.behaviours, **attributes}})


def _made(**fields: object) -> Attribute:
    return Attribute.model_validate({"unit": "u", "assumption": "made up", **fields})


def test_attributes_and_levels_that_differ(people: Persona) -> None:
    two = _made(distribution="categorical", levels={"a": 0.5, "b": 0.5})
    three = _made(distribution="categorical", levels={"b": 0.2, "c": 0.8})
    score = _made(distribution="normal", mean=1, sd=1)
    parts = [(_with(people, group=two, score=score), 1.0), (_with(people, group=three), 1.0)]
    sampler = MixtureSampler.of(parts, ())
    assert sampler.left_out == ("score",)
    assert "score" not in sampler.kinds
    assert sampler.levels["group"] == ("a", "b", "c")
    labels = draw_from(sampler, 50_000, 1).labels("group")
    found = [float((labels == level).mean()) for level in "abc"]
    assert found == pytest.approx([0.25, 0.35, 0.4], abs=0.01)
    only_one = MixtureSampler.of(parts, parse_restrictions("group=a"))
    assert only_one.prevalence == pytest.approx(0.25)
    assert set(draw_from(only_one, 100, 1).labels("group")) == {"a"}
    with pytest.raises(InvalidInput, match="Not every part of the mixture has the attribute 'score'"):
        MixtureSampler.of(parts, parse_restrictions("score>1"))
    ordered = _made(distribution="ordinal", levels={"a": 0.5, "b": 0.5})
    turned = _made(distribution="ordinal", levels={"b": 0.5, "a": 0.5})
    elsewhere = score.model_copy(update={"unit": "v"})
    for first, second in ((two, score), (score, elsewhere), (two, ordered), (ordered, turned)):
        with pytest.raises(InvalidInput, match="hold group in different ways"):
            common_attributes([_with(people, group=first), _with(people, group=second)])


def test_what_stands_for_a_mixture(library: PersonaLibrary) -> None:
    mixed = Cohort.build(spec(), library, n=500)
    assert (mixed.persona.area, mixed.persona.name) == ("general", "75 % People and 25 % Older people")
    rows = {row.attribute: row for row in mixed.summary()}
    assert list(rows) == list(mixed.patients.columns)
    assert rows["hba1c"].source_ids == ("pmid-1",)
    assert rows["egfr"].source_ids == ("pmid-2",)  # of the older; the others' is assumed, and says whose
    assert rows["egfr"].assumption == "People: made up"
    assert rows["age"].assumption == "made up"
    assert {item.topic for item in mixed.persona.preferences} == {"route", "visits"}


def test_the_area_of_a_mixture(shipped: PersonaLibrary) -> None:
    def area(*ids: str) -> str:
        return mixed_persona([(shipped.get(name), 1.0) for name in ids], shipped).area

    assert area("t2d_adults", "t2d_ckd") == "type_2_diabetes"
    assert area("t2d_adults", "obesity_adults") == "general"
    stranger = shipped.get("adults").model_copy(update={"id": "adults", "area": "elsewhere"})
    assert mixed_persona([(stranger, 1.0), (shipped.get("t2d_ckd"), 1.0)], shipped).area == "general"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either 'persona_id' or 'mixture'"),
        ({"persona_id": "a", "mixture": [{"persona_id": "b", "weight": 1}] * 2}, "either 'persona_id' or 'mixture'"),
        ({"mixture": [{"persona_id": "b", "weight": 1}]}, "two archetypes or more"),
        ({"mixture": [{"persona_id": "b", "weight": 1}] * 2}, "each archetype once"),
        ({"mixture": [{"persona_id": "a", "weight": 0}, {"persona_id": "b", "weight": 1}]}, "greater than 0"),
    ],
)
def test_a_spec_is_one_archetype_or_a_mixture(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CohortSpec.model_validate(fields)


def test_a_spec_without_a_mixture_is_written_as_it_always_was() -> None:
    one = CohortSpec(persona_id="people", restrictions=parse_restrictions("age>=65"))
    assert set(one.model_dump()) == {"persona_id", "restrictions", "label", "understood", "not_understood"}
    assert CohortSpec.model_validate_json(one.model_dump_json()) == one
    assert CohortSpec.model_validate_json(spec("age>=65").model_dump_json()) == spec("age>=65")
    assert (
        "zeros"
        not in Attribute(distribution=Distribution.NORMAL, unit="u", mean=0, sd=1, assumption="made up").model_dump()
    )


def test_cohorts_as_written_on_a_command_line() -> None:
    assert parse_cohort(["people"], ["age>=65", "30<=egfr<60"]).restrictions == parse_restrictions(
        ["age>=65", "30<=egfr<60"]
    )
    assert parse_cohort(["people=3", "people_older=1"], ()) == spec()
    for texts, message in (
        (["people", "people_older"], "'people' names no share"),
        (["people=-1", "people_older=2"], "names no share"),
        (["people=0", "people_older=2"], "names no share"),
        (["people=nan", "people_older=2"], "names no share"),
        (["people=1"], "two archetypes or more"),
        (["people=1", "people=2"], "each archetype once"),
    ):
        with pytest.raises(InvalidInput, match=message):
            parse_cohort(texts, ())
    with pytest.raises(EmptyCohort):
        parse_cohort(["people"], ["age>=65", "age<40"])
