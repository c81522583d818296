"""From the service's `Chart` to a Plotly figure, and to the table of what it shows."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from tools.schemas import Chart, Point, Series

# One accent; second series differ by dash and marker as well, so that colour is never the only carrier of meaning.
MAX_LABEL = 36
ACCENT, OTHER, INK = "#0f6b6b", "#8a5a00", "#334155"
_DASHES = ("solid", "dash", "dot", "dashdot")
_MARKERS = ("circle", "square", "diamond", "triangle-up")


def figure(chart: Chart) -> go.Figure:
    """The chart as a Plotly figure; axes say the unit."""
    drawn = go.Figure()
    draw = {"fan": _fan, "forest": _forest, "bars": _bars}.get(chart.kind, _fan)
    for position, series in enumerate(chart.series):
        draw(drawn, series, position)
    tall = chart.kind == "forest" or (chart.kind == "bars" and _longest(chart) > 6)
    rows = sum(len(series.points) for series in chart.series)
    drawn.update_layout(
        title={"text": _wrapped(chart.title), "font": {"size": 14}, "x": 0, "xanchor": "left"},
        xaxis_title=chart.x_label,
        yaxis_title=chart.y_label,
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "family": "system-ui, sans-serif", "size": 12},
        margin={"l": 10, "r": 10, "t": 46, "b": 10},
        height=max(260, 110 + 26 * rows) if tall else 300,
        showlegend=len(chart.series) > 1,
        legend={"orientation": "h", "y": -0.25},
    )
    if chart.kind == "forest":
        drawn.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"})
        drawn.update_yaxes(autorange="reversed", automargin=True, title="")
    elif chart.kind == "fan":
        drawn.add_hline(y=0, line={"color": INK, "width": 1, "dash": "dot"})
    drawn.update_xaxes(automargin=True)
    return drawn


def _wrapped(title: str) -> str:
    """Titles break at the colon on a narrow panel."""
    head, colon, rest = title.partition(": ")
    title = f"{head}<br><sup>{rest}</sup>" if colon else title
    return title[:1].upper() + title[1:]


def _longest(chart: Chart) -> int:
    return max((len(series.points) for series in chart.series), default=0)


def _fan(drawn: go.Figure, series: Series, position: int) -> None:
    colour = ACCENT if position == 0 else OTHER
    xs = [point.x for point in series.points]
    for low, high, opacity in (("lower", "upper", 0.12), ("lower_50", "upper_50", 0.22)):
        lows = [getattr(point, low) for point in series.points]
        highs = [getattr(point, high) for point in series.points]
        if any(value is None for value in lows + highs):
            continue
        drawn.add_scatter(
            x=xs + xs[::-1],
            y=highs + lows[::-1],
            fill="toself",
            fillcolor=_translucent(colour, opacity),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    drawn.add_scatter(
        x=xs,
        y=[point.y for point in series.points],
        name=series.name,
        mode="lines",
        line={"color": colour, "width": 2.5, "dash": _DASHES[position % 4]},
    )


def _forest(drawn: go.Figure, series: Series, position: int) -> None:
    drawn.add_scatter(
        x=[point.y for point in series.points],
        y=[_short(str(point.x)) for point in series.points],
        name=series.name,
        mode="markers",
        customdata=[str(point.x) for point in series.points],
        hovertemplate="%{customdata}: %{x:.2f}<extra></extra>",
        marker={"color": ACCENT if position == 0 else OTHER, "size": 9, "symbol": _MARKERS[position % 4]},
        error_x=_whiskers(series.points),
    )


def _short(label: str) -> str:
    """Labels on a narrow axis: the whole of it is in the hover text and in the table."""
    return label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…"


def _bars(drawn: go.Figure, series: Series, position: int) -> None:
    horizontal = len(series.points) > 3
    labels, values = [_short(str(point.x)) for point in series.points], [point.y for point in series.points]
    drawn.add_bar(
        x=values if horizontal else labels,
        y=labels if horizontal else values,
        orientation="h" if horizontal else "v",
        name=series.name,
        marker={"color": ACCENT if position == 0 else OTHER, "pattern": {"shape": "" if position == 0 else "/"}},
        **({"error_x": _whiskers(series.points)} if horizontal else {"error_y": _whiskers(series.points)}),
    )
    if horizontal:
        drawn.update_yaxes(autorange="reversed", automargin=True)


def _whiskers(points: tuple[Point, ...]) -> dict[str, Any] | None:
    if all(point.lower is None or point.upper is None for point in points):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [(point.upper - point.y) if point.upper is not None else 0 for point in points],
        "arrayminus": [(point.y - point.lower) if point.lower is not None else 0 for point in points],
        "thickness": 1.5,
    }


def _translucent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def table(chart: Chart) -> list[list[str]]:
    """Rows of everything the chart shows: series, x, value, lower, upper."""
    return [
        [series.name, str(point.x), f"{point.y:.2f}", _cell(point.lower), _cell(point.upper)]
        for series in chart.series
        for point in series.points
    ]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
