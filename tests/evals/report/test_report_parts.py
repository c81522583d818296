"""Small parts of the report: numbers, words, checklists, stored runs, monitoring."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from lxml import html

from evals.drift import Calibration, ControlChart, DriftReport, Step
from evals.report import gather
from evals.report.checklists import checklists
from evals.report.markup import element, escaped
from evals.report.numbers import interval, measure, number, p_value, percent, seconds
from evals.report.words import metric_words, words
from evals.report.writing import as_html, as_markdown
from evals.schemas import EvalRun, Suite, Verdict


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (number(-0.0001), "0.000"), (number(-1.234), "−1.23"), (number(12345.6), "12,346"), (number(None), "–"),
        (number(float("nan")), "–"),         (percent(0.005), "0.5 %"), (percent(0.0), "0 %"),
        (percent(1.0), "100 %"), (percent(0.997), "99.7 %"), (percent(0.912), "91 %"),
        (measure(0.5, "share"), "50 %"), (measure(0.5, "kg"), "0.50 kg"), (measure(None, "kg"), "–"),
        (interval(-1.149, -0.097), "−1.1 to −0.1"), (interval(0.52, 0.62), "0.52 to 0.62"), (interval(None, 1.0), "–"),
        (interval(0.84, 0.94, "share"), "84 to 94 %"), (interval(2.0, 2.0), "2.00 to 2.00"), (interval(0.12345, 0.12346), "0.123 to 0.123"),
        (p_value(0.00001), "p < 0.001"), (p_value(0.034), "p = 0.034"), (p_value(None), "–"),
        (seconds(0.42), "0.4 s"), (seconds(200.4), "3 min 20 s"), (seconds(7500), "2 h 5 min"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_readers(shown: str, wanted: str) -> None:
    assert shown == wanted


def test_markup_escapes_text_and_attributes() -> None:
    assert element("a", "<b>", element("i", "x"), href='"&', hidden=None, data_x=1.5) == (
        '<a href="&quot;&amp;" data-x="1.5">&lt;b&gt;<i>x</i></a>'
    )
    assert escaped("\x00\ud800\u202e\u2067") == "����"


def test_every_suite_and_verdict_has_words() -> None:
    assert set(words().suites) == set(Suite)
    assert set(words().verdicts) == set(words().marks) == {one.value for one in Verdict}


def test_every_metric_of_every_suite_has_words() -> None:
    from evals.suites import runners
    from evals.suites.base import COMMON

    found = {spec.name for runner in runners().values() for spec in runner.metrics}
    found |= {curve.metric.name for runner in runners().values() for curve in runner.curves}
    assert [name for name in sorted(found | {spec.name for spec in COMMON}) if not metric_words(name).means] == []
    assert metric_words("covered_80").name == "Inside the 80 % interval"


def test_checklists_hold_no_figures_and_say_where_items_were_seen() -> None:
    lists = {one.id: one for one in checklists()}
    assert {"fda", "vv40", "tripod-llm", "elevate"} <= set(lists)
    assert [len(lists[name].items) for name in ("fda", "vv40", "elevate")] == [7, 13, 10]
    for one in lists.values():
        assert one.partial
        assert len({item.id for item in one.items}) == len(one.items)
        for item in one.items:
            # a figure in an answer comes from the run, through braces
            assert not re.search(r"\d", item.answer), (one.id, item.id)


def test_followed_up_predictions_are_shown(run: EvalRun) -> None:
    day = date(2026, 11, 1)
    calm = Calibration(
        name="all", first=day, last=day + timedelta(4), runs=5, figures=9, level=0.9, covered=0.44, covered_low=0.2, covered_high=0.7,
        mean_error=1.9, spread=2.1, with_confidence=0,
    )  # fmt: skip
    steps = tuple(Step(run_id=f"r-{i}", on=day + timedelta(i), value=2.0, path=1.5 * (i + 1)) for i in range(5))
    chart = ControlChart(
        name="Errors",
        finds="a shift",
        limit=4.0,
        false_alarms=0.02,
        horizon=100,
        steps=steps,
        alarms=(day + timedelta(2),),
    )
    drift = DriftReport(
        overall=calm, windows=(calm,), endpoints=(), charts=(chart,), false_alarms=0.05, horizon=100, followed_up=()
    )
    section = html.document_fromstring(as_html(gather(run), drift)).get_element_by_id("monitoring")
    text = " ".join(section.text_content().replace("\u00a0", " ").split())
    assert "9 figures of 5 runs followed up. 1 chart gave an alarm." in text
    assert "44 %" in text
    marks = section.xpath(".//svg//circle")
    assert [float(mark.get("data-y")) for mark in marks] == [4.5]
    assert "Errors: rises for a shift." in as_markdown(gather(run), drift)
    quiet = html.document_fromstring(as_html(gather(run))).get_element_by_id("monitoring")
    assert "No such comparison went into this report." in quiet.text_content()
