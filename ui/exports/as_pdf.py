"""The answer as PDF: real text in an embedded font, charts as vectors, tables that run over pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from ui.exports.blocks import Block, Grid, Item, Paragraph, Run, Runs
from ui.exports.drawing import drawing_of
from ui.exports.fonts import FACES, font_file
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
from ui.exports.words import clean, shortened

_NAMES = {face: f"CT {face}" for face in FACES}
_MARGIN = 50.0
_TALLEST = 600.0  # points a chart may take of a page
_ESTIMATE_WIDTHS = (0.19, 0.12, 0.07, 0.07, 0.07, 0.09, 0.09, 0.12, 0.06, 0.12)
_CHART_WIDTHS = {True: (0.38, 0.12, 0.1, 0.1, 0.1, 0.1, 0.1), False: (0.16, 0.34, 0.1, 0.1, 0.1, 0.1, 0.1)}


def render(run: Recorded) -> bytes:
    """The document, A4. Its dates are those of the run and its id follows from its content."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    _register_fonts()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=shortened(run.answer.headline, 200),
        author="Cohort Twin",
        subject=shortened(run.answer.question, 300),
        creator="Cohort Twin",
        keywords=[f"run {run.answer.run_id}", f"evidence {run.answer.evidence_hash}"],
        lang="en",
        invariant=1,
    )
    pen = _Pen(document.width)

    def furniture(canvas: Any, _document: Any) -> None:
        _date(canvas, run)
        canvas.saveState()
        canvas.setFont(_NAMES["regular"], 7.5)
        canvas.drawString(_MARGIN, 28, f"Cohort Twin · run {run.answer.run_id} · {run.created:%Y-%m-%d} · {NOTICE}")
        canvas.drawRightString(A4[0] - _MARGIN, 28, f"Page {canvas.getPageNumber()}")
        canvas.restoreState()

    document.build(_story(run, pen), onFirstPage=furniture, onLaterPages=furniture)
    return buffer.getvalue()


def _date(canvas: Any, run: Recorded) -> None:
    """ReportLab's `invariant` stamps a fixed day of its own; the day of the run is as fixed, and means something."""
    stamp = canvas._doc._timeStamp
    stamp.t, stamp.lt = run.created.timestamp(), run.created.utctimetuple()
    stamp.YMDhms = tuple(stamp.lt)[:6]


def _register_fonts() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if _NAMES["regular"] in pdfmetrics.getRegisteredFontNames():
        return
    for face, name in _NAMES.items():
        pdfmetrics.registerFont(TTFont(name, str(font_file(face))))
    pdfmetrics.registerFontFamily(
        _NAMES["regular"],
        normal=_NAMES["regular"],
        bold=_NAMES["bold"],
        italic=_NAMES["italic"],
        boldItalic=_NAMES["bold italic"],
    )


class _Pen:
    """The styles of a document and what is made with them."""

    def __init__(self, width: float) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle

        self.width = width
        base = {"fontName": _NAMES["regular"], "textColor": HexColor("#1f2933"), "splitLongWords": 1}
        self.body = ParagraphStyle("body", fontSize=9.2, leading=13, spaceAfter=5, **base)
        self.cell = ParagraphStyle("cell", fontSize=7.4, leading=9.4, **base)
        self.head = ParagraphStyle("head", parent=self.cell, fontName=_NAMES["bold"])
        self.title = ParagraphStyle(
            "title", parent=self.body, fontName=_NAMES["bold"], fontSize=15, leading=19, spaceAfter=9
        )
        self.part = ParagraphStyle(
            "part", parent=self.body, fontName=_NAMES["bold"], fontSize=11.5, leading=15, spaceBefore=10, keepWithNext=1
        )
        self.sure = ParagraphStyle(
            "sure", parent=self.body, backColor=HexColor("#f1f6f6"), borderPadding=6, spaceBefore=6, spaceAfter=12
        )
        self.line = HexColor("#d9dee3")

    def text(self, markup: str, style: Any = None) -> Any:
        """A paragraph of ReportLab markup."""
        from reportlab.platypus import Paragraph as Text

        return Text(markup, style or self.body)

    def heading(self, text: str) -> Any:
        """A part's title."""
        return self.text(escape(text), self.part)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> Any:
        """A table of marked-up cells with its header on each page; a row longer than a page is split."""
        from reportlab.platypus import Table

        cells = [[self.text(cell, self.head) for cell in header]] if header else []
        cells += [[self.text(cell, self.cell) for cell in row] for row in rows]
        return Table(
            cells,
            colWidths=[self.width * share for share in widths],
            repeatRows=1 if header and rows else 0,
            splitInRow=1,
            hAlign="LEFT",
            spaceAfter=8,
            style=[
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, self.line),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ],
        )


def _story(run: Recorded, pen: _Pen) -> list[Any]:
    from reportlab.platypus import KeepTogether

    answer = run.answer
    story = [
        pen.text(escape(clean(answer.headline)), pen.title),
        pen.text(f"<b>Question:</b> {escape(clean(answer.question))}"),
        pen.text(f"<b>How sure?</b> {escape(clean(answer.confidence.sentence))}", pen.sure),
        pen.text(f"<b>{escape(NOTICE)}</b>"),
    ]
    for part in parts_of(answer):
        story += [pen.heading(part.title), *(_block(block, pen) for block in part.blocks)]
    for number, chart in enumerate(answer.charts):
        drawn = drawing_of(scene_of(chart), pen.width, (_NAMES["regular"], _NAMES["bold"]))
        if drawn.height > _TALLEST:
            drawn = drawing_of(
                scene_of(chart), pen.width * _TALLEST / drawn.height, (_NAMES["regular"], _NAMES["bold"])
            )
        head = [] if number else [pen.heading("Charts")]
        story.append(KeepTogether([*head, pen.text(f"<b>{escape(clean(chart.title))}</b>"), drawn]))
    if answer.estimates:
        story.append(pen.heading("All estimates"))
        rows = _escaped([estimate_row(one) for one in answer.estimates])
        story.append(pen.table(ESTIMATE_HEADER, rows, _ESTIMATE_WIDTHS))
    if answer.citations:
        story.append(pen.heading("Sources"))
    for citation in answer.citations:
        link = escape(citation_link(citation))
        where = f' <link href="{link}" color="#0b6e6e">{link}</link>' if link else ""
        story.append(pen.text(f"{citation.number}. {escape(citation_text(citation))}{where}"))
    story.append(pen.heading("Provenance"))
    story.append(pen.table((), _escaped(provenance_rows(run)), (0.26, 0.74)))
    if answer.charts:
        story.append(pen.heading("Values of the charts"))
    for chart in answer.charts:
        numbers = all(isinstance(point.x, int | float) for series in chart.series for point in series.points)
        story.append(pen.text(f"<b>{escape(clean(chart.title))}</b>"))
        story.append(pen.table(CHART_HEADER, _escaped(chart_rows(chart.series)), _CHART_WIDTHS[numbers]))
    return story


def _escaped(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[escape(cell) for cell in row] for row in rows]


def _block(block: Block, pen: _Pen) -> Any:
    match block:
        case Paragraph():
            return pen.text(_runs(block.runs))
        case Item():
            from reportlab.lib.styles import ParagraphStyle

            indent = 14.0 + 14.0 * block.depth
            style = ParagraphStyle(f"item {block.depth}", parent=pen.body, leftIndent=indent, bulletIndent=indent - 12)
            return pen.text(f"<bullet>{escape(block.mark)}</bullet>{_runs(block.runs)}", style)
        case Grid():
            columns = max(len(block.header), *(len(row) for row in block.rows), 1) if block.rows else len(block.header)
            rows = [[_runs(cell) for cell in row] for row in block.rows]
            return pen.table([_runs(cell) for cell in block.header], rows, [1 / columns] * columns)


def _runs(runs: Runs) -> str:
    return "".join(_run(run) for run in runs)


def _run(run: Run) -> str:
    text = escape(run.text).replace("\n", "<br/>")
    if run.code:
        text = f'<font name="{_NAMES["mono"]}">{text}</font>'
    text = f"<i>{text}</i>" if run.italic else text
    text = f"<b>{text}</b>" if run.bold else text
    return f'<link href="{escape(run.href)}" color="#0b6e6e">{text}</link>' if run.href else text
