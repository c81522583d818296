"""How far the predictions are to be believed: the measured confidence curves, and the latest evaluation report.

Both are shipped files that were made by backtests; nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scipy.stats import beta, binom

from knowledge.errors import DataError
from knowledge.schemas import Frozen
from knowledge.vocabulary import Vocabulary
from tools.response.confidence import LEVEL, calibrations

REPORTS = Path(__file__).resolve().parent.parent / "evals" / "reports"
REPORT_JSON, REPORT_HTML = "report.json", "report.html"
NULL_LEVEL = 0.95
_ROUNDED = 1e-5


class Frequency(Frozen):
    """Held-out predictions whose 90 % half-width was at most `half_width`: how often they were right.

    `lower` and `upper` are the 95 % Clopper–Pearson interval of the share (Clopper and Pearson 1934), all 0-1.
    """

    half_width: float
    n: int
    hits: int
    share: float
    lower: float
    upper: float


class Reliability(Frozen):
    """What the backtest of one outcome found.

    Attributes
    ----------
    said, found : share of held-out arms that the intervals promise to hold, and that they held (0-1).
    null_lower, null_upper : where `found` would be in 95 of 100 backtests of this size, were the intervals exactly right
        and the arms independent of each other.
    tolerance, unit : what counts as right in `steps`.
    """

    endpoint: str
    label: str
    said: float
    found: float
    null_lower: float
    null_upper: float
    tolerance: float
    unit: str
    n_arms: int
    n_trials: int
    mean_absolute_error: float
    steps: tuple[Frequency, ...]

    @property
    def verdict(self) -> str:
        """One word on the intervals: 'as said', 'too wide' or 'too narrow'."""
        # The shipped shares are rounded to six digits.
        if self.found > self.null_upper + _ROUNDED:
            return "too wide"
        return "too narrow" if self.found < self.null_lower - _ROUNDED else "as said"


class EvalReport(Frozen):
    """The latest evaluation report, as far as its file can be read.

    `metrics`: rows of suite, name, group, value, lower, upper, n, as the harness wrote them. `page`: the full report.
    """

    created: str = ""
    headline: tuple[str, ...] = ()
    model: str = ""
    evidence_hash: str = ""
    metrics: tuple[dict[str, Any], ...] = ()
    page: Path | None = None


def reliabilities(vocabulary: Vocabulary, endpoints: Iterable[str] | None = None) -> list[Reliability]:
    """Measured reliability of the outcomes (all that have one when none are named), in the order named."""
    curves = calibrations()
    wanted = sorted(curves) if endpoints is None else [name for name in dict.fromkeys(endpoints) if name in curves]
    found = []
    for name in wanted:
        curve = curves[name]
        low, high = binom.interval(NULL_LEVEL, curve.n_arms, LEVEL)
        found.append(
            Reliability(
                endpoint=name,
                label=vocabulary.endpoint(name).label,
                said=LEVEL,
                found=curve.coverage,
                null_lower=float(low) / curve.n_arms,
                null_upper=float(high) / curve.n_arms,
                tolerance=curve.tolerance,
                unit=curve.unit,
                n_arms=curve.n_arms,
                n_trials=curve.n_trials,
                mean_absolute_error=curve.mean_absolute_error,
                steps=tuple(_frequency(step.half_width, step.n, step.hits) for step in curve.steps),
            )
        )
    return found


def _frequency(half_width: float, n: int, hits: int) -> Frequency:
    tail = (1 - NULL_LEVEL) / 2
    lower = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    upper = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return Frequency(half_width=half_width, n=n, hits=hits, share=hits / n, lower=lower, upper=upper)


def latest_report(folder: Path = REPORTS) -> EvalReport | None:
    """The report in the folder; None when there is none (DataError when it is no JSON)."""
    file = folder / REPORT_JSON
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file.name} cannot be read.", "Make it again with: make eval") from error
    page = folder / REPORT_HTML
    report = content if isinstance(content, dict) else {}
    summaries = report.get("summaries")
    by_model: dict[str, Any] = summaries if isinstance(summaries, dict) else {}
    model = next(iter(by_model), "")
    headline = report.get("headline", ())
    return EvalReport(
        created=str(report.get("created", "")),
        headline=(headline,) if isinstance(headline, str) else tuple(str(line) for line in headline or ()),
        model=model,
        evidence_hash=str(report.get("evidence_hash", "")),
        metrics=tuple(row for row in by_model.get(model, ()) if isinstance(row, dict)),
        page=page if page.exists() else None,
    )
