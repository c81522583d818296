"""Reporting guidelines and credibility frameworks, item by item, each answered with a link into the report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from evals.report.blocks import Block, Cell, Fold, Part, Section, Table, Text
from evals.report.facts import NOT_MEASURED, filled
from evals.report.numbers import count
from knowledge.errors import DataError
from knowledge.schemas import Frozen

FILE = Path(__file__).with_name("checklists.yaml")
STATUS = {"answered": "answered", "partly": "partly", "open": "not done", "not_applicable": "does not apply"}


UNMEASURED = "not in this run"


class Seen(Frozen):
    """Where the items were seen."""

    what: str
    url: str


class Item(Frozen):
    """What is asked, in our words, and the answer."""

    id: str
    asks: str
    status: Literal["answered", "partly", "open", "not_applicable"]
    link: str
    answer: str


class Checklist(Frozen):
    """A guideline; `partial` says what of it was not seen."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str
    reference: str
    doi: str = ""
    url: str = ""
    seen: tuple[Seen, ...] = Field(min_length=1)
    partial: str
    items: tuple[Item, ...] = Field(min_length=1)


@lru_cache(maxsize=1)
def checklists() -> tuple[Checklist, ...]:
    """All of them (DataError when the file is damaged)."""
    try:
        return TypeAdapter(tuple[Checklist, ...]).validate_python(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise DataError(f"{FILE.name}: {error}") from error


def section(known: Mapping[str, str], titles: Mapping[str, str]) -> Section:
    """The items with their answers; `titles` are the names of the anchors of the report."""
    blocks: list[Block] = [
        Text(
            "What guidelines ask, in our words, and where this report answers it. The lists are partial: only items that could be "
            "seen in a source are here, and each list says where. Self-assessed; nobody has certified it."
        )
    ]
    for one in checklists():
        blocks.append(
            Part(f"checklist-{one.id}", one.name, (_about(one, known), _items(one, known, titles), _sources(one)))
        )
    return Section("checklists", "Guidelines and frameworks", tuple(blocks))


def _about(one: Checklist, known: Mapping[str, str]) -> Text:
    found = [_status(item, known) for item in one.items]
    tally = ", ".join(f"{found.count(word)} {word}" for word in (*STATUS.values(), UNMEASURED) if word in found)
    return Text(f"{one.reference}. {count(len(one.items), 'item')}: {tally}. {one.partial}", muted=True)


def _items(one: Checklist, known: Mapping[str, str], titles: Mapping[str, str]) -> Fold:
    return Fold(f"Item by item ({len(one.items)})", (_table(one, known, titles),), plain=True)


def _table(one: Checklist, known: Mapping[str, str], titles: Mapping[str, str]) -> Table:
    rows = []
    for item in one.items:
        if item.link not in titles:
            raise DataError(f"{FILE.name}: {one.id} {item.id} links to '{item.link}', which the report does not have.")
        where = Cell(titles[item.link], link=f"#{item.link}")
        rows.append((item.id, item.asks, _status(item, known), filled(item.answer, known), where))
    return Table(f"{one.name}.", ("Item", "Asked", "Status", "Answer", "See"), tuple(rows))


def _status(item: Item, known: Mapping[str, str]) -> str:
    """What is said of an item; an answer that leans on a figure this run did not measure is none."""
    leans_on = {name for _, name, _, _ in Formatter().parse(item.answer) if name}
    return UNMEASURED if any(known.get(name) == NOT_MEASURED for name in leans_on) else STATUS[item.status]


def _sources(one: Checklist) -> Fold:
    rows = [(Cell(seen.what), Cell(seen.url, link=seen.url if _is_link(seen.url) else "")) for seen in one.seen]
    if one.url:
        rows.append((Cell("the original, not read here"), Cell(one.doi or one.url, link=one.url)))
    return Fold(
        "Where the items were seen", (Table(f"Sources for {one.name}.", ("What", "Where"), tuple(rows)),), plain=True
    )


def _is_link(url: str) -> bool:
    return url.startswith("https://") and " " not in url
