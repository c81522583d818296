"""The offline planner's prose for a simulation: headline sentences from the tool's page, a table, method and class."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from assistant import language
from assistant.schemas import Plan
from assistant.simulation_pages import GIVEN, Page, pages
from tools.schemas import Estimate, ToolResult

LONGEST_TABLE = 16
_PLACE = re.compile(r"\{(?P<id>[^{}:]+)(?::(?P<what>arm|sum|point|bare|most))?\}")
_UNITS = {"people": "people", "share": "%", "responses": "responses"}


def simulated_here(results: Sequence[ToolResult]) -> ToolResult | None:
    """The first result that this module writes about."""
    return next((one for one in results if one.provenance is not None and one.provenance.tool in pages()), None)


def compose_simulation(result: ToolResult, plan: Plan) -> str:
    """Markdown: headline with the main estimates and their intervals, a table, how it was computed and how far to trust it."""
    assert result.provenance is not None
    page = pages()[result.provenance.tool]
    parts = [f"## {plan.population}", *_headline(page, result)]
    table = _table(page, result)
    if table:
        parts.append(f"### What was computed\n\n{table}")
    links = _links(result)
    if links:
        parts.append(f"### The links of the chain\n\n{links}")
    given = [f"{language.sentence_case(note)}.\n\n" for note in plan.notes if note.startswith(GIVEN)]
    parts.append(f"### How it was computed\n\n{''.join(given)}{page.method} {page.evidence}{_sources(result)}")
    return "\n\n".join(parts)


def refused_simulation(heading: str, failures: Sequence[str]) -> str:
    """What the tool said when it could not compute with the numbers of the question."""
    reasons = []
    for failure in failures:
        try:
            reasons.append(str(json.loads(failure)["message"]))
        except (ValueError, KeyError, TypeError):
            reasons.append(failure[:300])
    return f"## This cannot be computed as it is\n\n{heading}. {' '.join(dict.fromkeys(reasons))}"


def _headline(page: Page, result: ToolResult) -> list[str]:
    sentences = [said for line in page.headline if (said := _sentence(line, _shown(page, result)))]
    sentences += _dominated(result)
    if not sentences:
        return [f"**{language.sentence_case(result.title)}.**"]
    level = _level(result)
    behind = f" In brackets: {level} intervals." if any("(" in said for said in sentences) and level else ""
    return [" ".join(f"**{said}**" for said in sentences) + behind]


def _dominated(result: ToolResult) -> list[str]:
    """What is said of strategies that another one dominates: they have no ratio."""
    named = [one.name for one in getattr(result, "strategies", ()) if one.standing == "dominated"]
    return [f"{language.sentence_case(name)} is dominated: another strategy gives more for less." for name in named]


def _shown(page: Page, result: ToolResult) -> Sequence[Estimate]:
    """The estimates to write about: where one is the whole answer, the others belong to a case that was only tried."""
    alone = [one for one in result.estimates if one.id == page.alone]
    return alone or result.estimates


def _sentence(line: str, estimates: Sequence[Estimate]) -> str:
    """The line with its figures; empty when one of them is not there, or all are 0."""
    made, figures = line, []
    for match in _PLACE.finditer(line):
        estimate = _greatest(match["id"], estimates) if match["what"] == "most" else _one(match["id"], estimates)
        if estimate is None:
            return ""
        figures.append(max(abs(estimate.point), abs(estimate.upper or 0.0)))
        made = made.replace(match.group(), _told(estimate, match["what"]), 1)
    if figures and not any(figures):
        return ""  # the table has the nought
    return language.sentence_case(made)


def _told(estimate: Estimate, what: str | None) -> str:
    """The figure; or its arm, its point, the sum of money without what it is per, or what it is and the figure."""
    if what == "arm":
        return estimate.arm
    if what == "most":
        return f"{estimate.quantity}: {_figure(estimate)}"
    if what == "bare":
        return _cell(estimate)
    if what == "point":
        return _amount(estimate, estimate.point)
    if what == "sum":
        whole, per, _ = _unit(estimate).partition(" per ")
        return _figure(estimate).replace(f"{per}{_unit(estimate).removeprefix(whole + per)}", "", 1)
    return _figure(estimate)


def _greatest(pattern: str, estimates: Sequence[Estimate]) -> Estimate | None:
    """Of the estimates whose id fits, the one with the largest value."""
    return max((one for one in estimates if fnmatchcase(one.id, pattern)), key=lambda one: one.point, default=None)


def _one(pattern: str, estimates: Sequence[Estimate]) -> Estimate | None:
    """The estimate of this id; with a star the last one, since comparisons come after what they compare with."""
    found = [one for one in estimates if fnmatchcase(one.id, pattern)]
    return (found[-1] if "*" in pattern else found[0]) if found else None


def _table(page: Page, result: ToolResult) -> str:
    chosen: list[Estimate] = []
    for pattern in page.rows or ("*",):
        chosen += [one for one in _shown(page, result) if fnmatchcase(one.id, pattern) and one not in chosen]
    if not chosen:
        return ""
    arms = {one.arm for one in chosen if one.arm}
    several = len(arms) > 1
    rows = [f"| {_label(one, several)} | {_cell(one)} |" for one in chosen[:LONGEST_TABLE]]
    level = _level(result)
    head = f"| Estimate | {'Value (' + level + ' interval)' if level else 'Value'} |\n|---|---|\n"
    more = len(chosen) - LONGEST_TABLE
    rest = "\n\nFurther estimates are listed with the run." if more > 0 else ""
    return head + "\n".join(rows) + rest


def _label(estimate: Estimate, several: bool) -> str:
    about = f"{estimate.arm}: " if several and estimate.arm else ""
    return f"{language.sentence_case(about + estimate.quantity)} ({_unit(estimate)})"


def _level(result: ToolResult) -> str:
    """'90 %' where an estimate has an interval with a width."""
    wide = next((one for one in result.estimates if _spread(one)), None)
    return language.percent(wide.level) if wide is not None else ""


def _spread(estimate: Estimate) -> bool:
    return estimate.lower is not None and estimate.upper is not None and estimate.upper > estimate.lower


def _figure(estimate: Estimate) -> str:
    """'44,600 people (44,100 to 45,000)'; money has its unit first."""
    point = _amount(estimate, estimate.point)
    if not _spread(estimate):
        return point
    assert estimate.lower is not None
    assert estimate.upper is not None
    return f"{point} ({_number(estimate, estimate.lower)} to {_number(estimate, estimate.upper)})"


def _cell(estimate: Estimate) -> str:
    point = _number(estimate, estimate.point)
    if not _spread(estimate):
        return point
    assert estimate.lower is not None
    assert estimate.upper is not None
    return f"{point} ({_number(estimate, estimate.lower)} to {_number(estimate, estimate.upper)})"


def _amount(estimate: Estimate, value: float) -> str:
    unit, number = _unit(estimate), _number(estimate, value)
    sign, per, rest = unit.partition(" per ")
    if sign in ("US$", "€", "£", "CHF", "$", "money"):
        return f"{sign} {number}{per}{rest}" if sign != "money" else f"{number}{per}{rest}"
    if unit == "people per case":
        return number
    if number == "1" and unit.endswith("s"):
        unit = unit.removesuffix("s")
    return f"{number} {unit}"


def _unit(estimate: Estimate) -> str:
    if estimate.unit == "servers" and estimate.arm:
        return estimate.arm.replace("_", " ")
    return _UNITS.get(estimate.unit, estimate.unit)


def _number(estimate: Estimate, value: float) -> str:
    """Three significant digits, counts below a thousand whole; shares in %."""
    if estimate.unit == "share":
        return _rounded(100 * value, whole=False)
    whole = estimate.of.value == "count" and estimate.unit.split()[0] in (
        "people",
        "patients",
        "events",
        "servers",
        "responses",
        "units",
    )
    return _rounded(value, whole=whole and " per " not in estimate.unit and float(estimate.point).is_integer())


def _rounded(value: float, *, whole: bool) -> str:
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 3:
        kept = round(value, 2 - size) if size >= 3 and not (whole and size < 4) else round(value)
        return f"{kept:,.0f}".replace("-", language.MINUS)
    places = 0 if whole else min(max(0, 2 - size), 2 if abs(value) >= 0.1 else 4)
    text = language.number(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _links(result: ToolResult) -> str:
    """What each link of a chain does, and what it lacks."""
    lines = []
    for link in getattr(result, "links", ()):
        missing = f" {language.sentence_case(link.missing.rstrip('.'))}." if link.missing else ""
        lines.append(f"- **{language.sentence_case(link.title)}**: {link.method.rstrip('.')}.{missing}")
    return "\n".join(lines)


def _sources(result: ToolResult) -> str:
    """The published figures that the tool took, cited."""
    if not result.source_ids:
        return ""
    return " Published figures that it took: " + " ".join(f"[{name}]" for name in result.source_ids[:6]) + "."
