"""The report as one HTML file that loads nothing: styles and charts are inline, scripts there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evals.report.blocks import Block, Bullets, Cell, Figure, Figures, Fold, Part, Pre, Section, Table, Text
from evals.report.markup import Markup, element, joined, raw

_PERCENT = re.compile(r"(\d) %")
STYLE = Path(__file__).with_name("style.css")


def page(title: str, lead: Sequence[str], facts: Sequence[tuple[str, str]], sections: Sequence[Section]) -> str:
    """The whole file."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", raw(STYLE.read_text(encoding="utf-8"))),
    )
    masthead = element(
        "header",
        element("p", "Cohort Twin", class_="brand"),
        element("h1", title),
        *(element("p", sentence, class_="lead") for sentence in lead),
        element("dl", *(_fact(name, value) for name, value in facts), class_="facts"),
        id="top",
    )
    contents = element(
        "nav",
        element("h2", "Contents", id="contents"),
        element("ol", *(element("li", element("a", one.title, href=f"#{one.name}")) for one in sections)),
        aria_labelledby="contents",
    )
    body = element(
        "body",
        element("a", "Skip to the results", class_="skip", href=f"#{sections[0].name}" if sections else "#top"),
        masthead,
        element("div", contents, element("main", *(_section(one) for one in sections)), class_="layout"),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _fact(name: str, value: str) -> Markup:
    return element("div", element("dt", name), element("dd", value))


def _section(section: Section) -> Markup:
    return element(
        "section",
        element("h2", section.title, id=f"{section.name}-title"),
        *(_block(block) for block in section.blocks),
        id=section.name,
        aria_labelledby=f"{section.name}-title",
    )


def _block(block: Block) -> Markup:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Text):
        return element("p", _kept(block.text), class_="muted" if block.muted else None)
    if isinstance(block, Bullets):
        return element("ul", *(element("li", _kept(item)) for item in block.items))
    if isinstance(block, Pre):
        return element("pre", block.text, dir="auto", tabindex="0")
    if isinstance(block, Figures):
        return element("div", *(_figure(one) for one in block.figures), class_="figures")
    if isinstance(block, Part):
        return joined(element("h3", block.title, id=block.name), *(_block(one) for one in block.blocks))
    return _fold(block)


def _fold(fold: Fold) -> Markup:
    return element(
        "details",
        element("summary", element("bdi", fold.summary)),
        *(_block(one) for one in fold.blocks),
        id=fold.name or None,
    )


def _figure(figure: Figure) -> Markup:
    return element(
        "figure",
        figure.drawing,
        element("figcaption", _kept(figure.caption)),
        element("details", element("summary", "The numbers"), _table(figure.table), class_="numbers"),
    )


def _table(table: Table) -> Markup:
    head = element("tr", *(_cell(cell, "th", scope="col") for cell in table.head))
    rows = [
        element(
            "tr",
            *(
                _cell(cell, "td" if column else "th", scope=None if column else "row")
                for column, cell in enumerate(row)
            ),
        )
        for row in table.rows
    ]
    # the frame scrolls, not the page; it can be reached by keyboard for that
    return element(
        "div",
        element(
            "table",
            element("caption", element("span", _kept(table.caption))),
            element("thead", head),
            element("tbody", *rows),
        ),
        class_="frame",
        tabindex="0",
        role="group",
        aria_label=table.caption,
    )


def _cell(cell: Cell | str, name: str, scope: str | None) -> Markup:
    one = Cell(cell) if isinstance(cell, str) else cell
    text: Markup = (
        element("code", one.text, class_="whole" if len(one.text) < 20 else None)
        if one.code
        else element("bdi", _kept(one.text))
    )
    if one.link:
        text = element("a", text, href=one.link)
    if one.strong:
        text = element("strong", text)
    small = element("span", _kept(one.small), class_="small") if one.small else None
    kind = "number" if one.number else "drawing" if one.drawing is not None else None
    return element(name, text, small, one.drawing, class_=kind, scope=scope)


def _kept(text: str) -> str:
    """The text with a number and its per-cent sign on one line."""
    return _PERCENT.sub("\\1\u00a0%", text)
