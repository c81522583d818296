from __future__ import annotations

import pytest

from assistant.service import Assistant
from knowledge.errors import CohortNotCovered, InvalidInput, UnknownPersona
from tools.cohort.tool import CohortDescription


def _describe(assistant: Assistant, **arguments: object) -> CohortDescription:
    result = assistant.run_tool("describe_cohort", arguments)
    assert isinstance(result, CohortDescription)
    return result


def test_words_and_archetype_give_the_same_cohort(assistant: Assistant) -> None:
    by_words = _describe(assistant, text="women over 70 with type 2 diabetes")
    spec = by_words.cohort
    by_archetype = _describe(assistant, cohort=spec.model_dump(mode="json"))
    assert by_words.estimates == by_archetype.estimates
    age = next(e for e in by_words.estimates if e.id == "age.mean")
    assert age.lower is not None
    assert age.lower >= 70
    assert 0 < by_words.prevalence < 1


def test_shares_of_levels_sum_to_one_hundred(assistant: Assistant) -> None:
    estimates = _describe(assistant, cohort={"persona_id": "t2d_ckd_older"}).estimates
    for attribute in ("sex", "ethnicity", "payer"):
        total = sum(e.point for e in estimates if e.id.startswith(f"{attribute}.share."))
        assert total == pytest.approx(100)


def test_every_value_is_sourced_or_said_to_be_assumed(assistant: Assistant) -> None:
    description = _describe(assistant, cohort={"persona_id": "t2d_ckd_older"})
    for estimate in description.estimates:
        assert estimate.source_ids or "assumed" in estimate.note, estimate.id
    assert description.assumptions


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, InvalidInput),
        ({"text": "adults with type 2 diabetes", "cohort": {"persona_id": "adults"}}, InvalidInput),
        ({"text": "children with cystic fibrosis"}, CohortNotCovered),
        ({"text": "the quick brown fox"}, CohortNotCovered),
        ({"cohort": {"persona_id": "martians"}}, UnknownPersona),
        ({"cohort": {"persona_id": "adults", "restrictions": ["shoe_size>=40"]}}, InvalidInput),
        ({"cohort": {"persona_id": "adults"}, "patients": 10**9}, InvalidInput),
    ],
)
def test_what_cannot_be_described_is_said(
    assistant: Assistant, arguments: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        assistant.run_tool("describe_cohort", arguments)
