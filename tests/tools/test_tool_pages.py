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


def fence(text: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found, f"no {language} block under Example"
    return found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_page_is_whole(page):
    text = page.read_text(encoding="utf-8")
    title = re.match(r"# `?(\w+)`?", text)
    assert title, "the page begins with the tool's name"
    assert title[1] in {tool.name for tool in build_registry()}
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[: len(HEADINGS)] == list(HEADINGS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_example_gives_what_the_page_says(page, shipped, library):
    example = page.read_text(encoding="utf-8").split("## Example", 1)[1]
    call = json.loads(fence(example, "json"))
    declared = build_registry()[call["tool"]]
    context = ToolContext(
        knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"), seed=call.get("seed", 1)
    )
    result = declared(declared.parse(call["arguments"]), context)
    found = {estimate.id: f"{estimate.point:.4g}" for estimate in result.estimates}
    said = dict(line.split(": ", 1) for line in fence(example, "text").strip().splitlines())
    assert said
    assert {name: found.get(name) for name in said} == said
