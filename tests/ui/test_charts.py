"""Charts as SVG: every figure is in the picture's table, and the picture holds each point at its place."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.schemas import Chart, Point, Series
from ui.charts import Held, drawing, gauge, histogram, reliability, table
from ui.charts.scale import Scale, short

KINDS = ["fan", "forest", "bars", "survival", "acceptability", "tree", "lines", "plane", "tornado"]
_SVG = "{http://www.w3.org/2000/svg}"


def chart(kind: str, *, words: bool = False) -> Chart:
    points = tuple(
        Point(x=f"<row> & {i}" if words else float(i), y=1.5 * i - 2, lower=1.5 * i - 3, upper=1.5 * i - 1)
        for i in range(4)
    )
    series = (Series(name="treatment", points=points), Series(name="placebo", points=points[:3]))
    return Chart(kind=kind, title="A <b>title</b>", x_label="weeks", y_label="change (kg)", series=series)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", [False, True])
def test_each_kind_is_drawn_well_formed_and_says_what_it_shows(kind: str, words: bool) -> None:
    svg = drawing(chart(kind, words=words))
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert "A <b>title</b>" in (root.get("aria-label") or "")
    width, height = map(float, (root.get("viewBox") or "").split()[2:])
    for one in root.iter(f"{_SVG}circle"):
        assert 0 <= float(one.get("cx") or -1) <= width
        assert 0 <= float(one.get("cy") or -1) <= height
    assert "script" not in svg


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_holds_every_figure(kind: str) -> None:
    shown = chart(kind)
    rows = table(shown)
    assert len(rows) == sum(len(series.points) for series in shown.series)
    assert rows[1] == ["treatment", "1", "−0.50", "−1.50", "0.50"]


def test_points_lie_where_their_values_say() -> None:
    root = ElementTree.fromstring(drawing(chart("lines")))
    circles = list(root.iter(f"{_SVG}circle"))[-4:]
    ys = [float(one.get("cy") or 0) for one in circles]
    xs = [float(one.get("cx") or 0) for one in circles]
    assert ys == sorted(ys, reverse=True)  # rising values go up
    steps = [b - a for a, b in pairwise(ys)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)
    assert xs[1] - xs[0] == pytest.approx(xs[3] - xs[2], abs=0.2)


def test_series_differ_without_colour() -> None:
    svg = drawing(chart("fan"))
    assert "stroke-dasharray" in svg
    assert "<polygon" in svg
    assert "<circle" in svg


def test_nothing_to_draw_is_no_picture() -> None:
    assert drawing(Chart(kind="fan", title="", x_label="", y_label="", series=())) == ""


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8))
def test_a_scale_holds_its_values_between_round_ends(values: list[float]) -> None:
    scale = Scale.over(values, 0.0, 100.0)
    assert scale.low <= min(values) + 1e-6
    assert max(values) <= scale.high + 1e-6
    assert 1 <= len(scale.ticks) <= 14
    assert all(-1e-3 <= scale.at(value) <= 100.001 for value in values)
    assert len({scale.label(tick) for tick in scale.ticks}) == len(scale.ticks)


@pytest.mark.parametrize(
    ("value", "words"),
    [(-1.284, "−1.28"), (34.25, "34.2"), (1250.0, "1,250"), (0.0, "0"), (-0.0, "0"), (0.00123, "0.0012")],
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert short(value) == words


def test_small_pictures_say_what_they_show() -> None:
    for svg in (
        histogram([(0.0, 1.0, 0.25), (1.0, 2.0, 0.75)], "age: mean 60"),
        reliability([Held("HbA1c", 0.92, 0.86, 0.93, 302)], "92 % of 302"),
        gauge(0.91, "91 %"),
    ):
        root = ElementTree.fromstring(svg)
        assert root.get("aria-label")
        assert re.search(r"<(rect|circle)", svg)
