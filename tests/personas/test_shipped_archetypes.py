from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import ndtri

from personas.cohort import Cohort
from personas.copula import REPAIR_TOLERANCE
from personas.library import ARCHETYPES, PersonaLibrary, provenance_summary
from personas.margins import level_shares, margin_of
from personas.resolve import resolve_cohort
from personas.restrictions import parse_restrictions
from personas.sampling import draw, latent_structure, prevalence_of
from personas.schemas import CohortSpec, Persona
from personas.units import attribute_info

IDS = PersonaLibrary().ids()


@pytest.fixture(params=IDS)
def persona(request: pytest.FixtureRequest, shipped: PersonaLibrary) -> Persona:
    return shipped.get(request.param)


def test_there_are_archetypes_and_they_form_a_tree(shipped: PersonaLibrary) -> None:
    assert {"adults", "t2d_adults", "t2d_ckd_older"} <= set(IDS)
    assert sum(persona.parent is None for persona in shipped) < len(shipped)
    assert {file.stem for file in ARCHETYPES.rglob("*.yaml")} == set(IDS)


def test_it_samples_without_gaps(persona: Persona, shipped: PersonaLibrary) -> None:
    cohort = Cohort.build(CohortSpec(persona_id=persona.id), shipped, n=2000)
    assert cohort.prevalence == 1.0
    assert len(cohort.summary()) == len(persona.attributes)
    for name, column in cohort.patients.columns.items():
        assert column.shape == (2000,)
        assert np.isfinite(column.astype(float)).all(), name
        info = attribute_info(name)
        if info is not None and info.numeric:
            assert all(info.within_limits(float(value)) for value in (column.min(), column.max())), name


def test_its_margins_are_as_stated(persona: Persona) -> None:
    """Means and shares of the unrestricted population against the stated distributions, n = 20,000."""
    n = 20_000
    free = draw(persona.model_copy(update={"restrictions": ()}), (), n, seed=4)
    drawn, _ = latent_structure(persona)
    grid = ndtri((np.arange(4000) + 0.5) / 4000)
    for name, attribute in drawn.items():
        column = free.columns[name].astype(float)
        margin = margin_of(attribute)
        if margin.discrete:
            shares = np.array(level_shares(attribute))
            found = np.bincount(column.astype(int), minlength=len(shares)) / n
            assert found == pytest.approx(shares, abs=0.02), name
        else:
            stated = margin.values(grid)
            assert column.mean() == pytest.approx(stated.mean(), abs=5 * stated.std() / np.sqrt(n)), name
            if attribute.distribution.value != "truncated_normal":
                middle = 0.0 if attribute.mean is None else attribute.mean
                assert attribute.mean is None or stated.mean() == pytest.approx(middle, rel=0.01), name


def test_its_correlations_are_as_stated(persona: Persona) -> None:
    from scipy.stats import spearmanr

    free = draw(persona.model_copy(update={"restrictions": ()}), (), 40_000, seed=5)
    drawn, latent = latent_structure(persona)
    assert latent.moved <= REPAIR_TOLERANCE
    for item in persona.correlations:
        first, second = (free.columns[name].astype(float) for name in item.between)
        if set(item.between) <= set(drawn) and first.std() > 0 and second.std() > 0:
            error = 0.03 + latent.moved
            assert spearmanr(first, second).statistic == pytest.approx(item.spearman, abs=error), item.between


def test_its_restrictions_describe_its_own_margins(persona: Persona) -> None:
    """The margins are those of members: its own restrictions must not cut most of them away."""
    free = persona.model_copy(update={"restrictions": ()})
    if persona.restrictions:
        assert prevalence_of(free, parse_restrictions(persona.restrictions)) > 0.3


def test_its_name_and_synonyms_lead_to_it_or_to_its_family(persona: Persona, shipped: PersonaLibrary) -> None:
    for name in (persona.name, *persona.synonyms):
        spec = resolve_cohort(name, shipped)
        assert spec is not None, name
        assert spec.persona_id == persona.id, name
        assert spec.not_understood == (), name


def test_provenance(persona: Persona) -> None:
    sourced, assumed, share = provenance_summary(persona)
    assert sourced + assumed > len(persona.attributes)
    assert 0 < share < 1


@pytest.mark.slow
def test_loading_all_does_not_keep_a_user_waiting() -> None:
    """In a fresh process, nothing cached, imports apart; processor time with much room, as machines differ."""
    code = (
        "import time; from personas.library import PersonaLibrary; start = time.process_time();"
        "list(PersonaLibrary()); print(time.process_time() - start)"
    )
    root = ARCHETYPES.parents[1]
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 1.0
