"""The report of a run: one HTML file that loads nothing, Markdown, and JSON."""

from __future__ import annotations

from pathlib import Path

from evals.drift import DriftReport
from evals.report.contents import Contents
from evals.report.gathering import gather
from evals.report.telling import sentences
from evals.report.writing import as_html, as_json, as_markdown
from evals.schemas import Comparison, EvalRun

REPORTS = Path(__file__).parent.parent / "reports"


def headline(run: EvalRun, comparison: Comparison | None = None) -> list[str]:
    """What the run says, in a few sentences."""
    return sentences(gather(run, comparison))


def write(
    run: EvalRun, comparison: Comparison | None = None, folder: Path = REPORTS, drift: DriftReport | None = None
) -> list[Path]:
    """Write report.html, report.md and report.json into `folder`; return their paths.

    `drift` is what `evals drift` found, where it was run. Equal arguments give equal bytes.
    """
    contents = gather(run, comparison)
    contents = contents.model_copy(update={"headline": tuple(sentences(contents))})
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "report.html": as_html(contents, drift),
        "report.md": as_markdown(contents, drift),
        "report.json": as_json(contents),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


__all__ = ["REPORTS", "Contents", "gather", "headline", "write"]
