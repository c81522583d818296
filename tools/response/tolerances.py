"""How near to the published figure a prediction must come to count as right."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import Field

from knowledge.schemas import Endpoint, Family, Frozen

PERCENT_POINTS = "%-points"


class Tolerance(Frozen):
    """A distance in `unit`, and why it was taken."""

    tolerance: float = Field(gt=0)
    unit: str
    reason: str


class _Table(Frozen):
    families: dict[str, Tolerance]
    endpoints: dict[str, Tolerance]


@lru_cache(maxsize=1)
def _table() -> _Table:
    text = Path(__file__).with_name("tolerances.yaml").read_text(encoding="utf-8")
    return _Table.model_validate(yaml.safe_load(text))


def tolerance_of(endpoint: Endpoint) -> Tolerance | None:
    """The endpoint's minimal important difference where one is published, else the choice of `tolerances.yaml`.

    Returns
    -------
    None for an endpoint with neither, and for times to event and rates, whose ratios the backtest does not score.
    """
    if endpoint.family not in (Family.CONTINUOUS, Family.PROPORTION):
        return None
    if endpoint.mcid is not None and endpoint.mcid_source:
        unit = PERCENT_POINTS if endpoint.family is Family.PROPORTION else endpoint.unit
        return Tolerance(tolerance=endpoint.mcid, unit=unit, reason="the minimal clinically important difference")
    chosen = _table().endpoints.get(endpoint.endpoint_id)
    return chosen or _table().families.get(endpoint.family.value)
