"""The numbers as one table: estimates, what the charts show, sources, provenance. UTF-8 with a mark for Excel."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ui.exports.report import NOTICE, Recorded, citation_link, citation_text, provenance_rows
from ui.exports.words import inert

HEADER = (
    "part", "item", "quantity", "arm", "population", "unit", "horizon_weeks", "x", "value", "lower", "upper",
    "lower_50", "upper_50", "level", "kind", "of", "validation", "n_trials", "sources", "text",
)  # fmt: skip


def render(run: Recorded) -> bytes:
    """CSV after RFC 4180. Numbers have full precision; text that a spreadsheet would run stands behind an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, HEADER, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(run):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return buffer.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, int | float) else inert(str(value))


def _rows(run: Recorded) -> Iterator[dict[str, Any]]:
    answer = run.answer
    for estimate in answer.estimates:
        yield {
            "part": "estimate", "item": estimate.id, "quantity": estimate.quantity, "arm": estimate.arm,
            "population": estimate.population, "unit": estimate.unit, "horizon_weeks": estimate.horizon_weeks,
            "value": estimate.point, "lower": estimate.lower, "upper": estimate.upper, "level": estimate.level,
            "kind": estimate.kind.value, "of": estimate.of.value, "validation": estimate.validation.value,
            "n_trials": estimate.n_trials, "sources": " ".join(estimate.source_ids), "text": estimate.note,
        }  # fmt: skip
    for number, chart in enumerate(answer.charts, start=1):
        for series in chart.series:
            for point in series.points:
                yield {
                    "part": "chart", "item": f"{number} {chart.kind}", "quantity": chart.title, "arm": series.name,
                    "unit": f"{chart.x_label} / {chart.y_label}", "x": point.x, "value": point.y, "lower": point.lower,
                    "upper": point.upper, "lower_50": point.lower_50, "upper_50": point.upper_50,
                }  # fmt: skip
    for citation in answer.citations:
        yield {
            "part": "source",
            "item": str(citation.number),
            "sources": citation.source_id,
            "text": f"{citation_text(citation)} {citation_link(citation)}".strip(),
        }
    yield {"part": "headline", "text": answer.headline}
    yield {"part": "confidence", "value": answer.confidence.probability, "text": answer.confidence.sentence}
    yield from ({"part": "assumption", "text": text} for text in answer.assumptions)
    yield from ({"part": "limit", "text": text} for text in answer.limits)
    yield from ({"part": "provenance", "item": label, "text": value} for label, value in provenance_rows(run))
    yield {"part": "notice", "text": NOTICE}
