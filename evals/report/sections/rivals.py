"""The response engine against simple baselines: each published trial predicted from the others, by clinical area."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report.blocks import Block, Cell, Row, Section, Table, Text, number
from evals.report.contents import Contents
from evals.report.numbers import count, interval, measure
from evals.report.numbers import number as shown
from evals.report.words import metric_words
from evals.schemas import Metric, Suite

COMPARED = ("scaled_error", "interval_score", "covered_90")
RATIOS = ("error_ratio", "score_ratio")


def outcomes(contents: Contents) -> Section:
    """The leave-one-trial-out table: the engine against baselines, by area."""
    blocks: list[Block] = []
    for name in COMPARED:
        table = _against_rivals(contents, name)
        if table is not None:
            blocks += [Text(metric_words(name).means, muted=True), table]
    for name in RATIOS:
        table = _ratios(contents, name)
        if table is not None:
            blocks += [Text(metric_words(name).means, muted=True), table]
    if not blocks:
        blocks = [Text("The suite that leaves out one trial at a time was not part of this run.")]
    return Section("outcomes", "Published trials, each left out once", tuple(blocks))


def _against_rivals(contents: Contents, name: str) -> Table | None:
    found = [m for m in contents.of(Suite.HOLDOUT) if m.name == name and m.value is not None]
    methods = list(dict.fromkeys(_part(m, "method") for m in found if _part(m, "method")))
    by = {(_part(m, "area"), _part(m, "method")): m for m in found if set(_parts(m)) <= {"area", "method"}}
    areas = sorted(
        {area for area, _ in by if area}, key=lambda area: (-by[area, ""].n if (area, "") in by else 0, area)
    )
    rows = [row for area in [*areas, ""] if (row := _rival_row(by, area, methods, name)) is not None]
    if not rows:
        return None
    caption = f"{metric_words(name).name} by area. The best figure of a row is bold" + (
        "." if level_of_name(name) is None else " (nearest to what the interval promises)."
    )
    rivals = [_right(one) for one in methods]
    head: Row = ("Area", _right("Response engine"), *rivals)
    return Table(caption, head, tuple(rows))


def _ratios(contents: Contents, name: str) -> Table | None:
    found = [m for m in contents.of(Suite.HOLDOUT) if m.name == name and m.value is not None and _part(m, "against")]
    rivals = list(dict.fromkeys(_part(m, "against") for m in found))
    by = {(_part(m, "area"), _part(m, "against")): m for m in found}
    areas = sorted(
        {area for area, _ in by if area}, key=lambda area: (-max(m.n for (a, _), m in by.items() if a == area), area)
    )
    rows: list[Row] = [
        (
            Cell(area.replace("_", " ") or "all areas", strong=not area),
            *(_ratio(by.get((area, rival))) for rival in rivals),
        )
        for area in [*areas, ""]
        if any((area, rival) in by for rival in rivals)
    ]
    if not rows:
        return None
    caption = (
        f"{metric_words(name).name}, by area. ▲: the engine is better, its interval below one; ▼: the baseline is better, the "
        "interval above one; no mark: not told apart, or too few trials for an interval."
    )
    names = [_right(rival) for rival in rivals]
    head: Row = ("Area", *names)
    return Table(caption, head, tuple(rows))


def _ratio(one: Metric | None) -> Cell:
    if one is None:
        return number("–")
    mark = ""
    if one.lower is not None and one.upper is not None:
        mark = " ▲" if one.upper < 1 else " ▼" if one.lower > 1 else ""
    return number(f"{shown(one.value)}{mark}", interval(one.lower, one.upper), strong=bool(mark))


def level_of_name(name: str) -> float | None:
    """0.9 for covered_90."""
    stem, _, rest = name.rpartition("_")
    return int(rest) / 100 if stem == "covered" and rest.isdigit() else None


def _rival_row(by: dict[tuple[str, str], Metric], area: str, methods: Sequence[str], name: str) -> Row | None:
    own = by.get((area, ""))
    if own is None:
        return None
    figures = [own, *(by.get((area, method)) for method in methods)]
    level = level_of_name(name)
    distance = [_distance(one, level) for one in figures]
    best = min((d for d in distance if d is not None), default=None)
    cells = [
        number(
            measure(one.value, one.unit if one.unit == "share" else ""),
            interval(one.lower, one.upper, one.unit),
            strong=d == best,
        )
        if one is not None
        else number("–")
        for one, d in zip(figures, distance, strict=True)
    ]
    behind = f"{count(own.n, 'figure')} of {count(own.clusters, 'trial')}"
    return (Cell(area.replace("_", " ") or "all areas", strong=not area, small=behind), *cells)


def _distance(metric: Metric | None, level: float | None) -> float | None:
    if metric is None or metric.value is None:
        return None
    return round(metric.value if level is None else abs(metric.value - level), 9)


def _part(metric: Metric, key: str) -> str:
    return _parts(metric).get(key, "")


def _parts(metric: Metric) -> dict[str, str]:
    pairs = [part.partition("=") for part in metric.group.split("|") if part]
    return {key: value for key, _, value in pairs}


def _right(text: str) -> Cell:
    return Cell(text, number=True)
