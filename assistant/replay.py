"""A recorded run computed again: the same tools, arguments, seed and evidence view; every number compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistant.ledger import LedgerRow
from assistant.schemas import Answer, Question, ReplayReport

if TYPE_CHECKING:
    from assistant.service import Assistant

SHOWN = 50  # differences listed


def replay_run(assistant: Assistant, row: LedgerRow) -> ReplayReport:
    """Call the run's tools again and compare."""
    question = Question.model_validate(row.body["question"])
    recorded = Answer.model_validate(row.body["answer"])
    old_results = iter(row.body["results"])
    differences: list[str] = []
    compared = 0
    for step in recorded.steps:
        if not step.ok:
            continue
        old = next(old_results)
        new = assistant.run_tool(step.tool, step.arguments, seed=question.seed, view=question.view)
        count, changed = compare(step.tool, old, new.model_dump(mode="json"))
        compared += count
        differences += changed
    return ReplayReport(
        run_id=row.run_id,
        identical=not differences,
        compared=compared,
        differences=tuple(differences[:SHOWN]),
        evidence_changed=assistant.knowledge.evidence_hash(question.view) != recorded.evidence_hash,
    )


def compare(tool: str, old: Any, new: Any, path: str = "") -> tuple[int, list[str]]:
    """Count the numbers of two JSON values and list where they differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key), new.get(key)) for key in {**old, **new}]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(str(index), a, b) for index, (a, b) in enumerate(zip(old, new, strict=True))]
    else:
        is_number = isinstance(old, int | float) and not isinstance(old, bool)
        changed = [f"{tool}{path}: recorded {old!r}, now {new!r}"] if old != new else []
        return int(is_number), changed
    counts, differences = 0, []
    for key, a, b in pairs:
        count, changed = compare(tool, a, b, f"{path}.{key}")
        counts += count
        differences += changed
    return counts, differences
