"""What an export holds, whatever its format: the answer, its numbers, its sources and what made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assistant.schemas import Answer, Citation, Question
from tools.schemas import Estimate, Provenance, ToolResult
from ui.exports.blocks import Block, blocks_of
from ui.exports.words import clean, figure

NOTICE = "Not advice for an individual: this is about groups of people."
ESTIMATE_HEADER = ("Quantity", "Treatment", "Value", "From", "To", "Unit", "Interval", "What it is", "Weeks", "Sources")
CHART_HEADER = ("Series", "At", "Value", "From", "To", "50 % from", "50 % to")
_OF = {
    "cohort_mean": "mean of the cohort",
    "individual": "single persons",
    "share": "share of the cohort",
    "count": "count",
}


@dataclass(frozen=True)
class Recorded:
    """A run as the ledger holds it, typed."""

    answer: Answer
    question: Question
    results: tuple[ToolResult, ...]
    created: datetime
    ledger_hash: str = ""
    model_version: str = ""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Recorded:
        """From `Ledger.record(run_id)`."""
        return cls(
            answer=Answer.model_validate(record["answer"]),
            question=Question.model_validate(record["question"]),
            results=tuple(ToolResult.model_validate(result) for result in record["results"]),
            created=datetime.fromisoformat(record["created"]),
            ledger_hash=str(record.get("hash", "")),
            model_version=str(record.get("model", {}).get("version", "")),
        )

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """What made each result, each once, in the order they ran."""
        found = [result.provenance for result in self.results if result.provenance is not None]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Part:
    """A titled part of the answer."""

    title: str
    blocks: tuple[Block, ...]


def parts_of(answer: Answer) -> tuple[Part, ...]:
    """The sections of the answer as blocks. The confidence stands first, so its section is not repeated."""
    return tuple(
        Part(clean(section.title), blocks_of(section.body))
        for section in answer.sections
        if section.body.strip() != answer.confidence.sentence.strip()
    )


def provenance_rows(run: Recorded) -> list[tuple[str, str]]:
    """What made the answer, as pairs of label and value."""
    answer, view = run.answer, run.question.view
    model = f"{answer.model} {run.model_version}".strip()
    rows = [
        ("Run", answer.run_id),
        ("Recorded", f"{run.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("Question", answer.question),
        ("Status", answer.status.value.replace("_", " ")),
        ("Written by", model),
        ("Seed", str(answer.seed)),
        ("Evidence hash", answer.evidence_hash),
        ("Evidence up to", view.as_of.isoformat() if view.as_of else "all that is known"),
    ]
    if view.exclude:
        rows.append(("Left out", ", ".join(view.exclude)))
    rows += [
        (f"Tool {made.tool}", f"version {made.version}, seed {made.seed}, input {made.input_hash}")
        for made in run.provenances
    ]
    if run.ledger_hash:
        rows.append(("Ledger hash", run.ledger_hash))
    rows.append(("Compute it again", f"cohort runs replay {answer.run_id}"))
    return [(label, clean(value)) for label, value in rows]


def estimate_row(estimate: Estimate) -> tuple[str, ...]:
    """An estimate under ESTIMATE_HEADER."""
    interval = f"{estimate.level:.0%} {estimate.kind.value}" if estimate.lower is not None else estimate.kind.value
    what = f"{_OF[estimate.of.value]}; {estimate.validation.value}"
    weeks = figure(estimate.horizon_weeks)
    sources = ", ".join(estimate.source_ids[:6]) + (
        f" and {len(estimate.source_ids) - 6} more" if len(estimate.source_ids) > 6 else ""
    )
    name = f"{estimate.quantity} ({estimate.note})" if estimate.note else estimate.quantity
    cells = (name, estimate.arm, figure(estimate.point), figure(estimate.lower), figure(estimate.upper), estimate.unit)
    return tuple(clean(cell) for cell in (*cells, interval, what, weeks, sources))


def citation_text(citation: Citation) -> str:
    """A source with its identifiers: number, title, where it stands, PMID and DOI."""
    identifiers = [
        f"{name} {value}"
        for name, value in (("PMID", citation.pmid), ("DOI", citation.doi))
        if value and value not in citation.citation
    ]
    kept = (f"{citation.title.rstrip('.')}.", citation.citation, *identifiers, f"{citation.grade}.", citation.locator)
    return clean(" ".join(part for part in kept if part))


def citation_link(citation: Citation) -> str:
    """Where the source can be read, or ''."""
    if citation.pmid.isdigit():
        return f"https://pubmed.ncbi.nlm.nih.gov/{citation.pmid}/"
    if citation.doi.startswith("10."):
        return f"https://doi.org/{clean(citation.doi)}"
    return clean(citation.url) if citation.url.startswith(("https://", "http://")) else ""


def chart_rows(series: Sequence[Any]) -> list[tuple[str, ...]]:
    """Everything a chart shows, as rows under CHART_HEADER."""
    return [
        (
            clean(one.name),
            figure(point.x) if isinstance(point.x, int | float) else clean(str(point.x)),
            *(figure(value) for value in (point.y, point.lower, point.upper, point.lower_50, point.upper_50)),
        )
        for one in series
        for point in one.points
    ]
