"""What a run leaves behind. Apart from the runner, so that reading a recorded run needs no agent framework."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.accounting import Usage
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
    model_version: str = ""
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
