"""The charts show the numbers of the run: coordinates, data attributes and tables agree."""

from __future__ import annotations

import numpy as np
import pytest
from lxml import html

from evals.report import gather
from evals.report.curves import BAND, pit_band, pit_histogram, reliability, risk_coverage
from evals.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, RowScale, ticks
from evals.report.writing import as_html
from evals.schemas import EvalRun, Prediction, Suite


@pytest.fixture(scope="module")
def page(run: EvalRun) -> html.HtmlElement:
    return html.document_fromstring(as_html(gather(run)))


def chart(page: html.HtmlElement, name: str) -> html.HtmlElement:
    return page.get_element_by_id(f"{name}-chart")


def numbers(mark: html.HtmlElement, *names: str) -> list[float]:
    return [float(mark.get(name)) for name in names]


def test_reliability_marks_are_where_the_numbers_say(page: html.HtmlElement, run: EvalRun) -> None:
    drawn = chart(page, "reliability-holdout-offline")
    panel = next(one for one in gather(run).panels if one.suite is Suite.HOLDOUT)
    marks = drawn.xpath(".//circle")
    assert [numbers(mark, "data-x", "data-y") for mark in marks] == [
        [one.stated, one.measured] for one in panel.reliability
    ]
    for mark, one in zip(marks, panel.reliability, strict=True):
        x, y = numbers(mark, "cx", "cy")
        assert x == pytest.approx(LEFT + one.stated * (WIDTH - LEFT - RIGHT), abs=0.01)
        assert y == pytest.approx(HEIGHT - BOTTOM - one.measured * (HEIGHT - TOP - BOTTOM), abs=0.01)


def test_bars_are_as_high_as_their_share(page: html.HtmlElement, run: EvalRun) -> None:
    bars = chart(page, "pit-holdout-offline").xpath(".//rect")
    panel = next(one for one in gather(run).panels if one.suite is Suite.HOLDOUT)
    assert sum(one.n for one in panel.pit) == panel.n == 112
    heights, shares = np.array([float(bar.get("height")) for bar in bars]), np.array([one.share for one in panel.pit])
    assert heights / heights.sum() == pytest.approx(shares, abs=1e-3)
    assert shares.sum() == pytest.approx(1)


def test_the_risk_curve_ends_at_the_mean_risk(page: html.HtmlElement, run: EvalRun) -> None:
    panel = next(one for one in gather(run).panels if one.suite is Suite.HOLDOUT)
    found = [one for record in run.records if record.suite is Suite.HOLDOUT for one in record.predictions]
    judged = [one for one in found if one.tolerance is not None and one.probability is not None]
    missed = np.mean([abs(one.error) > (one.tolerance or 0) for one in judged])
    assert panel.risk[-1].coverage == 1
    assert panel.risk[-1].risk == pytest.approx(missed)
    assert float(chart(page, "risk-holdout-offline").xpath(".//circle")[-1].get("data-y")) == pytest.approx(missed)


def test_the_forest_stands_on_one_scale(page: html.HtmlElement, run: EvalRun) -> None:
    worst = gather(run).worst
    assert [one.off for one in worst] == sorted((one.off for one in worst), reverse=True)
    assert len({(one.suite, one.trial) for one in worst}) == len(worst)
    by_figure = {(one.cluster, one.published): one for record in run.records for one in record.predictions}
    for one in worst:
        truth = by_figure[one.trial, one.published]
        assert (one.inside, one.off) == (truth.inside, pytest.approx(abs(truth.error) / one.tolerance))
    rows = page.xpath("//section[@id='worst']//tbody/tr")
    reach = max(
        abs(value - one.point) / one.tolerance for one in worst for value in (one.lower, one.upper, one.published)
    )
    scale = RowScale(-reach, reach)
    for row, one in zip(rows, worst, strict=True):
        diamond, line = row.xpath(".//polygon")[0], row.xpath(".//line[@data-lower]")[0]
        published = (one.published - one.point) / one.tolerance
        assert float(diamond.get("data-x")) == pytest.approx(published)
        xs = [float(pair.split(",")[0]) for pair in diamond.get("points").split()]
        assert np.mean(xs) == pytest.approx(scale.x(published), abs=0.02)
        assert numbers(line, "x1", "x2") == pytest.approx(
            [scale.x((v - one.point) / one.tolerance) for v in (one.lower, one.upper)], abs=0.01
        )
        assert ("missed" in diamond.get("class").split()) is not one.inside
        assert ("inside" in row.text_content()) is one.inside


def test_predictions_of_one_confidence_are_never_parted() -> None:
    made = [make(0.8, hit=index % 5 != 0) for index in range(200)] + [
        make(0.5, hit=index % 2 == 0) for index in range(40)
    ]
    bins = reliability(made)
    assert [(one.stated, one.n) for one in bins] == [(0.5, 40), (pytest.approx(0.8), 200)]
    assert bins[1].measured == pytest.approx(0.8)
    assert all(one.null_lower <= one.stated <= one.null_upper for one in bins)


def test_overconfidence_leaves_the_band() -> None:
    (one,) = reliability([make(0.9, hit=index % 2 == 0) for index in range(100)])
    assert one.measured == 0.5 < one.null_lower


def test_the_band_holds_as_many_uniform_histograms_as_it_says() -> None:
    rng, low, high = np.random.default_rng(3), *pit_band(500)
    inside = [
        low <= share <= high for _ in range(200) for share in np.histogram(rng.uniform(size=500), 10, (0, 1))[0] / 500
    ]
    assert BAND - 0.03 < np.mean(inside) < BAND + 0.06


def test_nothing_to_draw_is_nothing() -> None:
    assert reliability([]) == pit_histogram([]) == risk_coverage([]) == ()
    assert reliability([make(None, hit=True)]) == ()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-2.46, 2.46), (0.0, 0.0731), (3.0, 3.0), (0.0, 4200.0)])
def test_ticks_are_few_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 1 <= len(found) <= 7
    assert all(low <= one <= high for one in found)


def make(probability: float | None, *, hit: bool) -> Prediction:
    return Prediction(
        estimate_id="x.mean", endpoint="x", unit="kg", published=0.0 if hit else 5.0, point=0.0, lower=-1.0, upper=1.0,
        cluster="T", tolerance=1.0, probability=probability,
    )  # fmt: skip
