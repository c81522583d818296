"""Answers as files: each is read back by a library of its own, and every number compared."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from docx import Document
from lxml import etree, html
from pypdf import PdfReader

from assistant.schemas import Answer, Citation, Confidence, Section, Status
from assistant.service import Assistant
from knowledge.errors import InvalidInput
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from ui.exports import FORMS, export_run
from ui.exports.as_json import FORMAT

QUESTION = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"
ODD = 'Ω µ ≥ − “x” <script>alert(1)</script> & ]]> \x00\x07 \ud800 \u202e {{7*7}} "quoted", line\nbreak \t tab 漢字'


@pytest.fixture(scope="module")
def record(assistant: Assistant) -> dict[str, Any]:
    return assistant.ledger.record(assistant.ask(QUESTION).run_id)


@pytest.fixture(scope="module")
def answer(record: dict[str, Any]) -> Answer:
    return Answer.model_validate(record["answer"])


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def _same(shown: str, exact: float | None) -> bool:
    """As shown with four significant digits."""
    if exact is None:
        return shown == ""
    return abs(_number(shown) - exact) <= max(abs(exact) * 5.1e-4, 1e-12)


def _expected(answer: Answer) -> Iterator[tuple[float | None, ...]]:
    for one in answer.estimates:
        yield (one.point, one.lower, one.upper)


def _chart_numbers(answer: Answer) -> list[tuple[float | None, ...]]:
    return [
        (point.y, point.lower, point.upper, point.lower_50, point.upper_50)
        for chart in answer.charts
        for series in chart.series
        for point in series.points
    ]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_run_gives_the_same_bytes(record: dict[str, Any], form: str) -> None:
    first, second = export_run(record, form), export_run(json.loads(json.dumps(record)), form)
    assert first == second
    assert first.file_name == f"cohort-{record['run_id']}.{form}"
    assert len(first.content) > 10_000


def test_json_holds_the_typed_answer_and_what_made_it(record: dict[str, Any], answer: Answer) -> None:
    value = json.loads(export_run(record, "json").content)
    assert value["format"] == FORMAT
    assert Answer.model_validate(value["answer"]) == answer
    made = value["provenance"]
    assert made["run_id"] == answer.run_id
    assert made["seed"] == 1
    assert made["evidence_hash"] == answer.evidence_hash
    assert made["recorded"] == record["created"]
    assert made["ledger_hash"] == record["hash"]
    assert {tool["tool"] for tool in made["tools"]} == {step.tool for step in answer.steps if step.ok}
    assert all(tool["version"] for tool in made["tools"])


def test_csv_holds_every_number_in_full(record: dict[str, Any], answer: Answer) -> None:
    rows = list(csv.DictReader(io.StringIO(export_run(record, "csv").content.decode("utf-8-sig"), newline="")))
    parts = {name: [row for row in rows if row["part"] == name] for name in {row["part"] for row in rows}}
    assert len(parts["estimate"]) == len(answer.estimates)
    for row, one in zip(parts["estimate"], answer.estimates, strict=True):
        assert (row["item"], row["unit"], row["arm"]) == (one.id, one.unit, one.arm)
        found = tuple(float(row[name]) if row[name] else None for name in ("value", "lower", "upper"))
        assert found == (one.point, one.lower, one.upper)
    columns = ("value", "lower", "upper", "lower_50", "upper_50")
    charts = [tuple(float(row[name]) if row[name] else None for name in columns) for row in parts["chart"]]
    assert charts == _chart_numbers(answer)
    provenance = {row["item"]: row["text"] for row in parts["provenance"]}
    assert provenance["Run"] == answer.run_id
    assert provenance["Evidence hash"] == answer.evidence_hash
    assert parts["confidence"][0]["text"] == answer.confidence.sentence
    assert len(parts["source"]) == len(answer.citations)


def _check_tables(tables: list[list[list[str]]], answer: Answer) -> None:
    """The estimates' table and those of the charts, as read from a document: every number."""
    estimates = next(table for table in tables if table[0][0] == "Quantity")
    wanted = list(_expected(answer))
    assert len(estimates) - 1 == len(wanted)
    for row, numbers in zip(estimates[1:], wanted, strict=True):
        assert all(_same(shown, exact) for shown, exact in zip(row[2:5], numbers, strict=True)), (row, numbers)
    shown = [row for table in tables if table[0][0] == "Series" for row in table[1:]]
    charts = _chart_numbers(answer)
    assert len(shown) == len(charts)
    for row, numbers in zip(shown, charts, strict=True):
        assert all(_same(text, exact) for text, exact in zip(row[2:7], numbers, strict=True)), (row, numbers)


def _check_words(text: str, answer: Answer, record: dict[str, Any]) -> None:
    flat = " ".join(text.split())
    for needed in (
        answer.run_id, answer.evidence_hash, answer.confidence.sentence, "Not advice for an individual", record["created"][:10],
        "simulate_treatment_response", *(citation.title for citation in answer.citations),
        *(citation.pmid for citation in answer.citations), *(citation.doi for citation in answer.citations),
    ):  # fmt: skip
        assert " ".join(needed.split()) in flat, needed


def test_html_stands_alone_and_holds_every_number(record: dict[str, Any], answer: Answer) -> None:
    content = export_run(record, "html").content
    page = html.document_fromstring(content, parser=html.HTMLParser(encoding="utf-8"))
    tables = [
        [["".join(cell.itertext()) for cell in row.iter("th", "td")] for row in table.iter("tr")]
        for table in page.iter("table")
    ]
    _check_tables([table for table in tables if table], answer)
    _check_words(page.text_content(), answer, record)
    loaded = [value for element in page.iter() for name, value in element.attrib.items() if name in ("src", "srcset")]
    assert not loaded
    assert not re.search(rb"@import|url\(", content)
    assert len(list(page.iter("svg"))) == len(answer.charts)
    for drawing in re.findall(rb"<svg.*?</svg>", content, re.DOTALL):
        tree = etree.fromstring(drawing)
        assert tree[0].text
        assert tree.find("{*}desc") is not None


def test_docx_holds_every_number(record: dict[str, Any], answer: Answer) -> None:
    content = export_run(record, "docx").content
    document = Document(io.BytesIO(content))
    tables = [
        [["".join(run.text or "" for run in cell.iter("{*}t")) for cell in row.tc_lst] for row in table._tbl.tr_lst]
        for table in document.tables
    ]
    _check_tables(tables, answer)
    words = [*(paragraph.text for paragraph in document.paragraphs), *(cell for t in tables for r in t for cell in r)]
    _check_words("\n".join(words), answer, record)
    assert len(document.inline_shapes) == len(answer.charts)
    assert all(shape._inline.docPr.get("descr") for shape in document.inline_shapes)
    assert document.core_properties.created.isoformat()[:19] == record["created"][:19]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_pdf_holds_every_number(record: dict[str, Any], answer: Answer) -> None:
    reader = PdfReader(io.BytesIO(export_run(record, "pdf").content))
    text = "\n".join(page.extract_text() for page in reader.pages)
    flat = re.sub(r"\s+", "", re.sub(r"CohortTwin·run.*?Page\d+", "", re.sub(r"\s+", "", text)))
    for needed in (
        answer.run_id,
        answer.evidence_hash,
        answer.confidence.sentence,
        *(c.title for c in answer.citations),
    ):
        assert re.sub(r"\s+", "", needed) in flat, needed
    from ui.exports.words import figure

    for numbers in (*_expected(answer), *_chart_numbers(answer)):
        shown = "".join(figure(number) for number in numbers)
        assert all(_same(figure(number), number) for number in numbers)
        assert shown in flat, numbers
    assert reader.metadata is not None
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.replace(tzinfo=None).isoformat() == record["created"][:19]
    fonts = {
        str(font.get_object()["/BaseFont"])
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]
    }
    assert any("DejaVu" in name for name in fonts)
    assert "−1.3" in text
    assert "/Image" not in {
        str(x.get_object()["/Subtype"]) for p in reader.pages for x in p["/Resources"].get("/XObject", {}).values()
    }  # type: ignore[index]


def _odd_record() -> dict[str, Any]:
    estimate = Estimate(
        id="=cmd|' /C calc'!A0", quantity=ODD, arm="@SUM(1+1)", unit="%", population="+1+cmd", point=-1234.5678, lower=-1e-7,
        upper=4e12, kind=Kind.SCENARIO, of=Level.COUNT, validation=Validation.SCENARIO, note="-2+3|cmd",
    )  # fmt: skip
    strange = Point(x=ODD, y=0.0)
    chart = Chart(
        kind="bars", title=f"=1+1 {ODD}", x_label=ODD, y_label="", series=(Series(name=ODD, points=(strange,)),)
    )
    flat = Chart(
        kind="fan", title="flat", x_label="", y_label="", series=(Series(name="one", points=(Point(x=1.0, y=2.0),)),)
    )
    empty = Chart(kind="survival", title="nothing", x_label="", y_label="", series=())
    source = Citation(
        number=1, source_id="x", citation=ODD, title="\t=HYPERLINK()", design="rct", grade="", url="javascript:alert(1)"
    )
    body = f"{ODD}\n\n| a | b |\n|---|---|\n| {'w' * 3000} | =1+1 |\n\n1. one\n2. two\n   - deep\n\n```\ncode\n```\n\n![x](http://a/b.png)\n\n[l](javascript:x)"
    answer = Answer(
        run_id="r-odd", question=ODD, status=Status.ANSWERED, headline=ODD, sections=(Section(title=ODD, body=body),),
        estimates=(estimate,), charts=(chart, flat, empty), confidence=Confidence(calibrated=False, sentence=ODD),
        citations=(source,), assumptions=("=A1",), limits=("\uff1d1+1",), model="offline", seed=1, evidence_hash="e",
    )  # fmt: skip
    return {
        "run_id": "r-odd",
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).isoformat(),
        "answer": answer,
        "question": {"text": "q"},
        "results": [],
    }


@pytest.mark.parametrize("form", FORMS)
def test_odd_characters_are_held_or_left_out(form: str) -> None:
    content = export_run(_odd_record(), form).content
    if form == "html":
        assert b"<script>" not in content
        assert b'href="javascript' not in content
        assert b"<img" not in content
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        for cell in (cell for row in rows for cell in row):
            assert not re.match(r"\s*[=+@\uff1d]|\s*-(?!\d)", cell), cell
        assert any("-1234.5678" in row for row in rows)
    elif form == "docx":
        assert "漢字" in "".join(paragraph.text for paragraph in Document(io.BytesIO(content)).paragraphs)
    elif form == "pdf":
        assert "≥" in PdfReader(io.BytesIO(content)).pages[0].extract_text()
    else:
        assert json.loads(content)["answer"]["estimates"][0]["upper"] == 4e12


def test_an_unknown_form_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="html, pdf, docx, json, csv"):
        export_run(record, "exe")
