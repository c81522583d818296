"""Published rows of the evidence base as the tables that rivals learn from, and as what a held-out trial reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from knowledge.schemas import Drug, TrialArm
from tools.response.assemble import Prepared
from tools.response.designs import design_of
from tools.response.features import FloatArray
from tools.response.rows import Row
from tools.response.tables.table import ArmTable


def table_of(rows: Sequence[Row], prepared: Prepared, drugs: Mapping[str, Drug]) -> ArmTable:
    """Rows as a table of arms; for a difference the arm that is not the comparator.

    Parameters
    ----------
    rows : of the prepared endpoint, or held out from it.
    prepared : endpoint, reference doses and typical time.
    drugs : vocabulary, for doses.
    """
    arms = [row.arm for row in rows]
    designs = [design_of(arm, prepared, drugs) for arm in arms]
    baseline = [design.covariates.get("baseline") for design in designs]
    sizes = np.array([_told(arm.n) for arm in arms])
    proportion = not prepared.layout.starts_at_zero
    return ArmTable(
        endpoint=prepared.endpoint.endpoint_id,
        unit=prepared.endpoint.unit,
        proportion=proportion,
        study=np.array([arm.trial for arm in arms], dtype=str),
        arm=np.array([arm.arm for arm in arms], dtype=str),
        agent=np.array([arm.intervention for arm in arms], dtype=str),
        drug_class=np.array([arm.drug_class for arm in arms], dtype=str),
        control=np.array([arm.arm_role.is_control for arm in arms], dtype=bool),
        dose=np.array([design.dose_ratio for design in designs]),
        weeks=np.array([design.weeks for design in designs]),
        n=sizes,
        value=np.array([arm.value for arm in arms]),
        se=np.array([row.se for row in rows]),
        events=_events(arms, sizes) if proportion else np.full(len(rows), np.nan),
        kind=np.full(len(rows), ""),
        covariates={"baseline": np.array([_told(value) for value in baseline])},
    )


def _events(arms: Sequence[TrialArm], sizes: FloatArray) -> FloatArray:
    return np.array(
        [
            float(arm.events) if arm.events is not None else np.clip(arm.value, 0.0, 100.0) / 100.0 * n
            for arm, n in zip(arms, sizes, strict=True)
        ]
    )


def _told(value: float | None) -> float:
    return np.nan if value is None else float(value)
