"""Input and result of `find_dose`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Rate = Field(None, gt=0, lt=1)


class DoseFindingInput(ToolInput):
    """A phase I trial: the design, and how toxic the doses truly are."""

    design: Literal["3+3", "boin"] = "boin"
    rates: tuple[Quantity, ...] = Field(
        (), max_length=20, description="true DLT rates 0-1, lowest dose first; without them only the decision table"
    )
    doses: tuple[str, ...] = Field(
        (), max_length=20, description="names of the doses, e.g. '10 mg'; numbered when left out"
    )
    target: float | None = Field(None, gt=0, lt=1, description="DLT rate aimed at; needed by BOIN")
    safe: float | None = Field(None, gt=0, lt=1, description="highest DLT rate that is too low; 0.6 times the target")
    toxic: float | None = Field(None, gt=0, lt=1, description="lowest DLT rate that is too high; 1.4 times the target")
    cohort_size: int = Field(3, ge=1, le=20, description="BOIN: people treated between two decisions")
    cohorts: int = Field(10, ge=1, le=100, description="BOIN: at most so many cohorts")
    start: int = Field(1, ge=1, le=20, description="BOIN: first dose, 1 for the lowest")
    enough: int | None = Field(None, ge=3, le=1000, description="BOIN: end once so many took a dose it would stay at")
    confirm: bool = Field(False, description="3+3: six people must have taken the dose that is chosen")
    trials: int = Field(20_000, ge=200, le=2_000_000, description="BOIN: simulated trials, all draws together")
    draws: int = Field(200, ge=1, le=2000, description="draws of uncertain rates")
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> DoseFindingInput:
        if self.design == "boin" and self.target is None:
            raise ValueError("BOIN needs `target`, the DLT rate aimed at")
        if self.design == "3+3" and not self.rates:
            raise ValueError("the 3+3 rule needs `rates`, the true DLT rates to look at")
        if self.doses and self.rates and len(self.doses) != len(self.rates):
            raise ValueError("give one name for each rate")
        if len(set(self.doses)) < len(self.doses):
            raise ValueError("each dose has its own name")
        if self.rates and self.start > len(self.rates):
            raise ValueError("the trial starts at one of its doses")
        return self


class Decision(Frozen):
    """What to do with so many people treated at a dose, by their number of DLTs; None: never."""

    people: int
    escalate_at_most: int
    deescalate_at_least: int
    eliminate_at_least: int | None


class DoseFindingResult(ToolResult):
    """Operating characteristics of the trial, and the table that decides it."""

    design: str
    table: tuple[Decision, ...] = ()
