"""Predictions that were followed up: what `evals drift` found, when it was run."""

from __future__ import annotations

from evals.drift import Calibration, ControlChart, DriftReport
from evals.report.blocks import Block, Cell, Figure, Figures, Row, Section, Table, Text, number
from evals.report.markup import anchor
from evals.report.numbers import count, interval, percent, tick
from evals.report.numbers import number as shown
from evals.report.svg import Plot


def monitoring(drift: DriftReport | None) -> Section:
    """Calibration over time and the control charts; a sentence where nothing was followed up."""
    if drift is None:
        text = Text(
            "Whether predictions hold is also watched after they were given: `python -m evals drift` compares answered questions "
            "with outcomes entered later. No such comparison went into this report."
        )
        return Section("monitoring", "Monitoring", (text,))
    rising = [chart for chart in drift.charts if chart.alarms]
    state = f"{count(len(rising), 'chart')} gave an alarm." if rising else "No chart gave an alarm."
    blocks: list[Block] = [
        Text(
            f"{count(drift.overall.figures, 'figure')} of {count(drift.overall.runs, 'run')} followed up. {state} The charts together "
            f"give a false alarm within {drift.horizon} runs with a chance of at most {percent(drift.false_alarms)}."
        ),
        _table("Followed-up predictions, over time and by outcome.", [drift.overall, *drift.windows, *drift.endpoints]),
    ]
    drawn = [_chart(one) for one in drift.charts if one.steps]
    return Section("monitoring", "Monitoring", (*blocks, Figures(tuple(drawn))) if drawn else tuple(blocks))


def _table(caption: str, found: list[Calibration]) -> Table:
    rows: list[Row] = [
        (
            Cell(one.name, small=f"{one.first} to {one.last}"),
            number(f"{one.figures:,}"),
            number(
                percent(one.covered),
                f"{interval(one.covered_low, one.covered_high, 'share')}; stated {percent(one.level)}",
            ),
            number(shown(one.mean_error)),
            number(shown(one.spread)),
            number(percent(one.hits), f"stated {percent(one.stated)}"),
        )
        for one in found
    ]
    names = [Cell(text, number=True) for text in ("Figures", "Inside", "Mean error (SE)", "Spread", "Near enough")]
    head: Row = ("Which", *names)
    return Table(caption, head, tuple(rows))


def _chart(one: ControlChart) -> Figure:
    paths = [step.path for step in one.steps]
    plot = Plot(
        (0.0, float(max(len(paths), 2))), (0.0, 1.1 * max(*paths, one.limit)), "runs followed up", one.name, tick, tick
    )
    plot.line((0.0, float(max(len(paths), 2))), (one.limit, one.limit), "ideal")
    plot.line([float(place) for place in range(1, len(paths) + 1)], paths)
    for place, step in enumerate(one.steps, start=1):
        if step.on in one.alarms and step.path > one.limit:
            plot.dot(float(place), step.path, f"{step.on}: above the limit")
    caption = f"{one.name}: rises for {one.finds}. {count(len(one.alarms), 'alarm')}; the dashed line is the limit, {shown(one.limit)}."
    rows: list[Row] = [(str(step.on), Cell(step.run_id, code=True), number(shown(step.path))) for step in one.steps]
    table = Table(caption, ("Day", "Run", number("Path")), tuple(rows))
    return Figure(plot.drawn(anchor(f"drift-{one.name}"), one.name, caption), caption, table)
