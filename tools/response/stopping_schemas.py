"""Input and result of `simulate_stopping`."""

from __future__ import annotations

from pydantic import Field

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.response.schemas import Endpoints, MissingEndpoint, TreatmentInput
from tools.schemas import ToolInput, ToolResult, Weeks


class StoppingInput(ToolInput):
    """A cohort that takes a drug and then stops it."""

    cohort: CohortSpec
    treatment: TreatmentInput
    endpoints: Endpoints = Field(
        (), max_length=6, description="endpoint ids; by default those that withdrawal trials of the class tell"
    )
    weeks_on: Weeks = Field(52.0, description="weeks on treatment before the last dose")
    weeks_off: Weeks = Field(52.0, description="weeks after the last dose")


class WithdrawalFigure(Frozen):
    """What a withdrawal trial found in one arm."""

    endpoint: str
    trial: str
    drug: str
    drug_class: str
    weeks_on: float
    weeks_off: float
    change_at_stop: float = Field(description="from the untreated start to the last dose, `unit`")
    change_after: float = Field(description="from the untreated start to `weeks_off` after the last dose, `unit`")
    unit: str
    returned: float = Field(description="share of the change at the last dose that had come back, %")
    n: int | None
    source_ids: tuple[str, ...]
    own_class: bool = Field(description="of the class asked about; other classes only tell how fast it goes")


class StoppingResult(ToolResult):
    """What is left after stopping, with the withdrawal trials that tell it."""

    treatment: str
    weeks_on: float
    weeks_off: float
    trials: tuple[WithdrawalFigure, ...] = ()
    missing_endpoints: tuple[MissingEndpoint, ...] = ()
