"""A run against the committed baseline: paired by case, resampled by cluster.

Only cases with the same content in both are compared; one that was changed counts as gone and new. A headline metric
that got worse with p below `ALPHA` is a regression. No correction is made for the number of metrics: with the
same code and evidence the offline planner gives the same answers, so that there is no chance to guard against, and a
missed regression costs more than a look at a false one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from evals.schemas import (
    Baseline,
    BaselineMeasure,
    Change,
    Comparison,
    EvalRun,
    Metric,
    Record,
    Verdict,
)
from evals.statistics import paired_difference
from knowledge.errors import DataError

BASELINE: Final = Path(__file__).parent / "reports" / "baseline.json"
ALPHA: Final = 0.05
LEAST: Final = 1e-9  # a difference below is none
_DIGITS: Final = 6


def baseline_of(run: EvalRun, model: str = "") -> Baseline:
    """What is kept of a run to compare later ones with."""
    chosen = model or run.settings.models[0]
    records = [record for record in run.records if record.model == chosen]
    metrics = [one for one in run.summaries.get(chosen, ()) if one.headline]
    names = {_name(one) for one in metrics}
    return Baseline(
        created=run.created,
        model=chosen,
        seed=run.settings.seed,
        evidence_hash=run.evidence_hash,
        code_hash=run.code_hash,
        suites=run.suites,
        metrics=tuple(metrics),
        cases={record.case_id: record.case_hash for record in sorted(records, key=lambda one: one.case_id)},
        measures={name: tuple(rows) for name, rows in sorted(summed(records).items()) if name in names},
        failed=tuple(sorted(record.case_id for record in records if not record.passed)),
    )


def summed(records: Sequence[Record]) -> dict[str, list[BaselineMeasure]]:
    """'suite/metric' -> what each case and cluster gives to it, over the whole suite (not its groups)."""
    sums: dict[str, dict[tuple[str, str], list[float]]] = {}
    for record in records:
        for measure in record.measures:
            if not measure.pooled:
                continue
            own = sums.setdefault(f"{record.suite.value}/{measure.name}", {})
            total = own.setdefault((record.case_id, measure.cluster or record.case_id), [0.0, 0.0])
            total[0] += measure.weight * measure.value
            total[1] += measure.weight
    return {
        name: [
            BaselineMeasure(case_id=case, cluster=cluster, total=_short(total), weight=_short(weight))
            for (case, cluster), (total, weight) in sorted(own.items())
        ]
        for name, own in sums.items()
    }


def compare(run: EvalRun, baseline: Baseline, model: str = "") -> Comparison:
    """Every metric of the run and of the baseline, in the run's order, those that are gone last."""
    chosen = model or run.settings.models[0]
    records = [record for record in run.records if record.model == chosen]
    cases = {record.case_id: record.case_hash for record in records}
    same = {name for name, content in cases.items() if baseline.cases.get(name) == content}
    now = summed([record for record in records if record.case_id in same])
    before = {name: [row for row in rows if row.case_id in same] for name, rows in baseline.measures.items()}
    suites = {info.suite for info in run.suites}
    metrics = [one for one in run.summaries.get(chosen, ()) if one.headline]
    changes = [_change(one, now.get(_name(one), ()), before.get(_name(one), ())) for one in metrics]
    known = {_name(one) for one in metrics}
    changes += [_gone(one) for one in baseline.metrics if one.suite in suites and _name(one) not in known]
    failed = {record.case_id for record in records if not record.passed} & same
    failed_before = set(baseline.failed) & same
    chosen_cases = not run.settings.cases and not run.settings.suites
    return Comparison(
        model=chosen,
        changes=tuple(changes),
        newly_failed=tuple(sorted(failed - failed_before)),
        newly_passed=tuple(sorted(failed_before - failed)),
        cases_added=len(cases.keys() - same),
        cases_gone=len(baseline.cases.keys() - same) if chosen_cases else 0,
    )


def _change(metric: Metric, now: Sequence[BaselineMeasure], before: Sequence[BaselineMeasure]) -> Change:
    found = Change(
        suite=metric.suite,
        name=metric.name,
        before=None,
        now=metric.value,
        higher_is_better=metric.higher_is_better,
        headline=metric.headline,
        verdict=Verdict.NEW,
    )
    pairs = _paired(now, before)
    first, second = [one for _, one, _ in pairs], [other for _, _, other in pairs]
    if not sum(weight for _, weight in first) or not sum(weight for _, weight in second):
        return found
    difference = paired_difference(first, second, [cluster for cluster, _, _ in pairs])
    return found.model_copy(
        update={
            "before": sum(total for total, _ in second) / sum(weight for _, weight in second),
            "difference": difference.value,
            "lower": difference.lower,
            "upper": difference.upper,
            "p": difference.p,
            "pairs": len({case for case, _ in _keys(now)} & {case for case, _ in _keys(before)}),
            "verdict": _verdict(difference.value, difference.p, metric.higher_is_better),
        }
    )


def _paired(
    now: Sequence[BaselineMeasure], before: Sequence[BaselineMeasure]
) -> list[tuple[str, tuple[float, float], tuple[float, float]]]:
    """(cluster, now, before) of every case and cluster that either side has, of cases that both have.

    A case may contribute to a metric on one side only (precision, when it was refused on one side).
    """
    first, second = _keys(now), _keys(before)
    nothing = (0.0, 0.0)
    keys = sorted(first.keys() | second.keys())
    return [(key[1], first.get(key, nothing), second.get(key, nothing)) for key in keys]


def _keys(rows: Sequence[BaselineMeasure]) -> dict[tuple[str, str], tuple[float, float]]:
    return {(row.case_id, row.cluster): (row.total, row.weight) for row in rows}


def _verdict(difference: float, p: float | None, higher_is_better: bool | None) -> Verdict:
    if abs(difference) < LEAST:
        return Verdict.SAME
    if p is None or p >= ALPHA or higher_is_better is None:
        return Verdict.UNCLEAR
    return Verdict.BETTER if (difference > 0) is higher_is_better else Verdict.WORSE


def _gone(metric: Metric) -> Change:
    return Change(
        suite=metric.suite,
        name=metric.name,
        before=metric.value,
        now=None,
        higher_is_better=metric.higher_is_better,
        headline=metric.headline,
        verdict=Verdict.GONE,
    )


def _name(metric: Metric) -> str:
    return f"{metric.suite}/{metric.name}"


def read_baseline(path: Path = BASELINE) -> Baseline | None:
    """The committed baseline; None when there is none (DataError when it cannot be read)."""
    if not path.exists():
        return None
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path.name} cannot be read.", "Make it again with: python -m evals baseline") from error


def write_baseline(baseline: Baseline, path: Path = BASELINE) -> None:
    """Write it, one measure a line so that a changed figure is a visible diff."""
    content = baseline.model_dump(mode="json")
    measures = content.pop("measures")
    lines = [json.dumps(content, ensure_ascii=False, indent=1)[:-2] + ',\n "measures": {']
    for position, (name, rows) in enumerate(measures.items()):
        body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        lines.append(f"  {json.dumps(name)}: [\n{body}\n  ]" + ("," if position < len(measures) - 1 else ""))
    lines.append(" }\n}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
