"""A mixture of archetypes as the cohort of a tool."""

from __future__ import annotations

import pytest

from assistant.service import Assistant
from knowledge.errors import InvalidInput
from tools.cohort.tool import CohortDescription
from tools.response.schemas import ResponseResult

MIXED = {
    "mixture": [{"persona_id": "t2d_adults", "weight": 0.7}, {"persona_id": "obesity_adults", "weight": 0.3}],
    "restrictions": ["age>=65"],
}


def test_a_mixture_is_described(assistant: Assistant) -> None:
    result = assistant.run_tool("describe_cohort", {"cohort": MIXED})
    assert isinstance(result, CohortDescription)
    assert result.title == "70 % Adults with type 2 diabetes and 30 % Adults with obesity, limited to age 65 and over"
    assert 0.2 < result.prevalence < 0.5
    assert result.effective_sample_size == 4000
    assert any(text.startswith("left out, because not every archetype") for text in result.assumptions)
    age = next(estimate for estimate in result.estimates if estimate.id == "age.mean")
    assert age.lower is not None
    assert age.lower >= 65
    assert len(age.source_ids) == 2


def test_a_mixture_can_be_asked_about(assistant: Assistant) -> None:
    arguments = {"cohort": MIXED, "treatment": {"intervention": "semaglutide"}, "endpoints": ["hba1c_change"]}
    result = assistant.run_tool("simulate_treatment_response", arguments)
    assert isinstance(result, ResponseResult)
    assert all("70 % Adults with type 2 diabetes" in estimate.population for estimate in result.estimates)
    assert result.estimates


@pytest.mark.parametrize(
    "cohort",
    [{}, {"persona_id": "t2d_adults", **MIXED}, {"mixture": MIXED["mixture"][:1]}],  # type: ignore[dict-item]
)
def test_neither_or_both_is_refused(assistant: Assistant, cohort: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="mixture"):
        assistant.run_tool("describe_cohort", {"cohort": cohort})
