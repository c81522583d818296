"""What a run leaves behind. Apart from the runner, so that reading a recorded run needs no agent framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from assistant.accounting import Usage
from assistant.schemas import Answer, Plan, Question, Status, StepRecord
from knowledge.errors import CohortTwinError
from tools.schemas import ToolResult


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: the model's text, checked, and everything the tools returned."""

    text: str
    status: Status
    plan: Plan | None
    steps: tuple[StepRecord, ...]
    results: tuple[tuple[str, ToolResult], ...]
    errors: tuple[CohortTwinError, ...]
    removed: tuple[str, ...] = ()
    model: str = ""
    model_version: str = ""
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


def recorded(question: Question, answer: Answer, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """What the ledger keeps of a run."""
    return {
        "question": question.model_dump(mode="json"),
        "answer": answer.model_dump(mode="json"),
        "results": [result.model_dump(mode="json") for _, result in outcome.results],
        "usage": outcome.usage.record(),
        "model": {"name": outcome.model, "version": outcome.model_version},
        "seconds": round(seconds, 3),
    }
