"""The answer as a Word document: headings, real tables, charts as pictures with a description."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from ui.exports.blocks import Block, Grid, Item, Paragraph, Run, Runs
from ui.exports.picture import png_of
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

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # what a ZIP file can hold at the earliest
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"


def render(run: Recorded) -> bytes:
    """The document; its dates are those of the run."""
    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.shared import Mm, Pt

    answer, document = run.answer, Document()
    document.styles["Normal"].font.size = Pt(10)
    section = document.sections[0]
    section.orientation, section.page_width, section.page_height = WD_ORIENT.PORTRAIT, Mm(210), Mm(297)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(18)
    section.footer.paragraphs[0].text = f"Cohort Twin · run {answer.run_id} · {run.created:%Y-%m-%d} · {NOTICE}"
    document.add_heading(clean(answer.headline), level=1)
    _labelled(document, "Question:", answer.question)
    _labelled(document, "How sure?", answer.confidence.sentence)
    _labelled(document, NOTICE, "")
    for part in parts_of(answer):
        document.add_heading(part.title, level=2)
        for block in part.blocks:
            _block(document, block)
    if answer.charts:
        document.add_heading("Charts", level=2)
    for chart in answer.charts:
        _labelled(document, clean(chart.title), "")
        shown = document.add_picture(io.BytesIO(png_of(scene_of(chart))), width=Mm(170))
        about = f"{chart.kind} chart: {chart.title}. The values stand at the end."
        shown._inline.docPr.set("descr", shortened(about, 500))
    if answer.estimates:
        document.add_heading("All estimates", level=2)
        _table(document, ESTIMATE_HEADER, [estimate_row(one) for one in answer.estimates])
    if answer.citations:
        document.add_heading("Sources", level=2)
    for citation in answer.citations:
        paragraph = document.add_paragraph(f"{citation.number}. {citation_text(citation)} ")
        link = citation_link(citation)
        if link:
            _link(paragraph, link, link)
    document.add_heading("Provenance", level=2)
    _table(document, ("What", "Value"), provenance_rows(run))
    if answer.charts:
        document.add_heading("Values of the charts", level=2)
    for chart in answer.charts:
        _labelled(document, chart.title, "")
        _table(document, CHART_HEADER, chart_rows(chart.series))
    return _stable(document, run)


def _stable(document: Any, run: Recorded) -> bytes:
    """The file with the run's dates, packed again without the clock of this machine."""
    properties = document.core_properties
    properties.title, properties.author = shortened(run.answer.headline, 200), "Cohort Twin"
    properties.last_modified_by, properties.comments = "Cohort Twin", f"run {run.answer.run_id}"
    properties.subject, properties.language = shortened(run.answer.question, 200), "en"
    properties.created = properties.modified = run.created.replace(tzinfo=None, microsecond=0)
    properties.revision = 1
    raw, packed = io.BytesIO(), io.BytesIO()
    document.save(raw)
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            entry = zipfile.ZipInfo(item.filename, _FIRST_DAY)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            new.writestr(entry, old.read(item.filename))
    return packed.getvalue()


def _labelled(document: Any, label: str, text: str) -> None:
    paragraph = document.add_paragraph()
    paragraph.add_run(clean(label)).bold = True
    if text:
        paragraph.add_run(f" {clean(text)}")


def _block(document: Any, block: Block) -> None:
    match block:
        case Paragraph():
            _runs(document.add_paragraph(), block.runs)
        case Item():
            from docx.shared import Mm

            paragraph = document.add_paragraph()
            paragraph.paragraph_format.left_indent = Mm(5 + 5 * block.depth)
            paragraph.paragraph_format.first_line_indent = Mm(-4)
            paragraph.add_run(f"{block.mark} ")
            _runs(paragraph, block.runs)
        case Grid():
            columns = max((len(row) for row in (block.header, *block.rows)), default=0)
            table = _empty_table(document, 1 + len(block.rows), columns)
            for row, cells in zip(table.rows, (block.header, *block.rows), strict=True):
                for cell, runs in zip(row.cells, cells, strict=False):
                    _runs(cell.paragraphs[0], runs, bold=cells is block.header)
            document.add_paragraph()


def _runs(paragraph: Any, runs: Runs, *, bold: bool = False) -> None:
    for run in runs:
        if run.href:
            _link(paragraph, run.text, run.href)
        else:
            _styled(paragraph.add_run(run.text), run, bold)


def _styled(made: Any, run: Run, bold: bool) -> None:
    made.bold, made.italic = run.bold or bold, run.italic
    if run.code:
        made.font.name = "Consolas"


def _link(paragraph: Any, text: str, address: str) -> None:
    """A hyperlink: python-docx reads them but has no call that makes one."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement("w:hyperlink")
    element.set(qn("r:id"), paragraph.part.relate_to(address, _RELATION, is_external=True))
    made = paragraph.add_run(text)
    made.font.underline = True
    element.append(made._r)
    paragraph._p.append(element)


def _table(document: Any, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = _empty_table(document, 1 + len(rows), len(header))
    # One pass over the cells' elements: `table.cell(r, c)` looks through the whole table each time.
    for row, cells in zip(table.rows, (header, *rows), strict=True):
        for element, text in zip(row._tr.tc_lst, cells, strict=True):
            made = element.p_lst[0].add_r()
            made.text = text
    document.add_paragraph()


def _empty_table(document: Any, rows: int, columns: int) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    table = document.add_table(rows=rows, cols=columns)
    table.style = "Light Grid Accent 1"
    marked = OxmlElement("w:tblHeader")
    marked.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(marked)
    return table
