"""Trials against archetypes: the distance by hand, and what the shipped evidence says."""

from __future__ import annotations

import math

import pytest

from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.errors import InvalidInput
from knowledge.schemas import ArmRole, Baseline, Seen, Statistic, TrialArm
from personas.bank.matching import match_trials
from personas.library import PersonaLibrary


@pytest.fixture(scope="module")
def evidence() -> KnowledgeBase:
    return load_knowledge()


def _arm(trial: str, arm: str, n: int | None, **baseline: float) -> TrialArm:
    return TrialArm(
        row_id=f"x:{trial}{arm}", area="general", trial=trial, source_id="pmid-1", arm=arm, arm_role=ArmRole.ACTIVE,
        intervention="semaglutide", drug_class="glp1", n=n, endpoint="hba1c_change", statistic=Statistic.MEAN_CHANGE,
        value=-1, se_from="missing", baseline=Baseline(**baseline), locator="table 1", seen=Seen.ABSTRACT, published="2020",
    )  # fmt: skip


def test_the_distance_by_hand(library: PersonaLibrary) -> None:
    """Blood pressure 128 (15) and 52 % women in the archetype; two arms of 100 and 300."""
    arms = [
        _arm("Trial A", "drug", 300, sbp=134, female_pct=52), _arm("Trial A", "placebo", 100, sbp=150, female_pct=52),
        _arm("Trial A", "drug", 290, sbp=134, female_pct=52),
        _arm("Trial B", "drug", 50, sbp=128, female_pct=52), _arm("Trial C", "drug", 9, sbp=128),
    ]  # fmt: skip
    found = match_trials(library.get("people"), arms, {}, at_least=2)
    assert [match.trial for match in found.nearest] == ["Trial B", "Trial A"]
    assert found.too_few == 1
    far = found.farthest
    assert far is not None
    assert far.n == 400
    # Mean 138 weighted by n; (138 − 128) / 15 and 0, root mean square.
    assert far.distance == pytest.approx(10 / 15 / math.sqrt(2), abs=0.01)
    assert {field.field: field.trial for field in far.fields} == {"sbp": 138, "female_pct": 52}


def test_kidney_trials_are_nearest_to_kidney_patients(evidence: KnowledgeBase) -> None:
    library = PersonaLibrary()
    arms, sources = evidence.arms.arms, evidence.sources
    kidneys = match_trials(library.get("t2d_ckd"), arms, sources, at_least=5, limit=200)
    young = match_trials(library.get("t2d_young_onset"), arms, sources, at_least=5, limit=200)
    place = [{match.trial: rank for rank, match in enumerate(found.nearest)} for found in (kidneys, young)]
    assert place[0]["FLOW"] <= 3
    assert place[1]["FLOW"] > len(place[1]) / 2
    assert all(match.source_id in sources for match in kidneys.nearest)
    assert kidneys.farthest == kidneys.nearest[-1]


def test_wrong_requests(library: PersonaLibrary, evidence: KnowledgeBase) -> None:
    people = library.get("people")
    with pytest.raises(InvalidInput, match="no trial of 'astrology'"):
        match_trials(people, evidence.arms.arms, {}, area="astrology")
    with pytest.raises(InvalidInput, match="so 11 cannot be asked for"):
        match_trials(people, evidence.arms.arms, {}, at_least=11)
