"""What is asked about, as the model sees it: designs by name → indices and standardised columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.schemas import Drug, TrialArm
from tools.response.assemble import Prepared
from tools.response.covariates import covariates_of, stacked
from tools.response.doses import convert_dose
from tools.response.features import CONTROL, Arms, FloatArray


@dataclass(frozen=True)
class Design:
    """One arm of a trial that might be run.

    Attributes
    ----------
    intervention : canonical name; drug_class : its class, None for a control that gives nothing of its own.
    dose_ratio : dose over the drug's reference dose; 1 when not stated.
    weeks : from the start of treatment.
    covariates : by name (`tools.response.covariates`), in their natural units; absent or None is "not known".
    """

    intervention: str
    drug_class: str | None
    dose_ratio: float
    weeks: float
    covariates: Mapping[str, float | None]


def design_of(arm: TrialArm, prepared: Prepared, drugs: Mapping[str, Drug]) -> Design:
    """The design of a published arm, without its result."""
    control = arm.arm_role.is_control
    drug, studied = drugs.get(arm.intervention), prepared.doses.get(arm.intervention)
    dose = None
    if drug is not None and arm.dose is not None and not control:
        dose = convert_dose(arm.dose, arm.dose_unit, arm.frequency, drug)
    return Design(
        intervention=arm.intervention,
        drug_class=None if control else arm.drug_class,
        dose_ratio=dose / studied.reference if dose is not None and studied is not None else 1.0,
        weeks=arm.weeks or prepared.typical_weeks,
        covariates=covariates_of(arm, prepared.endpoint),
    )


def to_arms(designs: Sequence[Design], prepared: Prepared) -> Arms:
    """Designs as the arrays of a prepared endpoint.

    A class or a drug without evidence gets an index of its own beyond the known ones.
    """
    classes = {name: index for index, name in enumerate(prepared.classes)}
    drugs = {name: index for index, name in enumerate(prepared.drugs)}
    for design in designs:
        if design.drug_class is not None:
            drugs.setdefault(design.intervention, len(drugs))
            classes.setdefault(design.drug_class, len(classes))
    background, modifiers = prepared.scales.columns(stacked([design.covariates for design in designs]), len(designs))
    return Arms(
        drug_class=np.array([CONTROL if d.drug_class is None else classes[d.drug_class] for d in designs]),
        drug=np.array([CONTROL if d.drug_class is None else drugs[d.intervention] for d in designs]),
        dose_ratio=np.array([design.dose_ratio for design in designs]),
        weeks=np.array([design.weeks for design in designs]),
        background=background,
        modifiers=modifiers,
    )


def patients_as_arms(design: Design, patients: Mapping[str, FloatArray], count: int, prepared: Prepared) -> Arms:
    """One design given to M virtual patients: the design's covariates, overwritten by those the patients have."""
    one = to_arms([design], prepared)
    values = {name: np.full(count, value) for name, value in design.covariates.items() if value is not None}
    background, modifiers = prepared.scales.columns({**values, **patients}, count)
    index = np.zeros(count, dtype=np.int64)
    return Arms(one.drug_class[index], one.drug[index], one.dose_ratio[index], one.weeks[index], background, modifiers)
