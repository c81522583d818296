"""How far the evidence reaches: trials that inform a treatment, and questions beyond them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from knowledge.schemas import TrialArm
from tools.response.assemble import Prepared
from tools.response.rows import Row
from tools.response.treatments import Treatment

# A horizon beyond this multiple of the longest trial is said to be beyond the evidence.
BEYOND_TIME = 1.5


def trials_of(rows: Sequence[Row], treatment: Treatment, *, by_class: bool) -> set[str]:
    """Names of the trials whose rows inform a treatment, or its class; for controls, those with a control arm."""

    def informs(arm: TrialArm | None) -> bool:
        if arm is None:
            return False
        if treatment.drug_class is None:
            return arm.arm_role.is_control
        if arm.arm_role.is_control:
            return False
        return arm.drug_class == treatment.drug_class if by_class else arm.intervention == treatment.name

    return {row.arm.trial for row in rows if informs(row.arm) or informs(row.against)}


def warnings_beyond(
    prepared: Prepared, treatments: Sequence[Treatment], covariates: Mapping[str, float | None], weeks: float
) -> list[str]:
    """Warnings about time and cohorts beyond the evidence."""
    warnings = []
    for treatment in treatments:
        if treatment.drug_class is None:
            continue
        seen = [
            row.arm.weeks or prepared.typical_weeks
            for row in prepared.selection.rows
            if treatment.drug_class in (row.arm.drug_class, row.against.drug_class if row.against else "")
        ]
        if seen and weeks > BEYOND_TIME * max(seen):
            warnings.append(
                f"{weeks:g} weeks is beyond the evidence: the longest trial of {treatment.drug_class} with "
                f"{prepared.endpoint.label} lasts {max(seen):g} weeks."
            )
    for name in prepared.scales.outside(covariates):
        scale = next(scale for scale in prepared.scales.scales if scale.name == name)
        value = covariates[name]
        if name in ("year", "log_weeks") or value is None:
            continue
        what = prepared.endpoint.baseline if name == "baseline" else name
        warnings.append(
            f"The cohort's mean {what} ({value:.3g}) lies outside the trials' means ({scale.low:.3g} to "
            f"{scale.high:.3g}); the prediction of {prepared.endpoint.label} is an extrapolation."
        )
    return warnings
