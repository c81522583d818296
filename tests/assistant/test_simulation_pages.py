"""Each page fits its tool: patterns compile, the example runs through the tool's own input model, follow-ups change a value."""

from __future__ import annotations

import pytest

from assistant import calls, simulation_operations, simulation_rules
from assistant.conversation import understand_conversation
from assistant.intents import Intent
from assistant.plans import draft_plan
from assistant.schemas import Status
from assistant.simulation_pages import check, pages
from assistant.simulation_reading import read_slots
from knowledge.base import KnowledgeBase
from knowledge.errors import DataError
from personas.library import PersonaLibrary
from tools.catalog import build_registry

TOOLS = sorted(pages())


def test_each_page_is_of_a_registered_tool_that_can_be_called() -> None:
    known = {declared.name for declared in build_registry()}
    assert set(TOOLS) <= known
    assert set(TOOLS) == set(calls.SIMULATIONS)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_page_is_whole(tool: str) -> None:
    page = pages()[tool]
    check(page)
    for form in page.forms:
        rules = (simulation_rules, simulation_operations)
        assert not form.rule or any(hasattr(module, form.rule) for module in rules), form.rule


def test_a_page_that_names_a_strange_slot_is_refused() -> None:
    page = pages()["simulate_epidemic"]
    form = page.forms[0].model_copy(update={"required": ("phase_of_the_moon",)})
    with pytest.raises(DataError, match="phase_of_the_moon"):
        check(page.model_copy(update={"forms": (form,)}))


@pytest.mark.parametrize("tool", TOOLS)
def test_the_example_is_planned_as_a_call(tool: str, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = understand_conversation([pages()[tool].example], shipped.vocabulary, library)
    assert asked.intent is Intent.SIMULATION
    draft = draft_plan(asked, shipped, library)
    assert draft.status is Status.ANSWERED, draft.reply
    assert [call.tool for call in draft.calls] == [tool]
    assert calls.fault_of(draft.calls[0]) == ""


@pytest.mark.parametrize(("tool", "question"), [(t, q) for t in TOOLS for q in pages()[t].follow_ups])
def test_a_follow_up_that_is_offered_says_something(tool: str, question: str) -> None:
    assert read_slots(pages()[tool], question), question
