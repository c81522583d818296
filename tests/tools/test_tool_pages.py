"""Each simulation tool's page is whole, and its example gives what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools.catalog import build_registry
from tools.context import ToolContext

PAGES = sorted((Path(__file__).parents[2] / "tools").glob("*/README.md"))
HEADINGS = ("What it is for", "Method", "Inputs", "Validation", "Limits", "Example")


CALL = re.compile(r"```json\n(.*?)```\s*```text\n(.*?)```", re.DOTALL)


def examples(page):
    """(call, figures) of each example of a page."""
    text = page.read_text(encoding="utf-8").split("## Example", 1)[1]
    found = [
        (json.loads(call), dict(line.split(": ", 1) for line in said.strip().splitlines()))
        for call, said in CALL.findall(text)
    ]
    assert found, "no example"
    assert text.count("```json") == len(found), "each call is followed by what it gives"
    return found


EXAMPLES = [(page, call, said) for page in PAGES for call, said in examples(page)]


def test_each_simulation_has_a_page_and_an_example():
    simulations = {tool.name for tool in build_registry() if not tool.offered}
    assert {call["tool"] for _, call, _ in EXAMPLES} >= simulations


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_page_is_whole(page):
    text = page.read_text(encoding="utf-8")
    title = re.match(r"# `?(\w+)`?", text)
    assert title, "the page begins with the tool's name"
    assert title[1] in {tool.name for tool in build_registry()}
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[: len(HEADINGS)] == list(HEADINGS)


@pytest.mark.parametrize(("page", "call", "said"), EXAMPLES, ids=[call["tool"] for _, call, _ in EXAMPLES])
def test_example_gives_what_the_page_says(page, call, said, shipped, library):
    declared = build_registry()[call["tool"]]
    context = ToolContext(
        knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"), seed=call.get("seed", 1)
    )
    result = declared(declared.parse(call["arguments"]), context)
    found = {estimate.id: f"{estimate.point:.4g}" for estimate in result.estimates}
    assert said
    assert {name: found.get(name) for name in said} == said
