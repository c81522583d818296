"""Charts as SVG text, and the table of what each shows. No script and no file of its own: the same in a page and in an export."""

from ui.charts.draw import drawing, table
from ui.charts.small import Held, gauge, histogram, reliability

__all__ = ["Held", "drawing", "gauge", "histogram", "reliability", "table"]
