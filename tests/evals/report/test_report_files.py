"""The three files of a report, from a made-up run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import html

from evals.report import gather, headline, write
from evals.report.contents import Contents
from evals.report.writing import as_html
from evals.schemas import Comparison, EvalRun, Suite, Verdict
from knowledge.errors import DataError

NO_PAGE = {"link", "script", "img", "iframe", "object", "embed", "video", "audio", "source", "form", "base"}
SECTIONS = ("headline", "outcomes", "coverage", "calibration", "risk-coverage", "worst", "fairness", "suites", "failures",
            "models", "baseline", "monitoring", "method", "card", "intended-use", "data", "limits", "reproduce", "checklists")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: EvalRun, comparison: Comparison) -> Path:
    made = tmp_path_factory.mktemp("report")
    write(run, comparison, made)
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> html.HtmlElement:
    return html.document_fromstring((folder / "report.html").read_text(encoding="utf-8"))


def words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().replace("\u00a0", " ").split())


def test_same_run_same_bytes(folder: Path, tmp_path: Path, run: EvalRun, comparison: Comparison) -> None:
    again = write(EvalRun.model_validate_json(run.model_dump_json()), comparison, tmp_path)
    assert [path.name for path in again] == ["report.html", "report.md", "report.json"]
    for path in again:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_every_anchor_resolves_and_is_unique(page: html.HtmlElement) -> None:
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.xpath("//a/@href") if link.startswith("#")]
    assert len(targets) > 60
    assert set(targets) <= set(ids)
    assert set(SECTIONS) <= set(ids)
    for names in page.xpath("//@aria-labelledby"):
        assert set(names.split()) <= set(ids)


def test_nothing_is_loaded(page: html.HtmlElement, folder: Path) -> None:
    assert not [element.tag for element in page.iter() if element.tag in NO_PAGE]
    assert not page.xpath("//@src | //@srcset | //@style | //@*[starts-with(name(), 'on')]")
    assert not page.xpath("//*[not(self::a)]/@href")
    style = "".join(page.xpath("//style/text()"))
    assert "url(" not in style
    assert "@import" not in style
    assert (folder / "report.html").stat().st_size < 1_500_000


def test_headings_tables_and_charts_have_names(page: html.HtmlElement) -> None:
    levels = [int(element.tag[1]) for element in page.iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(second - first <= 1 for first, second in pairwise(levels))
    for table in page.xpath("//table"):
        assert words(table.find("caption"))
        widths = {len(row) for row in table.iter("tr")}
        assert len(widths) == 1, words(table.find("caption"))
        assert all(cell.get("scope") for cell in table.iter("th"))
    charts = page.xpath("//svg[@role='img']")
    assert len(charts) == 4  # too few whole answers state a confidence to draw two more
    for chart in charts:
        assert chart.find("title").text
        assert len(chart.find("desc").text) > 40
    assert all(row.get("aria-hidden") == "true" for row in page.xpath("//svg[not(@role)]"))


def test_odd_text_is_text(page: html.HtmlElement, folder: Path) -> None:
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in source
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; ]]&gt;" in source
    assert not re.search("[\x00-\x08\x1b\u202e]", source)
    assert "\u05e9\u05dc\u05d5\u05dd" in source
    shown = [text for text in page.xpath("//pre/text()") if "alert" in text]
    assert shown
    assert all("<script>" in text for text in shown)
    assert all(element.get("dir") == "auto" for element in page.xpath("//pre"))
    marked = (folder / "report.md").read_text(encoding="utf-8")
    outside = re.sub(r"```.*?```", "", marked, flags=re.S)
    assert "<script" not in outside.replace("\\<script", "")
    rows = [line for line in outside.splitlines() if line.startswith("| ")]
    assert rows
    # a bar inside a cell is escaped, so every row of a table is as wide as its head
    for table in re.findall(r"(?:^\|.*\n)+", outside, flags=re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_long_answers_are_cut(page: html.HtmlElement) -> None:
    cut = [text for text in page.xpath("//pre/text()") if "A long answer." in text]
    assert cut
    assert all(len(text) < 5_200 and "more characters)" in text for text in cut)


def test_headline_table_says_what_the_run_measured(page: html.HtmlElement, run: EvalRun) -> None:
    table = page.xpath("//section[@id='headline']//table")[0]
    rows = [[words(cell) for cell in row] for row in table.xpath(".//tbody/tr")]
    metrics = [one for one in run.summaries["offline"] if one.headline and not one.group]
    assert len(rows) == len(metrics) > 5
    covered = next(row for row in rows if row[0] == "Leave one trial out" and row[1] == "Inside the 90 % interval")
    value = next(one for one in metrics if one.suite is Suite.HOLDOUT and one.name == "covered_90").value
    assert value is not None
    assert covered[2] == f"{100 * value:.0f} %"
    assert covered[5] == "near 90 %"
    hashes = {info.suite: info.hash for info in run.suites}
    assert [row[6] for row in rows] == [hashes[one.suite] for one in metrics]


def test_json_holds_the_figures_and_no_traces(folder: Path, run: EvalRun) -> None:
    contents = Contents.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))
    assert contents.summaries == run.summaries
    assert contents.headline == tuple(headline(run, contents.comparison))
    raw = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert all("trace" not in failure for failure in raw["failures"])
    assert len(raw["failures"]) == sum(not record.passed for record in run.records)


def test_failures_are_all_there_with_their_trace(page: html.HtmlElement, run: EvalRun) -> None:
    section = page.get_element_by_id("failures")
    folded = [words(one).partition(":")[0] for one in section.xpath("./details/summary")]
    listed = [words(one) for one in section.xpath("./div/table/tbody/tr/th")]
    assert sorted([*folded, *listed]) == sorted(record.case_id for record in run.records if not record.passed)
    assert {"outcome-2", "safety-odd", "routing-0"} == set(folded)
    fold = next(one for one in page.xpath("//details") if words(one.find("summary")).startswith("outcome-2"))
    told = words(fold)
    for part in (
        "no such estimate",
        "How would adults react to drug 2?",
        "t2d_adults",
        "simulate_treatment_response",
        "Answer 2",
        "Earlier.",
    ):
        assert part in told, part


def test_comparison_says_what_got_worse(page: html.HtmlElement, run: EvalRun, comparison: Comparison) -> None:
    section = page.get_element_by_id("baseline")
    rows = {words(row[1]): [words(cell) for cell in row] for row in section.xpath(".//tbody/tr") if len(row) > 2}
    assert rows["Right tools"][-1] == "▼ worse"
    assert rows["Right tools"][4] == f"{chr(8722)}20.0 points"
    assert rows["Right tools"][6] == "< 0.001"
    assert rows["Inside the 90 % interval"][-1] == "≈ within noise"
    assert "Worse than the baseline beyond noise: right tools (routing)." in headline(run, comparison)
    assert [one.verdict for one in comparison.regressions] == [Verdict.WORSE]


def test_rivals_are_compared_by_area(page: html.HtmlElement) -> None:
    table = page.xpath("//section[@id='outcomes']//table")[0]
    head = [words(cell) for cell in table.xpath(".//thead/tr/th")]
    assert head == ["Area", "Response engine", "drug mean", "class mean", "no change"]
    rows = table.xpath(".//tbody/tr")
    assert "40 figures of 20 trials" in words(rows[0])
    assert [row[0].xpath("string(.//bdi)") for row in rows] == [
        "type 2 diabetes",
        "obesity",
        "hypertension",
        "oncology",
        "all areas",
    ]
    for row in rows:
        bold = [place for place, cell in enumerate(row) if place and cell.find(".//strong") is not None]
        values = [float(cell.xpath("string(.//bdi)")) for cell in row[1:5]]
        assert bold == [1 + values.index(min(values))]


def test_ratios_are_marked_where_their_interval_leaves_one(page: html.HtmlElement) -> None:
    table = page.xpath("//section[@id='outcomes']//table")[-1]
    last = [cell.xpath("string(.//bdi)") for cell in table.xpath(".//tbody/tr")[-1]]
    assert last == ["all areas", "0.80 ▲", "1.00", "1.20 ▼"]


def test_sub_cohorts_stand_beside_each_other(page: html.HtmlElement) -> None:
    first, second = page.xpath("//section[@id='fairness']//table")
    rows = {
        row[0].xpath("string(.//bdi)"): [cell.xpath("string(.//bdi)") for cell in row[2:]]
        for row in first.xpath(".//tbody/tr")
    }
    assert rows == {
        "female": ["0.60", "90\u00a0%", "1.20", "10\u00a0%"],
        "male": ["0.60", "90\u00a0%", "1.40", "10\u00a0%"],
    }
    assert "Width gap" in words(second)
    assert "0.12 doublings" in words(second)
    for mark, value in zip(first.xpath(".//tbody//circle"), (1.2, 1.4), strict=True):
        assert float(mark.get("data-x")) == value


def test_several_models_stand_side_by_side(build_run: Callable[..., EvalRun]) -> None:
    made = html.document_fromstring(as_html(gather(build_run(("offline", "openai:x")))))
    table = made.xpath("//section[@id='models']//table")[0]
    assert [words(cell) for cell in table.xpath(".//thead/tr/th")] == ["Figure", "offline", "openai:x"]
    assert len(made.xpath("//svg[@role='img']")) == 8
    ids = made.xpath("//@id")
    assert len(ids) == len(set(ids))


def test_an_empty_run_says_so(run: EvalRun) -> None:
    bare = run.model_copy(
        update={"records": (), "summaries": {"offline": ()}, "suites": (), "agreements": (), "left_out": ()}
    )
    made = html.document_fromstring(as_html(gather(bare)))
    text = words(made)
    for sentence in (
        "No case failed.",
        "This run scored no headline figure.",
        "not measured in this run",
        "There was no baseline",
    ):
        assert sentence in text, sentence
    assert "nan" not in text.casefold().split()


def test_a_checklist_may_not_ask_for_an_unknown_fact() -> None:
    from evals.report.facts import filled

    with pytest.raises(DataError, match="unknown fact"):
        filled("Measured: {nonsense}.", {})


def test_an_answer_about_what_was_not_measured_is_no_answer(page: html.HtmlElement) -> None:
    rows = {
        words(row[1]): words(row[2]) for row in page.xpath("//section[@id='checklists']//tbody/tr") if len(row) == 5
    }
    assert rows["Robustness."] == "not in this run"
    assert rows["Fairness and bias."] == "answered"
    assert rows["Human raters."] == "not done"
