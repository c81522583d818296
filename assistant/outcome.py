"""What a run leaves behind. Apart from the runner, so that reading a recorded run needs no agent framework."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.schemas import Plan, Status, StepRecord
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
    notes: tuple[str, ...] = ()
