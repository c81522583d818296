"""Rankings, responders and explanations in words: every number of them passes the verifier."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.compose_rankings import compose_told, told_here
from assistant.verifying import Verifier
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.catalog import build_registry
from tools.context import ToolContext
from tools.schemas import ToolResult

SMOKERS = {"cohort": {"persona_id": "smokers_adults"}, "horizon_weeks": 26}
WEIGHT = {"cohort": {"persona_id": "obesity_adults"}, "horizon_weeks": 52}
HEART = {"cohort": {"persona_id": "hfref_adults"}, "horizon_weeks": 104}
VARENICLINE, TIRZEPATIDE = (
    {"treatment": {"intervention": "varenicline"}},
    {"treatment": {"intervention": "tirzepatide"}},
)
CASES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("rank_treatments", SMOKERS, ("comes first on", "### In order", "sure to be best", "### Not ranked")),
    ("rank_treatments", HEART | {"endpoints": ["hf_hospitalization_cv_death"]}, ("Hazard ratio of", "does not settle")),
    ("find_responders", SMOKERS | VARENICLINE, ("No sub-cohort can be told apart", "for all sub-cohorts at once")),
    ("find_responders", WEIGHT | TIRZEPATIDE, ("all but people with diabetes", "does not prove")),
    ("explain_prediction", SMOKERS | VARENICLINE, ("EAGLES", "fitted again", "### What it is unsure about")),
    ("explain_prediction", WEIGHT | TIRZEPATIDE, ("has the most weight", "here,", "would make it smaller")),
]


@pytest.fixture(scope="module")
def context(shipped: KnowledgeBase, library: PersonaLibrary) -> ToolContext:
    return ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))


@pytest.mark.parametrize(("name", "arguments", "said"), CASES)
def test_what_is_written_can_be_traced(
    context: ToolContext, name: str, arguments: dict[str, Any], said: tuple[str, ...]
) -> None:
    declared = build_registry()[name]
    result = declared(declared.parse(arguments), context)
    told = told_here([ToolResult(title="other"), result])
    assert told is not None
    assert told is result
    text = compose_told(told, "adults asked about", ("with red hair",))
    assert text.startswith("## Adults asked about · ")
    assert "“with red hair” could not be placed" in text
    assert all(words in text for words in said)
    assert "None" not in text
    assert Verifier("Why?", [told], [arguments], context.knowledge.vocabulary).faults(text) == []


def test_a_wrong_number_would_be_found(context: ToolContext) -> None:
    declared = build_registry()["rank_treatments"]
    result = declared(declared.parse(SMOKERS), context)
    wrong = compose_told(result, "smokers", ()).replace(
        "cytisine 3 mg three times daily | ", "cytisine 3 mg three times daily | 9"
    )
    assert Verifier("Why?", [result], [SMOKERS], context.knowledge.vocabulary).faults(wrong)


def test_other_results_are_left_to_others() -> None:
    assert told_here([ToolResult(title="other")]) is None
