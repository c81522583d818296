"""What the bank of archetypes shows, gathered for the faces; imported only where it is shown."""

from __future__ import annotations

from knowledge.schemas import Frozen
from personas.bank.files import Imported
from personas.bank.schemas import Comparison, Found, Listed, Similar, TrialMatch, TrialMatches
from personas.updating.schemas import Change, Entry, Figure, Freshness, History, Learned, UpdateReport
from tools.schemas import Chart, Point, Series

__all__ = [
    "Change",
    "Comparison",
    "ComparisonView",
    "Entry",
    "Figure",
    "Found",
    "Freshness",
    "History",
    "Imported",
    "Learned",
    "Listed",
    "Similar",
    "TrialMatch",
    "TrialMatches",
    "UpdateReport",
    "comparison_chart",
]


class ComparisonView(Frozen):
    """A comparison with its chart."""

    comparison: Comparison
    chart: Chart


def comparison_chart(result: Comparison) -> Chart:
    """Standardised differences, the largest first; attributes without one are in the table only."""
    known = [row for row in result.rows if row.difference is not None]
    ordered = sorted(known, key=lambda row: -abs(row.difference or 0.0))
    points = tuple(Point(x=row.label, y=round(row.difference or 0.0, 4)) for row in ordered)
    return Chart(
        kind="bars",
        title=f"{result.second_name} compared with {result.first_name}",
        x_label="standardised difference (SDs of individuals)",
        y_label="",
        series=(Series(name="standardised difference", points=points),),
    )
