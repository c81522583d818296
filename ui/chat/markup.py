"""HTML from text and tables. Everything that comes from outside is escaped; Markdown may hold no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

from markdown_it import MarkdownIt

from tools.schemas import Chart
from ui.charts import drawing, table
from ui.charts.rows import capital

_AREAS = {"copd_asthma": "COPD and asthma", "heart_failure_ckd": "Heart failure and CKD"}
_MARK = re.compile(r"\[(\d{1,3})\]")
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": False}).enable("table")


def markdown(text: str, *, run_id: str = "") -> str:
    """Markdown as HTML; marks such as [3] lead to the source in the evidence table of the run."""
    made = str(_reader().render(text))
    made = _TABLE.sub(lambda match: scrolling(match.group(), "Table"), made)
    if run_id:
        made = _MARK.sub(rf'<a class="mark" href="#s-{escape(run_id)}-\1" aria-label="source \1">[\1]</a>', made)
    return made


def scrolling(inner: str, name: str) -> str:
    """A table that scrolls inside itself, with the keyboard as well."""
    return f'<div class="ct-scroll" tabindex="0" role="region" aria-label="{escape(name, quote=True)}">{inner}</div>'


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str, *, raw: frozenset[int] = frozenset()) -> str:
    """A table. Cells are escaped, but those of the columns `raw`, which are HTML already."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = []
    for row in rows:
        cells = [cell if i in raw else escape(cell) for i, cell in enumerate(row)]
        body.append(
            f'<tr><th scope="row">{cells[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in cells[1:]) + "</tr>"
        )
    inner = f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return scrolling(inner, caption)


def folded(title: str, inner: str, *, opened: bool = False) -> str:
    """A part that opens and closes."""
    return f'<details class="fold"{" open" if opened else ""}><summary>{escape(title)}</summary>{inner}</details>'


def figure(chart: Chart, *, with_title: bool = True) -> str:
    """A chart with its table folded below."""
    title = capital(chart.title)
    x = chart.x_label or ("" if chart.kind == "bars" else "x")
    unit = chart.y_label or chart.x_label
    head = [
        "Series",
        (x if chart.y_label and chart.x_label else "") or "What",
        f"Value ({unit})" if unit else "Value",
        "Lower",
        "Upper",
    ]
    numbers = folded("Numbers of this chart", grid(head, table(chart), title))
    caption = f"<figcaption>{escape(title)}</figcaption>" if with_title else ""
    return f'<figure class="ct-figure">{caption}{drawing(chart)}{numbers}</figure>'


def link(url: str, words: str) -> str:
    """A link to another page, only to the web."""
    if not url.startswith(("https://", "http://")):
        return escape(words)
    return f'<a href="{escape(url, quote=True)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'


def bullets(items: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def notice(sentence: str, *, hint: str = "", alarm: bool = False) -> str:
    """A sentence that must be seen."""
    more = f" {escape(hint)}" if hint else ""
    return f'<p class="ct-notice" role="{"alert" if alarm else "status"}"><strong>{escape(sentence)}</strong>{more}</p>'


def area_words(area: str) -> str:
    """'copd_asthma' as people write it."""
    return _AREAS.get(area, capital(area.replace("_", " ")))
