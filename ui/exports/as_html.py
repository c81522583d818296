"""The answer as one HTML file: no outside address is loaded, charts are inline SVG, and it prints well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ui.exports.blocks import Block, Grid, Item, Paragraph, Run, Runs
from ui.exports.report import (
    CHART_HEADER,
    ESTIMATE_HEADER,
    NOTICE,
    Recorded,
    chart_rows,
    citation_link,
    citation_text,
    estimate_row,
    parts_of,
    provenance_rows,
)
from ui.exports.scene import scene_of
from ui.exports.svg import svg_of
from ui.exports.words import clean

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
:root {color-scheme: light;}
body {font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;}
h1 {font-size: 1.45rem; line-height: 1.25;} h2 {font-size: 1.15rem; margin: 1.8rem 0 .4rem;}
.sure {border-left: 4px solid #0b6e6e; padding: .5rem .9rem; background: #f1f6f6;} .notice {font-weight: 600;}
.wide {overflow-x: auto;} table {border-collapse: collapse; font-size: .87rem; width: 100%;}
caption {text-align: left; padding: .3rem 0;}
th, td {border-bottom: 1px solid #d9dee3; padding: .25rem .5rem; text-align: left; vertical-align: top;}
.n {text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;}
figure {margin: 1rem 0;} figcaption {font-weight: 600;}
svg {width: 100%; height: auto; font-family: system-ui, "DejaVu Sans", sans-serif;}
h1, p, li, td {overflow-wrap: anywhere;} code {font-family: ui-monospace, monospace;}
@media print {
 body {margin: 0; max-width: none; font-size: 10pt;} figure, tr {break-inside: avoid;} h2 {break-after: avoid;}
 details > summary {display: none;} a {color: inherit;} thead {display: table-header-group;}
}
"""
_NUMBERS = frozenset({"Value", "From", "To", "50 % from", "50 % to", "Weeks"})


def render(run: Recorded) -> bytes:
    """The page, UTF-8."""
    answer = run.answer
    title = escape(clean(answer.headline))
    body = [
        f"<h1>{title}</h1>",
        f"<p><strong>Question:</strong> {escape(clean(answer.question))}</p>",
        f'<p class="sure"><strong>How sure?</strong> {escape(clean(answer.confidence.sentence))}</p>',
        f'<p class="notice">{escape(NOTICE)}</p>',
    ]
    for part in parts_of(answer):
        body += [f"<h2>{escape(part.title)}</h2>", *_blocks(part.blocks)]
    if answer.charts:
        body.append("<h2>Charts</h2>")
    for number, chart in enumerate(answer.charts, start=1):
        name, rows = clean(chart.title), chart_rows(chart.series)
        described = f"{chart.kind} chart with {len(chart.series)} series; its values are in the table below it"
        body += [
            f"<figure><figcaption>{escape(name)}</figcaption>",
            svg_of(scene_of(chart), name, described, f"chart-{number}"),
            "<details><summary>Values</summary>",
            *_table(f"Values of: {name}", CHART_HEADER, rows),
            "</details></figure>",
        ]
    if answer.estimates:
        body.append("<h2>All estimates</h2>")
        body += _table(
            "Each number with its interval", ESTIMATE_HEADER, [estimate_row(one) for one in answer.estimates]
        )
    if answer.citations:
        body += ["<h2>Sources</h2>", "<ol>"]
        for citation in answer.citations:
            link = citation_link(citation)
            where = f' <a href="{escape(link)}" rel="noreferrer">{escape(link)}</a>' if link else ""
            body.append(f'<li value="{citation.number}">{escape(citation_text(citation))}{where}</li>')
        body.append("</ol>")
    body += ["<h2>Provenance</h2>", *_table("What made this answer", ("What", "Value"), provenance_rows(run))]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )
    return page.encode()


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    numeric = [name in _NUMBERS and "What" not in header for name in header]
    heads = "".join(
        f'<th scope="col"{_kind(is_number)}>{escape(name)}</th>'
        for name, is_number in zip(header, numeric, strict=True)
    )
    lines = [
        "<tr>"
        + "".join(f"<td{_kind(is_number)}>{escape(cell)}</td>" for cell, is_number in zip(row, numeric, strict=True))
        + "</tr>"
        for row in rows
    ]
    return [
        '<div class="wide" tabindex="0"><table>',
        f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>",
        *lines,
        "</tbody></table></div>",
    ]


def _kind(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _blocks(blocks: Sequence[Block]) -> list[str]:
    out: list[str] = []
    listing = False
    for block in blocks:
        if listing and not isinstance(block, Item):
            out.append("</ul>")
            listing = False
        match block:
            case Paragraph():
                out.append(f"<p>{_runs(block.runs)}</p>")
            case Item():
                if not listing:
                    out.append('<ul style="list-style: none; padding-left: 1rem">')
                    listing = True
                indent = f' style="margin-left: {1.2 * block.depth:g}rem"' if block.depth else ""
                out.append(f"<li{indent}>{escape(block.mark)} {_runs(block.runs)}</li>")
            case Grid():
                heads = "".join(f'<th scope="col">{_runs(cell)}</th>' for cell in block.header)
                rows = "".join(
                    "<tr>" + "".join(f"<td>{_runs(cell)}</td>" for cell in row) + "</tr>" for row in block.rows
                )
                out.append(
                    f'<div class="wide" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
                )
    return [*out, "</ul>"] if listing else out


def _runs(runs: Runs) -> str:
    return "".join(_run(run) for run in runs)


def _run(run: Run) -> str:
    text = escape(run.text).replace("\n", "<br>")
    for wanted, tag in ((run.code, "code"), (run.italic, "em"), (run.bold, "strong")):
        text = f"<{tag}>{text}</{tag}>" if wanted else text
    return f'<a href="{escape(run.href)}" rel="noreferrer">{text}</a>' if run.href else text
