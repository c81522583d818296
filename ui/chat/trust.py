"""The Trust tab: the latest evaluation report, how reliable intervals were, what the evidence holds and where it ends."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.trust import EvalReport, latest_report, reliabilities
from knowledge.errors import CohortTwinError
from ui.charts.rows import capital
from ui.chat.card import reliability_picture
from ui.chat.markup import area_words, bullets, folded, grid, notice
from ui.chat.visitor import visitor_of

if TYPE_CHECKING:
    from assistant.owners import Owners
    from assistant.service import Assistant
    from assistant.trust import Reliability

REPORT_PATH = "/trust/report"
LIMITS = (
    "It speaks about groups of people, never about one person, and gives no advice to individuals.",
    "A prediction stands on the published trials of the evidence base; a treatment without any is refused, not guessed.",
    "Trials leave out many people who get the treatment later: the old, the pregnant, those with several diseases.",
    "Where a cohort or a horizon lies outside the trials behind a prediction, the answer says so and may be less sure.",
    "Archetypes are built from published surveys and cohorts, mostly of the United States; values without a source are marked as assumed.",
    "Backtests predict trials that were published. What was never published is missing from both sides.",
)
_NOT_YET = "No evaluation report is shipped with this build. It is made with: make eval"


class TrustTab:
    """Builds the tab; `fill` loads it when it is first opened."""

    def __init__(self, owners: Owners) -> None:
        page = gr.HTML('<p class="soft">Loading …</p>', elem_id="trust", elem_classes="ct-panel ct-read")

        def fill(request: gr.Request) -> str:
            return trust_page(visitor_of(owners, request).assistant)

        self.fill, self.filled = fill, [page]


def trust_page(assistant: Assistant) -> str:
    """The whole tab."""
    measured = reliabilities(assistant.knowledge.vocabulary)
    return (
        "<h2>How far can this be trusted?</h2>"
        "<p>Every confidence in an answer is a frequency that was measured: published trials were predicted, each without itself, "
        "and compared with what they had reported.</p>"
        f"{_report()}{_calibration(measured)}{_by_area(assistant)}<h3>Where it ends</h3>{bullets(LIMITS)}"
    )


def _report() -> str:
    try:
        report = latest_report()
    except CohortTwinError as error:
        return notice(error.message, hint=error.hint, alarm=True)
    if report is None or not (report.headline or report.metrics):
        return f'<h3>Latest evaluation</h3><p class="soft">{_NOT_YET}</p>'
    when = (
        f'<p class="soft">Made on {escape(report.created[:10])} with the model “{escape(report.model)}”.</p>'
        if report.created
        else ""
    )
    more = f'<p><a href="{REPORT_PATH}" target="_blank" rel="noopener">The full report</a></p>' if report.page else ""
    return f"<h3>Latest evaluation</h3>{when}{bullets(report.headline)}{_metrics(report)}{more}"


def _metrics(report: EvalReport) -> str:
    """Headline metrics of the whole of a suite, then those by area."""
    whole = [row for row in report.metrics if row.get("headline") and not row.get("group")]
    areas = [row for row in report.metrics if str(row.get("group", "")).startswith("area=") and "|" not in str(row.get("group"))
             and row.get("headline")]  # fmt: skip
    parts = []
    if whole:
        rows = [
            [_words(row.get("suite")), _words(row.get("name")), _value(row), _between(row), str(row.get("n", ""))]
            for row in whole
        ]
        parts.append(grid(["Suite", "Measure", "Value", "95 % interval", "Cases"], rows, "Headline measures"))
    if areas:
        rows = [
            [
                area_words(str(row["group"]).removeprefix("area=")),
                _words(row.get("suite")),
                _words(row.get("name")),
                _value(row),
                _between(row),
                str(row.get("n", "")),
            ]
            for row in sorted(areas, key=lambda row: (str(row["group"]), str(row.get("suite"))))
        ]
        parts.append(
            folded(
                "By area",
                grid(["Area", "Suite", "Measure", "Value", "95 % interval", "Cases"], rows, "Measures by area"),
            )
        )
    return "".join(parts)


def _words(text: Any) -> str:
    words = str(text or "").replace("_", " ")
    return words[:1].upper() + words[1:]


def _value(row: dict[str, Any]) -> str:
    value = row.get("value")
    return f"{value:.3g}{' ' + row['unit'] if row.get('unit') else ''}" if isinstance(value, int | float) else "–"


def _between(row: dict[str, Any]) -> str:
    low, high = row.get("lower"), row.get("upper")
    return f"{low:.3g} to {high:.3g}" if isinstance(low, int | float) and isinstance(high, int | float) else ""


def _calibration(measured: list[Reliability]) -> str:
    if not measured:
        return ""
    rows = [
        [
            capital(one.label),
            f"{one.tolerance:g} {one.unit}", f"{step.half_width:.3g}", f"{step.hits} of {step.n}", f"{100 * step.share:.0f} %",
            f"{100 * step.lower:.0f} to {100 * step.upper:.0f} %",
        ]
        for one in measured for step in one.steps
    ]  # fmt: skip
    head = ["Outcome", "Right means within", "Half-width up to", "Right", "Share", "95 % interval"]
    table = grid(head, rows, "How often predictions were right, by how sure they were")
    return f"<h3>Calibration by outcome</h3>{reliability_picture(measured)}{folded('How often predictions were right', table)}"


def _by_area(assistant: Assistant) -> str:
    rows = [
        [
            area_words(row.area),
            f"{row.trials:,}",
            f"{row.rows:,}",
            f"{row.rows_with_se:,}",
            f"{row.subgroup_rows:,}",
            f"{row.sources:,}",
        ]
        for row in assistant.evidence_stats()
    ]
    head = ["Area", "Trials", "Figures", "With a standard error", "From subgroups", "Sources"]
    warned = assistant.evidence_warnings()
    return (
        "<h3>The data</h3>"
        + grid(head, rows, "Evidence by area")
        + (folded("What is not used, and why", bullets(warned)) if warned else "")
    )
