"""Are the predictions right, and do they know how right they are? Calibration, coverage, baselines, worst errors."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report import charts
from evals.report.blocks import Block, Cell, Figures, Row, Section, Table, Text, number
from evals.report.contents import Contents, Miss, Panel
from evals.report.numbers import count, interval, percent
from evals.report.numbers import number as shown
from evals.report.svg import RowScale
from evals.report.telling import level_of
from evals.report.words import group_name, suite_name
from evals.schemas import Metric, Suite

PREDICTING = (Suite.HOLDOUT, Suite.OUTCOMES)


def calibration(contents: Contents) -> Section:
    """Reliability diagrams and PIT histograms."""
    blocks: list[Block] = [
        Text(
            "Left: stated confidence against how often the published figure was near enough. Right: where the published "
            "figure fell in its predicted distribution; an honest forecast is flat. The shaded bands are what chance alone "
            "would give if every stated probability were true and figures were independent; figures of one trial are not, "
            "so true bands are wider."
        )
    ]
    for panel in contents.panels:
        drawn = [chart for chart in (charts.reliability(panel), charts.pit(panel)) if chart is not None]
        if drawn:
            blocks += [_about(contents, panel), Figures(tuple(drawn))]
    if len(blocks) == 1:
        blocks = [Text("This run made no prediction of a published figure.")]
    return Section("calibration", "Calibration", tuple(blocks))


def risk(contents: Contents) -> Section:
    """Risk against coverage: does confidence tell good predictions from bad ones?"""
    drawn = [chart for panel in contents.panels if (chart := charts.risk(panel)) is not None]
    blocks: list[Block] = [
        Text(
            "If only the most confident predictions were shown, how many of them would not be near enough? A curve that "
            "rises to the right says that confidence tells good predictions from bad ones."
        ),
        Figures(tuple(drawn)) if drawn else Text("Too few predictions of this run state a confidence."),
    ]
    return Section("risk-coverage", "Risk and coverage", tuple(blocks))


def coverage(contents: Contents) -> Section:
    """Coverage, error and interval score by clinical area."""
    blocks: list[Block] = []
    for suite in PREDICTING:
        covered = [m for m in contents.of(suite) if level_of(m) is not None and m.headline and m.value is not None]
        areas = [m for m in contents.of(suite) if m.name == (covered[0].name if covered else "") and _is(m, "area")]
        if covered and areas:
            blocks.append(_by_area(contents, suite, covered[0], areas))
    if not blocks:
        blocks = [Text("This run has no coverage by area.")]
    return Section("coverage", "Coverage by area", tuple(blocks))


def worst(contents: Contents) -> Section:
    """A forest of the figures that were missed most."""
    if not contents.worst:
        return Section("worst", "Worst errors", (Text("No prediction of this run has a tolerance to be judged by."),))
    reach = max(max(abs(v) for v in _scaled(one)) for one in contents.worst)
    scale = RowScale(-reach, reach)
    rows = [_forest_row(one, scale) for one in contents.worst]
    level = percent(contents.worst[0].level)
    head = (
        "Trial", Cell("Tolerances from the prediction", drawing=scale.axis()), _right("Off by"), "Outcome",
        _right("Published"), _right(f"Predicted ({level})"), "Seen in",
    )  # fmt: skip
    note = (
        f" {count(contents.without_tolerance, 'figure')} without a tolerance cannot be ranked."
        if contents.without_tolerance
        else ""
    )
    caption = (
        "The figure of each trial that was missed most; how far it was off, and the drawing, are in tolerances. Dot: prediction; "
        f"line: its interval; diamond: published figure, filled when inside the interval and hollow when outside.{note}"
    )
    return Section("worst", "Worst errors", (Table(caption, head, tuple(rows)),))


def _about(contents: Contents, panel: Panel) -> Text:
    model = f" · {panel.model}" if len(contents.models) > 1 else ""
    return Text(
        f"{suite_name(panel.suite)}{model}: {count(panel.n, 'published figure')} of {count(panel.clusters, 'trial')}, "
        f"{panel.judged:,} with a stated confidence{' (too few to draw)' if not panel.reliability else ''}."
    )


def _by_area(contents: Contents, suite: Suite, whole: Metric, areas: Sequence[Metric]) -> Table:
    level = level_of(whole) or 0.0
    lowest = min([v for one in [*areas, whole] for v in (one.value, one.lower) if v is not None])
    scale = RowScale(max(0.0, min(0.5, lowest)), 1.0, percent)
    rows: list[Row] = []
    for one in [*sorted(areas, key=lambda m: (-m.n, m.group)), whole]:
        error, score = (contents.metric(suite, name, one.group) for name in ("scaled_error", "interval_score"))
        rows.append(
            (
                Cell(group_name(one.group) if one.group else "all areas", strong=not one.group),
                number(percent(one.value), interval(one.lower, one.upper, one.unit)),
                Cell(
                    "",
                    drawing=scale.row(
                        point=one.value, lower=one.lower, upper=one.upper, target=level, inside=_holds(one, level)
                    ),
                ),
                number(_plain(error)),
                number(_plain(score)),
                number(f"{one.n:,}"),
                number(f"{one.clusters:,}"),
            )
        )
    head = (
        "Area", _right("Inside"), Cell("Inside, and where it should be", drawing=scale.axis()), _right("Error"),
        _right("Interval score"), _right("Figures"), _right("Trials"),
    )  # fmt: skip
    caption = (
        f"{suite_name(suite)}: published figures inside the {percent(level)} interval. Dot and line: measured share and its "
        f"interval; diamond: {percent(level)}, hollow where the measured interval excludes it. Error and interval score are in tolerances."
    )
    return Table(caption, head, tuple(rows))


def _forest_row(one: Miss, scale: RowScale) -> Row:
    lower, upper, target = _scaled(one)
    drawing = scale.row(point=0.0, lower=lower, upper=upper, target=target, inside=one.inside)
    where = one.locator if len(one.locator) <= 60 else f"{one.locator[:60]} …"
    return (
        Cell(one.trial, small=one.arm),
        Cell("", drawing=drawing),
        number(shown(one.off), "inside" if one.inside else "outside"),
        Cell(one.quantity.replace("_", " "), small=one.unit),
        number(shown(one.published)),
        number(shown(one.point), interval(one.lower, one.upper)),
        Cell(one.source, small=where, code=True),
    )


def _scaled(one: Miss) -> tuple[float, float, float]:
    lower, upper, published = ((value - one.point) / one.tolerance for value in (one.lower, one.upper, one.published))
    return lower, upper, published


def _holds(metric: Metric, level: float) -> bool | None:
    return None if metric.lower is None or metric.upper is None else metric.lower <= level <= metric.upper


def _is(metric: Metric, key: str) -> bool:
    return list(_parts(metric)) == [key]


def _parts(metric: Metric) -> dict[str, str]:
    pairs = [part.partition("=") for part in metric.group.split("|") if part]
    return {key: value for key, _, value in pairs}


def _plain(metric: Metric | None) -> str:
    return shown(metric.value) if metric is not None else "–"


def _right(text: str) -> Cell:
    return Cell(text, number=True)
