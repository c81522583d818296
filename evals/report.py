"""The report: Markdown and JSON, from the results alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evals.runner import suite_hash
from evals.schemas import CaseResult, Outcome
from evals.scorers import absolute_error, coverage, interval_score, wilson

REPORTS = Path(__file__).parent / "reports"


def headline(results: Sequence[CaseResult]) -> str:
    """One paragraph: cases passed with interval, held-out outcomes covered, error by unit."""
    passed = sum(result.passed for result in results)
    low, high = wilson(passed, len(results))
    outcomes = [outcome for result in results for outcome in result.outcomes]
    text = f"{passed} of {len(results)} cases pass (95 % interval of the share {100 * low:.0f} to {100 * high:.0f} %)."
    if outcomes:
        inside = sum(outcome.lower <= outcome.published <= outcome.upper for outcome in outcomes)
        low, high = wilson(inside, len(outcomes))
        text += (
            f" Of {len(outcomes)} published outcomes predicted with their trial left out, {inside} fall inside the 90 % interval "
            f"(95 % interval of the share {100 * low:.0f} to {100 * high:.0f} %)."
        )
    return text


def markdown(results: Sequence[CaseResult], evidence_hash: str, model: str) -> str:
    """The report as Markdown."""
    cases = [result.case for result in results]
    lines = [
        "# Evaluation report",
        "",
        headline(results),
        "",
        f"Cases `{suite_hash(cases)}` · evidence `{evidence_hash}` · model `{model}` · {datetime.now(UTC):%Y-%m-%d}",
        "",
        "## Held-out outcomes",
        "",
        "| Case | Outcome | Published | Predicted (90 %) | Inside |",
        "|---|---|---|---|---|",
    ]
    outcomes = [outcome for result in results for outcome in result.outcomes]
    lines += [
        f"| {o.case_id} | {o.estimate_id} ({o.unit}) | {o.published:g} | {o.predicted:.2f} ({o.lower:.2f} to {o.upper:.2f}) | "
        f"{'yes' if o.lower <= o.published <= o.upper else 'no'} |"
        for o in outcomes
    ]
    lines += ["", "| Unit | n | Mean absolute error | Coverage of 90 % | Interval score |", "|---|---|---|---|---|"]
    for unit in dict.fromkeys(outcome.unit for outcome in outcomes):
        lines.append(_unit_row(unit, [outcome for outcome in outcomes if outcome.unit == unit]))
    lines += ["", "## Cases", "", "| Case | Suite | Result | Seconds | What failed |", "|---|---|---|---|---|"]
    for result in results:
        failed = "; ".join(f"{c.name} ({c.detail})" if c.detail else c.name for c in result.checks if not c.passed)
        verdict = "pass" if result.passed else "**fail**"
        lines.append(f"| {result.case.id} | {result.case.suite} | {verdict} | {result.seconds:.2f} | {failed} |")
    return "\n".join(lines) + "\n"


def _unit_row(unit: str, outcomes: Sequence[Outcome]) -> str:
    predicted, observed = [o.predicted for o in outcomes], [o.published for o in outcomes]
    lower, upper = [o.lower for o in outcomes], [o.upper for o in outcomes]
    return (
        f"| {unit} | {len(outcomes)} | {absolute_error(predicted, observed):.2f} | {100 * coverage(lower, upper, observed):.0f} % | "
        f"{interval_score(lower, upper, observed, outcomes[0].level):.2f} |"
    )


def write(results: Sequence[CaseResult], evidence_hash: str, model: str, folder: Path = REPORTS) -> tuple[Path, Path]:
    """Write report.md and report.json; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text, data = folder / "report.md", folder / "report.json"
    text.write_text(markdown(results, evidence_hash, model), encoding="utf-8")
    data.write_text(
        json.dumps([result.model_dump(mode="json") for result in results], indent=2, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    return text, data
