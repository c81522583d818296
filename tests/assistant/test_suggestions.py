"""What could be asked next names drugs that are studied in the same people for the same outcomes."""

from __future__ import annotations

import pytest

from assistant.suggestions import comparator_of
from knowledge.base import KnowledgeBase
from tools.response.schemas import EvidenceWeight


def _evidence(shipped: KnowledgeBase, drug: str, area: str) -> list[EvidenceWeight]:
    arms = [arm for arm in shipped.arms.arms if arm.intervention == drug and arm.area == area][:5]
    return [
        EvidenceWeight(
            endpoint=arm.endpoint, trial=arm.trial, source_id=arm.source_id, cohort="", arm=drug, intervention=drug,
            n=arm.n, weeks=arm.weeks, value=0.0, se=None, weight=1.0, sign=1, agrees=True,
        )
        for arm in arms
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("drug", "area"),
    [("pembrolizumab", "oncology"), ("molnupiravir", "infection"), ("empagliflozin", "type_2_diabetes")],
)
def test_the_other_drug_is_of_the_same_area_and_outcome(drug: str, area: str, shipped: KnowledgeBase) -> None:
    evidence = _evidence(shipped, drug, area)
    other = comparator_of(drug, evidence, shipped)
    assert other not in ("", drug)
    endpoints = {weight.endpoint for weight in evidence}
    assert any(
        arm.intervention == other and arm.area == area and arm.endpoint in endpoints for arm in shipped.arms.arms
    )


def test_nothing_is_suggested_without_evidence(shipped: KnowledgeBase) -> None:
    assert comparator_of("empagliflozin", [], shipped) == ""
