"""What comes back: every figure traced, a planted one found, how sure said plainly, and follow-ups that can be typed."""

from __future__ import annotations

import re

import pytest

from assistant.compose_simulation import compose_simulation, refused_simulation, simulated_here
from assistant.confidence import VALIDATED, VERIFIED
from assistant.schemas import Plan, Question, Status
from assistant.service import Assistant
from assistant.simulation_pages import pages
from assistant.verifying import Verifier
from knowledge.base import KnowledgeBase
from knowledge.retrieval import LiteratureRetriever
from personas.library import PersonaLibrary
from tools.catalog import build_registry
from tools.context import ToolContext

EXAMPLES = {tool: page.example for tool, page in pages().items()}
ARGUMENTS = {
    "population": 50000, "reproduction_number": 2.5, "latent_days": 3, "infectious_days": 5, "draws": 10, "replicates": 4,
}  # fmt: skip


@pytest.mark.parametrize("tool", sorted(EXAMPLES))
def test_the_example_of_each_page_is_answered_with_nothing_removed(tool: str, assistant: Assistant) -> None:
    answer = assistant.ask(Question(text=EXAMPLES[tool]))
    assert answer.status is Status.ANSWERED, answer.markdown
    assert [step.tool for step in answer.steps] == [tool]
    assert answer.removed == ()
    assert answer.confidence.sentence in (VERIFIED, VALIDATED)
    assert answer.headline.startswith(pages()[tool].title)
    titles = [section.title for section in answer.sections]
    assert {"In short", "What was computed", "How it was computed", "How sure?"} <= set(titles)
    assert set(answer.next_questions) <= set(pages()[tool].follow_ups)


def test_the_same_question_gives_the_same_numbers(assistant: Assistant) -> None:
    asked = EXAMPLES["simulate_epidemic"]
    one, other = assistant.ask(Question(text=asked, seed=3)), assistant.ask(Question(text=f"{asked} ", seed=3))
    assert [e.point for e in one.estimates] == [e.point for e in other.estimates]


def test_a_figure_that_was_not_computed_is_found(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    declared = build_registry()["simulate_epidemic"]
    result = declared(declared.parse(ARGUMENTS), ToolContext(knowledge=shipped, personas=library, retriever=_no_search))
    assert simulated_here([result]) is result
    text = compose_simulation(result, Plan(population="An outbreak"))
    verifier = Verifier("R0 2.5 in a town of 50,000", [result], [ARGUMENTS], shipped.vocabulary)
    assert verifier.numbers(text) == []
    found = 0
    figures = re.findall(r"\d[\d,]*(?:\.\d+)?(?= people \()", text)
    for figure in figures:
        planted = f"{round(float(figure.replace(',', '')) * 1.07):,}"
        found += bool(verifier.numbers(text.replace(figure, planted)))
    assert figures
    assert found == len(figures)


def test_what_the_tool_refuses_is_told_in_its_words() -> None:
    text = refused_simulation("Demand", ['{"error": "InvalidInput", "message": "Too few periods."}', "not json"])
    assert text.startswith("## This cannot be computed")
    assert "Too few periods." in text


def _no_search() -> LiteratureRetriever:
    raise AssertionError("a simulation needs no search")
