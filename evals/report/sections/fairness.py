"""The same question across sub-cohorts: error, coverage, interval width, refusals."""

from __future__ import annotations

from evals.report.blocks import Block, Cell, Row, Section, Table, Text, number
from evals.report.contents import Contents
from evals.report.numbers import count, interval, measure
from evals.report.svg import RowScale
from evals.report.telling import level_of
from evals.report.words import metric_words
from evals.schemas import Metric, Suite

FIRST = ("sex", "age", "ethnicity", "payer")
NOT_SUBCOHORTS = frozenset({"area", "endpoint", "kind", "half", "method", "against", "attribute", "arm"})


def fairness(contents: Contents) -> Section:
    """One table of all sub-cohorts, one of the gaps between them."""
    metrics = contents.of(Suite.FAIRNESS)
    groups = sorted({one.group for one in metrics if _attribute(one)}, key=_order)
    if not groups:
        text = Text("The fairness suite was not part of this run, so nothing is said about sub-cohorts.")
        return Section("fairness", "Fairness", (text,))
    blocks: list[Block] = [
        Text(
            "The same question, asked about one sub-cohort after the other. Error and coverage need a published figure of that "
            "sub-cohort with its trial left out, which few trials report; width and refusals need none."
        ),
        _table(metrics, groups),
    ]
    gaps = [one for one in metrics if one.name.endswith("_gap") and one.value is not None]
    if gaps:
        blocks.append(_gaps(gaps))
    return Section("fairness", "Fairness", tuple(blocks))


def _table(metrics: tuple[Metric, ...], groups: list[str]) -> Table:
    by = {(one.group, one.name): one for one in metrics}
    covered = next((one.name for one in metrics if level_of(one) is not None), "covered")
    names = ("scaled_error", covered, "relative_width", "abstained")
    widths = [one for group in groups if (one := by.get((group, "relative_width"))) is not None]
    ends = [v for one in widths for v in (one.value, one.lower, one.upper) if v is not None]
    scale = RowScale(0.0, 1.05 * max([1.0, *ends]))
    rows: list[Row] = []
    for group in groups:
        attribute, _, name = group.partition("=")
        figures = [by.get((group, one)) for one in names]
        width = figures[2]
        drawing = scale.row(
            point=width.value if width else None,
            lower=width.lower if width else None,
            upper=width.upper if width else None,
            target=None,
            inside=None,
        )
        cells = [_cell(one) for one in figures]
        label = Cell(name.replace("_", " "), small=attribute.replace("_", " "))
        rows.append((label, Cell("", drawing=drawing), *cells))
    figures_head = [Cell(metric_words(one).name, number=True) for one in names]
    caption = (
        "Each figure with its interval and what is behind it. Error and width are in tolerances; the width is drawn too. "
        "Sub-cohorts may stand behind different questions; the gaps are taken question by question."
    )
    head: Row = ("Sub-cohort", Cell("Interval width (tolerances)", drawing=scale.axis()), *figures_head)
    return Table(caption, head, tuple(rows))


def _gaps(gaps: list[Metric]) -> Table:
    rows: tuple[Row, ...] = tuple(
        (
            metric_words(one.name).name,
            one.group.partition("=")[2].replace("_", " ") or "all attributes",
            number(measure(one.value, one.unit)),
            number(interval(one.lower, one.upper, one.unit)),
            number(f"{one.n:,}"),
            metric_words(one.name).means,
        )
        for one in gaps
    )
    numbers = [Cell(text, number=True) for text in ("Value", "Interval", "n")]
    head: Row = ("Gap", "Between", *numbers, "What it means")
    return Table("Gaps between sub-cohorts of the same question; zero would be none.", head, rows)


def _cell(one: Metric | None) -> Cell:
    if one is None or one.value is None:
        return number("–")
    spread = interval(one.lower, one.upper, one.unit)
    n = f"{one.n:,} of {count(one.clusters, 'source')}" if one.clusters != one.n else f"n = {one.n:,}"
    shown = measure(one.value, one.unit) if one.unit == "share" else measure(one.value, "")
    return number(shown, n if spread == "–" else f"{spread}; {n}")


def _order(group: str) -> tuple[int, str]:
    """The attributes that are asked about most come first."""
    attribute = group.partition("=")[0]
    return (FIRST.index(attribute) if attribute in FIRST else len(FIRST), group)


def _attribute(one: Metric) -> str:
    key, equals, _ = one.group.partition("=")
    return key if equals and key not in NOT_SUBCOHORTS and "|" not in one.group else ""


def summary(contents: Contents) -> str:
    """The gaps in one line, for the checklists."""
    gaps = [m for m in contents.of(Suite.FAIRNESS) if m.name.endswith("_gap") and not m.group and m.value is not None]
    if not gaps:
        return "not measured in this run"
    return "; ".join(f"{metric_words(one.name).name.lower()} {measure(one.value, one.unit)}" for one in gaps)
