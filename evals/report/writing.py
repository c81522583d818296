"""From contents to the three files of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.drift import DriftReport
from evals.report.blocks import Block, Fold, Part, Section
from evals.report.checklists import section as checklist_section
from evals.report.contents import Contents
from evals.report.facts import facts
from evals.report.markdown import markdown
from evals.report.page import page
from evals.report.sections.baseline import baseline
from evals.report.sections.card import card, method
from evals.report.sections.failures import failures
from evals.report.sections.fairness import fairness
from evals.report.sections.monitoring import monitoring
from evals.report.sections.predictions import calibration, coverage, risk, worst
from evals.report.sections.results import headline, models, models_named, suites
from evals.report.sections.rivals import outcomes
from evals.report.telling import took

TITLE = "How often Cohort Twin is right"
LEAD = (
    "Every figure here was measured by asking the product. Where a published result is predicted, its trial was left out first.",
)


def sections(contents: Contents, drift: DriftReport | None = None) -> tuple[Section, ...]:
    """All sections, in the order of a reader's questions."""
    found = [
        headline(contents), outcomes(contents), coverage(contents), calibration(contents), risk(contents), worst(contents),
        fairness(contents), suites(contents), failures(contents), models(contents), baseline(contents), monitoring(drift),
        method(contents), card(contents),
    ]  # fmt: skip
    titles = {"top": "Top", **dict(_anchors(found))}
    return (*found, checklist_section(facts(contents), titles))


def as_html(contents: Contents, drift: DriftReport | None = None) -> str:
    """The report as one HTML file."""
    return page(TITLE, LEAD, _facts(contents), sections(contents, drift))


def as_markdown(contents: Contents, drift: DriftReport | None = None) -> str:
    """The report as Markdown."""
    return markdown(TITLE, LEAD, _facts(contents), sections(contents, drift))


def as_json(contents: Contents) -> str:
    """The figures of the report, without traces."""
    return contents.model_dump_json(indent=1) + "\n"


def _facts(contents: Contents) -> list[tuple[str, str]]:
    return [
        ("Date", f"{contents.created:%Y-%m-%d %H:%M} UTC"),
        ("Models", models_named(contents)),
        ("Version", contents.product or "unknown"),
        ("Evidence", contents.evidence_hash),
        ("Code", contents.code_hash),
        ("Seed", str(contents.settings.seed)),
        ("Took", took(contents)),
    ]


def _anchors(found: Sequence[Section | Block]) -> Iterator[tuple[str, str]]:
    for one in found:
        if isinstance(one, Section | Part):
            yield one.name, one.title
        if isinstance(one, Section | Part | Fold):
            yield from _anchors(one.blocks)
